from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.dataset.flow import flow, flow_picture, save_flow
from niftyformer_assets.dataset.settings import WaveletSettings, WindowSettings
from niftyformer_assets.dataset.trend import save_trend, trend, trend_picture
from niftyformer_assets.store.arrays import Axes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError

from .made_up import SESSIONS, SYMBOLS, axes, returns

PNG = b"\x89PNG\r\n\x1a\n"


def made() -> dict[str, np.ndarray]:
    return flow(returns(), axes(), WindowSettings(), WaveletSettings())


def test_flow_is_dense_and_its_bands_add_up() -> None:
    arrays = made()
    np.testing.assert_array_equal(arrays["result"], np.nan_to_num(returns()))
    assert arrays["low_freq"].shape == arrays["high_freq"].shape == (SESSIONS - 19, 20, SYMBOLS)
    both = arrays["low_freq"] + arrays["high_freq"]
    for number in (0, 57, SESSIONS - 20):
        np.testing.assert_allclose(both[number], arrays["result"][number : number + 20], rtol=0, atol=1e-16)
        np.testing.assert_allclose(
            arrays["low_freq"][number],
            arrays["low_matrix"] @ arrays["result"][number : number + 20],
            rtol=0,
            atol=1e-15,
        )
    assert arrays["low_matrix_output"].shape == (2, 2)


def test_trend_is_dense_and_valid_says_where_there_was_no_return() -> None:
    arrays = trend(np.array([[0.01, -0.01, 0.0, np.nan]]))
    assert arrays["result"].tolist() == [[1, 0, 0, 0]]
    assert arrays["valid"].tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("cut", [20, 21, 83, SESSIONS - 1])
def test_cutting_the_candles_changes_nothing_before(cut: int) -> None:
    full, short = made(), flow(returns()[:cut], axes(cut), WindowSettings(), WaveletSettings())
    for name in ("result", "low_freq", "high_freq"):
        np.testing.assert_array_equal(full[name][: len(short[name])], short[name])
    assert len(short["low_freq"]) == cut - 19
    full, short = trend(returns()), trend(returns()[:cut])
    for name in ("result", "valid"):
        np.testing.assert_array_equal(full[name][:cut], short[name])


def test_files_keep_sessions_and_symbols_and_are_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        save_flow(tmp_path / folder / "flow.npz", made(), axes())
        save_trend(tmp_path / folder / "trend_indicator.npz", trend(returns()), axes())
    for name in ("flow.npz", "trend_indicator.npz", "index.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    arrays, kept = load_arrays(tmp_path / "first" / "flow.npz", axes())
    assert kept == axes()
    np.testing.assert_array_equal(arrays["low_freq"], made()["low_freq"])
    with np.load(tmp_path / "first" / "flow.npz", allow_pickle=False) as bare:
        assert bare["dates"].tolist() == axes().dates.astype(str).tolist()
        assert bare["symbols"].tolist() == list(axes().symbols)


def test_shuffled_shortened_and_re_dated_arrays_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "flow.npz"
    save_flow(path, made(), axes())
    asked = axes()
    for wrong, message in (
        (Axes(asked.dates, asked.symbols[::-1]), r"flow\.npz .*symbol 0 is S00 against S23"),
        (Axes(asked.dates[:-1], asked.symbols), r"flow\.npz .*140 sessions against 139"),
        (Axes(asked.dates + np.timedelta64(1, "D"), asked.symbols), r"flow\.npz .*session 0 is 2022-01-03"),
    ):
        with pytest.raises(NiftyFormerError, match=message):
            load_arrays(path, wrong)
    with np.load(path) as bare:
        content = dict(bare)
    for name, changed in (
        ("shuffled", {"result": content["result"][:, ::-1]}),
        ("shortened", {"result": content["result"][:-1]}),
        ("re-dated", {"dates": (asked.dates + np.timedelta64(7, "D")).astype(str)}),
    ):
        np.savez(path, **(content | changed))
        with pytest.raises(NiftyFormerError, match=r"flow\.npz is damaged: it is not the file"):
            load_arrays(path)
        assert name


def test_one_stock_and_an_all_missing_one_are_fine() -> None:
    one = flow(returns(40, 1), axes(40, 1), WindowSettings(), WaveletSettings())
    assert one["low_freq"].shape == (21, 20, 1)
    values = returns(40, 3)
    values[:, 1] = np.nan
    arrays = flow(values, axes(40, 3), WindowSettings(), WaveletSettings())
    assert not arrays["result"][:, 1].any() and not arrays["low_freq"][..., 1].any()
    assert not trend(values)["valid"][:, 1].any()


def test_constant_returns_have_a_low_band_that_is_constant_inside() -> None:
    arrays = flow(np.full((20, 2), 0.01), axes(20, 2), WindowSettings(), WaveletSettings())
    np.testing.assert_allclose(arrays["low_freq"][0, 4:-4], 0.01, atol=1e-15)
    np.testing.assert_allclose(arrays["high_freq"][0, 4:-4], 0, atol=1e-15)


def test_fewer_sessions_than_a_window() -> None:
    with pytest.raises(NiftyFormerError, match="12 sessions are fewer than a window of 20"):
        flow(returns(12), axes(12), WindowSettings(), WaveletSettings())


def test_an_infinite_return_is_named() -> None:
    values = returns()
    values[31, 4] = np.inf
    with pytest.raises(NiftyFormerError, match=f"return of S04 on {axes().dates[31]} is infinite"):
        flow(values, axes(), WindowSettings(), WaveletSettings())


def test_returns_on_other_axes_are_a_defect() -> None:
    with pytest.raises(ValueError, match="shape"):
        flow(returns(50), axes(), WindowSettings(), WaveletSettings())


def test_picture() -> None:
    picture = flow_picture(made(), axes(), "S03")
    assert picture.startswith(PNG)
    assert picture == flow_picture(made(), axes(), "S03")
    assert picture != flow_picture(made(), axes())


@pytest.mark.parametrize("sessions", [SESSIONS, 5])
def test_picture_of_the_trend(sessions: int) -> None:
    picture = trend_picture(trend(returns()[:sessions]), axes(sessions))
    assert picture.startswith(PNG)

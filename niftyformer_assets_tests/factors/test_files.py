from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.panel_file import update_factor_panel
from niftyformer_assets.factors.panel_reading import read_factor_panel
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.factors.returns import daily_returns, read_returns, write_returns
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.factors.panels import made_up_panel, sectors_of


@pytest.mark.parametrize("factor_set", FACTOR_SETS)
def test_a_panel_comes_back_bit_for_bit(tmp_path: Path, factor_set: str) -> None:
    panel, path = made_up_panel(), tmp_path / "panel.parquet"
    sectors = sectors_of(panel)
    assert update_factor_panel(path, factor_set, panel, sectors=sectors) == 150
    names = FACTOR_SETS[factor_set].names
    values = FACTOR_SETS[factor_set].compute(panel, 0, None, sectors)
    np.testing.assert_array_equal(read_factor_panel(path, panel.axes, names), values)
    np.testing.assert_array_equal(read_factor_panel(path, panel.axes, names[::-1][:1]), values[-1:])


def test_the_table_is_long_by_date_then_symbol_from_the_first_candle_on(tmp_path: Path) -> None:
    panel, path = made_up_panel(), tmp_path / "alpha158.parquet"
    update_factor_panel(path, "alpha158", panel)
    frame = pd.read_parquet(path)
    assert list(frame.columns) == ["date", "symbol", *ALPHA158]
    assert (frame.dtypes.iloc[2:] == np.float32).all()
    assert len(frame) == (panel.segment >= 0).sum()
    pd.testing.assert_frame_equal(frame[["date", "symbol"]].sort_values(["date", "symbol"]), frame[["date", "symbol"]])


def test_symbols_in_another_order_than_the_alphabet(tmp_path: Path) -> None:
    panel, path = made_up_panel(sessions=70), tmp_path / "alpha158.parquet"
    odd = replace(panel, axes=Axes(panel.axes.dates, panel.axes.symbols[::-1]))
    update_factor_panel(path, "alpha158", odd)
    np.testing.assert_array_equal(
        read_factor_panel(path, odd.axes, ALPHA158), FACTOR_SETS["alpha158"].compute(odd, 0, None)
    )
    frame = pd.read_parquet(path, columns=["date", "symbol"])
    pd.testing.assert_frame_equal(frame.sort_values(["date", "symbol"]), frame)


@pytest.mark.parametrize("factor_set", FACTOR_SETS)
@pytest.mark.parametrize("known", [1, 75, 149, 150])
def test_a_new_session_computes_only_itself_and_gives_the_same_bytes(
    tmp_path: Path, factor_set: str, known: int
) -> None:
    panel = made_up_panel()
    sectors = sectors_of(panel)
    update_factor_panel(tmp_path / "full.parquet", factor_set, panel, sectors=sectors)
    update_factor_panel(tmp_path / "grown.parquet", factor_set, cut_sessions(panel, 0, known), sectors=sectors[:known])
    assert update_factor_panel(tmp_path / "grown.parquet", factor_set, panel, sectors=sectors) == 150 - known
    assert (tmp_path / "grown.parquet").read_bytes() == (tmp_path / "full.parquet").read_bytes()


def test_a_stock_in_another_sector_computes_everything_of_sets_by_sector(tmp_path: Path) -> None:
    panel = made_up_panel()
    sectors = sectors_of(panel)
    other = sectors.copy()
    other[70:, 3] = 0
    for name, chosen in FACTOR_SETS.items():
        path = tmp_path / f"{name}.parquet"
        update_factor_panel(path, name, panel, sectors=sectors)
        assert update_factor_panel(path, name, panel, sectors=other) == (150 if chosen.by_sector else 0)


def changed_candle(panel: Panel) -> Panel:
    close = panel.close.copy()
    close[np.isfinite(close)] *= 0.5
    return replace(panel, close=close)


def new_symbol(panel: Panel) -> Panel:
    return replace(panel, axes=Axes(panel.axes.dates, (*panel.axes.symbols[:-1], "NEW")))


@pytest.mark.parametrize("change", [changed_candle, new_symbol, lambda panel: cut_sessions(panel, 0, 100)])
def test_any_other_change_computes_everything(tmp_path: Path, change: Callable[[Panel], Panel]) -> None:
    panel, path = made_up_panel(), tmp_path / "alpha158.parquet"
    update_factor_panel(path, "alpha158", panel)
    other = change(panel)
    assert update_factor_panel(path, "alpha158", other) == len(other.axes.dates)
    values = FACTOR_SETS["alpha158"].compute(other, 0, None)
    np.testing.assert_array_equal(read_factor_panel(path, other.axes, ALPHA158), values)


def test_a_damaged_panel_is_named_and_made_anew(tmp_path: Path) -> None:
    panel, path = made_up_panel(), tmp_path / "alpha158.parquet"
    update_factor_panel(path, "alpha158", panel)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(NiftyFormerError, match=r"alpha158\.parquet is damaged"):
        read_factor_panel(path, panel.axes, ALPHA158)
    assert update_factor_panel(path, "alpha158", panel) == 150
    assert path.read_bytes() == content


def test_a_panel_on_other_axes_is_refused(tmp_path: Path) -> None:
    panel, path = made_up_panel(), tmp_path / "alpha158.parquet"
    update_factor_panel(path, "alpha158", panel)
    with pytest.raises(NiftyFormerError, match="other sessions or symbols"):
        read_factor_panel(path, new_symbol(panel).axes, ALPHA158)
    with pytest.raises(NiftyFormerError, match="has no factor NEW1"):
        read_factor_panel(path, panel.axes, ("KMID", "NEW1"))


def test_returns() -> None:
    close = np.array([[np.nan, 10.0], [100.0, 11.0], [110.0, np.nan], [99.0, 12.0], [9.9, 6.0]])
    segment = np.array([[-1, 0], [0, 0], [0, 0], [0, 0], [1, 0]])
    expected = [[np.nan, np.nan], [np.nan, 0.1], [0.1, np.nan], [-0.1, np.nan], [np.nan, -0.5]]
    np.testing.assert_allclose(daily_returns(close, segment), expected)
    assert not np.isinf(daily_returns(np.array([[0.0], [1.0]]), np.zeros((2, 1)))).any()


def test_labels_come_back_bit_for_bit(tmp_path: Path) -> None:
    panel = made_up_panel()
    returns = daily_returns(panel.close, panel.segment)
    path = tmp_path / "label.csv"
    write_returns(path, returns, panel.axes)
    back, axes = read_returns(path, panel.axes)
    np.testing.assert_array_equal(back, returns)
    assert axes == panel.axes
    content = path.read_bytes()
    write_returns(path, returns, panel.axes)
    assert path.read_bytes() == content
    path.write_bytes(content.replace(b"S003", b"S999", 1))
    with pytest.raises(NiftyFormerError, match="was changed"):
        read_returns(path)


def test_a_label_of_other_sessions_is_refused(tmp_path: Path) -> None:
    panel = made_up_panel()
    write_returns(tmp_path / "label.csv", daily_returns(panel.close, panel.segment), panel.axes)
    with pytest.raises(NiftyFormerError, match="150 sessions against 149"):
        read_returns(tmp_path / "label.csv", cut_sessions(panel, 1).axes)

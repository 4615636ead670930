from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.factors.neutralize import (
    Beside,
    neutralize,
    neutralized_factors,
    read_neutralized,
    write_neutralized,
)
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.store.arrays import Axes, read_in_index
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import ExperimentFolder

F, T, N = 4, 30, 40
PLAIN = FactorSettings()


def made_up() -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """Factors with gaps, sizes with gaps, six sectors: one of a single stock, one unnamed."""
    random = np.random.default_rng(3)
    size = random.normal(18, 1.5, (T, N))
    sectors: list[str | None] = ["ALONE", None, "", *(f"S{place % 4}" for place in range(N - 3))]
    factors = random.normal(size=(F, T, N)) + 0.3 * size + np.arange(N) % 4
    factors[random.random(factors.shape) < 0.1] = np.nan
    size[random.random(size.shape) < 0.05] = np.nan
    return factors.astype(np.float32), size, sectors


def least_squares(x: np.ndarray, size: np.ndarray, sectors: list[str | None]) -> np.ndarray:
    """Standardised residuals [N] of one session by the textbook: a constant, size and all dummies."""
    there = np.isfinite(x) & np.isfinite(size)
    dummies = pd.get_dummies(pd.Series(sectors).fillna("")).to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(x)), size, dummies])[there]
    y = x[there].astype(float)
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    result = np.full(len(x), np.nan)
    result[there] = residuals / residuals.std()
    return result


def test_equals_least_squares_session_by_session() -> None:
    factors, size, sectors = made_up()
    ours = neutralize(factors, size, sectors, PLAIN)
    for f, t in np.ndindex(F, T):
        expected = least_squares(factors[f, t], size[t], sectors)
        np.testing.assert_allclose(ours[f, t], expected, atol=1e-5)


def test_residuals_are_standardised_and_orthogonal() -> None:
    factors, size, sectors = made_up()
    ours = neutralize(factors, size, sectors, PLAIN).astype(float)
    np.testing.assert_allclose(np.nanmean(ours, axis=2), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(ours, axis=2), 1, atol=1e-6)
    np.testing.assert_allclose(np.nansum(ours * size, axis=2), 0, atol=1e-3)


def test_a_missing_value_takes_out_its_stock_and_nothing_else() -> None:
    factors, size, sectors = made_up()
    before = neutralize(factors, size, sectors, PLAIN)
    factors[1] = np.nan
    factors[2, 4, 7] = np.inf
    after = neutralize(factors, size, sectors, PLAIN)
    assert np.isnan(after[1]).all()
    np.testing.assert_array_equal(after[[0, 3]], before[[0, 3]])
    assert np.isnan(after[2, 4, 7])
    assert np.isfinite(after[2, 4]).sum() >= np.isfinite(before[2, 4]).sum() - 1


def test_missing_size_is_missing() -> None:
    factors, size, sectors = made_up()
    assert np.isnan(neutralize(factors, size, sectors, PLAIN)[:, np.isnan(size)]).all()
    size[6] = np.nan
    assert np.isnan(neutralize(factors, size, sectors, PLAIN)[:, 6]).all()


def test_the_sector_of_each_session_counts() -> None:
    factors, size, sectors = made_up()
    later = [sectors[place - 1] for place in range(N)]
    half = factors.shape[1] // 2
    by_session = np.array([sectors] * half + [later] * (factors.shape[1] - half), dtype=object)
    ours = neutralize(factors, size, by_session, PLAIN)
    np.testing.assert_array_equal(ours[:, :half], neutralize(factors, size, sectors, PLAIN)[:, :half])
    np.testing.assert_array_equal(ours[:, half:], neutralize(factors, size, later, PLAIN)[:, half:])


def test_a_stock_alone_in_its_sector_gets_zero() -> None:
    factors, size, sectors = made_up()
    alone = neutralize(factors, size, sectors, PLAIN)[:, :, 0]
    assert (alone[np.isfinite(alone)] == 0).all()
    assert np.isfinite(alone).any()


def test_what_size_and_sector_explain_leaves_zero() -> None:
    _, size, sectors = made_up()
    codes = pd.factorize(pd.Series(sectors).fillna(""))[0]
    explained = np.stack([np.full((T, N), 7.0), 2 * size + 1, np.broadcast_to(codes / 3, (T, N))]).astype(np.float32)
    ours = neutralize(explained, size, sectors, PLAIN)
    assert (ours[np.isfinite(ours)] == 0).all()
    assert np.isfinite(ours).any()


def test_size_that_the_sectors_explain_is_no_collinear_column() -> None:
    factors, _, sectors = made_up()
    codes = pd.factorize(pd.Series(sectors).fillna(""))[0]
    size = np.broadcast_to(codes + 1.0, (T, N)).copy()
    ours = neutralize(factors, size, sectors, PLAIN)
    np.testing.assert_allclose(ours[0, 3], least_squares(factors[0, 3], size[3], sectors), atol=1e-5)


def test_too_few_stocks_give_nothing() -> None:
    factors, size, sectors = made_up()
    factors[0, 5, 9:] = np.nan
    assert np.isnan(neutralize(factors, size, sectors, PLAIN)[0, 5]).all()


@pytest.mark.parametrize("value", [1e18, -1e18, 1e6, 3e38])
@pytest.mark.parametrize("stocks", [1, 3])
def test_absurd_values_decide_nothing(value: float, stocks: int) -> None:
    """The others get what they get without the stocks."""
    factors, size, sectors = made_up()
    absurd, without = factors.copy(), factors.copy()
    absurd[:, 4, 5 : 5 + stocks], without[:, 4, 5 : 5 + stocks] = value, np.nan
    ours = neutralize(absurd, size, sectors, PLAIN)
    np.testing.assert_array_equal(ours, neutralize(without, size, sectors, PLAIN))
    assert np.isnan(ours[:, 4, 5 : 5 + stocks]).all()


def test_an_absurd_value_among_few_distinct_ones() -> None:
    """Half of the stocks stand at the median itself: that makes nobody absurd but the one who is."""
    factors, size, sectors = made_up()
    factors[:] = np.where(np.arange(N) % 2, 0.0, np.round(factors))
    plain = neutralize(factors, size, sectors, PLAIN)
    np.testing.assert_array_equal(np.isfinite(plain), np.isfinite(factors) & np.isfinite(size))
    factors[:, :, 7] = 1e18
    ours = neutralize(factors, size, sectors, PLAIN)
    assert np.isnan(ours[:, :, 7]).all()
    assert np.nanstd(ours, axis=2) == pytest.approx(1, abs=1e-5)


def test_winsorising_clips_the_tails_before_the_regression() -> None:
    factors, size, sectors = made_up()
    size[:] = np.where(np.isfinite(size), size, 18.0)
    clipped = factors.astype(float)
    for values in clipped.reshape(-1, N):
        values[:] = np.clip(values, *np.nanquantile(values, [0.1, 0.9]))
    expected = neutralize(clipped.astype(np.float32), size, sectors, PLAIN)
    ours = neutralize(factors, size, sectors, FactorSettings(winsorize=0.1))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_rolling_zscore_of_each_stock() -> None:
    factors, size, sectors = made_up()
    plain = neutralize(factors, size, sectors, PLAIN)
    ours = neutralize(factors, size, sectors, FactorSettings(rolling_zscore_sessions=12))
    for n in range(N):
        rolling = pd.Series(plain[0, :, n].astype(float)).rolling(12, min_periods=4)
        deviation = rolling.std(ddof=0)
        expected = ((plain[0, :, n] - rolling.mean()) / deviation).where(deviation > 1e-7, 0.0)
        expected = expected.where(np.isfinite(plain[0, :, n]) & (rolling.count() >= 4))
        np.testing.assert_allclose(ours[0, :, n], expected, atol=1e-4)


def folder_with(
    tmp_path: Path, names: tuple[str, ...], settings: FactorSettings = PLAIN
) -> tuple[ExperimentFolder, Axes]:
    factors, size, sectors = made_up()
    axes = Axes(np.datetime64("2022-01-03") + np.arange(T), tuple(f"S{n}" for n in range(N)))
    folder = ExperimentFolder(tmp_path / "mvp")
    beside = Beside(lambda: size, lambda: np.array([sectors] * T, dtype=object), np.ones((T, N), dtype=bool))
    chosen = neutralized_factors(factors[: len(names)], names, beside, settings)
    write_neutralized(folder, chosen, axes, settings)
    return folder, axes


def test_files_hold_the_same_values_in_sorted_order(tmp_path: Path) -> None:
    folder, axes = folder_with(tmp_path, ("RSV5", "KMID", "CORR10"))
    factors, read_axes = read_neutralized(folder, axes)
    assert read_axes == axes
    assert factors.names == ("CORR10", "KMID", "RSV5")
    assert factors.result.dtype == np.float32
    assert (factors.result[~factors.valid] == 0).all()
    files = sorted(folder.factors.iterdir())
    assert [file.stem for file in files] == list(factors.names)
    # As the published loader reads them.
    dense = np.stack([pd.read_csv(file, index_col=0).to_numpy() for file in files], axis=-1)
    np.testing.assert_array_equal(dense.astype(np.float32), factors.result)
    first = pd.read_csv(files[0], index_col=0)
    assert list(first.columns) == list(axes.symbols)
    assert list(first.index) == axes.dates.astype(str).tolist()


def test_files_of_an_earlier_selection_go(tmp_path: Path) -> None:
    folder, axes = folder_with(tmp_path, ("KMID", "KLEN"))
    (folder.factors / "stray.txt").write_text("x")
    folder, axes = folder_with(tmp_path, ("KMID", "ROC5"))
    assert sorted(file.name for file in folder.factors.iterdir()) == ["KMID.csv", "ROC5.csv"]
    read_in_index(folder.factors / "KMID.csv", axes, folder.root)
    (folder.factors / "KMID.csv").write_text("date,S0\n")
    with pytest.raises(NiftyFormerError, match="was changed"):
        read_in_index(folder.factors / "KMID.csv", axes, folder.root)


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    first, _ = folder_with(tmp_path / "a", ("KMID", "KLEN"))
    second, _ = folder_with(tmp_path / "b", ("KLEN", "KMID"))
    assert (first.factors / "KMID.csv").read_bytes() != (second.factors / "KMID.csv").read_bytes()
    third, _ = folder_with(tmp_path / "c", ("KMID", "KLEN"))
    for name in ("neutralized_factors.npz", "index.json", "factors/KMID.csv"):
        assert (first.root / name).read_bytes() == (third.root / name).read_bytes()


def test_ranks_are_not_written_for_the_published_loader(tmp_path: Path) -> None:
    folder_with(tmp_path, ("KMID", "KLEN"))
    folder, axes = folder_with(tmp_path, ("KMID", "ROC5"), FactorSettings(transform="rank"))
    assert list(folder.factors.iterdir()) == []
    ranks, _ = read_neutralized(folder, axes)
    assert ranks.names == ("KMID", "ROC5")
    np.testing.assert_allclose(np.std(ranks.result, axis=1, where=ranks.valid), 1, atol=1e-5)

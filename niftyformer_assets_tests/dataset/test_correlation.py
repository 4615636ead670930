from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.dataset.correlation import correlation_adjacency, pairwise_correlation, save_adjacency
from niftyformer_assets.dataset.settings import GraphSettings
from niftyformer_assets.store.arrays import Axes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError

from .made_up import SESSIONS, SYMBOLS, TRAIN, axes, returns

SETTINGS = GraphSettings()


def by_pandas(values: np.ndarray, min_overlap: int) -> np.ndarray:
    return pd.DataFrame(values).corr(min_periods=min_overlap).to_numpy(copy=True)


def test_pairwise_overlap_equals_pandas() -> None:
    values = returns()[20:80]
    values[::3, 5] = np.nan
    ours = pairwise_correlation(values, 15)
    np.testing.assert_allclose(ours, by_pandas(values, 15), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(ours, ours.T)
    assert np.isfinite(ours[5, 6])
    assert np.isnan(pairwise_correlation(values, 45)[5, 6])


def test_the_last_sessions_of_training_are_correlated_and_small_values_dropped() -> None:
    adjacency = correlation_adjacency(returns(), TRAIN, SETTINGS)
    expected = by_pandas(returns()[20:80], SETTINGS.min_overlap)
    np.fill_diagonal(expected, 0)
    expected[~(expected >= 0.3)] = 0
    np.testing.assert_allclose(adjacency, expected, rtol=0, atol=1e-12)
    assert 0 < np.count_nonzero(adjacency) < SYMBOLS * (SYMBOLS - 1)
    assert not adjacency.diagonal().any()


def test_strong_opposition_is_no_edge() -> None:
    values = np.random.default_rng(0).normal(size=(60, 1)) * [[1.0, -1.0]]
    assert not correlation_adjacency(values, slice(0, 60), SETTINGS).any()


def test_mean_of_rolling_correlations() -> None:
    settings = GraphSettings(source="rolling_returns", sessions=40, min_overlap=20, threshold=0.1)
    runs = np.stack([by_pandas(returns()[start : start + 40], 20) for start in range(41)])
    count = np.isfinite(runs).sum(axis=0)
    expected = np.divide(np.nansum(runs, axis=0), count, out=np.zeros_like(runs[0]), where=count > 0)
    np.fill_diagonal(expected, 0)
    expected[expected < 0.1] = 0
    assert (count[0, 1], count[0, SYMBOLS - 1]) == (41, 0)
    np.testing.assert_allclose(correlation_adjacency(returns(), TRAIN, settings), expected, rtol=0, atol=1e-12)


def test_mean_over_factors() -> None:
    settings = GraphSettings(source="factors", threshold=0.1)
    factors = np.stack([returns(seed=seed) for seed in (1, 2, 3)], axis=-1)
    expected = np.mean([by_pandas(factors[20:80, :, number], 30) for number in range(3)], axis=0)
    np.fill_diagonal(expected, 0)
    expected[~(expected >= 0.1)] = 0
    ours = correlation_adjacency(returns(), TRAIN, settings, factors=factors.astype(np.float64))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="no factors were given"):
        correlation_adjacency(returns(), TRAIN, settings)


@pytest.mark.parametrize("source", ["returns", "rolling_returns", "factors"])
def test_nothing_outside_training_is_read(source: str) -> None:
    settings = GraphSettings(source=source)  # type: ignore[arg-type]
    factors = np.stack([returns(seed=1), returns(seed=2)], axis=-1)
    segment = np.zeros((SESSIONS, SYMBOLS), dtype=np.int32)
    full = correlation_adjacency(returns(), TRAIN, settings, segment, factors)
    assert full.any()
    for cut in (TRAIN.stop, TRAIN.stop + 7):
        short = correlation_adjacency(returns()[:cut], TRAIN, settings, segment[:cut], factors[:cut])
        np.testing.assert_array_equal(full, short)
    changed, changed_factors = returns(), factors.copy()
    changed[TRAIN.stop :], changed_factors[TRAIN.stop :], segment[TRAIN.stop :] = 9.0, 9.0, 3
    np.testing.assert_array_equal(
        full, correlation_adjacency(changed, TRAIN, settings, segment, factors=changed_factors)
    )
    inside = returns()
    inside[TRAIN.stop - 1] = np.linspace(-0.5, 0.5, SYMBOLS)
    inside_factors = np.repeat(inside[..., None], 2, axis=-1)
    assert (correlation_adjacency(inside, TRAIN, settings, factors=inside_factors) != full).any()


def test_correlations_restart_at_a_break() -> None:
    segment = np.zeros((SESSIONS, SYMBOLS), dtype=np.int32)
    segment[45:, 3] = 1  # 35 of the 60 sessions are left, more than the minimum
    segment[60:, 4] = 1  # 20 are left
    without = returns()
    without[:45, 3] = np.nan
    without[:60, 4] = np.nan
    broken = correlation_adjacency(returns(), TRAIN, SETTINGS, segment)
    np.testing.assert_array_equal(broken, correlation_adjacency(without, TRAIN, SETTINGS))
    assert not broken[4].any()
    assert (broken != correlation_adjacency(returns(), TRAIN, SETTINGS)).any()


def test_constant_and_missing_stocks_have_no_edges() -> None:
    values = returns(gaps=False)
    values[:, 0], values[:, 1], values[:, 2] = 0.0, 0.0123, np.nan
    values[40:, 3] = 0.001  # varies, but not on the sessions in question
    adjacency = correlation_adjacency(values, slice(0, 100), SETTINGS)
    assert np.isfinite(adjacency).all()
    assert not adjacency[:4].any()
    assert adjacency[4:].any()
    assert not correlation_adjacency(np.full((80, 5), 0.01), slice(0, 80), SETTINGS).any()
    assert not correlation_adjacency(np.full((80, 5), np.nan), slice(0, 80), SETTINGS).any()


def test_a_stock_constant_on_the_overlap_with_another_has_no_edge_to_it() -> None:
    values = returns(60, 3, gaps=False)
    values[:31, 0], values[31:, 1] = 0.002, np.nan
    correlation = pairwise_correlation(values, 30)
    assert np.isnan(correlation[0, 1]) and np.isfinite(correlation[0, 2])


def test_one_stock() -> None:
    with pytest.raises(NiftyFormerError, match="at least 2 symbols, the experiment has 1"):
        correlation_adjacency(returns(symbols=1), TRAIN, SETTINGS)


def test_too_few_training_sessions() -> None:
    with pytest.raises(NiftyFormerError, match=r"29 training sessions are fewer than graph\.min_overlap \(30\)"):
        correlation_adjacency(returns(), slice(0, 29), SETTINGS)
    fewer_than_asked = correlation_adjacency(returns(gaps=False), slice(0, 40), SETTINGS)
    np.testing.assert_array_equal(
        fewer_than_asked, correlation_adjacency(returns(gaps=False)[:40], slice(None), SETTINGS)
    )


def test_the_file_is_a_bare_array_checked_against_its_index(tmp_path: Path) -> None:
    path = tmp_path / "corr_adj.npy"
    adjacency = correlation_adjacency(returns(), TRAIN, SETTINGS)
    save_adjacency(path, adjacency, axes())
    np.testing.assert_array_equal(np.load(path), adjacency)
    np.testing.assert_array_equal(load_arrays(path, axes())[0]["corr_adj"], adjacency)
    other = Axes(axes().dates, ("OTHER", *axes().symbols[1:]))
    with pytest.raises(NiftyFormerError, match=r"corr_adj\.npy .*symbol 0 is S00 against OTHER"):
        load_arrays(path, other)
    order = np.random.default_rng(0).permutation(SYMBOLS)
    np.save(path, adjacency[order][:, order])
    with pytest.raises(NiftyFormerError, match=r"corr_adj\.npy is damaged: it is not the file"):
        load_arrays(path)

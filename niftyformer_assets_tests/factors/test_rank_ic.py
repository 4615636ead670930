"""One rank IC for all: against SciPy's, and the same wherever it is asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from niftyformer_assets.factors.ic import daily_ic
from niftyformer_assets.factors.labels import RETURN, Labels, Outcomes, session_labels
from niftyformer_assets.factors.rank_ic import rank_ic, shrink_by_overlap
from niftyformer_assets.model.metrics import measure
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.deciles import information_coefficients
from niftyformer_assets.portfolio.evidence.prediction_errors import session_rank_ic
from niftyformer_assets.store.arrays import Axes

T, N = 30, 14


def tied_with_gaps(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    value, outcome = rng.integers(0, 5, size=(2, *shape)).astype(float)
    value[rng.random(shape) < 0.2] = np.nan
    outcome[rng.random(shape) < 0.2] = np.nan
    return value, outcome


def test_it_is_spearmans_with_ties_and_gaps() -> None:
    value, outcome = tied_with_gaps((6, 3, 12))
    outcome[0, 0] = 1.0  # constant
    value[1, 1, 2:] = np.nan  # two pairs at most
    value[2, 2, 0] = np.inf  # as if missing
    found = rank_ic(value, outcome, min_stocks=3)
    assert found.shape == (6, 3)
    assert np.isnan(found[0, 0]) and np.isnan(found[1, 1])
    for place in np.ndindex(6, 3):
        if place in ((0, 0), (1, 1)):
            continue
        both = np.isfinite(value[place]) & np.isfinite(outcome[place])
        expected = stats.spearmanr(value[place][both], outcome[place][both]).statistic
        assert found[place] == pytest.approx(expected)


def test_the_order_of_the_stocks_changes_no_bit() -> None:
    value, outcome = np.random.default_rng(1).normal(size=(2, 50, 190))
    order = np.random.default_rng(2).permutation(190)
    np.testing.assert_array_equal(rank_ic(value, outcome), rank_ic(value[:, order], outcome[:, order]))


def test_it_is_the_same_wherever_it_is_asked_for() -> None:
    """With sessions of 7 to 14 stocks: those below ten have none, in training, in the report and in the selection."""
    value, outcome = tied_with_gaps((T, N))
    expected = rank_ic(value, outcome)
    count = (np.isfinite(value) & np.isfinite(outcome)).sum(axis=1)
    assert (count < 10).any()
    np.testing.assert_array_equal(np.isfinite(expected), count >= 10)

    axes = Axes(np.busday_offset("2024-01-01", np.arange(T)), tuple(f"S{column}" for column in range(N)))
    np.testing.assert_array_equal(information_coefficients(Scores(axes, value), outcome)["rank_ic"], expected)

    session, stock = np.nonzero(np.isfinite(value) & np.isfinite(outcome))
    table = pd.DataFrame(
        {
            "baseline": "model",
            "split": "test",
            "horizon": 1,
            "date_made": axes.dates[session].astype("datetime64[ns]"),
            "date_predicted": axes.dates[session].astype("datetime64[ns]"),
            "symbol": np.array(axes.symbols)[stock],
            "value": value[session, stock],
            "label": outcome[session, stock],
        }
    )
    np.testing.assert_array_equal(session_rank_ic(table)["rank_ic"], expected[count >= 10])

    known = (np.isfinite(value) & np.isfinite(outcome))[:, None]
    figures = measure(value[:, None], np.full((T, 1, N), 0.5), outcome[:, None], known)
    assert figures["rank_ic"] == np.nanmean(expected)

    later = np.vstack([outcome[:1], outcome[:-1]])  # the label of a session is the return of the next
    labels = Labels.of(session_labels(RETURN, (1,)), Outcomes(later))
    compiled = daily_ic(value[None].astype(np.float32), "A", labels).spearman[0, 0, :-1]
    np.testing.assert_allclose(compiled, expected[:-1], atol=1e-12)


def test_a_t_of_overlapping_returns_is_that_of_newey_and_west() -> None:
    rng = np.random.default_rng(4)
    series = np.convolve(rng.normal(size=400), np.ones(5), "valid") + 0.1
    told = series.mean() / series.std(ddof=1) * np.sqrt(len(series))
    variance = np.sum((series - series.mean()) ** 2)
    for lag in range(1, 5):
        off = series - series.mean()
        variance += 2 * (1 - lag / 5) * (off[lag:] @ off[:-lag])
    expected = series.mean() / (np.sqrt(variance) / len(series))
    np.testing.assert_allclose(told * shrink_by_overlap(series, 5), expected, rtol=2e-3)
    assert shrink_by_overlap(series, 5) < 0.6
    assert shrink_by_overlap(series, 1) == 1.0
    # A session without a value keeps its place.
    gap = np.insert(series, 200, [np.nan] * 5)
    assert shrink_by_overlap(gap, 5) != shrink_by_overlap(series, 5)
    assert np.isnan(shrink_by_overlap(np.full(9, np.nan), 3))

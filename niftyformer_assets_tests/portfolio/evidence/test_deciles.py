from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.deciles import (
    decile_returns,
    information_coefficients,
    realised_returns,
    untradable_returns,
)
from niftyformer_assets_tests.portfolio.markets import axes, plain_market


def test_realised_returns_start_at_the_next_session() -> None:
    close = np.array([[10.0], [11.0], [12.0], [15.0]])
    opening = np.array([[10.0], [10.5], [11.5], [13.0]])
    market = plain_market(close, open=opening)
    np.testing.assert_allclose(realised_returns(market, "close")[:, 0], [12 / 11 - 1, 15 / 12 - 1, np.nan, np.nan])
    np.testing.assert_allclose(realised_returns(market, "open")[:, 0], [11.5 / 10.5 - 1, 13 / 11.5 - 1, np.nan, np.nan])
    np.testing.assert_allclose(untradable_returns(market)[:, 0], [0.1, 12 / 11 - 1, 0.25, np.nan])


def test_realised_returns_are_missing_where_nobody_could_earn_them() -> None:
    close = np.full((6, 3), 10.0)
    volume = np.full((6, 3), 1e6)
    close[3, 0] = np.nan
    volume[3, 1] = 0
    segment = np.zeros((6, 3), dtype=np.int32)
    segment[3:, 2] = 1
    realised = realised_returns(plain_market(close, volume=volume, segment=segment), "close")
    missing = np.isnan(realised[:4])
    np.testing.assert_array_equal(missing[:, 0], [False, True, True, False])
    np.testing.assert_array_equal(missing[:, 1], [False, True, True, False])
    np.testing.assert_array_equal(missing[:, 2], [False, True, False, False])


def test_a_stock_that_could_not_be_bought_shows_no_skill() -> None:
    """Scores that are right about former members only are worth nothing."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (200, 40)), axis=0))
    member = np.ones(close.shape, dtype=bool)
    member[:, 30:] = False
    market = plain_market(close, member=member)
    realised = realised_returns(market, "close")
    assert np.isnan(realised[:, 30:]).all() and np.isfinite(realised[:-2, :30]).all()
    assert np.isnan(untradable_returns(market)[:, 30:]).all()
    values = rng.normal(size=close.shape)
    values[:-2, 30:] = close[2:, 30:] / close[1:-1, 30:]
    assert (information_coefficients(Scores(market.axes, values), realised)["stocks"].iloc[:-2] == 30).all()


def test_coefficients_are_scipys() -> None:
    rng = np.random.default_rng(0)
    score, earned = rng.normal(size=(5, 30)), rng.normal(size=(5, 30))
    score[1, :5] = np.nan
    earned[2, 20:] = np.nan
    score[3, 8:] = np.nan  # 8 stocks are too few
    score[4] = 1.0  # no variation
    table = information_coefficients(Scores(axes(5, 30), score), earned)
    for t in range(3):
        both = np.isfinite(score[t]) & np.isfinite(earned[t])
        assert table["ic"][t] == pytest.approx(stats.pearsonr(score[t][both], earned[t][both])[0], rel=1e-10)
        assert table["rank_ic"][t] == pytest.approx(stats.spearmanr(score[t][both], earned[t][both])[0], rel=1e-10)
    assert table["stocks"].tolist() == [30, 25, 20, 8, 30]
    assert table[["ic", "rank_ic"]].iloc[3:].isna().all(axis=None)


def test_deciles_of_a_score_that_knows() -> None:
    rng = np.random.default_rng(1)
    earned = rng.normal(0, 0.02, (50, 40))
    table = decile_returns(Scores(axes(50, 40), earned), earned)
    assert (np.diff(table["mean"]) > 0).all()
    assert table["stocks"].tolist() == [200] * 10
    assert table["sessions"].tolist() == [50] * 10
    best = np.sort(earned, axis=1)[:, -4:].mean(axis=1)
    assert table["mean"].iloc[-1] == pytest.approx(best.mean())
    assert table["standard_error"].iloc[-1] == pytest.approx(best.std(ddof=1) / np.sqrt(50))
    assert table["t"].iloc[-1] == pytest.approx(table["mean"].iloc[-1] / table["standard_error"].iloc[-1])


def test_sessions_with_too_few_stocks_are_left_out_of_deciles() -> None:
    values = np.random.default_rng(2).normal(size=(3, 12))
    values[1, :4] = np.nan
    table = decile_returns(Scores(axes(3, 12), values), np.ones((3, 12)))
    assert table["sessions"].tolist() == [2] * 10
    nothing = decile_returns(Scores(axes(3, 12), np.full((3, 12), np.nan)), np.ones((3, 12)))
    assert nothing["mean"].isna().all()
    assert nothing["stocks"].sum() == 0


def two_values(seed: int, T: int, N: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((T, N)) > 0.5) * 1.0


def test_deciles_of_scores_that_are_all_equal_say_nothing() -> None:
    earned = np.random.default_rng(0).normal(0, 0.01, (84, 40)) + np.linspace(-0.003, 0.003, 40)
    table = decile_returns(Scores(axes(84, 40), np.full((84, 40), 0.1)), earned)
    assert table["sessions"].tolist() == [0] * 10
    assert table[["mean", "t"]].isna().all(axis=None)


def test_stocks_of_one_score_share_their_places() -> None:
    score = np.tile(np.repeat([3.0, 1.0, 2.0], [10, 5, 5]), (4, 1))
    earned = np.random.default_rng(1).normal(0, 0.01, (4, 20))
    table = decile_returns(Scores(axes(4, 20), score), earned)
    groups = [earned[:, 10:15], earned[:, 15:], earned[:, :10]]
    low, middle, high = (group.mean(axis=1) for group in groups)
    expected = [low, low, (low + middle) / 2, middle, middle, *([high] * 5)]
    np.testing.assert_allclose(table["mean"], [each.mean() for each in expected], atol=1e-15)
    assert table["stocks"].tolist() == [8] * 10


def test_deciles_of_two_values_at_random_differ_as_chance_has_it() -> None:
    """The alphabet earns, the scores know nothing: t statistics of the ends stay within a few units."""
    ends = []
    for seed in range(40):
        earned = np.random.default_rng(100 + seed).normal(0, 0.01, (84, 40)) + np.linspace(-0.003, 0.003, 40)
        table = decile_returns(Scores(axes(84, 40), two_values(seed, 84, 40)), earned)
        ends += [table["t"].iloc[0], table["t"].iloc[-1]]
    assert np.abs(ends).max() < 4
    assert 0.7 < np.std(ends) < 1.3


@pytest.mark.parametrize("values", ["all different", "two values", "some missing"])
def test_the_order_of_columns_changes_no_table(values: str) -> None:
    rng = np.random.default_rng(5)
    earned, score = rng.normal(0, 0.02, (30, 25)), rng.normal(size=(30, 25))
    if values == "two values":
        score = two_values(5, 30, 25)
    if values == "some missing":
        score[rng.random(score.shape) < 0.2] = np.nan
    order = rng.permutation(25)
    for table in (decile_returns, information_coefficients):
        one = table(Scores(axes(30, 25), score), earned)
        other = table(Scores(axes(30, 25), score[:, order]), earned[:, order])
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("size", [1e-200, 1e-13, 1.0, 1e13])
def test_coefficients_do_not_depend_on_the_size_of_scores(size: float) -> None:
    rng = np.random.default_rng(6)
    earned, score = rng.normal(0, 0.02, (3, 25)), rng.normal(size=(3, 25))
    table = information_coefficients(Scores(axes(3, 25), size * score), earned)
    np.testing.assert_allclose(table["ic"], information_coefficients(Scores(axes(3, 25), score), earned)["ic"])
    constant = information_coefficients(Scores(axes(3, 25), np.full((3, 25), size * 0.1)), earned)
    assert constant[["ic", "rank_ic"]].isna().all(axis=None)

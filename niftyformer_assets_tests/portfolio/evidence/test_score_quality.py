"""What scores are worth at longer horizons: nothing that could not be earned, and no more certainty than there is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from niftyformer_assets.factors.ic import statistics
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.deciles import above_all, bucket_returns, realised_returns
from niftyformer_assets.portfolio.evidence.score_quality import (
    DEPENDENCE,
    HORIZONS,
    MIN_WINDOWS,
    NO_SIZE,
    SIZES,
    by_group,
    by_horizon,
    critical_t,
    outer_fifths,
    persistence,
    size_thirds,
)
from niftyformer_assets_tests.portfolio.markets import axes, plain_market, random_market, random_walk_scores

T, N = 120, 30


def walk(seed: int = 0, sessions: int = T, stocks: int = N) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, (sessions, stocks)), axis=0))


def random_scores(seed: int = 1, sessions: int = T, stocks: int = N) -> Scores:
    return Scores(axes(sessions, stocks), np.random.default_rng(seed).normal(size=(sessions, stocks)))


def test_horizons_run_from_the_first_fill() -> None:
    close, values = walk(), np.random.default_rng(1).normal(size=(T, N))
    table = by_horizon(Scores(axes(T, N), values), plain_market(close), "close")
    assert table["horizon"].tolist() == [1, *HORIZONS]
    assert table["earnable"].tolist() == [False] + [True] * len(HORIZONS)
    assert table["sessions"].tolist() == [T - 1, *(T - 1 - horizon for horizon in HORIZONS)]
    for row in table.to_dict("records"):
        first, horizon = (1 if row["earnable"] else 0), row["horizon"]
        expected = [
            stats.spearmanr(values[t], close[t + first + horizon] / close[t + first])[0]
            for t in range(T - first - horizon)
        ]
        assert row["rank_ic"] == pytest.approx(np.mean(expected)), row
        assert row["windows"] == len(expected) // horizon


@pytest.mark.parametrize("trade_at", ["open", "close"])
@pytest.mark.parametrize("horizon", HORIZONS)
def test_what_comes_later_changes_no_return_that_is_over(trade_at: str, horizon: int) -> None:
    market = random_market(3, 80, 20)
    whole, cut = (realised_returns(each, trade_at, horizon) for each in (market, market.rows(slice(0, 60))))
    np.testing.assert_array_equal(cut[: 60 - 1 - horizon], whole[: 60 - 1 - horizon])
    assert np.isnan(cut[60 - 1 - horizon :]).all()


def test_a_horizon_across_a_broken_adjustment_is_missing() -> None:
    segment = np.zeros((12, 2), dtype=np.int32)
    segment[6:, 0] = 1
    realised = realised_returns(plain_market(np.full((12, 2), 10.0), segment=segment), "close", 3)
    # Bought at t+1 and sold at t+4: the break of session 6 lies inside from t=2 on; bought on it, it is past.
    assert np.isnan(realised[:, 0]).tolist() == [False, False, True, True, True, False, False, False, *[True] * 4]
    assert np.isfinite(realised[:8, 1]).all()


def test_windows_longer_than_the_sessions_have_no_figure() -> None:
    table = by_horizon(random_scores(sessions=15), plain_market(walk(sessions=15)), "close").set_index("horizon")
    assert table.loc[20, "sessions"] == 0 and math.isnan(table.loc[20, "rank_ic"])
    assert table.loc[10, "windows"] < MIN_WINDOWS and math.isnan(table.loc[10, "rank_ic_t"])
    assert math.isfinite(table.loc[10, "rank_ic"]) and math.isnan(table.loc[10, "t_needed"])


def test_fifths_of_a_score_that_knows_its_horizon() -> None:
    close = walk()
    values = np.full(close.shape, np.nan)
    values[:-6] = close[6:] / close[1:-5] - 1
    table = by_horizon(Scores(axes(T, N), values), plain_market(close), "close")
    earnable = table[table["earnable"]].set_index("horizon")
    assert earnable.loc[5, "rank_ic"] == pytest.approx(1)
    assert earnable["rank_ic"].idxmax() == 5
    expected = np.sort(values[:-6] - values[:-6].mean(axis=1, keepdims=True), axis=1)[:, -N // 5 :].mean()
    assert earnable.loc[5, "top"] == pytest.approx(expected)
    np.testing.assert_allclose(table["spread"], table["top"] - table["bottom"])


@pytest.mark.parametrize(("sessions", "horizon"), [(84, 1), (84, 5), (125, 10), (125, 20), (250, 20)])
def test_overlapping_windows_of_nothing_are_rarely_beyond_doubt(sessions: int, horizon: int) -> None:
    """t by the usual normal quantile would be wrong in up to a third of cases."""
    draws = np.random.default_rng(horizon).normal(size=(2000, sessions))
    sums = np.cumsum(np.hstack([np.zeros((2000, 1)), draws]), axis=1)
    windows = (sums[:, horizon:] - sums[:, :-horizon])[:, : sessions - horizon]
    t = np.abs(statistics(windows, DEPENDENCE * horizon)["t_nw"])
    assert 0.03 < (t > critical_t(windows.shape[1], horizon)).mean() < 0.13
    if horizon >= 10:
        assert (t > 1.96).mean() > 0.13


def test_scores_that_stay_replace_nobody_and_new_ones_replace_their_share() -> None:
    fixed = Scores(axes(T, N), np.tile(np.arange(N, dtype=float), (T, 1)))
    table = persistence(fixed, plain_market(walk()))
    assert table["sessions"].tolist() == [T - 1 - horizon for horizon in HORIZONS]
    np.testing.assert_allclose(table["autocorrelation"], 1)
    np.testing.assert_allclose(table[["top_replaced", "bottom_replaced"]], 0, atol=1e-12)
    drawn = persistence(random_scores(), plain_market(walk()))
    assert drawn["autocorrelation"].abs().max() < 0.1
    np.testing.assert_allclose(drawn[["top_replaced", "bottom_replaced"]], 0.8, atol=0.06)


def test_turnover_of_fifths_by_hand() -> None:
    values = np.tile(np.arange(10, dtype=float), (4, 1))
    values[2, [7, 9]] = values[2, [9, 7]]  # for the third session 7 takes the place of 9 beside 8
    values[3] = values[2]
    close = np.full((4, 10), 10.0)
    table = persistence(Scores(axes(4, 10), values), plain_market(close)).set_index("horizon")
    # The scores of the last session trade nowhere: of the pairs (0, 1) and (1, 2) one replaces one name of two.
    assert table.loc[1, "top_replaced"] == pytest.approx(0.25)
    assert table.loc[1, "bottom_replaced"] == 0
    assert table.loc[2, "top_replaced"] == pytest.approx(0.5)
    assert table.loc[5, "sessions"] == 0 and math.isnan(table.loc[5, "top_replaced"])


@pytest.mark.parametrize("kind", ["all different", "two values", "some missing", "few"])
def test_outer_fifths_are_those_of_the_buckets(kind: str) -> None:
    rng = np.random.default_rng(4)
    values, earned = rng.normal(size=(40, 23)), rng.normal(0, 0.02, (40, 23))
    if kind == "two values":
        values = np.round(rng.random((40, 23)))
    if kind in ("some missing", "few"):
        values[rng.random(values.shape) < (0.2 if kind == "some missing" else 0.55)] = np.nan
    means, _ = bucket_returns(Scores(axes(40, 23), values), np.where(np.isfinite(values), earned, np.nan), 5)
    for weights, bucket in zip(outer_fifths(values), (0, 4), strict=True):
        np.testing.assert_allclose((weights * earned).sum(axis=1), means[:, bucket], atol=1e-12)
        said = np.isfinite(means[:, bucket])
        np.testing.assert_allclose(weights[said].sum(axis=1), 1)


def test_scores_that_say_nothing_have_no_fifths() -> None:
    bottom, top = outer_fifths(np.ones((3, 20)))
    assert np.isnan(bottom).all() and np.isnan(top).all()
    table = persistence(Scores(axes(30, 20), np.ones((30, 20))), plain_market(walk(sessions=30, stocks=20)))
    assert table[["autocorrelation", "top_replaced", "bottom_replaced"]].isna().all(axis=None)


def test_groups_add_up_to_the_best_fifth() -> None:
    market = random_market(5, T, N, trouble=0.02)
    scores = random_walk_scores(5, market)
    realised = realised_returns(market, "close")
    groups = np.where(np.arange(N) < 12, "steel", np.where(np.arange(N) < 27, "banks", "tea"))
    groups = np.tile(groups, (T, 1))
    table = by_group(scores, realised, groups).set_index("group")
    assert table.index.tolist() == ["banks", "steel", "tea"]
    fifths, _ = bucket_returns(scores, above_all(scores, realised), 5)
    assert table["contribution"].sum() == pytest.approx(np.nanmean(fifths[:, -1]))
    assert table["share"].sum() == pytest.approx(1)
    assert table["top_share"].sum() == pytest.approx(1)
    values = np.array(scores.values)
    both = np.isfinite(values) & np.isfinite(realised)
    expected = [
        stats.spearmanr(values[t, 12:27][both[t, 12:27]], realised[t, 12:27][both[t, 12:27]])[0]
        for t in range(T)
        if both[t, 12:27].sum() >= 5
    ]
    assert table.loc["banks", "rank_ic"] == pytest.approx(np.mean(expected))
    assert table.loc["banks", "sessions"] == len(expected)
    # Three stocks are too few for an order of their own, but they still stand among the best.
    assert table.loc["tea", "sessions"] == 0 and math.isnan(table.loc["tea", "rank_ic"])
    assert table.loc["tea", "stocks"] == pytest.approx(both[:, 27:].sum() / both.any(axis=1).sum())


def test_skill_in_one_group_is_found_there() -> None:
    close = walk(7, T, 40)
    market = plain_market(close)
    values = np.random.default_rng(8).normal(size=close.shape)
    values[:-2, :20] += 100 * (close[2:, :20] / close[1:-1, :20] - 1)
    groups = np.tile(np.where(np.arange(40) < 20, "known", "unknown"), (T, 1))
    table = by_group(Scores(axes(T, 40), values), realised_returns(market, "close"), groups).set_index("group")
    assert table.loc["known", "rank_ic_t"] > 10 > 3 > abs(table.loc["unknown", "rank_ic_t"])
    assert table.loc["known", "contribution_t"] > 5
    assert table.loc["known", "top_share"] > table.loc["known", "share"]


def test_thirds_by_size() -> None:
    size = np.tile(np.arange(9, dtype=float), (2, 1))
    size[1, 8] = np.nan
    among = np.ones(size.shape, dtype=bool)
    among[1, :2] = False
    thirds = size_thirds(size, among)
    large, middle, small = SIZES
    assert thirds[0].tolist() == [small] * 3 + [middle] * 3 + [large] * 3
    assert thirds[1].tolist() == [NO_SIZE] * 2 + [small] * 2 + [middle] * 2 + [large] * 2 + [NO_SIZE]
    assert (size_thirds(np.ones((1, 4)), np.ones((1, 4), dtype=bool)) == middle).all()


def test_the_order_of_columns_changes_no_table() -> None:
    market = random_market(9, 60, 25, trouble=0.02)
    scores = random_walk_scores(9, market)
    scores = Scores(scores.axes, np.round(scores.values))  # with ties
    order = np.random.default_rng(2).permutation(25)
    groups = np.tile(np.array([f"group {column % 3}" for column in range(25)]), (60, 1))
    one, other = (market, scores, groups), (market.columns(order), scores.columns(order), groups[:, order])
    tables = []
    for each, scored, of in (one, other):
        realised = realised_returns(each, "close")
        tables.append((by_horizon(scored, each, "close"), persistence(scored, each), by_group(scored, realised, of)))
    for ours, theirs in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)

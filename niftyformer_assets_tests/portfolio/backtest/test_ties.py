"""Among equal scores nobody is preferred: not the alphabet, not the order of columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.ties import lots
from niftyformer_assets.portfolio.evidence.choices import picks_by_lot
from niftyformer_assets.portfolio.evidence.null import permutation_null
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.markets import axes, plain_market, random_market, random_walk_scores

COSTS = CostSettings()


def test_a_lot_belongs_to_seed_session_and_symbol() -> None:
    all_of_them = lots(axes(30, 20), 1)
    assert len(np.unique(all_of_them)) == 600
    part = type(axes(1, 1))(axes(30, 20).dates[10:], axes(30, 20).symbols[::-1])
    np.testing.assert_array_equal(lots(part, 1), all_of_them[10:, ::-1])
    assert not (lots(axes(30, 20), 2) == all_of_them).any()


def test_lots_are_uniform_whatever_the_name_and_independent_from_session_to_session() -> None:
    drawn = lots(axes(4000, 20), 0)
    first = np.argmin(drawn, axis=1)
    chosen = np.bincount(first, minlength=20)
    assert np.abs(chosen - 200).max() < 5 * np.sqrt(200)
    assert abs((first[1:] == first[:-1]).mean() - 1 / 20) < 0.02


@pytest.mark.parametrize("name", ["topk_equal_weight", "topk_dropout", "equal_weight"])
def test_picks_among_equal_scores_are_no_stock_s_privilege(name: str) -> None:
    market = plain_market(np.full((3, 40), 100.0))
    alike = Scores(market.axes, np.ones((3, 40)))
    strategy = StrategySettings(name=name, top_k=10)  # type: ignore[arg-type]
    held = [np.flatnonzero(run_backtest(alike, market, strategy, COSTS, seed).holdings[1]) for seed in range(100)]
    chosen = np.bincount(np.concatenate(held), minlength=40)
    assert all(len(names) == 10 for names in held)
    assert chosen.min() > 8
    assert chosen.max() < 45  # 25 of 100 each


@pytest.mark.parametrize("name", ["topk_equal_weight", "topk_dropout", "equal_weight"])
@pytest.mark.parametrize("coarse", [True, False])
def test_the_order_of_columns_changes_nothing(name: str, coarse: bool) -> None:
    market = random_market(3, T=60, N=15)
    scores = random_walk_scores(3, market)
    if coarse:
        scores = Scores(market.axes, np.round(scores.values))
    order = np.random.default_rng(0).permutation(15)
    strategy = StrategySettings(name=name, top_k=4)  # type: ignore[arg-type]
    one = run_backtest(scores, market, strategy, COSTS)
    moved = market.columns(order)
    moved_scores = scores.columns(order)
    other = run_backtest(moved_scores, moved, strategy, COSTS)
    np.testing.assert_array_equal(one.nav, other.nav)
    np.testing.assert_array_equal(one.holdings[:, order], other.holdings)
    pd.testing.assert_frame_equal(one.orders, other.orders)
    assert picks_by_lot(one, scores) == picks_by_lot(other, moved_scores)
    nulls = [
        permutation_null(each, on, strategy, COSTS, portfolios=5).nav
        for each, on in ((scores, market), (moved_scores, moved))
    ]
    np.testing.assert_array_equal(*nulls)


def test_picks_that_a_lot_decided_are_counted() -> None:
    market = plain_market(np.tile([100.0, 100.0, 100.0, 100.0, 9e9], (3, 1)))
    strategy = StrategySettings(top_k=3)
    for row, expected in (
        ([5, 4, 3, 2, 1], (0, 3)),
        ([5, 3, 3, 3, 1], (2, 3)),
        ([3, 3, 3, 2, 1], (0, 3)),
        ([5, 4, 3, np.nan, 3], (0, 3)),  # the equal of the third costs more than a place
        ([1, 1, 1, 1, 1], (3, 3)),
    ):
        scores = Scores(market.axes, np.tile(np.array(row, dtype=float), (3, 1)))
        assert picks_by_lot(run_backtest(scores, market, strategy, COSTS), scores) == expected, row
    nothing = Scores(market.axes, np.full((3, 5), np.nan))
    assert picks_by_lot(run_backtest(nothing, market, strategy, COSTS), nothing) == (0, 0)

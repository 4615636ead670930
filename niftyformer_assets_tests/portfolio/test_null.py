from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.portfolio import metrics
from niftyformer_assets.portfolio.backtest import run_backtest
from niftyformer_assets.portfolio.deciles import realised_returns
from niftyformer_assets.portfolio.null import Null, permutation_null
from niftyformer_assets.portfolio.scores import Scores, random_scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.portfolio.ties import lots
from niftyformer_assets_tests.portfolio.markets import axes, plain_market, random_market, random_walk_scores
from niftyformer_assets_tests.portfolio.slow_backtest import Slow

STRATEGY = StrategySettings(top_k=4)
COSTS = CostSettings()


def test_a_null_portfolio_is_the_strategy_with_permuted_symbols() -> None:
    """Each row of the null is what the engine gives for the permuted scores, whose lots go with them."""
    market = random_market(2, T=40, N=12)
    scores = random_walk_scores(2, market)
    null = permutation_null(scores, market, STRATEGY, COSTS, portfolios=5, seed=3)
    drawn = lots(market.axes, 3)
    taking_part = np.flatnonzero(np.isfinite(scores.values).any(axis=0))
    permuted = np.random.default_rng(3).permuted(np.tile(taking_part, (5, 1)), axis=1)
    for row, columns in zip(null.nav, permuted, strict=True):
        source = np.arange(12)
        source[taking_part] = columns
        nav, _, _ = Slow(scores.values[:, source], market, STRATEGY, COSTS, drawn[:, source]).run()
        np.testing.assert_array_equal(row, nav)


def test_turnover_and_costs_are_the_strategys_unlike_those_of_scores_drawn_anew() -> None:
    rng = np.random.default_rng(0)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (200, 40)), axis=0)), start="2023-06-01")
    slow = np.cumsum(rng.normal(size=(200, 40)), axis=0)
    strategy = StrategySettings(name="topk_dropout", top_k=5, n_drop=2)
    own = run_backtest(Scores(market.axes, slow), market, strategy, COSTS).trades["cost"].sum()
    columns = rng.permutation(40)
    permuted = run_backtest(Scores(market.axes, slow[:, columns]), market, strategy, COSTS).trades["cost"].sum()
    anew = run_backtest(random_scores(market.axes, 0), market, strategy, COSTS).trades["cost"].sum()
    assert permuted == pytest.approx(own, rel=0.25)
    assert anew > 1.5 * own


def test_an_oracle_stands_at_the_top_and_noise_anywhere() -> None:
    rng = np.random.default_rng(1)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (80, 25)), axis=0)), start="2023-06-01")
    strategy = StrategySettings(name="topk_dropout", top_k=5, n_drop=5)
    oracle = Scores(market.axes, realised_returns(market, "close"))
    null = permutation_null(oracle, market, strategy, COSTS, portfolios=200)
    place = null.place(run_backtest(oracle, market, strategy, COSTS))
    for figure in place.values():
        assert (figure.percentile, figure.p) == (1.0, 1 / 201)

    p = []
    for seed in range(40):
        noise = random_scores(market.axes, seed)
        null = permutation_null(noise, market, strategy, COSTS, portfolios=40, seed=seed)
        p.append(null.place(run_backtest(noise, market, strategy, COSTS))["sharpe"].p)
    assert 0.35 < np.mean(p) < 0.65


def test_same_seed_same_null_whatever_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    market = random_market(4, T=30, N=10)
    scores = random_walk_scores(4, market)
    two = permutation_null(scores, market, STRATEGY, COSTS, portfolios=20).nav
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    one = permutation_null(scores, market, STRATEGY, COSTS, portfolios=20).nav
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, permutation_null(scores, market, STRATEGY, COSTS, portfolios=20, seed=1).nav)


def test_band_and_figures_of_the_null() -> None:
    nav = np.array([[1.0, 1.0, 2.0], [1.0, 1.2, 1.0], [1.0, 1.1, 3.0]])
    null = Null(nav, 0.0)
    np.testing.assert_allclose(null.band([0.0, 0.5, 1.0]), [[1, 1, 1], [1, 1.1, 2], [1, 1.2, 3]])
    np.testing.assert_allclose(null.total_return, [1, 0, 2])
    np.testing.assert_allclose(null.sharpe, metrics.sharpe(nav[:, 1:] / nav[:, :-1] - 1))


def test_a_strategy_that_never_trades_has_no_place_by_sharpe() -> None:
    market = plain_market(np.full((6, 3), 10.0))
    nothing = Scores(axes(6, 3), np.full((6, 3), np.nan))
    null = permutation_null(nothing, market, STRATEGY, COSTS, portfolios=3)
    place = null.place(run_backtest(nothing, market, STRATEGY, COSTS))
    assert np.isnan(place["sharpe"].p)
    assert place["total_return"].p == 1.0

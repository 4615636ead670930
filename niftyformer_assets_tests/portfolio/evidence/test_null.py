from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.ties import lots
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.deciles import realised_returns
from niftyformer_assets.portfolio.evidence.null import Null, Place, permutation_null
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.backtest.slow_backtest import Slow
from niftyformer_assets_tests.portfolio.markets import (
    axes,
    plain_market,
    random_market,
    random_scores,
    random_walk_scores,
)

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
    null = Null(nav, StrategySettings(trade_at="open", risk_free_rate=0.0))
    np.testing.assert_allclose(null.band([0.0, 0.5, 1.0]), [[1, 1, 1], [1, 1.1, 2], [1, 1.2, 3]])
    np.testing.assert_allclose(null.total_return, [1, 0, 2])
    np.testing.assert_allclose(null.sharpe, metrics.sharpe(nav[:, 1:] / nav[:, :-1] - 1))


def place_of(own: np.ndarray, null: np.ndarray) -> dict[str, Place]:
    """Of one equity curve among others, rupees."""
    market = plain_market(np.full((len(own), 1), 10.0))
    result = run_backtest(Scores(market.axes, np.full((len(own), 1), np.nan)), market, STRATEGY, COSTS)
    return Null(null, STRATEGY).place(replace(result, nav=own))


def test_both_tails_count_a_tie_and_a_paisa_is_one() -> None:
    own = np.array([1e6, 1e6, 1_000_123.45, 1_000_500.0])
    ends = [1_000_499.97, 1_000_499.99, 1_000_500.0, 1_000_500.01, 1_000_500.03]
    place = place_of(own, np.array([[*own[:-1], end] for end in ends]))["total_return"]
    assert (place.percentile, place.p, place.p_worse) == (1 / 5, 5 / 6, 5 / 6)


@pytest.mark.parametrize(("stocks", "top_k"), [(10, 10), (8, 10), (10, 12), (40, 100), (1, 1)])
@pytest.mark.parametrize("name", ["topk_equal_weight", "equal_weight"])
@pytest.mark.parametrize("trade_at", ["open", "close"])
def test_where_all_portfolios_are_one_nobody_is_better_or_worse(
    stocks: int, top_k: int, name: str, trade_at: str
) -> None:
    rng = np.random.default_rng(stocks + top_k)
    market = plain_market((500 * np.exp(np.cumsum(rng.normal(0, 0.015, (60, stocks)), 0))).round(2), start="2024-05-01")
    scores = Scores(market.axes, rng.normal(size=(60, stocks)))
    strategy = StrategySettings(name=name, top_k=top_k, trade_at=trade_at)  # type: ignore[arg-type]
    result = run_backtest(scores, market, strategy, COSTS)
    null = permutation_null(scores, market, strategy, COSTS, 50)
    assert null.same(result).all()
    for place in null.place(result).values():
        assert (place.percentile, place.p, place.p_worse) == (0, 1, 1)


def test_a_strategy_that_never_trades_has_no_place_by_sharpe() -> None:
    market = plain_market(np.full((6, 3), 10.0))
    nothing = Scores(axes(6, 3), np.full((6, 3), np.nan))
    null = permutation_null(nothing, market, STRATEGY, COSTS, portfolios=3)
    place = null.place(run_backtest(nothing, market, STRATEGY, COSTS))
    assert np.isnan(place["sharpe"].p)
    assert (place["total_return"].p, place["total_return"].p_worse) == (1.0, 1.0)

"""What is exposure and what is left: on markets where both are known, and adding up to the whole."""

from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.scoring import Exposures, scores_to_trade
from niftyformer_assets.portfolio.evidence.deciles import realised_returns
from niftyformer_assets.portfolio.evidence.exposure import (
    ACTIVE,
    EXPLAINED,
    LEFT,
    PREDICTED,
    RANKED,
    REST,
    ExposureSplit,
    exposure_split,
)
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.markets import plain_market

T, N = 300, 40
RNG = np.random.default_rng(4)
RISK = np.tile(RNG.permutation(N) / N, (T, 1))
SKILL = RNG.normal(size=(T, N))
SECTOR = np.tile(np.where(np.arange(N) % 4 == 0, "Energy", "Services"), (T, 1))


def split(by_risk: float, by_skill: float, neutralise: tuple[str, ...] = ()) -> tuple[ExposureSplit, BacktestResult]:
    """Scores are skill and risk together; the market pays each so much."""
    paid = by_risk * (RISK - RISK.mean()) + by_skill * SKILL
    growth = np.zeros((T, N))
    growth[2:] = paid[:-2] + RNG.normal(0, 0.005, (T - 2, N))
    market = plain_market(100 * np.exp(np.cumsum(growth, axis=0)))
    exposures = Exposures(market.axes, {"RISK": RISK}, {"sector": SECTOR})
    predicted = Scores(market.axes, SKILL + 8 * RISK)
    strategy = StrategySettings(name="equal_weight", top_k=8, rebalance_every=1, capital=1e8, neutralise=neutralise)
    ranked = scores_to_trade(predicted, market.member, exposures, strategy)
    result = run_backtest(ranked, market, strategy, CostSettings(schedule="flat", flat_bps=0))
    return exposure_split(predicted, ranked, result, realised_returns(market, "close"), exposures), result


@pytest.mark.parametrize(("by_risk", "by_skill"), [(0.01, 0.0), (0.0, 0.002), (-0.01, 0.002)])
def test_what_the_market_pays_is_found_where_it_pays_it(by_risk: float, by_skill: float) -> None:
    found, _ = split(by_risk, by_skill)
    ic = found.scores.set_index("scores")
    assert (ic.loc[LEFT, "t"] > 5) == (by_skill > 0)
    assert np.sign(ic.loc["RISK", "rank_ic"]) == np.sign(by_risk) or by_risk == 0
    assert ic.loc[RANKED, "rank_ic"] == pytest.approx(ic.loc[PREDICTED, "rank_ic"])
    earned = found.returns.set_index("part")
    if by_risk:
        assert earned.loc["RISK", "t"] * np.sign(by_risk) > 5
    else:
        assert abs(earned.loc["RISK", "t"]) < 3
    assert (earned.loc[REST, "t"] > 3) == (by_skill > 0)
    assert found.held["RISK"][2:].mean() > 0.2


def test_the_parts_add_up_to_what_the_holdings_earned_above_the_universe() -> None:
    found, result = split(0.01, 0.002)
    earned = found.returns.set_index("part")["mean"]
    assert earned[ACTIVE] == pytest.approx(earned[EXPLAINED] + earned[REST])
    assert earned[EXPLAINED] == pytest.approx(earned["RISK"] + earned["sector"])
    growth = result.market.close[1:] / result.market.close[:-1] - 1
    held = result.holdings[1:-1] * result.market.close[1:-1]
    by_hand = (held * growth[1:]).sum(axis=1) / held.sum(axis=1) - growth[1:].mean(axis=1)
    assert earned[ACTIVE] == pytest.approx(252 * by_hand.mean(), rel=1e-6)


def test_a_neutral_portfolio_is_not_exposed() -> None:
    neutral, _ = split(-0.01, 0.002, ("RISK", "sector"))
    plain, _ = split(-0.01, 0.002)
    assert abs(np.nanmean(neutral.held["RISK"])) < 0.05 < 0.2 < np.nanmean(plain.held["RISK"])
    ic = neutral.scores.set_index("scores")["rank_ic"]
    assert ic[RANKED] == pytest.approx(ic[LEFT])
    assert ic[LEFT] > ic[PREDICTED] + 0.1


def test_a_portfolio_of_one_group_is_apart_by_what_is_missing_of_the_others() -> None:
    market = plain_market(np.full((10, N), 100.0))
    exposures = Exposures(market.axes, {}, {"sector": SECTOR[:10]})
    scores = Scores(market.axes, np.where(SECTOR[:10] == "Energy", 1.0, 0.0))
    strategy = StrategySettings(name="equal_weight", top_k=10, rebalance_every=1)
    result = run_backtest(scores, market, strategy, CostSettings(schedule="flat", flat_bps=0))
    held = exposure_split(scores, scores, result, realised_returns(market, "close"), exposures).held["sector"]
    assert np.isnan(held[0])
    np.testing.assert_allclose(held[1:], 0.75, atol=1e-6)

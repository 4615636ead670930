"""Experiments and studies trade the scores that the strategy ranks, the model's and the baselines' alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores, scores_from_predictions
from niftyformer_assets.portfolio.backtest.scoring import neutralised, scores_to_trade, smoothed
from niftyformer_assets.portfolio.evidence.gather import Predicted, gather_evidence
from niftyformer_assets.portfolio.evidence.joined import JoinedScores
from niftyformer_assets.portfolio.evidence.pooled.money import trade
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets_tests.portfolio.report_example import SPLIT, Example, example

CHANGED = StrategySettings(top_k=4, smoothing_half_life=5, neutralise=("size", "sector"))


@pytest.fixture(scope="module")
def market() -> Example:
    return example()


def test_an_experiment_ranks_what_its_strategy_says_from_the_first_score_that_there_is(market: Example) -> None:
    record, model, rival = market.record(), market.predictions(0.2), market.predictions(0.1, seed=6, name="ridge")
    evidence = gather_evidence(record, Predicted(model, rival, market.labels), CHANGED, CostSettings(), portfolios=3)
    axes = market.scope.axes
    rows = slice(SPLIT.test.start - 1, SPLIT.test.stop)
    assert record.exposures is not None
    for frame, found in ((model, evidence.scores), (rival, evidence.baselines["ridge"][0])):
        made = scores_from_predictions(frame, axes).values
        # Scores of validation are past ones of the first session that trades.
        assert np.isfinite(made[: rows.start]).any()
        whole = smoothed(neutralised(made, market.scope.member, record.exposures), 5)
        np.testing.assert_array_equal(found.values, whole[rows])
    np.testing.assert_array_equal(evidence.predicted.values, scores_from_predictions(model, axes).values[rows])
    direct = run_backtest(evidence.scores, evidence.result.market, CHANGED, CostSettings())
    np.testing.assert_array_equal(evidence.result.nav, direct.nav)


def test_a_study_ranks_what_its_strategy_says_in_the_window_s_universe(market: Example) -> None:
    record = market.record()
    traded = record.of_part("test")
    axes = traded.axes
    values = scores_from_predictions(market.predictions(0.2), axes).values.copy()
    member = np.ones(axes.shape, dtype=bool)
    member[:50, :3] = False
    values[:50, :3] = np.nan
    joined = JoinedScores(axes, values, member, np.zeros(len(axes.dates), dtype=int), ("only",))
    own = replace(traded, member=member)
    result = trade(joined, own, CHANGED, CostSettings(), 0, record.exposures)
    assert record.exposures is not None
    ranked = smoothed(neutralised(values, member, record.exposures.on(axes)), 5)
    direct = run_backtest(Scores(axes, ranked), replace(own, outside=joined.outside), CHANGED, CostSettings())
    np.testing.assert_array_equal(result.nav, direct.nav)
    plain = trade(joined, own, replace(CHANGED, neutralise=(), smoothing_half_life=0.0), CostSettings(), 0)
    assert (plain.nav != result.nav).any()
    with pytest.raises(ValueError, match="exposure size is not at hand"):
        trade(joined, own, CHANGED, CostSettings(), 0)


def test_scores_are_found_by_name_whatever_the_order_of_exposures(market: Example) -> None:
    record = market.record()
    assert record.exposures is not None
    axes = market.scope.axes
    scores = scores_from_predictions(market.predictions(0.2), axes)
    turned = record.exposures.on(Axes(axes.dates, axes.symbols[::-1]))
    one, other = (
        scores_to_trade(scores, market.scope.member, each, CHANGED).values for each in (record.exposures, turned)
    )
    np.testing.assert_array_equal(one, other)

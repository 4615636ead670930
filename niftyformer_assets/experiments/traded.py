"""What an experiment's signals trade: its scores as the strategy ranks them, and the market from its backtest on."""

from __future__ import annotations

import pandas as pd

from niftyformer_assets.experiments.exposures import read_exposures
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.portfolio.backtest.market import Market, cut_market
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.scoring import predictions_to_trade
from niftyformer_assets.store.arrays import Axes


def traded_market(opened: OpenedExperiment) -> Market:
    """The market from the session whose scores trade first in the test window through the last one at hand."""
    dates = opened.axes.dates
    return cut_market(opened.panel, opened.scope, dates[max(opened.scope.split.test.start - 1, 0)], dates[-1])


def traded_scores(opened: OpenedExperiment, predictions: pd.DataFrame, axes: Axes) -> Scores:
    """Predictions as the experiment's strategy ranks them on the sessions of `axes` (`predictions_to_trade`)."""
    strategy, exposures = opened.experiment.strategy, None
    if strategy.neutralise:
        exposures = read_exposures(opened.workspace, opened.experiment, opened.panel_axes).on(opened.axes)
    return predictions_to_trade(predictions, axes, opened.scope, exposures, strategy)

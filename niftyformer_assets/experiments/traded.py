"""The market that an experiment's signals trade: from its backtest's first session through the last one at hand."""

from __future__ import annotations

from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.portfolio.backtest.market import Market, cut_market


def traded_market(opened: OpenedExperiment) -> Market:
    """The market from the session whose scores trade first in the test window through the last one at hand."""
    dates = opened.axes.dates
    return cut_market(opened.panel, opened.scope, dates[max(opened.scope.split.test.start - 1, 0)], dates[-1])

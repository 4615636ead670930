"""What an experiment's labels are made of: its returns, and what some of them are net of."""

from __future__ import annotations

from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.factors.labels import NetOf, Outcomes
from niftyformer_assets.factors.net_of import market_and_beta, sector_numbers
from niftyformer_assets.market.panel import Panel


def outcomes_of(opened: OpenedExperiment) -> Outcomes:
    """Returns [T, N] of the experiment's sessions and symbols, with exposures where a label of it is net of one, and
    with the members of each session where they are not the same on all.

    Betas look back on sessions before the training start, and the market is that of all stocks of the panel.
    """
    member = None if opened.scope.member.all() else opened.scope.member
    if not opened.experiment.windows.net_of:
        return Outcomes(opened.returns(), member=member)
    market, beta = market_and_beta(Panel(opened.panel_axes, **opened.panel))
    exposures = NetOf(market[opened.scope.rows], opened.scope.cut(beta), sector_numbers(opened.sectors_in_force()))
    return Outcomes(opened.returns(), exposures, member)

"""What the strategy of an experiment takes out of scores, read from the artifacts that have it."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.factors.panel_reading import read_factor_panel
from niftyformer_assets.market.sectors import sectors_in_force
from niftyformer_assets.market.size_proxy import load_size_proxy
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.names import SECTOR, SIZE
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import Workspace


def read_exposures(workspace: Workspace, experiment: Experiment, panel_axes: Axes) -> Exposures:
    """What an experiment's strategy takes out of scores, on the sessions and symbols of the market panel.

    Size and sector where it takes out nothing.
    """
    wanted = experiment.strategy.neutralise or (SIZE, SECTOR)
    numbers: dict[str, np.ndarray] = {}
    if experiment.exposed_to:
        path = workspace.factor_panel(experiment.factors.factor_set)
        panel = read_factor_panel(path, panel_axes, experiment.exposed_to)
        numbers = dict(zip(experiment.exposed_to, panel.astype(float), strict=True))
    if SIZE in wanted:
        numbers[SIZE] = load_size_proxy(workspace.size_proxy, panel_axes)
    groups = {}
    if SECTOR in wanted:
        dummies = read_parquet(workspace.sector_dummies)
        groups[SECTOR] = sectors_in_force(dummies, panel_axes.symbols, panel_axes.dates)
    return Exposures(panel_axes, numbers, groups)

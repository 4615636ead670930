"""An experiment opened: its scope of the market, and the inputs that several artifacts share.

A notebook can use this as the assets do:

    settings = read_settings()
    opened = open_experiment(settings.workspace, find_experiment(settings, "mvp"))
    returns = opened.returns()
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.market.scope import Scope, scope
from niftyformer_assets.market.sectors import UNKNOWN, sectors_in_force
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.portfolio.backtest.places import require_places
from niftyformer_assets.store.arrays import Axes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import ExperimentFolder, Workspace


@dataclass(frozen=True, eq=False)
class OpenedExperiment:
    """One experiment on one workspace's market panel.

    panel: open, high, low, close, volume, segment on `panel_axes` [T', N'], all sessions and all
        symbols at hand; `scope.cut` takes the experiment's part [T, N] of each.
    """

    experiment: Experiment
    workspace: Workspace
    folder: ExperimentFolder
    panel: dict[str, np.ndarray]
    panel_axes: Axes
    scope: Scope

    @property
    def axes(self) -> Axes:
        """The experiment's T sessions and N symbols."""
        return self.scope.axes

    def returns(self) -> np.ndarray:
        """Daily returns [T, N] of label.csv, NaN where there is none."""
        from niftyformer_assets.factors.returns import read_returns

        returns, axes = read_returns(self.workspace.returns)
        self._same_panel(axes, "label.csv", "returns")
        return self.scope.cut(returns)

    def log_size(self) -> np.ndarray:
        """Log size proxy [T, N], NaN where there is none."""
        from niftyformer_assets.market.size_proxy import load_size_proxy

        return self.scope.cut(load_size_proxy(self.workspace.size_proxy, self.panel_axes))

    def segments(self) -> np.ndarray:
        """The unbroken stretch of prices [T, N] each session is in."""
        return self.scope.cut(self.panel["segment"])

    @cached_property
    def sectors(self) -> dict[str, str]:
        """The latest sector of each symbol."""
        universe = read_parquet(self.workspace.universe)
        return dict(zip(universe["symbol"], universe["sector"], strict=True))

    def sectors_in_force(self) -> np.ndarray:
        """The sector of each stock on each session, str [T, N], from the dummies."""
        return sectors_in_force(read_parquet(self.workspace.sector_dummies), self.axes.symbols, self.axes.dates)

    @property
    def unknown_sectors(self) -> str:
        """What has no sector, and what that means, in words; empty where each stock has one."""
        unknown = sum(self.sectors[symbol] == UNKNOWN for symbol in self.axes.symbols)
        if not unknown:
            return ""
        return (
            f"No list or table at hand has the sector of {unknown} of the {len(self.axes.symbols)} stocks: they form a "
            "group of their own, and beside what is common to it only size is taken out of their factors."
        )

    def _same_panel(self, axes: Axes, file: str, asset: str) -> None:
        if (problem := axes.difference(self.panel_axes)) is not None:
            raise NiftyFormerError(f"{file} and market_panel.npz disagree: {problem}. Materialize {asset} again.")


def open_experiment(workspace: Workspace, experiment: Experiment) -> OpenedExperiment:
    """Open an experiment of a workspace.

    Raises:
        NiftyFormerError: an artifact it needs is missing or damaged, the candles do not cover its
            sessions, or its universe or capital cannot fill its portfolio.
    """
    panel, axes = load_arrays(workspace.market_panel)
    universe = load_universe(workspace.universe)
    part = scope(panel["close"], axes, universe, experiment.sessions, experiment.universe, panel["volume"])
    require_places(experiment.name, experiment.strategy, part.cut(panel["close"]), part)
    return OpenedExperiment(
        experiment=experiment,
        workspace=workspace,
        folder=workspace.experiment(experiment.name),
        panel=panel,
        panel_axes=axes,
        scope=part,
    )

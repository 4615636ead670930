"""What the sections on money need of anything that was traded: one experiment's model, or a study's joined scores."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.backtest.taxes import Tax
from niftyformer_assets.portfolio.evidence.exposure import ExposureSplit


class Traded(Protocol):
    """`Evidence` and `PooledEvidence`, which say what these are."""

    @property
    def result(self) -> BacktestResult: ...

    @property
    def other_costs(self) -> BacktestResult: ...

    @property
    def equal_weight(self) -> BacktestResult: ...

    @property
    def rank_ic(self) -> np.ndarray: ...

    @property
    def exposures(self) -> Exposures | None: ...

    @property
    def exposure_split(self) -> ExposureSplit | None: ...

    @property
    def picks_by_lot(self) -> tuple[int, int]: ...

    @property
    def tax(self) -> Tax: ...

    def figure(self, metric: str) -> float: ...

"""Reversal and momentum: the mean of a stock's own last returns, and nothing fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Learned, Run, baseline
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from niftyformer_assets.model.baseline_inputs import BaselineInputs


class _Signal(Baseline):
    reads_factors: ClassVar[bool] = False
    draws: ClassVar[bool] = False

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        return {"deviation": np.array(inputs.deviation)}


@baseline("reversal")
@dataclass(frozen=True)
class Reversal(_Signal):
    """Minus the mean return of the last sessions.

    reversal_sessions: what the reversal looks back on.
    """

    reversal_sessions: int = 5

    def __post_init__(self) -> None:
        require(self.reversal_sessions >= 1, "reversal_sessions must be at least 1")

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        signal = -_mean_return(inputs.known_returns, self.reversal_sessions)
        return Forecast.of(inputs.signal(signal), learned["deviation"])


@baseline("momentum")
@dataclass(frozen=True)
class Momentum(_Signal):
    """The mean return of the last sessions.

    momentum_sessions: what the momentum looks back on.
    """

    momentum_sessions: int = 20

    def __post_init__(self) -> None:
        require(self.momentum_sessions >= 1, "momentum_sessions must be at least 1")

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        signal = _mean_return(inputs.known_returns, self.momentum_sessions)
        return Forecast.of(inputs.signal(signal), learned["deviation"])


def _mean_return(returns: np.ndarray, sessions: int) -> np.ndarray:
    """Mean of the returns there are among the last sessions [T, N]; NaN where there is none."""
    import pandas as pd  # the settings need it not

    return pd.DataFrame(returns).rolling(sessions, min_periods=1).mean().to_numpy()

"""Constants and lots: what says nothing about any stock, and what a model must beat first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Learned, Run, baseline

if TYPE_CHECKING:
    from niftyformer_assets.model.baseline_inputs import BaselineInputs


class _Constant(Baseline):
    """One value and one probability a horizon, for every stock and session."""

    reads_factors: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    tells_apart: ClassVar[bool] = False

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        return Forecast(inputs.everywhere(learned["value"]), inputs.everywhere(learned["p_up"]))


@baseline("equal_weight", "mean of training")
@dataclass(frozen=True)
class EqualWeight(_Constant):
    """The mean of the training labels."""

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        return {
            "value": np.nanmean(inputs.training, axis=(0, 1)),
            "deviation": np.array(inputs.deviation),
        }

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        return Forecast.of(inputs.everywhere(learned["value"]), learned["deviation"])


@baseline("zero")
@dataclass(frozen=True)
class Zero(_Constant):
    """A label of 0, up as likely as down."""

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        horizons = len(inputs.windows.labels)
        return {"value": np.zeros(horizons), "p_up": np.full(horizons, 0.5)}


@baseline("majority")
@dataclass(frozen=True)
class Majority(_Constant):
    """The median of the training labels, and the share of them that are above 0."""

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        share_up = (inputs.training > 0).sum(axis=(0, 1)) / np.isfinite(inputs.training).sum(axis=(0, 1))
        return {"value": np.nanmedian(inputs.training, axis=(0, 1)), "p_up": share_up}


@baseline("random", "random scores")
@dataclass(frozen=True)
class Random(Baseline):
    """Lots of the deviation of the training labels."""

    reads_factors: ClassVar[bool] = False

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        return {"deviation": np.array(inputs.deviation)}

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        # Drawn session by session, so that more sessions do not change the earlier ones.
        drawn = np.random.default_rng(run.seed).standard_normal(inputs.training.shape)
        return Forecast.of(drawn * learned["deviation"], learned["deviation"])

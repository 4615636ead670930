"""Random forest on the factors of the session that a prediction is made on, as they are: the published setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Learned, Run, baseline
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from niftyformer_assets.model.baseline_inputs import BaselineInputs


@baseline("random_forest")
@dataclass(frozen=True)
class RandomForest(Baseline):
    """Random forest of the labels of all horizons at once.

    A label missing at one horizon leaves the pair (session, stock) out.

    trees: of the random forest (the published setting: 200).
    """

    storable: ClassVar[bool] = False

    trees: int = 200

    def __post_init__(self) -> None:
        require(self.trees >= 1, "trees must be at least 1")

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        from sklearn.ensemble import RandomForestRegressor

        scaled = inputs.training / inputs.deviation
        known = np.isfinite(scaled).all(axis=-1)
        model = RandomForestRegressor(
            n_estimators=self.trees,
            max_features=1 / 3,
            max_samples=0.5,
            min_samples_leaf=min(100, max(1, int(known.sum()) // 50)),
            random_state=run.seed,
            n_jobs=-1,
        )
        model.fit(inputs.made_on_factors[known], scaled[known])
        # Several threads add up the trees in whatever order they finish, which changes the last digits.
        model.n_jobs = 1
        return {"forest": model, "deviation": inputs.deviation}

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        factors, deviation = inputs.made_on_factors, learned["deviation"]
        value = learned["forest"].predict(factors.reshape(-1, factors.shape[-1])).reshape(inputs.training.shape)
        return Forecast.of(value * deviation, deviation)

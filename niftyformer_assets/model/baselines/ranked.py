"""Ridge and gradient boosting of ranked labels on ranked factors: real NSE history supports these two as a yardstick.

They see the factors of the session that a prediction is made on, which look back over weeks by themselves.

Shapes: S samples, N symbols, F factors, T2 horizons.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from niftyformer_assets.factors.labels import ranks
from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Learned, Run, baseline
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from niftyformer_assets.model.baseline_inputs import BaselineInputs


class _Ranked(Baseline):
    """One fit a horizon.

    A forecast of a rank becomes one of the label by the regression of the training labels on their
    own ranks: that keeps the order, and as the model has shrunk the rank already, nothing else is
    fitted.
    """

    @abstractmethod
    def fit_rank(self, factors: np.ndarray, rank: np.ndarray, seed: int) -> Learned:
        """What one horizon learns from ranked factors [rows, F] and ranks [rows]."""

    @abstractmethod
    def predict_rank(self, learned: Learned, factors: np.ndarray) -> np.ndarray:
        """The ranks [rows] that it expects of ranked factors [rows, F]."""

    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        from threadpoolctl import threadpool_limits

        found: list[Learned] = []
        for horizon in range(inputs.windows.output_sessions):
            label = inputs.training[..., horizon]
            known = np.isfinite(label)
            rank, label = ranks(label)[known], label[known]
            # Where other work shares the processors, boosting's threads wait on each other ten times longer than one.
            with threadpool_limits(1):
                learned = self.fit_rank(inputs.made_on_ranks[known], rank, run.seed)
            slope = float((rank * label).sum() / (rank**2).sum())
            found.append({**learned, "mean": label.mean(), "slope": slope})
        each = {name: [learned[name] for learned in found] for name in found[0]}
        return {
            **{name: np.array(values) if self.storable else values for name, values in each.items()},
            "deviation": np.array(inputs.deviation),
        }

    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        from threadpoolctl import threadpool_limits

        ranked, value = inputs.made_on_ranks, np.empty(inputs.training.shape)
        rows = ranked.reshape(-1, ranked.shape[-1])
        for horizon in range(inputs.windows.output_sessions):
            of = {name: values[horizon] for name, values in learned.items() if name != "deviation"}
            with threadpool_limits(1):
                rank = self.predict_rank(of, rows).reshape(value[..., horizon].shape)
            value[..., horizon] = of["mean"] + float(of["slope"]) * rank
        return Forecast.of(value, learned["deviation"])


@baseline("ridge")
@dataclass(frozen=True)
class Ridge(_Ranked):
    """Ridge regression.

    ridge_penalty: in units of one observation, on features of unit variance.
    """

    ridge_penalty: float = 1000.0

    def __post_init__(self) -> None:
        require(self.ridge_penalty >= 0, "ridge_penalty must be at least 0")

    def fit_rank(self, factors: np.ndarray, rank: np.ndarray, seed: int) -> Learned:
        from sklearn.linear_model import Ridge as Regression

        model = Regression(alpha=self.ridge_penalty).fit(factors, rank)
        return {"coefficients": model.coef_, "intercept": model.intercept_}

    def predict_rank(self, learned: Learned, factors: np.ndarray) -> np.ndarray:
        return factors @ learned["coefficients"] + learned["intercept"]


@baseline("gradient_boosting")
@dataclass(frozen=True)
class GradientBoosting(_Ranked):
    """Gradient boosting of regression trees on binned factors.

    boosting_rounds: trees of the gradient boosting.
    """

    storable: ClassVar[bool] = False

    boosting_rounds: int = 200

    def __post_init__(self) -> None:
        require(self.boosting_rounds >= 1, "boosting_rounds must be at least 1")

    def fit_rank(self, factors: np.ndarray, rank: np.ndarray, seed: int) -> Learned:
        from sklearn.ensemble import HistGradientBoostingRegressor

        model: Any = HistGradientBoostingRegressor(
            max_iter=self.boosting_rounds,
            learning_rate=0.05,
            max_leaf_nodes=15,
            min_samples_leaf=100,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )
        return {"model": model.fit(factors, rank)}

    def predict_rank(self, learned: Learned, factors: np.ndarray) -> np.ndarray:
        return learned["model"].predict(factors)

"""Ridge and boosted trees of ranked labels on ranked factors: real NSE history supports these as a yardstick.

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


class Ranked(Baseline):
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
        for horizon in range(len(inputs.windows.labels)):
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
        for horizon in range(len(inputs.windows.labels)):
            of = {name: values[horizon] for name, values in learned.items() if name != "deviation"}
            with threadpool_limits(1):
                rank = self.predict_rank(of, rows).reshape(value[..., horizon].shape)
            value[..., horizon] = of["mean"] + float(of["slope"]) * rank
        return Forecast.of(value, learned["deviation"])


@baseline("ridge")
@dataclass(frozen=True)
class Ridge(Ranked):
    """Ridge regression.

    ridge_penalty: in units of one observation, on features of unit variance.
    ridge_penalty_per_row: the same for each row that it is fitted on, so that it stands for the same shrinkage
        whatever their number; it takes the place of `ridge_penalty` where it is given.
    """

    draws: ClassVar[bool] = False

    ridge_penalty: float = 1000.0
    ridge_penalty_per_row: float | None = None

    def __post_init__(self) -> None:
        require(self.ridge_penalty >= 0, "ridge_penalty must be at least 0")
        require(
            self.ridge_penalty_per_row is None or self.ridge_penalty_per_row >= 0,
            "ridge_penalty_per_row must be at least 0",
        )

    def fit_rank(self, factors: np.ndarray, rank: np.ndarray, seed: int) -> Learned:
        from sklearn.linear_model import Ridge as Regression

        each = self.ridge_penalty_per_row
        penalty = self.ridge_penalty if each is None else each * len(rank)
        model = Regression(alpha=penalty).fit(factors, rank)
        return {"coefficients": model.coef_, "intercept": model.intercept_}

    def predict_rank(self, learned: Learned, factors: np.ndarray) -> np.ndarray:
        return factors @ learned["coefficients"] + learned["intercept"]


@baseline("gradient_boosting")
@dataclass(frozen=True)
class GradientBoosting(Ranked):
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


@baseline("lightgbm", "LightGBM")
@dataclass(frozen=True)
class LightGBM(Ranked):
    """Gradient boosting by LightGBM, strongly regularised: each tree sees part of the rows and of the factors.

    lightgbm_trees, lightgbm_rate: how many, and how much of each counts.
    lightgbm_leaves, lightgbm_rows_per_leaf: of a tree at most, and of a leaf at least.
    lightgbm_l2: penalty on the values of leaves, in rows.
    lightgbm_factors, lightgbm_rows: the share of either that a tree sees, drawn anew for each.
    lightgbm_bins: of a factor.
    """

    lightgbm_trees: int = 150
    lightgbm_rate: float = 0.04
    lightgbm_leaves: int = 31
    lightgbm_rows_per_leaf: int = 500
    lightgbm_l2: float = 100.0
    lightgbm_factors: float = 0.25
    lightgbm_rows: float = 0.3
    lightgbm_bins: int = 63

    def __post_init__(self) -> None:
        require(
            min(self.lightgbm_trees, self.lightgbm_rows_per_leaf) >= 1,
            "lightgbm_trees and lightgbm_rows_per_leaf must be at least 1",
        )
        require(
            min(self.lightgbm_leaves, self.lightgbm_bins) >= 2, "lightgbm_leaves and lightgbm_bins must be at least 2"
        )
        require(self.lightgbm_rate > 0, "lightgbm_rate must be above 0")
        require(self.lightgbm_l2 >= 0, "lightgbm_l2 must be at least 0")
        require(
            0 < self.lightgbm_factors <= 1 and 0 < self.lightgbm_rows <= 1,
            "lightgbm_factors and lightgbm_rows must be shares, above 0 and at most 1",
        )

    def fit_rank(self, factors: np.ndarray, rank: np.ndarray, seed: int) -> Learned:
        from lightgbm import Dataset, train

        given = {
            "objective": "regression",
            "learning_rate": self.lightgbm_rate,
            "num_leaves": self.lightgbm_leaves,
            "min_data_in_leaf": self.lightgbm_rows_per_leaf,
            "lambda_l2": self.lightgbm_l2,
            "feature_fraction": self.lightgbm_factors,
            "bagging_fraction": self.lightgbm_rows,
            "bagging_freq": 1,
            "max_bin": self.lightgbm_bins,
            "seed": seed,
            # Sums in another order end in other trees: the same whatever the machine's processors.
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        model = train(given, Dataset(factors, rank), num_boost_round=self.lightgbm_trees)
        return {"trees": np.array(model.model_to_string().encode())}

    def predict_rank(self, learned: Learned, factors: np.ndarray) -> np.ndarray:
        from lightgbm import Booster

        return np.asarray(Booster(model_str=bytes(learned["trees"]).decode()).predict(factors, num_threads=1))

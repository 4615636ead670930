"""Ridge, gradient boosting and random forest on the factors of the session a prediction is made on.

Ridge and gradient boosting see factors and labels ranked across the stocks of a session: real NSE
history supports these two as a yardstick. The forest sees them as they are, as the plan has it.
The factors themselves look back over weeks; the recurrent baselines see the whole window besides.

Shapes: S samples, N symbols, F factors, T2 horizons.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from niftyformer_assets.dataset.target import target
from niftyformer_assets.model.baseline_settings import BaselineSettings

MIN_LEAF = 100
LEARNING_RATE = 0.05


def ranked_factors(factors: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Each factor ranked across the stocks of each session: float32 [S, N, F], centred, unit variance, missing = 0."""
    ranked = np.zeros(factors.shape, dtype=np.float32)
    for place in range(factors.shape[-1]):
        known = np.where(valid[..., place], factors[..., place], np.nan)
        ranked[..., place] = np.nan_to_num(target(known, "rank"))
    return ranked


def fit_ranked(
    name: str, ranked: np.ndarray, training: np.ndarray, settings: BaselineSettings, seed: int
) -> np.ndarray:
    """Ridge or gradient boosting of ranked labels on ranked factors, one fit a horizon.

    A forecast of a rank becomes one of the label by the regression of the training labels on their
    own ranks: that keeps the order, and as the model has shrunk the rank already, nothing else is
    fitted.

    Args:
        ranked: float32 [S, N, F] from `ranked_factors`.
        training: float [S, N, T2], NaN where a label is missing or not of training.

    Returns:
        float64 [S, N, T2] in units of the label.
    """
    from threadpoolctl import threadpool_limits

    value = np.empty(training.shape)
    for horizon in range(training.shape[-1]):
        label = training[..., horizon]
        rank = target(label, "rank")
        known = np.isfinite(label)
        model = _ridge(settings) if name == "ridge" else _boosting(settings, seed)
        # One thread: where other work shares the processors, boosting's threads wait on each other ten times longer.
        with threadpool_limits(1):
            model.fit(ranked[known], rank[known])
            forecast = model.predict(ranked.reshape(-1, ranked.shape[-1])).reshape(label.shape)
        slope = float((rank[known] * label[known]).sum() / (rank[known] ** 2).sum())
        value[..., horizon] = label[known].mean() + slope * forecast
    return value


def fit_forest(factors: np.ndarray, training: np.ndarray, settings: BaselineSettings, seed: int) -> np.ndarray:
    """Random forest of the labels of all horizons on the factors; float64 [S, N, T2].

    A label missing at one horizon leaves the pair (session, stock) out.
    """
    from sklearn.ensemble import RandomForestRegressor

    known = np.isfinite(training).all(axis=-1)
    model = RandomForestRegressor(
        n_estimators=settings.trees,
        max_features=1 / 3,
        max_samples=0.5,
        min_samples_leaf=min(MIN_LEAF, max(1, int(known.sum()) // 50)),
        random_state=seed,
        n_jobs=-1,
    )
    model.fit(factors[known], training[known])
    # Several threads add up the trees in whatever order they finish, which changes the last digits.
    model.n_jobs = 1
    return model.predict(factors.reshape(-1, factors.shape[-1])).reshape(training.shape)


def _ridge(settings: BaselineSettings) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=settings.ridge_penalty)


def _boosting(settings: BaselineSettings, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=settings.boosting_rounds,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=15,
        min_samples_leaf=MIN_LEAF,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )

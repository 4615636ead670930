"""What validation decides by: on the best epoch, on when a training stops, and on the plateau of its learning rate.

An epoch's error is the smaller the better, whatever figure is monitored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from niftyformer_assets.model.metrics import mean_absolute_error, traded_rank_ic
from niftyformer_assets.model.training_settings import TrainingSettings

WORDS = {"mae": "validation MAE", "rank_ic": "validation rank IC"}


def error_of(value: np.ndarray, label: np.ndarray, known: np.ndarray, settings: TrainingSettings) -> float:
    """The error of predictions [S, T2, N] of the validation sessions."""
    if settings.monitor == "mae":
        return mean_absolute_error(value, label, known)
    return _of_rank_ic(traded_rank_ic(value, label, known))


def errors_of(history: Sequence[Mapping[str, float]], settings: TrainingSettings) -> list[float]:
    """The errors of epochs, by the figures of each."""
    if settings.monitor == "mae":
        return [metrics["val_mae"] for metrics in history]
    return [_of_rank_ic(metrics["val_rank_ic_last"]) for metrics in history]


def _of_rank_ic(figure: float) -> float:
    # Who says the same of all stocks has none, and no other epoch is worse.
    return math.inf if math.isnan(figure) else -figure


def best_epoch(errors: Sequence[float]) -> int:
    """Where the smallest error is, the first of equal ones."""
    return errors.index(min(errors))


def plateau(optimizer: Optimizer, settings: TrainingSettings) -> ReduceLROnPlateau:
    """What lowers the learning rate where errors fall no further."""
    # Of an error of about 0, and of either sign, no share is to be asked for.
    threshold: dict[str, Any] = {} if settings.monitor == "mae" else {"threshold": 0.0, "threshold_mode": "abs"}
    return ReduceLROnPlateau(
        optimizer,
        factor=settings.scheduler_factor,
        patience=settings.scheduler_patience,
        min_lr=settings.min_learning_rate,
        **threshold,
    )

"""The settings of an experiment that shape the network and its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets.require import require, require_seed


def models() -> tuple[str, ...]:
    """The names of all models, the published one first: each can be traded, and each a baseline beside it."""
    return (ModelSettings.name, *(name for name in registered() if name != ModelSettings.name))


@dataclass(frozen=True)
class ModelSettings:
    """Which model is traded, and the size of the Multitask-Stockformer.

    name: `stockformer`, or a baseline by its name, whose settings are those in `baselines`.
    temporal_features: `calendar` is weekday and session of the month; `published` repeats the
        published code's row arithmetic, for parity.
    """

    __pydantic_config__ = {"extra": "forbid"}

    width: int = 128
    layers: int = 2
    heads: int = 1
    dropout: float = 0.2
    temporal_features: Literal["calendar", "published"] = "calendar"
    name: str = "stockformer"

    def __post_init__(self) -> None:
        require(self.name in models(), f"there is no model {self.name!r}: choose from {', '.join(models())}")
        require(min(self.width, self.layers, self.heads) >= 1, "width, layers and heads must be at least 1")
        require(self.width % self.heads == 0, f"width {self.width} must be a multiple of heads {self.heads}")
        require(0 <= self.dropout < 1, "dropout must be at least 0 and below 1")


@dataclass(frozen=True)
class TrainingSettings:
    """How the Stockformer is trained.

    The published scheduler (patience 20) cannot act before its early stopping (patience 15): both
    values are kept as published, and the log says so.

    precision: of the products in training: `auto` is bfloat16 where the device computes in it, else
        float32. Weights, optimiser and heads are float32 in any case.
    seeds: how many networks are trained, from `seed` on; predictions are their mean.
    seed: of the first network; the experiment's where it is not given.
    step: how a step is run: `plain`, `captured` in a CUDA graph, or `compiled` with torch.compile and
        captured, which costs half a minute where it was not compiled before and gains nothing on a
        CPU. `auto` is captured on a GPU and plain on a CPU.
    """

    __pydantic_config__ = {"extra": "forbid"}

    batch_size: int = 12
    learning_rate: float = 1e-3
    max_epochs: int = 100
    patience: int = 15
    gradient_clip: float = 0.5
    scheduler_factor: float = 0.1
    scheduler_patience: int = 20
    min_learning_rate: float = 2e-6
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seeds: int = 1
    seed: int | None = None
    step: Literal["auto", "plain", "captured", "compiled"] = "auto"

    def __post_init__(self) -> None:
        require(
            min(self.batch_size, self.max_epochs, self.patience, self.seeds) >= 1,
            "batch_size, max_epochs, patience and seeds must be at least 1",
        )
        require_seed(self.seed)
        require(self.learning_rate > 0, "learning_rate must be above 0")
        require(self.gradient_clip > 0, "gradient_clip must be above 0")
        require(0 < self.scheduler_factor < 1, "scheduler_factor must lie between 0 and 1")
        require(
            min(self.scheduler_patience, self.min_learning_rate) >= 0,
            "scheduler_patience and min_learning_rate must be at least 0",
        )

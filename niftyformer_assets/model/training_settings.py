"""The settings of an experiment that say how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.require import require, require_seed


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

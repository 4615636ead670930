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

    weight_decay: share, times the learning rate, by which every step shrinks the weights of the maps, not their
        biases, apart from their gradient (decoupled, as AdamW has it).
    learning_rate_decay: `plateau` multiplies the learning rate by `scheduler_factor` where validation no longer
        improves; `cosine` and `linear` let it fall from step to step to `min_learning_rate` instead.
    warmup_steps: first steps of a training, over which the learning rate rises in equal parts to its full height.
    decay_steps: after how many steps, those of the warm-up among them, `cosine` and `linear` have fallen; by itself
        after those of `max_epochs`.
    ema_decay: what validation, the best epoch and predictions see is the exponential mean of the weights after each
        step, a step weighing so much of the one after it; at 0 it is the weights themselves.
    monitor: the validation figure that decides on the best epoch, early stopping and the plateau: `mae`, or `rank_ic`
        of the label that is traded.
    ranking_loss: a loss of the order of a session's stocks beside the others: `pairwise` the logistic loss of each two
        of them, `listnet` the cross entropy of whom each ordering puts first.
    ranking_weight: of the ranking loss in the sum.
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
    weight_decay: float = 0.0
    learning_rate_decay: Literal["plateau", "cosine", "linear"] = "plateau"
    warmup_steps: int = 0
    decay_steps: int | None = None
    ema_decay: float = 0.0
    monitor: Literal["mae", "rank_ic"] = "mae"
    ranking_loss: Literal["none", "pairwise", "listnet"] = "none"
    ranking_weight: float = 1.0

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
        require(min(self.weight_decay, self.warmup_steps) >= 0, "weight_decay and warmup_steps must be at least 0")
        require(
            self.weight_decay * self.learning_rate < 1,
            "weight_decay times learning_rate must be below 1: a step would leave nothing of the weights",
        )
        require(0 <= self.ema_decay < 1, "ema_decay must be at least 0 and below 1")
        require(
            self.falls_by_step or self.decay_steps is None,
            "decay_steps has no say where learning_rate_decay is plateau: leave it out, or choose cosine or linear",
        )
        require(
            not self.falls_by_step
            or (self.scheduler_factor, self.scheduler_patience)
            == (TrainingSettings.scheduler_factor, TrainingSettings.scheduler_patience),
            "scheduler_factor and scheduler_patience have no say where learning_rate_decay is cosine or linear: leave "
            "them out",
        )
        require(
            self.decay_steps is None or self.decay_steps > self.warmup_steps,
            "decay_steps must be above warmup_steps, which are among them",
        )
        require(
            not self.falls_by_step or self.min_learning_rate <= self.learning_rate,
            "min_learning_rate must be at most learning_rate, which falls to it",
        )
        require(self.ranking_weight > 0, "ranking_weight must be above 0")
        require(
            self.ranking_loss != "none" or self.ranking_weight == TrainingSettings.ranking_weight,
            "ranking_weight has no say where ranking_loss is none: leave it out, or choose pairwise or listnet",
        )

    @property
    def falls_by_step(self) -> bool:
        """Whether the learning rate falls from step to step, whatever validation says."""
        return self.learning_rate_decay != "plateau"

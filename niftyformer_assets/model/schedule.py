"""The learning rate of each step: a rise at first, then as it is, or a fall over the steps of the training.

What validation does to the learning rate (`training.learning_rate_decay: plateau`) comes between epochs, from torch's
scheduler. Here is what depends on how many steps were taken, read on the device: a step that is captured counts by
itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.store.errors import NiftyFormerError


def sessions_of_an_epoch(dataset: Dataset) -> int:
    """How many training samples an epoch looks at."""
    samples = len(dataset.samples()["train"].made_on)
    return dataset.settings.network.sessions_of_an_epoch(samples, len(dataset.axes.symbols))


def steps_of_an_epoch(dataset: Dataset) -> int:
    """How many steps an epoch has."""
    return -(-sessions_of_an_epoch(dataset) // dataset.settings.training.batch_size)


def steps_to_the_lowest(dataset: Dataset) -> int:
    """After how many steps the learning rate has fallen, where it falls by steps.

    Raises:
        NiftyFormerError: a warm-up leaves none of them.
    """
    settings = dataset.settings.training
    if settings.decay_steps is not None:
        return settings.decay_steps
    steps = settings.max_epochs * steps_of_an_epoch(dataset)
    if settings.falls_by_step and steps <= settings.warmup_steps:
        raise NiftyFormerError(
            f"training.warmup_steps is {settings.warmup_steps}, and training.max_epochs {settings.max_epochs} are "
            f"{steps} steps: none is left in which the learning rate falls. Set fewer warmup_steps or more max_epochs."
        )
    return steps


def by_step(settings: TrainingSettings) -> bool:
    """Whether the learning rate differs from step to step."""
    return settings.warmup_steps > 0 or settings.falls_by_step


def learning_rate(full: Tensor, taken: Tensor, lowest_after: Tensor, settings: TrainingSettings) -> Tensor:
    """The learning rate of the step after those `taken`, float32 [].

    Over the warm-up full · (taken + 1) / warmup_steps; after it `full`, or lowest + (full - lowest) · f(p), of the
    share p of the steps after the warm-up that were taken: f(p) = (1 + cos πp) / 2 for a cosine, 1 - p for a line.

    Args:
        full: float32 [], after the warm-up.
        taken: float32 [], whole numbers.
        lowest_after: float32 [], steps after which it is `min_learning_rate`.
    """
    found, warmup = full, settings.warmup_steps
    if settings.falls_by_step:
        share = ((taken - warmup) / (lowest_after - warmup)).clamp(0, 1)
        left = (1 + torch.cos(math.pi * share)) / 2 if settings.learning_rate_decay == "cosine" else 1 - share
        found = settings.min_learning_rate + (full - settings.min_learning_rate) * left
    return torch.where(taken < warmup, full * (taken + 1) / max(warmup, 1), found)

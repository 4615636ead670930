"""The settings of an experiment that decide on its symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.store.checks import require


@dataclass(frozen=True)
class UniverseSettings:
    """Which symbols take part in an experiment.

    membership: `training_start` fixes the members at the first training session for the whole
        experiment (the plan); `each_session` takes every member of any training session and lets
        each be bought only while it is one.
    min_training_sessions: a symbol with fewer candles than this up to the training end is left out.
    max_missing_share: and one that lacks more than this share of the sessions between its first
        and last candle in training.
    """

    __pydantic_config__ = {"extra": "forbid"}

    membership: Literal["training_start", "each_session"] = "training_start"
    min_training_sessions: int = 60
    max_missing_share: float = 0.2

    def __post_init__(self) -> None:
        require(self.min_training_sessions >= 2, "min_training_sessions must be at least 2")
        require(0 <= self.max_missing_share < 1, "max_missing_share must be at least 0 and below 1")

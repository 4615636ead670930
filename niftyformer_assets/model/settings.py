"""The settings of an experiment that say which model is traded, and shape the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets.require import require


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

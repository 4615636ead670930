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
    stock_attention: over the stocks of a session: `sparse` is the published one, to whose states the embedding of the
        graph is added and in which a stock takes what the one that attends to it most has seen; `plain` softmax
        attention without either; `none` leaves each stock to itself, with the MLP behind the attention alone.
    attention_dropout: share of the attentions' weights dropped in training, over sessions and over stocks.
    head_dropout: share of the states between the two maps of each head dropped in training.
    input_dropout: share of the factors that a step hides, each as a whole from all stocks and sessions of a window.
    """

    __pydantic_config__ = {"extra": "forbid"}

    width: int = 128
    layers: int = 2
    heads: int = 1
    dropout: float = 0.2
    temporal_features: Literal["calendar", "published"] = "calendar"
    name: str = "stockformer"
    stock_attention: Literal["sparse", "plain", "none"] = "sparse"
    attention_dropout: float = 0.0
    head_dropout: float = 0.0
    input_dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.name in models(), f"there is no model {self.name!r}: choose from {', '.join(models())}")
        require(min(self.width, self.layers, self.heads) >= 1, "width, layers and heads must be at least 1")
        require(self.width % self.heads == 0, f"width {self.width} must be a multiple of heads {self.heads}")
        require(
            all(
                0 <= share < 1
                for share in (self.dropout, self.attention_dropout, self.head_dropout, self.input_dropout)
            ),
            "dropout, attention_dropout, head_dropout and input_dropout must be at least 0 and below 1",
        )

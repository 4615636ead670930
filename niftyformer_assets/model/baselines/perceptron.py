"""A perceptron on the session that a prediction is made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from niftyformer_assets.model.baseline_registry import NetworkBaseline, baseline
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from niftyformer_assets.model.network import Windows


@baseline("perceptron")
@dataclass(frozen=True)
class Perceptron(NetworkBaseline):
    """A perceptron of two hidden layers on the last session of each stock's window.

    perceptron_width: of its hidden layers.
    """

    perceptron_width: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.perceptron_width >= 1, "perceptron_width must be at least 1")

    def parts(self, channels: int, horizons: int) -> Mapping[str, nn.Module]:
        from torch import nn  # takes seconds to load, and the settings do without it

        width = self.perceptron_width
        layers = [nn.Linear(channels, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return {"hidden": nn.Sequential(*layers), "out": nn.Linear(width, 2 * horizons)}

    def forward(self, parts: nn.ModuleDict, windows: Windows) -> tuple[Tensor, Tensor]:
        value, up = parts["out"](parts["hidden"](windows.channels[:, :, -1])).chunk(2, dim=-1)
        return value, up

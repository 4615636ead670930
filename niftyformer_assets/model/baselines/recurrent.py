"""LSTM and GRU over each stock's own window of returns and factors: the published neural baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from niftyformer_assets.model.baseline_registry import NetworkBaseline, baseline
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from niftyformer_assets.model.network import Windows


@dataclass(frozen=True)
class _Recurrent(NetworkBaseline):
    """A recurrent network, of whose states the last one is looked at.

    recurrent_width, recurrent_layers: of the LSTM and the GRU (the published setting: 128 and 2).
    """

    cell: ClassVar[str]

    recurrent_width: int = 128
    recurrent_layers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            min(self.recurrent_width, self.recurrent_layers) >= 1,
            "recurrent_width and recurrent_layers must be at least 1",
        )

    def parts(self, channels: int, horizons: int) -> Mapping[str, nn.Module]:
        from torch import nn  # takes seconds to load, and the settings do without it

        width = self.recurrent_width
        return {
            "cell": getattr(nn, self.cell)(channels, width, self.recurrent_layers, batch_first=True),
            "value": nn.Linear(width, horizons),
            "up": nn.Linear(width, horizons),
        }

    def forward(self, parts: nn.ModuleDict, windows: Windows) -> tuple[Tensor, Tensor]:
        stocks = windows.channels.shape[:2]
        last = parts["cell"](windows.channels.flatten(0, 1))[0][:, -1].unflatten(0, stocks)
        return parts["value"](last), parts["up"](last)


@baseline("lstm", "LSTM")
@dataclass(frozen=True)
class Lstm(_Recurrent):
    """Long short-term memory."""

    cell = "LSTM"


@baseline("gru", "GRU")
@dataclass(frozen=True)
class Gru(_Recurrent):
    """Gated recurrent units."""

    cell = "GRU"

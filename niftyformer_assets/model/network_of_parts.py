"""The network of a model that says what has weights and what is made of them, and sees each stock's own window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from niftyformer_assets.factors.labels import RETURN
from niftyformer_assets.model.network import OTHER_CHANNELS, Network, Outputs, Windows

if TYPE_CHECKING:
    from niftyformer_assets.dataset.settings import WindowSettings
    from niftyformer_assets.model.baseline_registry import NetworkBaseline
    from niftyformer_assets.model.batches import DeviceData
    from niftyformer_assets.model.data import Dataset


class NetworkOfParts(Network):
    """The parts of a model, trained together.

    It sees returns and says labels in units of a usual one: what it learns is then of about the same size whatever
    the market.

    Args:
        factors: F.
    """

    unit: Tensor

    def __init__(self, model: NetworkBaseline, windows: WindowSettings, factors: int) -> None:
        super().__init__()
        self.model = model
        self.in_returns = windows.unit is RETURN  # a rank or z-score has unit variance already
        self.parts = nn.ModuleDict(dict(model.parts(factors + OTHER_CHANNELS, len(windows.labels))))
        self.register_buffer("unit", torch.ones(()))
        for module in self.modules():
            if isinstance(module, nn.RNNBase):
                # Its weights lie in the loop's one tensor; on a GPU it would move them out, step by step.
                module.flatten_parameters = lambda: None  # type: ignore[method-assign]

    def sees(self, data: DeviceData, made_on: Tensor, dtype: torch.dtype) -> Windows:
        return data.windows(made_on, dtype, self.unit)

    def take_constants(self, dataset: Dataset) -> None:
        """The deviation of the training sessions' returns, of members."""
        train, member = dataset.split.train, dataset.inputs.member
        there = dataset.valid[train] if member is None else dataset.valid[train] & member[train]
        self.unit.fill_(float(dataset.returns[train][there].std(dtype=np.float64)) or 1.0)

    def forward(self, inputs: Windows, dropped: Mapping[str, Tensor] | None = None) -> Outputs:
        value, up = (said.transpose(1, 2) for said in self.model.forward(self.parts, inputs))
        logits = torch.stack([torch.zeros_like(up), up], dim=-1)
        return Outputs(value * self.unit if self.in_returns else value, None, logits, None)

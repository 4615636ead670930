"""The network that an experiment's settings ask for: the Stockformer, or one that is registered as a baseline."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from niftyformer_assets.factors.labels import RETURN
from niftyformer_assets.model.baseline_registry import NetworkBaseline
from niftyformer_assets.model.batches import OTHER_CHANNELS, DeviceData
from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.network import Network, Outputs, Windows
from niftyformer_assets.model.stockformer import Stockformer


class RegisteredNetwork(Network):
    """A network that is registered as a baseline.

    It sees returns and says labels in units of a usual one: what it learns is then of about the same size whatever
    the market.

    Args:
        channels: that a stock has on a session.
        in_returns: whether the label is a return; a rank or z-score has unit variance already.
    """

    unit: Tensor

    def __init__(self, kind: NetworkBaseline, channels: int, horizons: int, in_returns: bool) -> None:
        super().__init__()
        self.kind, self.in_returns = kind, in_returns
        self.parts = nn.ModuleDict(dict(kind.parts(channels, horizons)))
        self.register_buffer("unit", torch.ones(()))
        for module in self.modules():
            if isinstance(module, nn.RNNBase):
                # Its weights lie in the loop's one tensor; on a GPU it would move them out, step by step.
                module.flatten_parameters = lambda: None  # type: ignore[method-assign]

    def sees(self, data: DeviceData, made_on: Tensor, dtype: torch.dtype) -> Windows:
        return data.windows(made_on, dtype, self.unit)

    def take_constants(self, dataset: Dataset) -> None:
        """The deviation of the training sessions' returns."""
        train = dataset.split.train
        self.unit.fill_(float(dataset.returns[train][dataset.valid[train]].std(dtype=np.float64)) or 1.0)

    def forward(self, inputs: Windows, dropped: Tensor | None = None) -> Outputs:
        value, up = (said.transpose(1, 2) for said in self.kind.forward(self.parts, inputs))
        logits = torch.stack([torch.zeros_like(up), up], dim=-1)
        return Outputs(value * self.unit if self.in_returns else value, None, logits, None)


def network_of(settings: RunSettings, stocks: int, factors: int) -> Network:
    """The network of an experiment's settings for so many stocks and factors, its constants not yet in place."""
    windows = settings.windows
    if settings.network is not None:
        channels, in_returns = factors + OTHER_CHANNELS, windows.kind.unit is RETURN
        return RegisteredNetwork(settings.network, channels, windows.output_sessions, in_returns)
    graph = torch.zeros(stocks, settings.model.width)
    return Stockformer(settings.model, factors, windows.input_sessions, windows.output_sessions, graph)


def build_model(dataset: Dataset) -> Network:
    """The network of a dataset, with weights drawn from torch's generator, on the CPU."""
    network = network_of(dataset.settings, len(dataset.axes.symbols), len(dataset.factor_names))
    network.take_constants(dataset)
    return network

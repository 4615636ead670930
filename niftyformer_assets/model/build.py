"""The network that an experiment's settings ask for."""

from __future__ import annotations

from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.network import Network


def network_of(settings: RunSettings, stocks: int, factors: int) -> Network:
    """The network of an experiment's settings for so many stocks and factors, its constants not yet in place."""
    return settings.network.network(settings.windows, stocks, factors)


def build_model(dataset: Dataset) -> Network:
    """The network of a dataset, with weights drawn from torch's generator, on the CPU."""
    network = network_of(dataset.settings, len(dataset.axes.symbols), len(dataset.factor_names))
    network.take_constants(dataset)
    return network

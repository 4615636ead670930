"""Which way a registered model is fitted and asked: by what kind of model it is."""

from __future__ import annotations

from collections.abc import Mapping

from niftyformer_assets.model.baseline_registry import Baseline, Model, NetworkModel, registered
from niftyformer_assets.model.trained import TrainedThing
from niftyformer_assets.model.trained_baseline import TrainedBaseline
from niftyformer_assets.model.trained_network import TrainedNetwork

THINGS: Mapping[type[Model], type[TrainedThing]] = {NetworkModel: TrainedNetwork, Baseline: TrainedBaseline}


def trained_thing(name: str) -> TrainedThing:
    """The model of a name that `ModelSettings` accepts."""
    return next(thing for kind, thing in THINGS.items() if issubclass(registered()[name], kind))(name)

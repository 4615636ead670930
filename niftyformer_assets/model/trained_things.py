"""Which way a registered model is fitted and asked: by what kind of model it is."""

from __future__ import annotations

from collections.abc import Mapping

from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets.model.trained import TrainedThing
from niftyformer_assets.model.trained_baseline import TrainedBaseline
from niftyformer_assets.model.trained_blend import TrainedBlend
from niftyformer_assets.model.trained_network import TrainedNetwork

# By the module that each stands in.
THINGS: Mapping[str, type[TrainedThing]] = {
    thing.__module__.rpartition(".")[2]: thing for thing in (TrainedNetwork, TrainedBaseline, TrainedBlend)
}


def trained_thing(name: str) -> TrainedThing:
    """The model of a name that `ModelSettings` accepts."""
    return THINGS[registered()[name].fitted_by](name, trained_thing)

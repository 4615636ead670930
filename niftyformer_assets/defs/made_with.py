"""Which settings decide on which artifact of an experiment, and whether they still are what it was made with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from niftyformer_assets.settings import Experiment
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import flat_settings, must_be_as_recorded, must_have_record
from niftyformer_assets.store.workspace import ExperimentFolder

# What the model reads of an experiment's folder.
DATASET = ("flow", "trend_indicator", "corr_adj", "graph_embeddings", "neutralized_factors")

_SCOPE = {"sessions", "universe"}
_DATASET = _SCOPE | {"factors", "windows", "wavelet", "graph"}

# The sections of an experiment's file, by the artifact that would be another one with other values.
SECTIONS = {
    "ic_summary": _SCOPE | {"factors"},
    "neutralized_factors": _SCOPE | {"factors"},
    "flow": _SCOPE | {"windows", "wavelet"},
    "trend_indicator": _SCOPE,
    "corr_adj": _SCOPE | {"graph"},
    "graph_embeddings": _SCOPE | {"graph", "seed"},
    "trained_model": _DATASET | {"model", "training", "seed"},
    "predictions": _DATASET | {"model", "training", "seed"},
    "baseline_predictions": _SCOPE | {"factors", "windows", "baselines", "seed"},
}


def _sections(experiment: Experiment, asset: str) -> set[str]:
    of_factors = experiment.graph.source == "factors" and asset in ("corr_adj", "graph_embeddings")
    return SECTIONS[asset] | ({"factors"} if of_factors else set())


def deciding_settings(experiment: Experiment, asset: str) -> dict[str, Any]:
    """The settings that an asset's provenance records, as JSON values."""
    return experiment.model_dump(mode="json", include=_sections(experiment, asset))


def must_be_made_with(experiment: Experiment, folder: ExperimentFolder, assets: Iterable[str]) -> None:
    """Refuse artifacts that were made with other settings than the experiment has now, or are others than recorded.

    Without this an edited experiment would meet artifacts of the old one, and a report would name
    settings that none of its figures came from.

    Raises:
        NiftyFormerError: an artifact has no provenance, is not the one that was recorded, or was made
            with other values; the message names both.
    """
    for asset in assets:
        record = must_have_record(folder.provenance, asset)
        now = flat_settings(deciding_settings(experiment, asset))
        # A record may hold more than what decides, as that of flow does.
        decided = {
            section: value for section, value in record.settings.items() if section in _sections(experiment, asset)
        }
        before = flat_settings(decided)
        found = [
            f"{name} {before.get(name)} (the experiment has {now.get(name)})"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]
        if found:
            raise NiftyFormerError(
                f"{asset} of {experiment.name} was made with {', '.join(found)}: materialize it again, "
                "with what it is made from, or change the experiment back."
            )
        must_be_as_recorded(folder.provenance, record)

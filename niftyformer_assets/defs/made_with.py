"""Whether the artifacts of an experiment, or of a study, still are what its settings say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from niftyformer_assets.artifacts import deciding_settings, sections_of
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.study import Study, StudySettings
from niftyformer_assets.experiments.variants import defaults_of, without_defaults
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import Provenance, flat_settings, must_be_as_recorded, must_have_record
from niftyformer_assets.store.workspace import ExperimentFolder, StudyFolder, Workspace


class Fitting(NamedTuple):
    """Of the experiments that an artifact is made from those that fit, by name, and why each of the others does not."""

    experiments: Mapping[str, Experiment]
    others: Mapping[str, str]


def fitting(experiments: Mapping[str, Experiment], workspace: Workspace, assets: Iterable[str]) -> Fitting:
    """Tell the experiments whose artifacts are what their settings say from the others."""
    assets = tuple(assets)
    fits, others = dict(experiments), {}
    for name, experiment in experiments.items():
        try:
            must_be_made_with(experiment, workspace.experiment(name), assets)
        except NiftyFormerError as error:
            others[name] = str(error)
            del fits[name]
    return Fitting(fits, others)


def must_be_made_with(of: Experiment | Study, folder: ExperimentFolder | StudyFolder, assets: Iterable[str]) -> None:
    """Refuse artifacts that were made with other settings than there are now, or are others than recorded.

    Without this an edited experiment would meet artifacts of the old one, and a report would name
    settings that none of its figures came from. A setting that came later counts with its default.

    Raises:
        NiftyFormerError: an artifact has no provenance, is not the one that was recorded, or was made
            with other values; the message names both.
    """
    for asset in assets:
        record = must_have_record(folder.provenance, asset)
        if (name := record.settings.get("name", of.name)) != of.name:  # as where a folder was copied
            raise NiftyFormerError(f"the {asset} in {folder.root} is that of {name}: materialize {asset} of {of.name}.")
        kind = "study" if isinstance(of, Study) else "experiment"
        changes = _changes_of_study(of, record) if isinstance(of, Study) else _changes(of, record)
        if changes:
            found = [f"{setting} {before} (the {kind} has {now})" for setting, before, now in changes]
            raise NiftyFormerError(
                f"{asset} of {of.name} was made with {', '.join(found)}: materialize it again, "
                f"with what it is made from, or change the {kind} back."
            )
        must_be_as_recorded(folder.provenance, record)


def _changes(experiment: Experiment, record: Provenance) -> list[tuple[str, Any, Any]]:
    """The settings that decide and differ: name, value when the artifact was made, and now."""
    now, sections = deciding_settings(experiment, record.asset), sections_of(record.asset, experiment)
    # By its settings then, it may have been made from more than now.
    before = {key: value for key, value in record.settings.items() if sections is None or key in sections}
    one, other = without_defaults(before), without_defaults(now)
    differing = _differing(one, other)
    if "model.name" in differing:  # each model has other settings
        differing = ["model.name"]
    # Of sections that did not decide when it was made nothing can be said but that there are others.
    differing = [name for name in differing if name.partition(".")[0] in before] or differing
    default = flat_settings(defaults_of(now))
    return [(name, one.get(name, default.get(name)), other.get(name, default.get(name))) for name in differing]


def _changes_of_study(study: Study, record: Provenance) -> list[tuple[str, Any, Any]]:
    """As `_changes`: everything decides, the study's own settings and those of its experiment."""
    one, other = study_without_defaults(record.settings), study_without_defaults(study.values())
    default = {
        f"{of}.{key}": value
        for of, values in study.values().items()
        if of != "study"
        for key, value in flat_settings(defaults_of(values)).items()
    }
    return [
        (name, one.get(name, default.get(name)), other.get(name, default.get(name))) for name in _differing(one, other)
    ]


def study_without_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """As `without_defaults`, of `Study.values`, now or of an earlier version."""
    own = values.get("study", {})
    with suppress(ValueError):  # of a version that had other settings: they differ
        own = StudySettings.model_validate_json(json.dumps(own)).model_dump(mode="json")
    told = flat_settings({"study": own})
    for of in values.keys() - {"study"}:
        told |= {f"{of}.{key}": value for key, value in without_defaults(values[of]).items()}
    return told


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]

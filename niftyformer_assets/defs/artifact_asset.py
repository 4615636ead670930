"""`dg.asset` for an artifact of the rows in `artifacts`."""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from niftyformer_assets.artifacts import Artifact, deciding_settings, read_files
from niftyformer_assets.defs.experiment_settings import all_settings_dep, settings_dep
from niftyformer_assets.defs.made_with import Fitting, fitting, must_be_made_with
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import Experiments
from niftyformer_assets.defs.results import file_path, one_line_errors, rounded, size_of
from niftyformer_assets.defs.shared import made_by_nobody_else, metadata_of, take_over
from niftyformer_assets.defs.workers import KITE, QUEUE
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import (
    experiment_in_use,
    experiments_of,
    experiments_of_files,
    find_experiment,
    find_study,
)
from niftyformer_assets.experiments.holders import remember
from niftyformer_assets.experiments.study import Study
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import read_given_json
from niftyformer_assets.store.index import entered_digests
from niftyformer_assets.store.provenance import Provenance, fingerprints, must_have_record
from niftyformer_assets.store.workspace import ExperimentFolder, StudyFolder, Workspace


@dataclass(frozen=True)
class Made:
    """What an asset says of the artifact that it has made.

    metadata: what a person wants to see; numbers first, then pictures and tables.
    settings: that decided on it beside an experiment's, as JSON values.
    given: files that it was made from beside those of its row; an optional one may be absent.
    """

    metadata: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    given: Sequence[Path] = ()


Body = Callable[..., Made]
# Where steps go to workers, those that ask Kite or NSE go to one machine, which keeps the pace of requests.
ASKS_KITE: Mapping[str, str] = {QUEUE: KITE}


def known_of(row: Artifact, partitions: Partitions) -> dict[str, Any]:
    """What `dg.asset` takes that the row of an artifact knows."""
    deps: list[str | dg.AssetDep] = [_dep(row, partitions.artifacts[name], partitions) for name in row.may_follow]
    if row.scope in ("experiment", "study"):
        keys = partitions.experiments if row.scope == "experiment" else partitions.studies
        deps.append(settings_dep(keys.get_partition_keys(), row.name))
    elif any(partitions.artifacts[name].scope == "experiment" for name in row.may_read):
        deps.append(all_settings_dep(partitions.experiments_of(row)))
    of = {
        "experiment": partitions.experiments,
        "study": partitions.studies,
        "symbol": partitions.symbols,
        "workspace": None,
    }
    return {
        "name": row.name,
        "group_name": row.group,
        "owners": [f"team:{row.group}"],
        "deps": deps,
        "partitions_def": of[row.scope],
        "code_version": row.code,
        "kinds": set(row.kinds),
        "description": row.words,
    }


def _dep(row: Artifact, above: Artifact, partitions: Partitions) -> str | dg.AssetDep:
    """That an artifact is made from another: of the same partition, or of those that belong to it."""
    if above.scope == "experiment" and row.scope == "study":
        # Those of a study alone; experiments that have files of their own are in none.
        return dg.AssetDep(above.name, partition_mapping=dg.StaticPartitionMapping(dict(partitions.study_of)))
    if above.scope == "experiment" and row.scope == "workspace":
        if row.of_studies:
            return above.name
        mapping = dg.SpecificPartitionsPartitionMapping(list(partitions.experiments_of(row)))
        return dg.AssetDep(above.name, partition_mapping=mapping)
    return above.name


def artifact_asset(
    partitions: Partitions,
    name: str | None = None,
    said: str = "",
    own: Callable[[Experiments, str], None] | None = None,
    **more: Any,
) -> Callable[[Body], dg.AssetsDefinition]:
    """As `dg.asset`, which gets what the row of this name knows; the body makes the artifact and returns `Made`.

    An asset of an experiment takes `context` and `experiments`, and has the experiment to itself. Any other takes
    `settings`. What it reads of its experiment, or its study, was made with the settings that there are now, or it is
    refused; where it reads of many experiments, `fitting` says of which that is so, and is no resource of Dagster's.
    Errors meant for a person become failures of one line. What was made is recorded with its provenance.

    Args:
        name: by itself the body's.
        said: put behind the row's words.
        own: writes what lies beside the artifact and is of the experiment alone, where the body does not run.
        more: for `dg.asset`.
    """

    def decorate(body: Body) -> dg.AssetsDefinition:
        row = partitions.artifacts[name or body.__name__]
        signature = inspect.signature(body)
        by_dagster = [parameter for parameter in signature.parameters.values() if parameter.name != "fitting"]

        @wraps(body)
        def make(*context: dg.AssetExecutionContext, **resources: Any) -> dg.MaterializeResult:
            with one_line_errors():
                if row.scope == "experiment":
                    return _of_experiment(
                        row, context[0], resources["experiments"], lambda: body(*context, **resources), partitions, own
                    )
                settings = resources["settings"]
                study = find_study(settings, context[0].partition_key) if row.scope == "study" else None
                made = body(*context, **resources, **_must_fit(row, settings, study, partitions))
                return _recorded(row, settings, None, made, partitions, study)

        # Dagster goes by the body's parameters, and by what is returned.
        make.__signature__ = signature.replace(parameters=by_dagster, return_annotation=dg.MaterializeResult)  # type: ignore[attr-defined]
        known = known_of(row, partitions)
        if "candle_source" in signature.parameters:
            known["op_tags"] = ASKS_KITE
        made: dg.AssetsDefinition = dg.asset(**(known | {"description": known["description"] + said}), **more)(make)
        return made

    return decorate


def _must_fit(
    row: Artifact, settings: Settings, study: Study | None, partitions: Partitions
) -> dict[Literal["fitting"], Fitting]:
    """Refuse what was made with another study than there is now; of experiments tell the body which fit."""
    workspace, above = settings.workspace, [partitions.artifacts[name] for name in row.may_follow]
    if study is not None:
        of_study = [each.name for each in above if each.scope == "study"]
        must_be_made_with(study, workspace.study(study.name), of_study)
    of_experiments = [each.name for each in above if each.scope == "experiment" and not each.has_card]
    if not of_experiments:
        return {}
    return {"fitting": fitting(_experiments_of(row, settings, study), workspace, of_experiments)}


def _of_experiment(
    row: Artifact,
    context: dg.AssetExecutionContext,
    experiments: Experiments,
    make: Callable[[], Made],
    partitions: Partitions,
    own: Callable[[Experiments, str], None] | None,
) -> dg.MaterializeResult:
    """Make an artifact of the run's experiment, or take it over, and note beside it how that went."""
    experiment = experiments.take(context.partition_key)
    folder = experiments.folder(experiment.name)
    before = [partitions.artifacts[name] for name in row.fit_for(experiment)]
    must_be_made_with(experiment, folder, [of.name for of in before if of.scope == "experiment" and not of.has_card])
    began = time.monotonic()
    if row.is_of(experiment):
        made = make()
        _note(folder, row.name, {"seconds": round(time.monotonic() - began, 1)})
        return _recorded(row, experiments.settings, experiment, made, partitions)
    result, taken = _once(row, context, experiments, experiment, make, partitions)
    if taken and own is not None:
        own(experiments, experiment.name)
    took = {"taken_over": True} if taken else {"seconds": round(time.monotonic() - began, 1)}
    device = (result.metadata or {}).get("device")
    _note(folder, row.name, took | ({} if device is None else {"device": _text(device)}))
    return result


def _once(
    row: Artifact,
    context: dg.AssetExecutionContext,
    experiments: Experiments,
    experiment: Experiment,
    make: Callable[[], Made],
    partitions: Partitions,
) -> tuple[dg.MaterializeResult, bool]:
    """Make an artifact of an experiment, or take over what another has made from the same; and whether it was that."""
    settings, workspace = experiments.settings, experiments.settings.workspace
    folder = workspace.experiment(experiment.name)
    to_be = _record(row, settings, experiment, partitions)
    with made_by_nobody_else(workspace, to_be):
        found = take_over(workspace, row, to_be, experiment.name)
        if found is None:
            made = _recorded(row, settings, experiment, make(), partitions)
            remember(workspace, must_have_record(folder.provenance, row.name), experiment.name)
            return made, False
        source, record = found
        context.log.info(f"taken over from {source}, which made it from the same with the same settings")
        record.write(folder.provenance)
        # Whoever it was taken from may be made anew, or be removed.
        remember(workspace, record, experiment.name)
        shown = metadata_of(context.instance, row.name, source, record)
        own = _own_metadata(record, row.files(folder))
        result: dg.MaterializeResult = dg.MaterializeResult(
            data_version=dg.DataVersion(record.fingerprint),
            metadata={**shown, **own, "taken_over_from": source},
        )
        return result, True


def _note(folder: ExperimentFolder, artifact: str, took: Mapping[str, Any]) -> None:
    """Note beside an experiment's artifacts how one was made; apart from them, for it differs each time."""
    known: dict[str, Any] = {}
    with suppress(NiftyFormerError):  # none yet, or damaged
        known = read_given_json(folder.notes)
    write_text(folder.notes, json.dumps(known | {artifact: took}, indent=1, sort_keys=True) + "\n")


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, dg.MetadataValue) else value)


def _recorded(
    row: Artifact,
    settings: Settings,
    experiment: Experiment | None,
    made: Made,
    partitions: Partitions,
    study: Study | None = None,
) -> dg.MaterializeResult:
    """Record where an artifact came from and tell Dagster."""
    place = _place(settings, experiment, study)
    outputs = row.files(place)
    record = replace(
        _record(row, settings, experiment, partitions, made, study), outputs=entered_digests(outputs, place.root)
    )
    record.write(place.provenance)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(record.fingerprint),
        metadata={
            **{name: rounded(value) for name, value in made.metadata.items()},
            **_own_metadata(record, outputs),
        },
    )


def _record(
    row: Artifact,
    settings: Settings,
    experiment: Experiment | None,
    partitions: Partitions,
    made: Made | None = None,
    study: Study | None = None,
) -> Provenance:
    """What an artifact is made from, as it is now."""
    workspace = settings.workspace
    place = _place(settings, experiment, study)
    all_experiments = _experiments_of(row, settings, study)
    name = "" if study is None else study.name
    inputs = [
        *read_files(row, workspace, experiment, all_experiments, partitions.artifacts, name),
        *row.also(workspace, experiment),
        *(() if made is None else made.given),
    ]
    present = [path for path in inputs if path.exists()]
    of_present = fingerprints(present)
    by_path = dict(zip(present, of_present.values(), strict=True))
    decided = {} if study is None else study.values()
    if experiment is not None:
        decided = deciding_settings(experiment, row.name)
    return Provenance(
        asset=row.name,
        settings=decided | ({} if made is None else dict(made.settings)),
        code=row.code_for(experiment),
        inputs=of_present,
        made_from={os.path.relpath(path, place.root): by_path.get(path) for path in inputs},
    )


def _experiments_of(row: Artifact, settings: Settings, study: Study | None) -> Mapping[str, Experiment]:
    """The experiments of which an artifact of the workspace or a study reads what it reads of experiments."""
    if study is not None:
        return study.experiments
    if row.of_one_in_use:
        if (name := experiment_in_use(settings)) is None:
            raise NiftyFormerError(
                f"{row.name} is of the experiment in use, and of several none is: "
                "set NIFTYFORMER_SIGNAL_EXPERIMENT to its name"
            )
        return {name: find_experiment(settings, name)}
    return experiments_of(settings) if row.of_studies else experiments_of_files(settings)


def _place(
    settings: Settings, experiment: Experiment | None, study: Study | None
) -> Workspace | ExperimentFolder | StudyFolder:
    """Where the artifacts of the workspace, of an experiment or of a study lie."""
    if study is not None:
        return settings.workspace.study(study.name)
    return settings.workspace if experiment is None else settings.workspace.experiment(experiment.name)


def _own_metadata(record: Provenance, outputs: Sequence[Path]) -> dict[str, Any]:
    return {
        "file": file_path(outputs[0]),
        "size_bytes": sum(size_of(path) for path in outputs if path.exists()),
        "provenance": dg.MetadataValue.json({"settings": dict(record.settings), "inputs": dict(record.inputs)}),
    }

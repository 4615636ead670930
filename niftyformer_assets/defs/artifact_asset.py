"""`dg.asset` for an artifact of the rows in `artifacts`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import dagster as dg

from niftyformer_assets.artifacts import Artifact, deciding_settings, read_files
from niftyformer_assets.defs.experiment_settings import all_settings_dep, settings_dep
from niftyformer_assets.defs.made_with import must_be_made_with
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import Experiments
from niftyformer_assets.defs.results import file_path, one_line_errors, rounded, size_of
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import experiments_of_files
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.index import entered_digests
from niftyformer_assets.store.provenance import Provenance, code_version, fingerprints


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


def known_of(row: Artifact, partitions: Partitions) -> dict[str, Any]:
    """What `dg.asset` takes that the row of an artifact knows."""
    experiments = partitions.experiments.get_partition_keys()
    deps: list[str | dg.AssetDep] = list(row.may_follow)
    if row.scope == "experiment":
        deps.append(settings_dep(experiments, row.name))
    elif any(partitions.artifacts[name].scope == "experiment" for name in row.may_read):
        deps.append(all_settings_dep(experiments))
    of = {"experiment": partitions.experiments, "symbol": partitions.symbols, "workspace": None}
    return {
        "name": row.name,
        "group_name": row.group,
        "owners": [f"team:{row.group}"],
        "deps": deps,
        "partitions_def": of[row.scope],
        "code_version": code_version(*row.made_by),
        "kinds": set(row.kinds),
        "description": row.words,
    }


def artifact_asset(
    partitions: Partitions, name: str | None = None, said: str = "", **more: Any
) -> Callable[[Body], dg.AssetsDefinition]:
    """As `dg.asset`, which gets what the row of this name knows; the body makes the artifact and returns `Made`.

    An asset of an experiment takes `context` and `experiments`, and has the experiment to itself; what it reads was
    made with the experiment's settings, or it is refused. Any other takes `settings`. Errors meant for a person
    become failures of one line. What was made is recorded with its provenance.

    Args:
        name: by itself the body's.
        said: put behind the row's words.
        more: for `dg.asset`.
    """

    def decorate(body: Body) -> dg.AssetsDefinition:
        row = partitions.artifacts[name or body.__name__]

        @wraps(body)
        def make(*context: dg.AssetExecutionContext, **resources: Any) -> dg.MaterializeResult:
            with one_line_errors():
                if row.scope != "experiment":
                    return _recorded(row, resources["settings"], None, body(*context, **resources), partitions)
                experiments: Experiments = resources["experiments"]
                experiment = experiments.take(context[0].partition_key)
                folder = experiments.folder(experiment.name)
                before = [partitions.artifacts[name] for name in row.fit_for(experiment)]
                must_be_made_with(
                    experiment, folder, [of.name for of in before if of.scope == "experiment" and not of.has_card]
                )
                return _recorded(row, experiments.settings, experiment, body(*context, **resources), partitions)

        # Dagster goes by the body's parameters, and by what is returned.
        make.__signature__ = inspect.signature(body).replace(return_annotation=dg.MaterializeResult)  # type: ignore[attr-defined]
        known = known_of(row, partitions)
        made: dg.AssetsDefinition = dg.asset(**(known | {"description": known["description"] + said}), **more)(make)
        return made

    return decorate


def _recorded(
    row: Artifact, settings: Settings, experiment: Experiment | None, made: Made, partitions: Partitions
) -> dg.MaterializeResult:
    """Record where an artifact came from and tell Dagster."""
    workspace = settings.workspace
    place = workspace if experiment is None else workspace.experiment(experiment.name)
    decided = {} if experiment is None else deciding_settings(experiment, row.name)
    inputs = [
        *read_files(row, workspace, experiment, experiments_of_files(settings), partitions.artifacts),
        *row.also(workspace, experiment),
        *made.given,
    ]
    present = [path for path in inputs if path.exists()]
    of_present = fingerprints(present)
    by_path = dict(zip(present, of_present.values(), strict=True))
    outputs = row.files(place)
    record = Provenance(
        asset=row.name,
        settings=decided | dict(made.settings),
        code=code_version(*row.made_by),
        inputs=of_present,
        outputs=entered_digests(outputs, place.root),
        made_from={os.path.relpath(path, place.root): by_path.get(path) for path in inputs},
    )
    record.write(place.provenance)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(record.fingerprint),
        metadata={
            **{name: rounded(value) for name, value in made.metadata.items()},
            "file": file_path(outputs[0]),
            "size_bytes": sum(size_of(path) for path in outputs),
            "provenance": dg.MetadataValue.json({"settings": dict(record.settings), "inputs": dict(record.inputs)}),
        },
    )

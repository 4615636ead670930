"""Nothing is made twice: what another experiment has made from the same, with the same settings, is taken over.

The workspace remembers by the fingerprint of its making who has an artifact: who made it, and who took it over. Whoever
is about to make one looks there first, and takes the files over where they still are those that were recorded. Two runs
that want the same at once do not both make it: the second waits for the first.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock

from niftyformer_assets.artifacts import Artifact
from niftyformer_assets.experiments.holders import holders_of
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import entered_digests, share
from niftyformer_assets.store.provenance import Provenance, must_be_as_recorded, must_have_record
from niftyformer_assets.store.workspace import ExperimentFolder, Workspace


@contextmanager
def made_by_nobody_else(workspace: Workspace, record: Provenance) -> Iterator[None]:
    """Within the block no other process makes what this record describes."""
    lock = workspace.making_lock(record.asset, record.fingerprint)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        yield


def take_over(
    workspace: Workspace, row: Artifact, record: Provenance, experiment: str
) -> tuple[str, Provenance] | None:
    """Take an artifact over from another experiment that has made it from the same.

    Args:
        record: what it would be made from, and with.

    Returns:
        that experiment and the record with the files taken over; None where there is none to take from.
    """
    for source in holders_of(workspace.made(record.asset, record.fingerprint)):
        if source != experiment:
            theirs = _taken_from(source, workspace, row, record, experiment)
            if theirs is not None:
                return source, theirs
    return None


def _taken_from(
    source: str, workspace: Workspace, row: Artifact, record: Provenance, experiment: str
) -> Provenance | None:
    """The record of what was taken over from one experiment; None where it does not have it any more."""
    here, there = workspace.experiment(experiment), workspace.experiment(source)
    try:
        theirs = must_have_record(there.provenance, row.name)
        if theirs.fingerprint != record.fingerprint:
            return None
        must_be_as_recorded(there.provenance, theirs)
        places = [*row.files(there), *row.beside(there)]
        _remove(here, there, places)
        for place in places:
            files = [place] if place.is_file() else sorted(path for path in place.rglob("[!.]*") if path.is_file())
            share([file for file in files if file.name != "index.json"], there.root, here.root)
        # What was changed meanwhile is not what was recorded.
        if entered_digests(row.files(here), here.root) != dict(theirs.outputs):
            return None
    except (NiftyFormerError, OSError):
        return None
    return theirs


def metadata_of(instance: dg.DagsterInstance, asset: str, experiment: str, record: Provenance) -> dict[str, Any]:
    """What the UI shows of an artifact that an experiment has made; nothing where Dagster was not told of it."""
    asked = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[experiment])
    found = instance.fetch_materializations(asked, limit=1).records
    made = found[0].asset_materialization if found else None
    if made is None or (made.tags or {}).get("dagster/data_version") != record.fingerprint:
        return {}
    return dict(made.metadata)


def _remove(here: ExperimentFolder, there: ExperimentFolder, places: list[Path]) -> None:
    """What lay here and is not there, by itself or in folders: nothing of an earlier making stays."""
    for place in places:
        ours = here.root / place.relative_to(there.root)
        if place.is_dir():
            shutil.rmtree(ours, ignore_errors=True)
        elif not place.exists():
            ours.unlink(missing_ok=True)

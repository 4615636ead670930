"""Nothing is made twice: what another experiment has made from the same, with the same settings, is taken over.

The workspace remembers by the fingerprint of its making who has made an artifact. Whoever is about to make one
looks there first, and takes the files over where they still are those that were recorded. Two runs that want the
same at once do not both make it: the second waits for the first.
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
from niftyformer_assets.settings import NAME
from niftyformer_assets.store.atomic import write_text
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


def remember(workspace: Workspace, record: Provenance, experiment: str) -> None:
    """From now on others may take over what an experiment has made."""
    write_text(workspace.made(record.asset, record.fingerprint), f"{experiment}\n")


def take_over(
    workspace: Workspace, row: Artifact, record: Provenance, experiment: str
) -> tuple[str, Provenance] | None:
    """Take an artifact over from another experiment that has made it from the same.

    Args:
        record: what it would be made from, and with.

    Returns:
        that experiment and the record with the files taken over; None where there is none to take from.
    """
    source = _maker(workspace, record)
    if source is None or source == experiment:
        return None
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
    return source, theirs


def metadata_of(instance: dg.DagsterInstance, asset: str, experiment: str, record: Provenance) -> dict[str, Any]:
    """What the UI shows of an artifact that an experiment has made; nothing where Dagster was not told of it."""
    asked = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[experiment])
    found = instance.fetch_materializations(asked, limit=1).records
    made = found[0].asset_materialization if found else None
    if made is None or (made.tags or {}).get("dagster/data_version") != record.fingerprint:
        return {}
    return dict(made.metadata)


def _maker(workspace: Workspace, record: Provenance) -> str | None:
    try:
        name = workspace.made(record.asset, record.fingerprint).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return name if NAME.fullmatch(name) else None


def _remove(here: ExperimentFolder, there: ExperimentFolder, places: list[Path]) -> None:
    """Files that lay here in folders that are taken over: nothing of an earlier making stays among them."""
    for place in places:
        if place.is_dir():
            shutil.rmtree(here.root / place.relative_to(there.root), ignore_errors=True)

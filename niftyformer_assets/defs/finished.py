"""Which artifacts of an experiment a new run need not make: those that are finished and would come out the same."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from niftyformer_assets.artifacts import Artifact, artifacts
from niftyformer_assets.defs.made_with import must_be_made_with
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.factors.settings import FACTOR_SET_NAMES
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import must_be_from_the_same, must_have_record
from niftyformer_assets.store.workspace import ExperimentFolder


def finished_artifacts(
    instance: dg.DagsterInstance,
    experiment: Experiment,
    folder: ExperimentFolder,
    assets: Iterable[str],
) -> set[str]:
    """Those of an experiment's assets that need not be made again.

    Their files are those that were recorded; settings, code and inputs are those they were made with; Dagster has
    been told; and the same is so of all that they are made from by the experiment's settings.
    """
    candidates, rows = set(assets), artifacts(FACTOR_SET_NAMES)
    holds: dict[str, bool] = {}

    def found(asset: str) -> bool:
        if asset not in holds:
            above = candidates & {*rows[asset].fit_for(experiment)}
            holds[asset] = all(map(found, above)) and _is_finished(instance, rows[asset], experiment, folder)
        return holds[asset]

    return {asset for asset in candidates if found(asset)}


def _is_finished(instance: dg.DagsterInstance, row: Artifact, experiment: Experiment, folder: ExperimentFolder) -> bool:
    try:
        record = must_have_record(folder.provenance, row.name)
        must_be_made_with(experiment, folder, [row.name])
        must_be_from_the_same(folder.provenance, record)
    except NiftyFormerError:
        return False
    told = _told(instance, experiment.name, row.name)
    return record.code == row.code_for(experiment) and record.fingerprint == told


def _told(instance: dg.DagsterInstance, experiment: str, asset: str) -> str | None:
    """The data version of the last materialization that Dagster knows of."""
    asked = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[experiment])
    records = instance.fetch_materializations(asked, limit=1).records
    if not records or records[0].asset_materialization is None:
        return None
    return (records[0].asset_materialization.tags or {}).get("dagster/data_version")

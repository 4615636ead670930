"""What the experiments are set to, as an asset: so that Dagster knows what an edited setting makes stale.

Dagster compares what an artifact was made from with what is there now, by data versions. A file that a person
edits gets its version from an observation: at the beginning of every run, so that the run records the settings it
works with, and every half minute by the sensor `experiment_files`. Staleness does not travel along the graph, so each
artifact has a partition here for just the settings that decide on it, transitively, as `artifacts` knows them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import dagster as dg

from niftyformer_assets.artifacts import artifacts, deciding_settings
from niftyformer_assets.experiments.files import experiments_of
from niftyformer_assets.settings import Settings

EXPERIMENT_SETTINGS = dg.AssetKey("experiment_settings")
# By the artifacts of an experiment.
ARTIFACTS = tuple(row.name for row in artifacts().values() if row.scope == "experiment")
# Everything decides on the report, and so on the comparison.
REPORT = "backtest_report"
_DATA_VERSION = "dagster/data_version"


def experiment_settings(experiments: Sequence[str]) -> dg.AssetSpec:
    """The external asset: a partition for each experiment and artifact."""
    return dg.AssetSpec(
        EXPERIMENT_SETTINGS,
        description="What each experiment's file (`data/experiments/NAME.yaml`) says, by the artifact that it decides "
        "on. Nobody materializes it: every half minute the files are read, and what was made with other settings "
        "shows as stale. What is wrong with a file is said by the check `experiment_files`.",
        group_name="experiments",
        owners=["team:model"],
        kinds={"yaml"},
        partitions_def=dg.StaticPartitionsDefinition(
            [_key(name, artifact) for name in experiments for artifact in ARTIFACTS]
        ),
    )


def settings_dep(experiments: Sequence[str], artifact: str) -> dg.AssetDep:
    """That an artifact of an experiment is made with the settings that decide on it."""
    keys: Mapping[str, str] = {_key(name, artifact): name for name in experiments}
    return dg.AssetDep(EXPERIMENT_SETTINGS, partition_mapping=dg.StaticPartitionMapping(keys))


def all_settings_dep(experiments: Sequence[str]) -> dg.AssetDep:
    """That something unpartitioned speaks of all experiments as they are set now."""
    keys = [_key(name, REPORT) for name in experiments]
    return dg.AssetDep(EXPERIMENT_SETTINGS, partition_mapping=dg.SpecificPartitionsPartitionMapping(keys))


def observe_settings(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Tell Dagster what the experiments are set to now, where that is news."""
    known = instance.event_log_storage.get_latest_tags_by_partition(
        EXPERIMENT_SETTINGS, dg.DagsterEventType.ASSET_OBSERVATION, [_DATA_VERSION]
    )
    for experiment in experiments_of(settings).values():
        for artifact in ARTIFACTS:
            key, values = _key(experiment.name, artifact), deciding_settings(experiment, artifact)
            version = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]
            if known.get(key, {}).get(_DATA_VERSION) != version:
                observation = dg.AssetObservation(
                    EXPERIMENT_SETTINGS,
                    f"what decides on {artifact} of {experiment.name}",
                    {"settings": dg.MetadataValue.json(values)},
                    key,
                    {_DATA_VERSION: version},
                )
                instance.report_runless_asset_event(observation)


def _key(experiment: str, artifact: str) -> str:
    return f"{experiment}/{artifact}"

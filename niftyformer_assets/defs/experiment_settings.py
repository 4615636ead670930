"""What the experiments are set to, as an asset: so that Dagster knows what an edited setting makes stale.

Dagster compares what an artifact was made from with what is there now, by data versions. A file that a person
edits gets its version from an observation: at the beginning of every run, so that the run records the settings it
works with, and every half minute by the sensor `experiment_files`. Staleness does not travel along the graph, so each
artifact has a partition here for just the settings that decide on it, transitively, as `artifacts` knows them. The
code of the models that an experiment names is part of it: the code version of an asset is one for all experiments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import dagster as dg

from niftyformer_assets.artifacts import artifacts, deciding_models, deciding_settings
from niftyformer_assets.defs.made_with import study_without_defaults
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import experiments_of, experiments_of_files, studies_of
from niftyformer_assets.experiments.study import MOST_EXPERIMENTS
from niftyformer_assets.experiments.variants import without_defaults
from niftyformer_assets.settings import Settings

EXPERIMENT_SETTINGS = dg.AssetKey("experiment_settings")
# By the artifacts of an experiment.
ARTIFACTS = tuple(row.name for row in artifacts().values() if row.scope == "experiment")
OF_STUDY = tuple(row.name for row in artifacts().values() if row.scope == "study")
# Everything decides on the report, and so on the comparison.
REPORT = "backtest_report"
_DATA_VERSION = "dagster/data_version"
# A second or two.
MOST_AT_ONCE = 400


def experiment_settings(experiments: Sequence[str], studies: Sequence[str]) -> dg.AssetSpec:
    """The external asset: a partition for each experiment and artifact, and each study and artifact."""
    return dg.AssetSpec(
        EXPERIMENT_SETTINGS,
        description="What each experiment's file (`data/experiments/NAME.yaml`) says, and each study's "
        "(`data/studies/NAME.yaml`), by the artifact that it decides on. Nobody materializes it: every half minute "
        "the files are read, and what was made with other settings, or other code of a model that they name, shows as "
        "stale. What is wrong with a file is said by the check `experiment_files`.",
        group_name="experiments",
        owners=["team:model"],
        kinds={"yaml"},
        partitions_def=dg.StaticPartitionsDefinition(
            [
                *(_key(name, artifact) for name in experiments for artifact in ARTIFACTS),
                *(_key(name, artifact) for name in studies for artifact in OF_STUDY),
            ]
        ),
    )


def settings_dep(experiments: Sequence[str], artifact: str) -> dg.AssetDep:
    """That an artifact of an experiment, or a study, is made with the settings that decide on it."""
    keys: Mapping[str, str] = {_key(name, artifact): name for name in experiments}
    return dg.AssetDep(EXPERIMENT_SETTINGS, partition_mapping=dg.StaticPartitionMapping(keys))


def all_settings_dep(experiments: Sequence[str]) -> dg.AssetDep:
    """That something unpartitioned speaks of all experiments as they are set now."""
    keys = [_key(name, REPORT) for name in experiments]
    return dg.AssetDep(EXPERIMENT_SETTINGS, partition_mapping=dg.SpecificPartitionsPartitionMapping(keys))


def observe_settings(instance: dg.DagsterInstance, settings: Settings, run_of: str | None = None) -> int:
    """Tell Dagster what the experiments and studies are set to now, where that is news.

    Args:
        run_of: an experiment or a study, or nothing: what a run of it needs to have been told, and no more.

    Returns:
        how many are left to be told another time: each takes a while, and a sensor has a minute.
    """
    known = instance.event_log_storage.get_latest_tags_by_partition(
        EXPERIMENT_SETTINGS, dg.DagsterEventType.ASSET_OBSERVATION, [_DATA_VERSION]
    )
    now, of_files = _now(settings), experiments_of_files(settings).keys()
    news = [key for key, (_, version, _) in now.items() if known.get(key, {}).get(_DATA_VERSION) != version]
    needed = [key for key in news if (of := key.partition("/")[0]) in of_files or of == run_of]
    rest = [key for key in news if key not in {*needed}] if run_of is None else []
    for key in [*needed, *rest[:MOST_AT_ONCE]]:
        what, version, values = now[key]
        observation = dg.AssetObservation(
            EXPERIMENT_SETTINGS,
            f"what decides on {what}",
            {"settings": dg.MetadataValue.json(values())},
            key,
            {_DATA_VERSION: version},
        )
        instance.report_runless_asset_event(observation)
    return max(0, len(rest) - MOST_AT_ONCE)


def _now(settings: Settings) -> dict[str, tuple[str, str, Callable[[], dict[str, Any]]]]:
    """By key: what it decides on, its version, and its values."""
    found: dict[str, tuple[str, str, Callable[[], dict[str, Any]]]] = {}
    for experiment in experiments_of(settings).values():
        for artifact, version in _versions(experiment.model_dump_json()):
            found[_key(experiment.name, artifact)] = (
                f"{artifact} of {experiment.name}",
                version,
                partial(deciding_settings, experiment, artifact),
            )
    for study in studies_of(settings).values():
        models: dict[str, str] = {}
        for experiment in study.experiments.values():
            models |= deciding_models(experiment, REPORT)
        values = study.values()
        version = _version(study_without_defaults(values), models)
        for artifact in OF_STUDY:
            found[_key(study.name, artifact)] = f"{artifact} of {study.name}", version, partial(dict, values)
    return found


# Of 500 experiments these take seconds, and are asked for every half minute.
@lru_cache(maxsize=2 * MOST_EXPERIMENTS)
def _versions(of: str) -> tuple[tuple[str, str], ...]:
    """By artifact the version of the settings that decide on it, of an experiment given as JSON."""
    experiment = Experiment.model_validate_json(of)
    return tuple(
        (
            artifact,
            _version(
                without_defaults(deciding_settings(experiment, artifact)),
                deciding_models(experiment, artifact),
            ),
        )
        for artifact in ARTIFACTS
    )


def _version(settings: Mapping[str, Any], models: Mapping[str, str]) -> str:
    """Of settings without those that are defaults, as records are compared, and of the models' code."""
    return hashlib.sha256(json.dumps([settings, models], sort_keys=True).encode()).hexdigest()[:24]


def _key(experiment: str, artifact: str) -> str:
    return f"{experiment}/{artifact}"

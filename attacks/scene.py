"""The small workspace that is attacked: a made-up market of 14 stocks, an experiment and a study of it."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from niftyformer_assets.defs import build
from niftyformer_assets.defs.home import dagster_home
from niftyformer_assets.defs.run import QUIET
from niftyformer_assets.experiments.files import begin, find_study
from niftyformer_assets.settings import Settings
from niftyformer_assets_tests.conftest import failure_of, tiny_settings

EXPERIMENT = "tiny"
# A study, and its one experiment, which has two networks and takes all else over from the other.
PAIR = "pair"
STUDY = f"experiment: {EXPERIMENT}\nset: {{training.seeds: 2}}\n"
# No figures are read from them, and they hold times.
VARIES = ("tensorboard", "speed.csv", "notes.json", "experiments.csv", "experiments.html")

# Each what one command makes: jobs of the graph, or parts of them, and for which partition.
STAGES: dict[str, Sequence[tuple[str, tuple[str, ...] | None, str | None]]] = {
    "first start": (("reference", None, None),),
    "ingest": (("candles", None, None),),
    "panels": (("panels", None, None),),
    "dataset": (
        (
            "experiment",
            ("ic_summary", "neutralized_factors", "flow", "trend_indicator", "corr_adj", "graph_embeddings"),
            EXPERIMENT,
        ),
    ),
    "training": (("experiment", ("trained_model", "predictions"), EXPERIMENT),),
    "baselines": (("experiment", ("baseline_predictions",), EXPERIMENT),),
    "study": (("experiment", None, PAIR), ("study", None, PAIR)),
    "report": (
        ("experiment", ("backtest_report",), EXPERIMENT),
        ("comparison", None, None),
        ("signal", ("daily_signals", "paper_account", "model_watch", "order_proposal"), None),
    ),
}


class RefusalError(Exception):
    """What a run said in one line; `traceback` where it did not."""

    # With a default, so that it can be sent to the process that waits for it.
    def __init__(self, said: str, traceback: bool = False) -> None:
        super().__init__(said)
        self.traceback = traceback


def settings_in(folder: Path) -> Settings:
    """The settings of the scene in this folder."""
    settings = tiny_settings(folder)
    settings.studies.mkdir(exist_ok=True)
    (settings.studies / f"{PAIR}.yaml").write_text(STUDY)
    return settings


def run_stage(folder: Path, stage: str) -> None:
    """Run a stage as a command does: in the workspace's own Dagster home, which is made where it is missing.

    Raises:
        RefusalError: a step failed.
    """
    settings = settings_in(folder)
    if stage == "study":
        begin(settings, find_study(settings, PAIR))
    with dagster_home(settings) as instance:
        for job, assets, partition in STAGES[stage]:
            execute(settings, instance, job, assets, partition)


def execute(
    settings: Settings,
    instance: dg.DagsterInstance,
    job: str,
    assets: Sequence[str] | None = None,
    partition: str | None = None,
) -> dg.ExecuteInProcessResult:
    """Run a job, or some of its assets; candles of all symbols."""
    definition = build(settings).resolve_job_def(job)
    tags = {}
    if job == "candles":
        assert definition.partitions_def is not None
        keys = definition.partitions_def.get_partition_keys()
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    result = definition.execute_in_process(
        instance=instance,
        partition_key=partition,
        tags=tags,
        asset_selection=[dg.AssetKey(asset) for asset in assets] if assets else None,
        run_config=QUIET,
        raise_on_error=False,
    )
    if not result.success:
        raise _refusal(result)
    return result


def _refusal(result: dg.ExecuteInProcessResult) -> RefusalError:
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None:
                return RefusalError(failure_of(result), traceback=False)
            assert data.error is not None
            return RefusalError(f"{event.step_key}: {data.error.to_string()[-600:]}", traceback=True)
    return RefusalError("a check failed", traceback=False)


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every artifact below a folder, without locks and what is just being written."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _hidden(path.relative_to(folder)) and path.suffix not in (".lock", ".holder")
    }


def leftovers(folder: Path) -> list[str]:
    """Files that a killed process was writing."""
    return [path.relative_to(folder).as_posix() for path in folder.rglob(".*.tmp")]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in VARIES for part in path.parts)


def copy_scene(source: Path, target: Path) -> None:
    """Make `target` as `source` is, whatever was there; names of one file stay names of one."""
    copies: dict[int, str] = {}

    def copy(file: str, place: str) -> None:
        stat = Path(file).lstat()
        if stat.st_nlink > 1 and stat.st_ino in copies:
            Path(place).hardlink_to(copies[stat.st_ino])
        else:
            shutil.copy2(file, place, follow_symlinks=False)
            copies[stat.st_ino] = place

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True, copy_function=copy)


def quiet() -> None:
    """No logs or warnings between the tables."""
    warnings.simplefilter("ignore")
    for name in ("niftyformer_assets", "dagster", "uvicorn"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False

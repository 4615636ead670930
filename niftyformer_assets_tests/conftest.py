"""What tests of the whole graph share: a tiny made-up market and one run of everything on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.settings import Settings, read_settings

# What `make test-fast` leaves out, beside tests that are marked slow: folders, files, single tests, and whatever uses
# these fixtures, for they make whole graphs, kill processes, compile, train, or look at pages in a browser.
SLOW_FOLDERS = ("browser", "faults", "leak")
SLOW = (
    "dataset/test_struc2vec.py::test_the_same_seed_gives_the_same_bits_in_every_process",
    "defs/test_artifacts.py",
    "defs/test_cli_login.py",
    "defs/test_code_of_models.py",
    "defs/test_dagster_home.py",
    "defs/test_damage.py",
    "defs/test_dead_runs.py",
    "defs/test_end_to_end.py",
    "defs/test_finished.py",
    "defs/test_holding.py",
    "defs/test_ingest.py",
    "defs/test_run_tags.py",
    "defs/test_schedules.py",
    "defs/test_shared.py",
    "defs/test_signals.py",
    "defs/test_staleness.py",
    "defs/test_studies.py",
    "defs/test_universes.py",
    "deploy/test_database.py",
    "deploy/test_several.py",
    "deploy/test_single.py",
    "defs/test_workers.py",
    "experiments/test_study.py::test_more_experiments_than_a_study_may_have_are_refused",
    "factors/test_alpha158.py::test_edge_cases_equal_the_definition",
    "factors/test_alpha158.py::test_real_stocks_equal_qlib_to_rounding",
    "market/test_damaged_candles.py",
    "model/test_kernels.py",
    "model/test_killed.py",
    "model/test_step.py",
    "portfolio/backtest/test_strategies.py::test_a_strategy_of_ones_own_is_one_file",
    "test_compiling.py",
    "test_extending.py",
    "test_package.py",
    "test_without_torch.py",
)
SLOW_FIXTURES = {"graph", "untouched"}
TESTS = Path(__file__).parent

TINY_EXPERIMENT = """\
market: simulated
sessions:
  train: {start: 2022-01-01, end: 2022-09-30}
  validation: {start: 2022-10-01, end: 2022-11-15}
  test: {start: 2022-11-16, end: 2022-12-31}
universe: {min_training_sessions: 40}
factors: {ic_threshold: 0.05, min_stocks: 5}
windows: {label: rank}
graph: {sessions: 40, min_overlap: 20, threshold: 0.2, walks: 2, walk_length: 10, dimensions: 8}
model: {width: 8, layers: 1}
training: {max_epochs: 2, patience: 2}
baselines:
  names: [ridge, reversal, equal_weight, zero, majority, random]
strategy: {top_k: 3}
"""


def pytest_configure() -> None:
    """One thread a process, workers and programs that are started included.

    On the small matrices of tests several cost more than they save, and wait for each other where all cores are taken.
    What is about threads sets their number itself.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long, and begin with its files, browsers first: what is left at the end is spread evenly."""
    slow_files = set()
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        test = f"{path}::{getattr(item, 'originalname', item.name)}"
        used = SLOW_FIXTURES & {*getattr(item, "fixturenames", ())}
        if used or {path, test} & {*SLOW} or path.split("/")[0] in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow"):
            slow_files.add(item.path)
    items.sort(key=lambda item: (item.path.parent.name != "browser", item.path not in slow_files))


def tiny_settings(folder: Path, until: date = date(2023, 1, 20), **given: object) -> Settings:
    """A made-up market of 14 stocks in a folder of its own, with one experiment, `tiny`."""
    experiments = folder / "experiments"
    experiments.mkdir(parents=True, exist_ok=True)
    (experiments / "tiny.yaml").write_text(TINY_EXPERIMENT)
    values: dict[str, object] = {
        "workspace_name": "demo",
        "data": folder / "data",
        "storage": folder / "storage",
        "experiments": experiments,
        "made_up": MadeUpSettings(stocks=14, late_listings=1, listing_gap=20),
        "made_up_start": date(2021, 11, 1),
        "made_up_end": until,
        "signal_experiment": "tiny",
    }
    return read_settings(_env_file=None, **(values | given))


@dataclass(frozen=True)
class Graph:
    """The definitions of a workspace with an instance that lives as long as the test."""

    settings: Settings
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(self, job: str, experiment: str | None = None, symbols: tuple[str, ...] = ()) -> dg.ExecuteInProcessResult:
        """Execute a job; `candles` over all symbols unless told which (a contiguous range)."""
        definition = self.definitions.resolve_job_def(job)
        tags = {}
        if job == "candles":
            assert definition.partitions_def is not None
            keys = list(symbols) or definition.partitions_def.get_partition_keys()
            tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        return definition.execute_in_process(
            instance=self.instance, partition_key=experiment, tags=tags, raise_on_error=False
        )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The description of the first failed step."""
    event = next(event for event in result.all_events if event.is_step_failure)
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return data.user_failure_data.description or ""


@contextmanager
def everything_made(folder: Path, **others: str) -> Iterator[Graph]:
    """Everything, materialized once in a folder; but for other experiments, of these names and texts, beside `tiny`."""
    settings = tiny_settings(folder)
    for name, text in others.items():
        (settings.experiments / f"{name}.yaml").write_text(text)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Graph(settings, build(settings), instance)
        for job, experiment in (
            ("reference", None),
            ("candles", None),
            ("panels", None),
            ("experiment", "tiny"),
            ("comparison", None),
            ("signal", "tiny"),
        ):
            result = made.run(job, experiment)
            assert result.success, f"{job}: " + failure_of(result)
        yield made


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """Everything, materialized once: the tests that use it only look."""
    with everything_made(tmp_path_factory.mktemp("graph")) as made:
        yield made


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """As `graph`, for tests that ask Dagster what is up to date: nothing else is materialized in it."""
    with everything_made(tmp_path_factory.mktemp("untouched")) as made:
        yield made

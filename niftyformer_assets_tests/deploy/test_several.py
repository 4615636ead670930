"""Steps handed to workers by Redis: each goes where it belongs, and a worker that was killed goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.defs.workers import AT_A_TIME, DEFAULT, GPU, KITE
from niftyformer_assets_tests.browser.web_ui import environment_of, until
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, tiny_settings
from niftyformer_assets_tests.deploy.running import (
    PROGRAMS,
    WORKERS,
    Running,
    command_of,
    single,
    start,
)
from niftyformer_assets_tests.deploy.servers import PASSWORD, Postgres, Redis, redis

TRAINED = TINY_EXPERIMENT.replace("max_epochs: 2, patience: 2", "max_epochs: 20, patience: 20")
# Many processes, each of which loads the definitions: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(1800)
MADE = (
    *("ic_summary", "neutralized_factors", "flow", "trend_indicator", "corr_adj", "graph_embeddings"),
    *("trained_model", "predictions"),
)


class Workers:
    """A deployment whose steps are made by workers, one a queue."""

    def __init__(self, running: Running, broker: Redis, stack: ExitStack) -> None:
        self.running, self.broker, self._stack = running, broker, stack
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for queue in AT_A_TIME:
            self.start(queue)

    def start(self, queue: str) -> None:
        environment = self.running.environment
        command = command_of(f"worker@{queue}", environment, WORKERS)
        if queue == DEFAULT:
            command += ["--at-a-time", "2"]
        self._processes[queue] = start(self._stack, queue, command, environment, self.logs)

    def kill(self, queue: str) -> None:
        """End a worker and what it is making, as when its machine goes down."""
        os.killpg(self._processes[queue].pid, signal.SIGKILL)
        self._processes[queue].wait(30)

    @property
    def logs(self) -> Path:
        return self.running.settings.dagster_home

    def made_by(self, run_id: str) -> dict[str, list[str]]:
        """The queues of the workers that made the steps of a run, from its record."""
        found: dict[str, list[str]] = {}
        for entry in self.running.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            if event is not None and "Celery worker" in event.engine_event_data.metadata:
                worker = str(event.engine_event_data.metadata["Celery worker"].value)
                found.setdefault(str(entry.step_key), []).append(worker.partition("@")[0])
        return found


@pytest.fixture(scope="module")
def cluster(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """The web server, the daemon, the code server, and a worker of each queue."""
    settings = tiny_settings(tmp_path_factory.mktemp("several"))
    (settings.experiments / "killed.yaml").write_text(TRAINED)
    with (
        redis(tmp_path_factory.mktemp("redis")) as broker,
        single(settings, server, "several", NIFTYFORMER_BROKER=broker.address) as running,
        ExitStack() as stack,
    ):
        yield Workers(running, broker, stack)


def test_a_worker_of_training_is_killed_and_goes_on_to_the_same_weights(cluster: Workers, tmp_path: Path) -> None:
    running = cluster.running
    running.make_panels()
    reference = running.launch("reference")
    run_id = running.launch("experiment", MADE, partition="killed")
    model = running.settings.workspace.experiment("killed").model
    until(lambda: len(rows(model / "metrics.csv")) > 2, 600, "some epochs are done")
    cluster.kill(GPU)
    done = len(rows(model / "metrics.csv"))
    assert done < 20 and not (model / "trained.json").exists()
    cluster.start(GPU)
    attempts = running.green(run_id)
    assert len(attempts) == 1
    said = [entry.user_message for entry in running.instance.all_logs(run_id)]
    assert any("goes on after" in line for line in said)

    running.green(reference)
    asked = cluster.made_by(reference)
    assert asked == {"universe": [KITE], "benchmark_index": [KITE], "sector_dummies": [DEFAULT]}
    queues = cluster.made_by(run_id)
    assert queues.pop("trained_model") == [GPU, GPU]
    assert queues == {step: [GPU if step == "predictions" else DEFAULT] for step in MADE if step != "trained_model"}
    assert Counter(running.events(run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)) == Counter(MADE)

    alone = trained_alone(tmp_path)
    for name in ("best.pt", "last.pt", "metrics.csv", "model.json", "trained.json"):
        assert (model / name).read_bytes() == (alone / name).read_bytes(), name


def rows(metrics: Path) -> list[str]:
    return metrics.read_text().splitlines()[1:] if metrics.is_file() else []


def trained_alone(folder: Path) -> Path:
    """The same on one machine, in one process, uninterrupted."""
    settings = tiny_settings(folder)
    (settings.experiments / "killed.yaml").write_text(TRAINED)
    command = [PROGRAMS / "niftyformer", "run", "--experiment", "killed"]
    subprocess.run(command, env=environment_of(settings), check=True, capture_output=True)
    return settings.workspace.experiment("killed").model


def test_no_password_stands_in_the_history_or_in_any_file(cluster: Workers, server: Postgres) -> None:
    running = cluster.running
    history = server.client("pg_dump", "-d", "several")
    assert "trained_model" in history and PASSWORD not in history
    made = [path for root in (running.settings.data, running.settings.storage) for path in root.rglob("*")]
    files = [path for path in made if path.is_file()]
    assert any(path.name == "gpu.log" for path in files) and len(files) > 50
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]

"""A killed run is marked as failed, and nothing waits for it; a living one is left alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from niftyformer_assets.defs.automation import dead_runs
from niftyformer_assets.defs.automation.dead_runs import fail_dead_runs
from niftyformer_assets.defs.run import _execute
from niftyformer_assets.defs.terminal import Terminal
from niftyformer_assets.settings import PROJECT

SLEEPER = """
import sys, time
import dagster as dg

@dg.op(pool="gpu")
def sleep():
    print("asleep", flush=True)
    time.sleep(600)

@dg.job
def sleeper():
    sleep()

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    sleeper.execute_in_process(instance=instance, run_id=sys.argv[2])
"""
RUNS = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"]


def start(home: Path, run_id: str, script: str = SLEEPER, says: str = "asleep") -> subprocess.Popen[str]:
    """A process in the middle of a run."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(home), run_id],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DAGSTER_HOME": str(home)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"{says}\n"
    return process


MAKER = """
import sys, time
import dagster as dg
from niftyformer_assets.defs.automation.dead_runs import own_process

@dg.job
def nothing():
    pass

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    instance.create_run_for_job(nothing, run_id=sys.argv[2], tags=own_process(sys.argv[2]))
    print("made", flush=True)
    time.sleep(600)
"""


def test_a_run_whose_process_was_killed_before_it_started(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((PROJECT / "storage" / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        maker = start(tmp_path, RUNS[0], MAKER, "made")
        try:
            assert fail_dead_runs(instance) == []
        finally:
            maker.kill()
            maker.wait()
        assert [run.run_id for run in fail_dead_runs(instance)] == RUNS[:1]
        run = instance.get_run_by_id(RUNS[0])
        assert run is not None and run.status is dg.DagsterRunStatus.FAILURE


@dg.job
def nothing() -> None:
    """A job for runs that only have a status."""


@pytest.mark.parametrize(
    ("status", "dies"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, True),
        (dg.DagsterRunStatus.STARTING, True),
        (dg.DagsterRunStatus.STARTED, False),
        (dg.DagsterRunStatus.SUCCESS, False),
    ],
)
def test_a_run_of_an_unknown_process_is_dead_once_it_should_have_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: dg.DagsterRunStatus, dies: bool
) -> None:
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        run = instance.create_run_for_job(nothing, status=status)
        now = time.time()
        monkeypatch.setattr(dead_runs.time, "time", lambda: now + dead_runs.STARTS_WITHIN_S - 60)
        assert fail_dead_runs(instance) == []
        monkeypatch.setattr(dead_runs.time, "time", lambda: now + dead_runs.STARTS_WITHIN_S + 60)
        assert [dead.run_id for dead in fail_dead_runs(instance)] == [run.run_id] * dies


@pytest.mark.parametrize("process", ["0", "-1", "9" * 30, "\u0663", "x", ""])
def test_a_tag_that_names_no_process_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    """0 would be the group of whoever asks, which always runs; and no such run keeps others from being seen."""
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        for run_id in RUNS[:2]:
            tags = {dead_runs.PROCESS: f"{process} runs {run_id}"}
            instance.create_run_for_job(nothing, run_id=run_id, tags=tags)
        assert fail_dead_runs(instance) == []
        later = time.time() + dead_runs.STARTS_WITHIN_S + 60
        monkeypatch.setattr(dead_runs.time, "time", lambda: later)
        assert {dead.run_id for dead in fail_dead_runs(instance)} == {*RUNS[:2]}


def test_the_runs_of_the_command_line_name_their_process(tmp_path: Path) -> None:
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        _execute(Terminal(), instance, nothing, 1, {}, None)
        (run,) = instance.get_runs()
        assert run.tags[dead_runs.PROCESS] == f"{os.getpid()} runs {run.run_id}"


def test_a_run_launched_again_is_not_in_the_process_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((PROJECT / "storage" / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        maker = start(tmp_path, RUNS[0], MAKER, "made")
        maker.kill()
        maker.wait()
        (first,) = fail_dead_runs(instance)
        again = instance.create_run_for_job(nothing, tags=first.tags)
        assert fail_dead_runs(instance) == []
        run = instance.get_run_by_id(again.run_id)
        assert run is not None and run.status is dg.DagsterRunStatus.NOT_STARTED


def test_a_killed_run_fails_and_gives_its_place_back(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((PROJECT / "storage" / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        killed = start(tmp_path, RUNS[0])
        try:
            assert fail_dead_runs(instance) == []
        finally:
            killed.kill()
            killed.wait()
        assert [run.run_id for run in fail_dead_runs(instance)] == RUNS[:1]
        run = instance.get_run_by_id(RUNS[0])
        assert run is not None and run.status is dg.DagsterRunStatus.FAILURE
        assert fail_dead_runs(instance) == []
        # The pool of one has room again: else this would wait for ever.
        living = start(tmp_path, RUNS[1])
        try:
            time.sleep(0.1)
            assert fail_dead_runs(instance) == []
            run = instance.get_run_by_id(RUNS[1])
            assert run is not None and run.status is dg.DagsterRunStatus.STARTED
        finally:
            living.kill()
            living.wait()


def test_a_run_in_a_terminal_on_another_machine_is_left_alone(tmp_path: Path) -> None:
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        gone = {dead_runs.PROCESS: f"{2**22 + 1} runs {RUNS[0]}", dead_runs.MACHINE: "another"}
        instance.create_run_for_job(nothing, run_id=RUNS[0], status=dg.DagsterRunStatus.STARTED, tags=gone)
        assert fail_dead_runs(instance) == []
        here = {**gone, dead_runs.PROCESS: f"{2**22 + 1} runs {RUNS[1]}", dead_runs.MACHINE: socket.gethostname()}
        instance.create_run_for_job(nothing, run_id=RUNS[1], status=dg.DagsterRunStatus.STARTED, tags=here)
        assert [run.run_id for run in fail_dead_runs(instance)] == RUNS[1:]


def test_a_run_that_waited_in_the_queue_is_not_dead_while_it_starts(tmp_path: Path) -> None:
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTING)
        time.sleep(3)
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        try:
            # As the code server tells of the process of a run.
            told = EngineEventData({"pid": dg.MetadataValue.text(str(process.pid))})
            instance.report_engine_event("Started process for run", run, told)
            assert fail_dead_runs(instance) == []
        finally:
            process.kill()
            process.wait()
        assert [dead.run_id for dead in fail_dead_runs(instance)] == [run.run_id]

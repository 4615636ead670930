"""An experiment is worked on by one run at a time, whether it was started in the web UI or from a terminal."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.resources import Experiments, experiment_held
from niftyformer_assets.settings import PROJECT, Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.conftest import failure_of, tiny_settings

HOLD = """
import sys
from pathlib import Path
from niftyformer_assets.defs.resources import experiment_held
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace

try:
    with experiment_held(Workspace(Path(sys.argv[1]), "demo"), "tiny", sys.argv[2]):
        print("held", flush=True)
        sys.stdin.read()
except NiftyFormerError as error:
    print(error, flush=True)
"""


@contextmanager
def another_process(data: Path, run: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """One that tries to hold the experiment, and its first words."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data), run],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def failure(settings: Settings, asset: str) -> str:
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build(settings)
            .resolve_job_def("experiment")
            .execute_in_process(
                instance=instance,
                partition_key="tiny",
                asset_selection=[dg.AssetKey(asset)],
                raise_on_error=False,
            )
        )
    return failure_of(result)


def test_no_asset_of_an_experiment_is_made_while_another_process_holds_it(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    with another_process(settings.data) as (process, said):
        assert said == "held"
        for asset in phases(artifacts())["experiment"]:
            refused = failure(settings, asset)
            assert f"experiment tiny of workspace demo is in the hands of process {process.pid} since" in refused, asset
            assert "\n" not in refused
    # A killed process holds nothing.
    assert "does not exist" in failure(settings, "ic_summary")


def test_a_run_holds_its_experiment_until_its_end(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    (settings.experiments / "another.yaml").write_text((settings.experiments / "tiny.yaml").read_text())
    workspace = settings.workspace
    with ExitStack() as until_the_end:
        experiments = Experiments(settings, until_the_end)
        for _ in range(2):  # one asset after the other
            experiments.take("tiny")
        experiments.take("another")
        with another_process(settings.data) as (_, said):
            assert "experiment tiny of workspace demo is in the hands of process" in said
    with another_process(settings.data) as (_, said):
        assert said == "held"
        with pytest.raises(NiftyFormerError, match="in the hands of"), experiment_held(workspace, "tiny"):
            pass


def test_a_process_may_hold_again_what_it_holds(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "demo")
    with experiment_held(workspace, "tiny"):
        with experiment_held(workspace, "tiny"):
            pass
        with another_process(tmp_path) as (_, said):
            assert "in the hands of process" in said


def test_what_is_made_in_one_run_waits_for_each_other(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "demo")
    with another_process(tmp_path, "run 1") as (holding, said):
        assert said == "held"
        for other in ("run 2", ""):
            refused = pytest.raises(NiftyFormerError, match=r"in the hands of process \d+ since .* in run 1: wait")
            with refused, experiment_held(workspace, "tiny", other):
                pass
        ends = threading.Timer(2, holding.kill)
        ends.start()
        with experiment_held(workspace, "tiny", "run 1"):
            ends.join()


def test_what_says_who_holds_may_be_odd(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    odd = settings.workspace.experiment_lock("tiny").with_suffix(".holder")
    odd.mkdir(parents=True)
    assert "tiny.holder could not be written" in failure(settings, "ic_summary")
    odd.rmdir()
    assert "does not exist" in failure(settings, "ic_summary")

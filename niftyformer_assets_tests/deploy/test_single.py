"""One machine for keeps, with its real parts: what goes down comes back, and nothing is lost or made twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pytest

from niftyformer_assets.defs.automation.dead_runs import process_of
from niftyformer_assets_tests.browser.web_ui import until
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, tiny_settings
from niftyformer_assets_tests.deploy.running import Running, single
from niftyformer_assets_tests.deploy.servers import Postgres

# Many processes, each of which loads the definitions: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(1800)
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION
DONE = dg.DagsterEventType.STEP_SUCCESS
BEGUN = dg.DagsterEventType.STEP_START
RIDGE = TINY_EXPERIMENT.replace("model: {", "model: {name: ridge, ").replace("[ridge, ", "[")
# Each has all to make: another threshold selects other factors.
EXPERIMENTS = {"stopped": "0.05", "crashed": "0.045", "killed": "0.04"}


@pytest.fixture(scope="module")
def running(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The web server, the daemon and the code server, with everything made but the experiments."""
    settings = tiny_settings(tmp_path_factory.mktemp("single"))
    for name, threshold in EXPERIMENTS.items():
        text = RIDGE.replace("ic_threshold: 0.05", f"ic_threshold: {threshold}")
        (settings.experiments / f"{name}.yaml").write_text(text)
    with single(settings, server, "single") as found:
        found.make_panels()
        found.green(found.launch("reference"))
        yield found


def finished(running: Running, run_id: str) -> dict[str, str]:
    """The data versions of what a run has made."""
    logs = running.instance.all_logs(run_id, of_type=MADE)
    made = [entry.dagster_event.step_materialization_data.materialization for entry in logs if entry.dagster_event]
    return {each.asset_key.to_user_string(): (each.tags or {})["dagster/data_version"] for each in made}


def nothing_lost_or_made_twice(running: Running, attempts: list[dg.DagsterRun], experiment: str) -> None:
    """What an attempt finished, no later one began; and all of the experiment is there, each once."""
    done: set[str] = set()
    for attempt in attempts:
        assert not done & {*running.events(attempt.run_id, BEGUN)}
        done |= {*running.events(attempt.run_id, DONE)}
    # A killed step may have told of what it made before it could say that it was done.
    told = Counter(name for attempt in attempts for name in running.events(attempt.run_id, MADE))
    assert len([name for name, times in told.items() if times > 1]) <= len(attempts) - 1
    job = {key.to_user_string() for key in running.run(attempts[0].run_id).asset_selection or ()}
    assert job <= told.keys()
    folder = running.settings.workspace.experiment(experiment)
    assert {path.stem for path in folder.provenance.glob("*.json")} >= told.keys()
    assert (folder.backtest / "report.html").is_file()


@pytest.mark.parametrize(("how", "experiment"), [("fast", "stopped"), ("immediate", "crashed")])
def test_postgres_goes_down_in_mid_run(running: Running, server: Postgres, how: str, experiment: str) -> None:
    run_id = running.launch("experiment", partition=experiment)
    until(lambda: running.events(run_id, MADE), 300, "something is made")
    server.stop(how)
    server.start()
    running.wait_for_ui()
    attempts = running.green(run_id)
    assert len(attempts) <= 2
    nothing_lost_or_made_twice(running, attempts, experiment)


def test_a_run_is_killed_and_goes_on_once_by_itself(running: Running) -> None:
    run_id = running.launch("experiment", partition="killed")
    until(lambda: len(running.events(run_id, DONE)) >= 2, 300, "two assets are made")
    process = process_of(running.instance, running.run(run_id))
    assert process is not None
    os.kill(process[0], signal.SIGKILL)
    made = {*running.events(run_id, DONE)}
    attempts = running.green(run_id)
    assert len(attempts) == 2 and attempts[0].status is dg.DagsterRunStatus.FAILURE
    assert made & {*running.events(attempts[0].run_id, DONE)} == made
    nothing_lost_or_made_twice(running, attempts, "killed")


def test_what_an_asset_refuses_is_not_tried_again(running: Running) -> None:
    # Nothing of it is made yet, and the job makes what follows alone.
    (running.settings.workspace.market_panel).rename(kept := running.settings.workspace.root / "kept")
    try:
        run_id = running.launch("experiment", partition="tiny")
        until(lambda: "dagster/will_retry" in running.run(run_id).tags, 300, "the run has failed")
    finally:
        kept.rename(running.settings.workspace.market_panel)
    run = running.run(run_id)
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert run.tags["dagster/will_retry"] == "false"
    assert len(running.attempts(run_id)) == 1


def test_sensors_have_ticked(running: Running) -> None:
    states = {state.instigator_name: state for state in running.instance.all_instigator_state()}
    for name in ("dead_runs", "experiment_files"):
        state = states[name]
        ticks = running.instance.get_ticks(state.instigator_origin_id, state.selector_id)
        assert ticks and all(tick.error is None for tick in ticks), name

"""What `deploy/` starts on one machine, run by a test: the commands are those of the units."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import signal
import string
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError

import dagster as dg

from niftyformer_assets.defs import build
from niftyformer_assets.settings import PROJECT, Settings
from niftyformer_assets_tests.browser.web_ui import PROGRAMS, START_S, WebUi, environment_of, has_loaded, until
from niftyformer_assets_tests.conftest import Graph, failure_of
from niftyformer_assets_tests.deploy.servers import Postgres, free_port

SINGLE, SEVERAL = PROJECT / "deploy" / "single", PROJECT / "deploy" / "several"
UNITS, WORKERS = SINGLE / "systemd", SEVERAL / "systemd"
INSTALLED = "/opt/niftyformer"
_LAUNCH = """mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
} }"""


def read_unit(path: Path) -> configparser.ConfigParser:
    """A unit of systemd's."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text(encoding="utf-8"))
    return unit


def command_of(unit: str, environment: Mapping[str, str], units: Path = UNITS) -> list[str]:
    """What a unit starts, with this environment, from the programs of this Python; of a template name the instance."""
    name, _, instance = unit.partition("@")
    file = units / (f"niftyformer-{name}@.service" if instance else f"niftyformer-{name}.service")
    command = read_unit(file)["Service"]["ExecStart"].replace("%i", instance)
    command = command.replace(f"{INSTALLED}/.venv/bin", str(PROGRAMS)).replace(INSTALLED, str(PROJECT))
    return shlex.split(string.Template(command).substitute(environment))


# Runs, events, and the states of sensors.
_EACH_STORAGE = """{
    runsOrError { ... on Runs { results { id } } }
    assetNodes { assetMaterializations(limit: 1) { runId } }
    repositoriesOrError { ... on RepositoryConnection { nodes { sensors { sensorState { ticks(limit: 1) { id } } } } } }
}"""


class Running:
    """A web server with a daemon and a code server, and the history that they write."""

    def __init__(
        self, settings: Settings, ui: WebUi, instance: dg.DagsterInstance, environment: dict[str, str]
    ) -> None:
        self.settings, self.ui, self.instance, self.environment = settings, ui, instance, environment

    def launch(self, job: str, assets: Sequence[str] = (), **tags: str) -> str:
        """Queue a run of a job as the button of the web UI does, or of some of its assets without checks; its id."""
        selector: dict[str, object] = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "niftyformer",
            "pipelineName": job,
        }
        if assets:
            selector |= {"assetSelection": [{"path": [name]} for name in assets], "assetCheckSelection": []}
        given = [{"key": f"dagster/{name}", "value": value} for name, value in tags.items()]
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": given}}
        answer = self.ui.ask(_LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        run_id: str = answer["run"]["runId"]
        return run_id

    def wait_for_ui(self) -> None:
        """Wait until the web server answers again: a connection that it kept and that is gone costs it one answer."""

        def answers() -> bool:
            try:
                return bool(self.ui.ask(_EACH_STORAGE))
            except HTTPError:
                return False

        until(answers, 60, "the web server answers again")

    def run(self, run_id: str) -> dg.DagsterRun:
        """A run as it is now."""
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def attempts(self, run_id: str) -> list[dg.DagsterRun]:
        """A run and what was started again for it, the first first."""
        again = [run for run in self.instance.get_runs() if run.root_run_id == run_id]
        return [self.run(run_id), *reversed(again)]

    def green(self, run_id: str, seconds: float = 600) -> list[dg.DagsterRun]:
        """Wait until a run, or the last attempt at it, has succeeded; all attempts."""

        def ended() -> list[dg.DagsterRun]:
            attempts = self.attempts(run_id)
            last = attempts[-1]
            # Of a run that failed it is said a moment later whether it is tried again.
            given_up = last.tags.get("dagster/will_retry") == "false" or last.status is dg.DagsterRunStatus.CANCELED
            assert not given_up, (last.tags, self.ui.failures())
            return attempts if last.status is dg.DagsterRunStatus.SUCCESS else []

        return until(ended, seconds, f"run {run_id} is green")

    def events(self, run_id: str, of: dg.DagsterEventType) -> list[str]:
        """The steps of which a run has an event of a type, in order."""
        return [str(entry.step_key) for entry in self.instance.all_logs(run_id, of_type=of)]

    def make_panels(self) -> None:
        """Make what experiments are made from, here, without the deployment."""
        with dg.DagsterInstance.ephemeral() as instance:
            graph = Graph(self.settings, build(self.settings), instance)
            for job in ("reference", "candles", "panels"):
                result = graph.run(job)
                assert result.success, failure_of(result)


@contextmanager
def single(settings: Settings, server: Postgres, database: str, **more: str) -> Iterator[Running]:
    """The units of `deploy/single/` with a database of their own, for the time of the block."""
    home = settings.dagster_home
    home.mkdir(parents=True)
    shutil.copy(SINGLE / "dagster.yaml", home)
    ours = {
        **server.database(database),
        "DAGSTER_HOME": str(home),
        "NIFTYFORMER_PORT": str(free_port()),
        "NIFTYFORMER_CODE_PORT": str(free_port()),
        **more,
    }
    environment = environment_of(settings, **ours)
    commands = {unit: command_of(unit, environment) for unit in ("code", "daemon", "webserver")}
    with with_environment(ours), processes(commands, environment, home):
        ui = WebUi(f"http://127.0.0.1:{ours['NIFTYFORMER_PORT']}")
        until(lambda: _answers(ui), START_S, f"the web server has loaded the definitions; see {home}/*.log")
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield Running(settings, ui, instance, environment)


def _answers(ui: WebUi) -> bool:
    try:
        return has_loaded(ui)
    except AssertionError:  # the code server does not answer it yet
        return False


@contextmanager
def processes(
    commands: Mapping[str, list[str]], environment: Mapping[str, str], logs: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Processes for the time of the block, by name, each with all below it; what they say is in NAME.log."""
    with ExitStack() as stack:
        yield {name: start(stack, name, command, environment, logs) for name, command in commands.items()}


def start(
    stack: ExitStack, name: str, command: list[str], environment: Mapping[str, str], logs: Path
) -> subprocess.Popen[bytes]:
    """A process in a group of its own, which ends with the stack."""
    with (logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    stack.callback(end, process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group: as systemd does, and for good what is still there then."""
    for sign, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 30)):
        try:
            os.killpg(process.pid, sign)
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


@contextmanager
def with_environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables in our own environment, for the time of the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

"""The web UI as `make dev` starts it, and a browser that looks at it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from niftyformer_assets.settings import PROJECT, Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# A test machine often has neither the rights for a sandbox nor a graphics card nor a network.
CHROMIUM_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_S = 60.0
START_S = 120.0
PROGRAMS = Path(sys.executable).parent
_LOCAL = build_opener(ProxyHandler({}))
_T = TypeVar("_T")


class Partitions(NamedTuple):
    """How many partitions an asset has, and of those are materialized and failed; without any, it counts as one."""

    all: int
    green: int
    red: int


@dataclass(frozen=True)
class WebUi:
    """A running web UI."""

    url: str

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with _LOCAL.open(request, timeout=PATIENCE_S) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def assets(self) -> dict[str, Partitions]:
        """What is materialized, by asset; what nobody materializes is left out."""
        found = {}
        for node in filter(itemgetter("isMaterializable"), self.ask(_ASSETS)["assetNodes"]):
            stats, latest = node["partitionStats"], node["assetMaterializations"]
            found[node["assetKey"]["path"][-1]] = (
                Partitions(stats["numPartitions"], stats["numMaterialized"], stats["numFailed"])
                if stats
                else Partitions(1, len(latest), 0)
            )
        return found

    def failures(self) -> list[str]:
        """What the steps of failed runs said."""
        return [
            f"{event['stepKey']}: {(event['failureMetadata'] or {}).get('description') or event['error']['message']}"
            for run in self.ask(_FAILURES)["runsOrError"]["results"]
            for event in run["eventConnection"]["events"]
            if event
        ]

    def stop_automation(self) -> None:
        """Switch every sensor and schedule off, so that nothing happens but what the test does."""
        for repository in self.ask(_AUTOMATION)["repositoriesOrError"]["nodes"]:
            for sensor in repository["sensors"]:
                self._switch_off("mutation ($id: String) { stopSensor(id: $id) { __typename } }", sensor["id"])
            for schedule in repository["schedules"]:
                state = schedule["scheduleState"]["id"]
                self._switch_off("mutation ($id: String) { stopRunningSchedule(id: $id) { __typename } }", state)
            states = self.ask(_AUTOMATION)["repositoriesOrError"]["nodes"]
        assert "RUNNING" not in json.dumps(states)

    def _switch_off(self, mutation: str, of: str) -> None:
        """Ask again where the daemon, which begins at the same time, writes the same row first."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.ask(mutation, id=of)
                return
            except HTTPError as error:
                if error.code != HTTPStatus.INTERNAL_SERVER_ERROR or time.monotonic() > deadline:
                    pytest.fail(f"{error}: {error.read().decode(errors='replace')[-2000:]}")
                time.sleep(0.5)


_ASSETS = """{ assetNodes {
    assetKey { path }
    isMaterializable
    partitionStats { numPartitions numMaterialized numFailed }
    assetMaterializations(limit: 1) { runId }
} }"""
_FAILURES = """{ runsOrError(filter: {statuses: [FAILURE]}) { ... on Runs { results { eventConnection { events {
    ... on ExecutionStepFailureEvent { stepKey error { message } failureMetadata { description } }
} } } } } }"""
_AUTOMATION = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
    sensors { id sensorState { status } }
    schedules { scheduleState { id status } }
} } } }"""
_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
    loadStatus
    locationOrLoadError { ... on PythonError { message } }
} } } }"""


def until(probe: Callable[[], _T], seconds: float, what: str) -> _T:
    """The first answer of `probe` that is true; the test fails, naming `what`, when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.5)
    return answer


def environment_of(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a process with these settings; nothing of the project's is inherited from ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NIFTYFORMER_", "KITE_"))}
    made_up = {f"NIFTYFORMER_MADE_UP__{name.upper()}": str(value) for name, value in asdict(settings.made_up).items()}
    return {
        **inherited,
        "PATH": f"{PROGRAMS}{os.pathsep}{inherited.get('PATH', '')}",
        "OMP_NUM_THREADS": "1",
        "DAGSTER_HOME": str(settings.dagster_home),
        "NIFTYFORMER_WORKSPACE": settings.workspace.name,
        "NIFTYFORMER_DATA": str(settings.data),
        "NIFTYFORMER_STORAGE": str(settings.storage),
        "NIFTYFORMER_EXPERIMENTS": str(settings.experiments),
        "NIFTYFORMER_MADE_UP_START": str(settings.made_up_start),
        "NIFTYFORMER_MADE_UP_END": str(settings.made_up_end),
        **made_up,
        **more,
    }


@contextmanager
def web_ui(environment: Mapping[str, str]) -> Iterator[WebUi]:
    """The web UI and its daemon for the time of the block; what they say is in `web_ui.log` of Dagster's home."""
    home, port = Path(environment["DAGSTER_HOME"]), _free_port()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "storage" / "dagster.yaml", home)
    log = home / "web_ui.log"
    command = [
        str(PROGRAMS / "dg"),
        "dev",
        "--use-active-venv",
        "-w",
        "workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, to be stopped as a whole
        )
    try:
        ui = WebUi(f"http://127.0.0.1:{port}")

        def loaded() -> bool:
            assert process.poll() is None, f"the web UI ended by itself:\n{log.read_text(errors='replace')}"
            return has_loaded(ui)

        until(loaded, START_S, f"the web UI has loaded the definitions; see {log}")
        yield ui
    finally:
        _stop(process)


def has_loaded(ui: WebUi) -> bool:
    try:
        entries = ui.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
    except OSError:  # nobody listens yet
        return False
    errors = [entry["locationOrLoadError"] for entry in entries if entry["locationOrLoadError"]]
    assert not any(errors), errors
    return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its whole group: as Ctrl-C does, and for good what is still there then."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(30)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            break


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser with a fresh profile; the test is skipped, saying so, where none is installed."""
    from playwright.sync_api import expect, sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is on PATH")
    expect.set_options(timeout=PATIENCE_S * 1000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_OPTIONS))
        try:
            yield running
        finally:
            running.close()


@contextmanager
def page_of(ui: WebUi, browser: Browser, folder: Path) -> Iterator[Page]:
    """A page on the web UI; when the block fails, what it showed stays in `folder`."""
    page = browser.new_page(base_url=ui.url, viewport={"width": 1500, "height": 1200})
    page.set_default_timeout(PATIENCE_S * 1000)
    try:
        yield page
    except BaseException:
        page.screenshot(path=folder / "failed.png")
        raise
    finally:
        page.close()

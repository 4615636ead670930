"""Reports open over HTTP on loopback, and nothing else does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from niftyformer_assets.report_server import (
    _listener,
    comparison_address,
    create_app,
    orders_address,
    page_of,
    report_address,
)
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.conftest import tiny_settings

PAGE = "<h1>the report</h1>"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A workspace with a report, and files beside it that are nobody's business."""
    workspace = Workspace(tmp_path / "data", "demo")
    backtest = workspace.experiment("tiny").backtest
    backtest.mkdir(parents=True)
    for name in ("report.html", "tearsheet.html"):
        (backtest / name).write_text(PAGE)
    workspace.comparison_html.write_text(PAGE)
    (backtest / "metrics.json").write_text("{}")
    workspace.orders.mkdir()
    workspace.orders_page("2024-05-31").write_text(PAGE)
    workspace.orders_table("2024-05-31").write_text(PAGE)
    (workspace.orders / "index.json").write_text("{}")
    workspace.orders_page("2024-06-03").symlink_to(tmp_path / "secret.html")
    (tmp_path / "secret.html").write_text("secret")
    linked = workspace.experiment("linked").backtest
    linked.mkdir(parents=True)
    (linked / "report.html").symlink_to(tmp_path / "secret.html")
    return workspace.data


@pytest.fixture
def port(data: Path) -> Iterator[int]:
    listener = _listener(0, print)
    server = uvicorn.Server(uvicorn.Config(create_app(data), lifespan="off", log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def ask(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str]:
    """Status and body; the path goes out just as it is written, which clients otherwise tidy."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"{host}:{port}")
    connection.endheaders()
    response = connection.getresponse()
    return response.status, response.read().decode()


@pytest.mark.parametrize(
    "path",
    [
        "/demo/tiny/report.html",
        "/demo/tiny/tearsheet.html",
        "/demo/comparison.html",
        "/demo/orders/2024-05-31.html",
        "/demo/orders/2024-05-31.csv",
    ],
)
def test_the_pages_open(port: int, path: str) -> None:
    assert ask(port, path) == (200, PAGE)
    assert ask(port, path, "HEAD") == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/demo/tiny/metrics.json",
        "/demo/linked/report.html",
        "/demo/other/report.html",
        "/demo/tiny",
        "/",
        "/../secret.html",
        "/demo/../../secret.html",
        "/demo/%2e%2e/%2e%2e/secret.html",
        "/demo/..%2f..%2fsecret.html",
        "/demo/tiny/..%2freport.html",
        "/demo/..%2f..%2f..%2fsecret.html%00/report.html",
        "/..%2fdata%2fdemo/tiny/report.html",
        "//etc/passwd",
        "/demo/tiny%00/report.html",
        "/DEMO/tiny/report.html",
        "/./tiny/report.html",
        "/demo/orders/index.json",
        "/demo/orders/2024-06-03.html",
        "/demo/orders/2024-06-04.html",
        "/demo/orders/..%2fcomparison.html",
        "/demo/orders/2024-05-31.html%00.csv",
        "/demo/orders/",
    ],
)
def test_nothing_else_does(port: int, path: str) -> None:
    status, body = ask(port, path)
    assert status in (400, 404) and PAGE not in body and "secret" not in body.replace(path, "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_is_read_only(port: int, data: Path, method: str) -> None:
    assert ask(port, "/demo/tiny/report.html", method)[0] == 405
    assert page_of(data, "report.html", "demo", "tiny").read_text() == PAGE  # type: ignore[union-attr]


def test_a_page_of_another_site_is_not_answered(port: int) -> None:
    assert ask(port, "/demo/tiny/report.html", host="localhost")[0] == 200
    assert ask(port, "/demo/tiny/report.html", host="elsewhere.example")[0] == 400


def test_addresses_lead_to_pages(data: Path, tmp_path: Path, port: int) -> None:
    settings = tiny_settings(tmp_path, reports_port=port)
    for address in (
        report_address(settings, "tiny"),
        comparison_address(settings),
        orders_address(settings, "2024-05-31"),
    ):
        assert address.startswith(f"http://127.0.0.1:{port}/")
        assert ask(port, address.partition(str(port))[2])[0] == 200


def test_a_taken_port_is_said_and_taken_over_once_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("niftyformer_assets.report_server.AGAIN_S", 0.05)
    first = _listener(0, print)
    said: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    found = []
    second = threading.Thread(target=lambda: found.append(_listener(first.getsockname()[1], say)), daemon=True)
    second.start()
    assert waiting.wait(10)
    first.close()
    second.join(10)
    (listener,) = found
    listener.close()
    assert len(said) == 1 and "NIFTYFORMER_REPORTS_PORT" in said[0]

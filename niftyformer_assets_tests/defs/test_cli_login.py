"""`niftyformer login` and `niftyformer exchange`, as a person uses them."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from typer.testing import CliRunner

from niftyformer_assets import cli
from niftyformer_assets.exchange.server import RunningExchange
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.market.login import expiry, find_token

OPENER = build_opener(ProxyHandler({}))


def browser(address: str) -> None:
    """Follows redirects as a browser does, in a thread of its own as a browser is."""
    threading.Thread(target=lambda: OPENER.open(address, timeout=10).read(), daemon=True).start()


def environment(folder: Path, exchange: RunningExchange) -> dict[str, str]:
    """That of a person who follows what `niftyformer exchange` prints."""
    return {
        "NIFTYFORMER_WORKSPACE": "tryout",
        "NIFTYFORMER_DATA": str(folder / "data"),
        "NIFTYFORMER_STORAGE": str(folder / "storage"),
        "NIFTYFORMER_KITE_ROOT": exchange.url,
        "NIFTYFORMER_INDEX_LIST_ROOT": exchange.url,
        "KITE_API_KEY": exchange.api_key,
        "KITE_API_SECRET": exchange.api_secret,
        "KITE_ACCESS_TOKEN": "",
    }


def test_login_leaves_a_token_that_only_its_owner_reads(
    tmp_path: Path, exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", browser)
    before = expiry(datetime.now(IST))
    done = CliRunner().invoke(cli.app, ["login", "--port", "0"], env=environment(tmp_path, exchange))
    assert done.exit_code == 0, done.output
    path = tmp_path / "storage" / "tryout" / "access_token.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = find_token(path, datetime.now(IST), {})
    assert token.expires in (before, expiry(datetime.now(IST)))
    assert token.expires is not None
    assert f"holds until {token.expires:%Y-%m-%d} 06:00 IST" in done.output
    # The page to open is named, for where no browser comes up; the token never is.
    assert f"{exchange.url}/connect/login?" in done.output
    assert token.value not in done.output
    assert "KITE_ACCESS_TOKEN" not in done.output


def test_login_says_when_another_token_is_in_the_way(
    tmp_path: Path, exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", browser)
    given = environment(tmp_path, exchange) | {"KITE_ACCESS_TOKEN": "given-by-hand"}
    done = CliRunner().invoke(cli.app, ["login", "--port", "0"], env=given)
    assert done.exit_code == 0, done.output
    assert "KITE_ACCESS_TOKEN is set and is used instead" in done.output
    assert "given-by-hand" not in done.output


def test_without_an_app_login_says_how_to_get_one(tmp_path: Path, exchange: RunningExchange) -> None:
    given = environment(tmp_path, exchange) | {"KITE_API_SECRET": ""}
    done = CliRunner().invoke(cli.app, ["login"], env=given)
    assert done.exit_code == 1
    assert "developers.kite.trade" in done.output
    assert "http://127.0.0.1:8721/" in done.output


@contextmanager
def started(*options: str) -> Iterator[subprocess.Popen[str]]:
    """`niftyformer exchange` in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from niftyformer_assets.cli import app; app()", "exchange", "--port", "0", *options],
        env=os.environ | {"NIFTYFORMER_MADE_UP__STOCKS": "4", "NIFTYFORMER_MADE_UP__LATE_LISTINGS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_exchange_says_how_to_use_it_has_the_faults_asked_for_and_ends_with_ctrl_c() -> None:
    with started("--fault", "failing_symbols=DEMO001", "--fault", "server_errors=0.2") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"listens at (http://127\.0\.0\.1:\d+);", first)
        assert found, first
        url = found[1]
        faults = answer(f"{url}/faults")
        assert (faults["failing_symbols"], faults["server_errors"]) == (["DEMO001"], 0.2)
        answer(Request(f"{url}/faults", data=b"{}", method="POST"))
        assert answer(f"{url}/faults")["failing_symbols"] == []
        assert answer(f"{url}/traffic")["requests"] == 3

        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        printed = process.stdout.read()
        assert f"NIFTYFORMER_KITE_ROOT={url}" in printed
        assert "niftyformer login && niftyformer universe" in printed
        assert "Traceback" not in printed


def answer(request: str | Request) -> dict:
    with OPENER.open(request, timeout=10) as response:
        return dict(json.load(response)["data"])


def test_a_fault_that_is_none_is_refused_in_one_line() -> None:
    done = CliRunner().invoke(cli.app, ["exchange", "--fault", "server_errors=2"])
    assert done.exit_code == 1
    assert "server_errors is a share: between 0 and 1" in done.output
    assert done.output.count("\n") == 1

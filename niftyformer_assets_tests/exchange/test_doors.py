"""The simulated exchange answers this machine, and no page of another site in its browser."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from niftyformer_assets.exchange.doors import MAX_BODY
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.server import RunningExchange
from niftyformer_assets.web import is_loopback

FAULTS = {"server_errors": 1.0}


def asked(exchange: RunningExchange, method: str, path: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content: dict[str, Any] = {"json": FAULTS} if method == "POST" else {}
    return requests.request(method, exchange.url + path, headers=named, timeout=5, **content).status_code


@pytest.mark.parametrize(("method", "path"), [("POST", "/faults"), ("GET", "/faults"), ("GET", "/traffic")])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://elsewhere.example"},
        {"origin": "https://elsewhere.example:8720"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1.elsewhere.example"},
        {"origin": "http://localhost@elsewhere.example"},
        {"origin": "file://"},
        {"host": "elsewhere.example"},
        {"host": "elsewhere.example:8720"},
        {"host": "127.0.0.1.elsewhere.example"},
        {"sec_fetch_site": "cross-site"},
    ],
    ids=lambda headers: " ".join(map(" ".join, headers.items())),
)
def test_no_other_site_switches_faults_or_reads_traffic(
    exchange: RunningExchange, method: str, path: str, headers: dict[str, str]
):
    assert asked(exchange, method, path, **headers) == 403
    assert exchange.faults == Faults()


@pytest.mark.parametrize("path", ["/connect/login?v=3&api_key=simulated", "/IndexConstituent/ind_nifty200list.csv"])
def test_no_name_that_points_here_reads_anything(exchange: RunningExchange, path: str):
    assert asked(exchange, "GET", path, host="elsewhere.example") == 403
    assert asked(exchange, "GET", path) == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://127.0.0.1:3000"}, {"origin": "http://localhost"}, {"host": "localhost:8720"}],
    ids=str,
)
def test_this_machine_goes_on_as_before(exchange: RunningExchange, headers: dict[str, str]):
    assert asked(exchange, "POST", "/faults", **headers) == 200
    assert exchange.faults == Faults(server_errors=1.0)
    assert asked(exchange, "GET", "/traffic", **headers) == 200


def test_a_body_beyond_the_limit_is_refused(exchange: RunningExchange):
    for path in ("/faults", "/session/token"):
        assert requests.post(exchange.url + path, data=b" " * (MAX_BODY + 1), timeout=5).status_code == 413
    assert requests.post(exchange.url + "/faults", data=b"{}".ljust(MAX_BODY), timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("http://127.0.0.1/", True),
        ("http://localhost:8721/?state=a@b", True),
        ("http://[::1]:8721/kite", True),
        ("javascript://127.0.0.1/%0aalert(1)", False),
        ("data://127.0.0.1/,x", False),
        ("https://127.0.0.1/", False),
        ("ftp://localhost/", False),
        ("//127.0.0.1/", False),
        ("/local", False),
        ("http:127.0.0.1", False),
        ("http://elsewhere.example/", False),
        ("http://127.0.0.1@elsewhere.example/", False),
        ("http://elsewhere.example@127.0.0.1/", False),
        ("http://elsewhere.example\\@127.0.0.1/", False),
        ("http://elsewhere.example\\.127.0.0.1/", False),
        ("http://127.0.0.1.elsewhere.example/", False),
        ("http://127.0.0.1\n.elsewhere.example/", False),
        (" http://127.0.0.1/", False),
        ("http://[::1", False),
        ("http://127.0.0.1:99999/", False),
        ("http://127.0.0.1:0/", False),
        ("", False),
    ],
)
def test_where_the_login_page_sends_a_token(exchange: RunningExchange, address: str, taken: bool):
    assert is_loopback(address, schemes=("http",)) is taken
    if address:  # without one, the page shows the token
        answer = requests.get(exchange.login_url, params={"redirect_url": address}, allow_redirects=False, timeout=5)
        assert answer.status_code == (302 if taken else 400)
        assert "request_token" not in answer.text

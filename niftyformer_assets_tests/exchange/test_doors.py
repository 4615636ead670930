"""The simulated exchange answers this machine, and no page of another site in its browser."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import requests

from niftyformer_assets.exchange.account import MOST_BASKETS
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
        {"host": "127.0.0.1#.elsewhere.example"},
        {"host": "127.0.0.1/elsewhere.example"},
        {"host": "2130706433"},
        {"host": "127.1"},
        {"host": "localhost."},
        {"host": "[::ffff:127.0.0.1]"},
        {"host": ""},
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


def test_of_several_hosts_and_origins_each_is_looked_at(exchange: RunningExchange):
    port = int(exchange.url.rpartition(":")[2])
    for name in ("Host", "Origin"):
        for both in (("127.0.0.1", "elsewhere.example"), ("elsewhere.example", "127.0.0.1")):
            of = [f"{name}: {'http://' if name == 'Origin' else ''}{value}\r\n" for value in both]
            host = "" if name == "Host" else "Host: localhost\r\n"
            lines = f"GET /faults HTTP/1.1\r\n{host}{''.join(of)}"
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(f"{lines}Connection: close\r\n\r\n".encode())
                assert connection.recv(4096).startswith((b"HTTP/1.1 403", b"HTTP/1.1 400"))


NO_JSON = ["{", "NaN", "[1e999]", '{"holdings": [{"tradingsymbol": "A", "quantity": 1, "last_price": NaN}]}',
           '{"positions": [{"x": -Infinity}]}', '"\\ud800"', "[" * 20_000, '{"cash": ' + "9" * 5000 + "}"]  # fmt: skip


@pytest.mark.parametrize("body", NO_JSON, ids=lambda body: body[:20])
def test_what_could_not_be_answered_again_is_not_taken(exchange: RunningExchange, body: str):
    signed = {"X-Kite-Version": "3", "Authorization": f"token {exchange.api_key}:{exchange.access_token()}"}
    for path in ("/faults", "/account", "/margins/orders", "/margins/basket", "/charges/orders"):
        assert requests.post(exchange.url + path, data=body, headers=signed, timeout=5).status_code == 400
    basket = {"api_key": exchange.api_key, "data": body}
    assert requests.post(f"{exchange.url}/connect/basket", data=basket, timeout=5).status_code == 400
    for path in ("/faults", "/account", "/portfolio/holdings", "/portfolio/positions", "/user/margins"):
        assert requests.get(exchange.url + path, headers=signed, timeout=5).status_code == 200


@pytest.mark.parametrize("token", ["1" * 5000, "\u0663", "-1", "1.0", "x"], ids=lambda token: token[:5])
def test_what_is_no_token_of_an_instrument(exchange: RunningExchange, token: str):
    signed = {"X-Kite-Version": "3", "Authorization": f"token {exchange.api_key}:{exchange.access_token()}"}
    answer = requests.get(f"{exchange.url}/instruments/historical/{token}/day", headers=signed, timeout=5)
    assert answer.status_code == 400 and answer.json()["message"] == "invalid token"


def test_markup_in_a_basket_is_shown_as_it_is_and_of_many_the_newest_are_kept(exchange: RunningExchange):
    order = {"variety": "regular", "exchange": "NSE", "transaction_type": "BUY", "order_type": "LIMIT", "quantity": 1}
    orders = [order | {"price": 1.0, "product": "CNC", "tradingsymbol": '"><img src=x onerror=alert(1)>'}]
    basket = {"api_key": exchange.api_key, "data": json.dumps(orders)}
    exchange.account.baskets = [[{"number": number}] for number in range(MOST_BASKETS)]
    page = requests.post(f"{exchange.url}/connect/basket", data=basket, timeout=5).text
    assert "<img" not in page and "&lt;img" in page
    assert len(exchange.account.baskets) == MOST_BASKETS
    assert exchange.account.baskets[0] == [{"number": 1}] and exchange.account.baskets[-1] == orders


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

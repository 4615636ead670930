"""Nothing that could place, change or cancel an order leaves this machine, whatever the client of Kite is asked for."""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kiteconnect import KiteConnect

import niftyformer_assets
from niftyformer_assets.market.kite import KiteSession, RequestRefused
from niftyformer_assets.market.reading import NotReading, ReadingSession, is_reading

# Written here once more, so that who adds to the list must say so in two places.
ALLOWED = {
    ("GET", "/user/profile"),
    ("GET", "/user/margins/equity"),
    ("GET", "/portfolio/holdings"),
    ("GET", "/portfolio/positions"),
    ("GET", "/instruments/NSE"),
    ("GET", "/instruments/historical/1/day"),
    ("POST", "/session/token"),
    ("POST", "/margins/orders"),
    ("POST", "/margins/basket"),
    ("POST", "/charges/orders"),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "post", "Put", "")


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server that answers whatever it is asked with a success, and the method and path of all that it was asked."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Any:  # do_ANYTHING
            if not name.startswith("do_"):
                raise AttributeError(name)
            return self.answer

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.command, self.path.partition("?")[0]))
            body = json.dumps({"status": "success", "data": {}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def arguments(method: Any) -> list[dict[str, Any]]:
    """Ways to call a method of the client: with what must be given, and with everything."""
    order = {"transaction_type": "BUY", "quantity": 1, "order_type": "MARKET", "product": "CNC", "price": 1}
    values: dict[str, Any] = {
        "variety": "regular",
        "exchange": "NSE",
        "segment": "equity",
        "instrument_token": 1,
        "interval": "day",
        "from_date": "2024-01-01",
        "to_date": "2024-01-02",
        "trigger_type": "single",
        "trigger_values": [1],
        "orders": [order],
        "params": [order],
        "last_price": 2,
        **order,
    }
    given = {
        name: values.get(name, "1")
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    needed = {
        name: given[name]
        for name, parameter in inspect.signature(method).parameters.items()
        if name in given and parameter.default is parameter.empty
    }
    return [needed, given]


def client_of(root: str) -> KiteConnect:
    return KiteSession("key", "token", root=root)._client


def test_every_method_of_the_client_is_called_and_only_reading_leaves() -> None:
    with listening() as (root, asked):
        names = [name for name in dir(KiteConnect) if not name.startswith("__")]
        called = 0
        for name in names:
            if not callable(getattr(KiteConnect, name)) or name == "set_access_token":
                continue
            for given in arguments(getattr(client_of(root), name)):
                with suppress(Exception):  # refused, or an answer that is no such thing
                    getattr(client_of(root), name)(**given)
                called += 1
    assert {"place_order", "modify_order", "cancel_order", "place_gtt", "place_mf_order", "convert_position"} <= {
        *names
    }
    assert called > 100
    assert {*asked} == ALLOWED  # each of them, so that the calls were real ones


def test_the_same_calls_would_leave_an_ordinary_session() -> None:
    """So that the test above can fail."""
    with listening() as (root, asked):
        client = KiteConnect("key", "token", root=root)
        for name in ("place_order", "modify_order", "cancel_order", "place_gtt", "delete_gtt", "place_mf_sip"):
            with suppress(Exception):
                getattr(client, name)(**arguments(getattr(client, name))[1])
    assert {("POST", "/orders/regular"), ("PUT", "/orders/regular/1"), ("DELETE", "/orders/regular/1")} <= {*asked}
    assert {("POST", "/gtt/triggers"), ("DELETE", "/gtt/triggers/1"), ("POST", "/mf/sips")} <= {*asked}


def test_every_route_of_the_client_with_every_method() -> None:
    named = {"instrument_token": "1", "interval": "day", "exchange": "NSE", "segment": "equity", "variety": "regular"}
    with listening() as (root, asked):
        for method in METHODS:
            for route, path in KiteConnect._routes.items():
                url = {name: named.get(name, "1") for name in re.findall(r"\{(\w+)\}", path)}
                with suppress(Exception):
                    client_of(root)._request(route, method, url_args=url, params={})
    assert {*asked} == ALLOWED


@pytest.mark.parametrize(
    "path",
    [
        "/orders/regular",
        "/margins/orders/../../orders/regular",
        "/margins/orders/%2e%2e/%2e%2e/orders/regular",
        "/margins/orders%2f..%2f..%2forders%2fregular",
        "/margins/orders/",
        "//orders/regular",
        "/margins//orders",
        "/MARGINS/ORDERS",
        "/margins/orders;/orders/regular",
        "/margins/orders\\..\\..\\orders\\regular",
        "/margins/orders\n/orders/regular",
        "/alerts",
        "/oms/orders/regular",
        "/portfolio/holdings/authorise",
        "/session/refresh_token",
    ],
)
def test_a_path_in_another_writing_is_not_sent(path: str) -> None:
    with listening() as (root, asked):
        session = ReadingSession(root)
        session.trust_env = False
        with suppress(NotReading):
            session.post(root + path, data={"quantity": 1}, timeout=5)
        assert {*asked} <= {("POST", "/margins/orders")}, "what was tidied to an allowed path is that path"
    assert not is_reading("POST", path)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
def test_another_server_is_not_asked(method: str) -> None:
    with listening() as (root, asked), listening() as (other, asked_there):
        for address in (f"{other}/margins/orders", f"{root.replace('127', 'x@127')}/user/profile"):
            with pytest.raises(NotReading):
                ReadingSession(root).request(method, address, timeout=5)
    assert asked == asked_there == []


def test_a_refused_call_is_one_line_and_is_not_tried_again() -> None:
    session = KiteSession("key", "token", root="http://127.0.0.1:9")
    with pytest.raises(RequestRefused, match="nothing was sent") as caught:
        session._ask("an order", lambda: session._client.place_order(**arguments(session._client.place_order)[0]))
    assert not caught.value.retryable and caught.value.__cause__ is None


def test_the_client_is_made_in_two_places_and_one_is_the_simulated_exchanges() -> None:
    package = Path(niftyformer_assets.__file__).parent
    using = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"import KiteConnect|import kiteconnect|KiteTicker", path.read_text("utf-8"))
    }
    assert using == {"market/kite.py", "exchange/server.py"}
    # The latter goes through the login of an exchange that runs on this machine.
    assert "generate_session" in (package / "exchange" / "server.py").read_text("utf-8")

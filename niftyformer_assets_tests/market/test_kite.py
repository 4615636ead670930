from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.market import kite
from niftyformer_assets.market.benchmark import fetch_benchmark
from niftyformer_assets.market.ingest import Failed, ingest
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.market.world import QUICK, at, world
from niftyformer_assets_tests.odd_server import answer, odd_server

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 31)


def test_instruments_and_candles_through_the_real_client(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, _):
        session = it.session()
        session.check()
        listed = session.instruments()
        assert session.instruments(kite.INDICES) == {"NIFTY 50": 256265}
        assert "NIFTY 50" not in listed
        assert "DEMO&002" in listed
        candles = session.daily_candles(listed["DEMO&002"], FIRST, LAST)
    assert len(candles) == 22  # 23 weekdays, two of them holidays, and a Saturday session
    assert str(candles["date"].iloc[0])[:10] == "2024-01-01"
    assert str(candles["open"].dtype) == "float64"


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(too_many_requests=1), kite.RateLimited),
        (Faults(server_errors=1), kite.ServerTrouble),
        (Faults(html_pages=1), kite.BrokenAnswer),
        (Faults(cut_off_bodies=1), kite.BrokenAnswer),
        (Faults(no_content_type=1), kite.BrokenAnswer),
        (Faults(stalls=1, stall_s=1), kite.ServerTrouble),
    ],
)
def test_each_fault_is_sorted_and_no_secret_is_told(tmp_path: Path, faults: Faults, error: type[Exception]) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, _):
        session = KiteSession(it.exchange.api_key, it.token, root=it.exchange.url, timeout_s=0.3)
        token = session.instruments()["DEMO001"]
        it.exchange.faults = faults
        for _ in range(4):  # kinds of server errors and cut-offs take turns
            with pytest.raises(error) as caught:
                session.daily_candles(token, FIRST, LAST)
            assert getattr(caught.value, "retryable", False)
            assert it.token not in str(caught.value)
            assert "\n" not in str(caught.value)
            assert caught.value.__cause__ is None
    assert it.token not in repr(session)


def test_a_refused_token_is_no_reason_to_ask_again(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, _):
        with pytest.raises(kite.TokenRefused, match="niftyformer login") as caught:
            KiteSession(it.exchange.api_key, "stale-token", root=it.exchange.url).instruments()
        assert not caught.value.retryable
        assert "stale-token" not in str(caught.value)
        with pytest.raises(kite.TokenRefused):
            KiteSession(it.exchange.api_key, "stale-token", root=it.exchange.url).check()


def test_a_wrong_request_is_no_reason_to_ask_again(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, _), pytest.raises(kite.RequestRefused, match="invalid token"):
        it.session().daily_candles(1, FIRST, LAST)


def test_nobody_listens() -> None:
    with pytest.raises(kite.ServerTrouble, match="no connection"):
        KiteSession("key", "token", root="http://127.0.0.1:9").instruments()
    with pytest.raises(kite.RequestRefused, match="no address"):
        KiteSession("key", "token", root="nonsense").instruments()


def test_a_range_too_long_for_kite_is_a_defect() -> None:
    with pytest.raises(ValueError, match="2000 days"):
        KiteSession("key", "token", root="http://127.0.0.1:9").daily_candles(1, date(2015, 1, 1), date(2024, 1, 1))


class Refuses(BaseHTTPRequestHandler):
    """Lists one instrument, and answers everything else with the error that the test sets."""

    status, error_type, message = 403, "", ""

    def do_GET(self) -> None:
        if self.path.startswith("/instruments/NSE"):
            header = "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size"
            body, kind = f"{header},instrument_type,segment,exchange\n257,1,AAA,A,0,,0,0.05,1,EQ,NSE,NSE\n", "text/csv"
            status = 200
        else:
            error = {"status": "error", "message": self.message, "error_type": self.error_type}
            body, kind, status = json.dumps(error), "application/json", self.status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[KiteSession]:
    server = HTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield KiteSession("an-app", "a-token", root=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "error_type", "message", "error", "said"),
    [
        (403, "TokenException", "Token is invalid or has expired.", kite.TokenRefused, "run `niftyformer login`"),
        (403, "TokenException", "Incorrect `api_key` or `access_token`.", kite.TokenRefused, "run `niftyformer login`"),
        (401, "GeneralException", "Unauthorised", kite.TokenRefused, "run `niftyformer login`"),
        (403, "PermissionException", "Insufficient permission for that call.", kite.NotPermitted, "historical data"),
        (403, "TokenException", "Insufficient permission for that call.", kite.NotPermitted, "historical data"),
        (
            403,
            "InputException",
            "The user is not enabled for the app.",
            kite.NotPermitted,
            "see at developers.kite.trade that the app is yours",
        ),
        (403, "GeneralException", "Subscription expired", kite.NotPermitted, "historical data"),
        (403, "GeneralException", "Access denied for this IP", kite.NotPermitted, "IP address"),
        (403, "PermissionException", "No IPs configured for this app.", kite.NotPermitted, "IP address"),
        (403, "TokenException", "IP (1.2.3.4) is not allowed for this app.", kite.NotPermitted, "IP address"),
        (403, "TokenException", "Requests from this ip address are refused.", kite.NotPermitted, "IP address"),
    ],
)
def test_a_403_is_told_by_what_it_refuses(
    refusing: KiteSession, status: int, error_type: str, message: str, error: type[Exception], said: str
) -> None:
    Refuses.status, Refuses.error_type, Refuses.message = status, error_type, message
    with pytest.raises(error, match=said) as caught:
        refusing.daily_candles(257, FIRST, LAST)
    assert message.rstrip(".") in str(caught.value)
    assert ("niftyformer login" in str(caught.value)) == (error is kite.TokenRefused)
    assert not getattr(caught.value, "retryable", True)
    assert "a-token" not in str(caught.value)


def test_a_wrong_secret_is_told_at_the_login(refusing: KiteSession) -> None:
    Refuses.status, Refuses.error_type, Refuses.message = 403, "TokenException", "Invalid `checksum`."
    with pytest.raises(kite.NotPermitted, match="KITE_API_SECRET"):
        refusing.exchange("a-request-token", "a-secret")


def test_without_the_permission_the_other_symbols_are_not_asked_for(
    tmp_path: Path, refusing: KiteSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    Refuses.status, Refuses.error_type, Refuses.message = 403, "PermissionException", "Insufficient permission"
    monkeypatch.setattr("niftyformer_assets.market.ingest.WORKERS", 1)
    pacer = Pacer(tmp_path / "pace", 500)
    outcomes = list(ingest(["AAA", "BBB"], Workspace(tmp_path, "w"), lambda: refusing, pacer, QUICK, at("2024-05-31")))
    assert all(isinstance(outcome, Failed) for outcome in outcomes)
    assert all("does not permit this app to ask for candles" in outcome.reason for outcome in outcomes)
    assert outcomes[1].reason.startswith("not asked for")


class CutAnywhere(BaseHTTPRequestHandler):
    """Serves the list of instruments up to a byte that the test sets, without saying how long it should be."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange\n"
)


@contextmanager
def listing(*rows: str) -> Iterator[KiteSession]:
    """A session with a server that lists these: token, symbol, segment, exchange."""
    fields = [row.split() for row in rows]
    lines = (f"{token},1,{symbol},X,0,,0,0.05,1,EQ,{segment},{on}\n" for token, symbol, segment, on in fields)
    CutAnywhere.body = (HEADER + "".join(lines)).encode()
    server = HTTPServer(("127.0.0.1", 0), CutAnywhere)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield KiteSession("key", "token", root=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Another segment, another exchange: whichever comes first, the stock of NSE is meant.
        (["257 AAA NSE NSE", "513 AAA INDICES NSE"], {"AAA": 257}),
        (["513 AAA INDICES NSE", "257 AAA NSE NSE"], {"AAA": 257}),
        (["513 AAA NFO-FUT NSE", "257 AAA NSE NSE"], {"AAA": 257}),
        (["257 AAA NSE NSE", "513 AAA BSE BSE"], {"AAA": 257}),
        (["513 AAA BSE BSE", "257 AAA NSE NSE"], {"AAA": 257}),
        # The same line twice is one instrument; two are ambiguous, a third does not settle it.
        (["257 AAA NSE NSE", "257 AAA NSE NSE"], {"AAA": 257}),
        (["257 AAA NSE NSE", "513 AAA NSE NSE", "769 BBB NSE NSE"], {"AAA": None, "BBB": 769}),
        (["257 AAA NSE NSE", "513 AAA NSE NSE", "257 AAA NSE NSE"], {"AAA": None}),
        # One token under two symbols: its candles are one stock's, and not the other's.
        (["257 AAA NSE NSE", "257 BBB NSE NSE", "513 CCC NSE NSE"], {"AAA": None, "BBB": None, "CCC": 513}),
        (["257 AAA NSE NSE", "257 III INDICES NSE"], {"AAA": 257}),
    ],
)
def test_a_symbol_is_that_of_the_stock_or_of_nobody(rows: list[str], expected: dict[str, int | None]) -> None:
    with listing(*rows) as session:
        assert session.instruments() == expected


def test_an_ambiguous_symbol_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    rows = ("257 AAA NSE NSE", "513 AAA NSE NSE", "769 BBB-BE NSE NSE", "1025 BBB-BE NSE NSE")
    with listing(*rows) as session:
        outcomes = ingest(
            ["AAA", "BBB", "CCC"],
            Workspace(tmp_path, "w"),
            lambda: session,
            Pacer(tmp_path / "pace", 500),
            QUICK,
            at("2024-05-31"),
        )
        said = {outcome.symbol: outcome for outcome in outcomes}
    for symbol, name in (("AAA", "AAA"), ("BBB", "BBB-BE")):
        outcome = said[symbol]
        assert isinstance(outcome, Failed)
        assert f"several instruments of NSE as {name}" in outcome.reason
        assert not Workspace(tmp_path, "w").candles(symbol).exists()
    assert said["CCC"].kind == "unavailable"  # type: ignore[union-attr]


def test_two_indices_of_one_name_are_no_benchmark(tmp_path: Path) -> None:
    with listing("257 NIFTY50 INDICES NSE", "513 NIFTY50 INDICES NSE", "769 X NSE NSE") as session:
        with pytest.raises(NiftyFormerError, match="several indices as NIFTY50"):
            fetch_benchmark(session, Pacer(tmp_path / "pace", 500), QUICK, at("2024-05-31"), "NIFTY50")
        assert fetch_benchmark(session, Pacer(tmp_path / "pace", 500), QUICK, at("2024-05-31"), "X").empty


def test_a_list_of_instruments_that_ends_within_a_line_is_broken() -> None:
    whole = (
        b"instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
        b"instrument_type,segment,exchange\n"
        b"257,1,AAA,AAA LTD,0,,0,0.05,1,EQ,NSE,NSE\n"
        b"513,2,BBB,BBB LTD,0,,0,0.05,1,EQ,NSE,NSE"
    )
    server = HTTPServer(("127.0.0.1", 0), CutAnywhere)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    session = KiteSession("key", "token", root=f"http://127.0.0.1:{server.server_port}")
    first = whole.index(b"513")
    for end in range(first + 1, len(whole)):
        CutAnywhere.body = whole[:end]
        with pytest.raises(kite.BrokenAnswer):
            session.instruments()
    CutAnywhere.body = whole
    assert session.instruments() == {"AAA": 257, "BBB": 513}
    server.shutdown()
    server.server_close()


CSV, JSON = "Content-Type: text/csv", "Content-Type: application/json"
COLUMNS = b"instrument_token,last_price,strike,tick_size,lot_size,expiry,tradingsymbol,segment,exchange"
LINE = b"\n1,0,0,0,0,,AAA,NSE,NSE"


def said_of(body: bytes, kind: str, asked: str, status: str = "200 OK") -> str:
    """Why an answer is a broken one."""
    with (
        odd_server(lambda _: [answer(body, kind, status=status)]) as server,
        pytest.raises(kite.BrokenAnswer) as caught,
    ):
        getattr(KiteSession("key", "token", root=server.url), asked)()
    return str(caught.value)


@pytest.mark.parametrize("status", [206, 301, 400, 403, 404, 429, 500, 503])
def test_a_status_of_failure_is_no_answer_whatever_the_body_is(status: int) -> None:
    no_failure = b'{"data": [], "status": "success"}'
    for body, kind, asked in ((COLUMNS + LINE, CSV, "instruments"), (no_failure, JSON, "holdings")):
        assert f"has status {status} and tells no reason" in said_of(body, kind, asked, f"{status} Oh")


@pytest.mark.parametrize("body", [b"{}", b'{"data": null}', b'{"data": []}', b'{"data": {}}', b'{"data": "x"}', b"no"])
def test_a_login_is_good_where_the_profile_is_somebodys(body: bytes) -> None:
    for kind in (JSON, CSV, "Content-Type: text/html"):
        assert "the profile" in said_of(body, kind, "check")


def test_a_table_that_its_columns_or_lines_would_blow_up_is_not_read() -> None:
    """A line of twenty bytes becomes a dictionary of all columns: these are some GB."""
    many = b"".join(b",c%d" % number for number in range(20_000))
    for body in (
        COLUMNS + many + LINE * 100_000,
        b'"a\n",' + COLUMNS + many + LINE * 100_000,
        COLUMNS + LINE * 600_000,
    ):
        assert "far too long" in said_of(body, CSV, "instruments")
    assert "cut off" in said_of(b'"' + COLUMNS + many + LINE * 10, CSV, "instruments")
    with odd_server(lambda _: [answer(COLUMNS + LINE, CSV)]) as server:
        assert KiteSession("key", "token", root=server.url).instruments() == {"AAA": 1}

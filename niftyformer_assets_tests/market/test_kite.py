from __future__ import annotations

import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.market import kite
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets_tests.market.world import at, world

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 31)


def test_instruments_and_candles_through_the_real_client(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, _):
        session = it.session()
        session.check()
        listed = session.instruments()
        assert listed["NIFTY 50"] == 256265
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

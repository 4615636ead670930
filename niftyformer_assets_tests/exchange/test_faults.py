"""Each fault, as the client meets it; and none where none is switched on."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
import time
from collections.abc import MutableMapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import DataException, InputException, KiteException, NetworkException, TokenException

from niftyformer_assets.exchange.app import create_app
from niftyformer_assets.exchange.clock import IST
from niftyformer_assets.exchange.exchange import Exchange
from niftyformer_assets.exchange.fault_words import faults_from, parse_faults, usage
from niftyformer_assets.exchange.faults import Faults, Rename, Split, shares_of
from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.exchange.server import RunningExchange, run_exchange
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.exchange.conftest import client, token_of

SPAN = ("2024-01-01", "2024-05-31", "day")


def closes(kite: KiteConnect, symbol: str, token: int | None = None) -> np.ndarray:
    rows = kite.historical_data(token or token_of(kite, symbol), *SPAN)
    return np.array([row["close"] for row in rows], dtype=float)


@pytest.fixture
def token(kite: KiteConnect) -> int:
    return token_of(kite, "DEMO001")


def test_nothing_goes_wrong_unless_asked_for(exchange: RunningExchange, kite: KiteConnect, market: ServedMarket):
    for symbol, instrument in market.instruments.items():
        np.testing.assert_array_equal(closes(kite, symbol, instrument.token), market.candles[symbol].close)
    assert set(exchange.traffic.by_status) == {200}


def test_a_share_of_requests_is_too_many(exchange: RunningExchange, kite: KiteConnect, token: int):
    exchange.faults = Faults(too_many_requests=0.5)
    codes = []
    for _ in range(40):
        try:
            kite.historical_data(token, *SPAN)
            codes.append(200)
        except NetworkException as error:
            codes.append(error.code)
    assert set(codes) == {200, 429}
    assert 8 <= codes.count(429) <= 32
    assert exchange.traffic.over_limit == 0


def test_server_errors_come_in_kites_form(exchange: RunningExchange, kite: KiteConnect, token: int):
    exchange.faults = Faults(server_errors=1.0)
    codes = []
    for _ in range(4):
        with pytest.raises(KiteException) as error:
            kite.historical_data(token, *SPAN)
        codes.append(error.value.code)
    assert codes == [500, 502, 503, 504]


def test_an_html_page_is_no_answer(exchange: RunningExchange, kite: KiteConnect, token: int):
    exchange.faults = Faults(html_pages=1.0)
    with pytest.raises(DataException, match="Unknown Content-Type"):
        kite.historical_data(token, *SPAN)
    with pytest.raises(DataException):
        kite.instruments("NSE")


def test_bodies_are_cut_off_in_two_ways(exchange: RunningExchange, kite: KiteConnect, token: int):
    exchange.faults = Faults(cut_off_bodies=1.0)
    with pytest.raises(requests.RequestException):
        kite.historical_data(token, *SPAN)
    with pytest.raises(DataException, match="Couldn't parse"):
        kite.historical_data(token, *SPAN)
    exchange.faults = Faults()
    assert kite.historical_data(token, *SPAN)


def test_a_missing_content_type_trips_the_client(exchange: RunningExchange, kite: KiteConnect, token: int):
    exchange.faults = Faults(no_content_type=1.0)
    with pytest.raises(KeyError, match="content-type"):
        kite.historical_data(token, *SPAN)


def test_a_stall_outlasts_the_clients_patience(market: ServedMarket):
    with run_exchange(market, faults=Faults(stalls=1.0, stall_s=0.5), historical_per_second=None) as running:
        hasty = KiteConnect(running.api_key, root=running.url, timeout=0.2)
        hasty.set_access_token(running.access_token())
        with pytest.raises(requests.Timeout):
            hasty.instruments("NSE")
        start = time.monotonic()
        assert client(running).instruments("NSE")
        assert time.monotonic() - start >= 0.5


def test_a_long_stall_does_not_hold_up_the_end(market: ServedMarket):
    start = time.monotonic()
    with run_exchange(market, faults=Faults(stalls=1.0, stall_s=60)) as running:
        hasty = KiteConnect(running.api_key, root=running.url, timeout=0.2)
        hasty.set_access_token(running.access_token())
        with pytest.raises(requests.Timeout):
            hasty.instruments("NSE")
    assert time.monotonic() - start < 5


def test_failing_symbols_fail_and_others_do_not(exchange: RunningExchange, kite: KiteConnect):
    exchange.faults = Faults(failing_symbols=("DEMO001", "DEMO&002"))
    for symbol in ("DEMO001", "DEMO&002"):
        with pytest.raises(KiteException) as error:
            closes(kite, symbol)
        assert error.value.code == 500
    assert len(closes(kite, "DEMO-003"))
    exchange.faults = Faults()
    assert len(closes(kite, "DEMO001"))


def test_tokens_expire_after_so_many_answers(exchange: RunningExchange, kite: KiteConnect):
    exchange.faults = Faults(expire_after=3)
    for _ in range(3):
        kite.profile()
    for _ in range(2):
        with pytest.raises(TokenException):
            kite.profile()
    again = client(exchange)
    for _ in range(5):
        again.profile()


def test_candles_are_missing_duplicated_and_negative(
    exchange: RunningExchange, kite: KiteConnect, market: ServedMarket
):
    whole = market.candles["DEMO001"].close
    exchange.faults = Faults(missing_candles=0.2)
    fewer = closes(kite, "DEMO001")
    assert 0.6 * len(whole) < len(fewer) < len(whole)
    np.testing.assert_array_equal(fewer, closes(kite, "DEMO001"))  # the same ones each time

    exchange.faults = Faults(duplicated_candles=0.2)
    rows = kite.historical_data(token_of(kite, "DEMO001"), *SPAN)
    days = [row["date"] for row in rows]
    assert len(whole) < len(days) < 1.4 * len(whole)
    assert len(set(days)) == len(whole)

    exchange.faults = Faults(negative_candles=0.2)
    negative = closes(kite, "DEMO001")
    np.testing.assert_array_equal(np.abs(negative), whole)
    assert 0 < (negative < 0).sum() < 0.4 * len(whole)


def test_a_split_readjusts_history_from_its_date_on(market: ServedMarket):
    token = market.instruments["DEMO001"].token
    moment = [datetime(2024, 5, 1, 18, 0, tzinfo=IST)]
    split = Split("DEMO001", date(2024, 5, 2), 2)
    with run_exchange(market, now=lambda: moment[0], faults=Faults(splits=(split,))) as running:
        (old,) = client(running).historical_data(token, "2024-03-01", "2024-03-01", "day")
        moment[0] = datetime(2024, 5, 3, 18, 0, tzinfo=IST)
        kite = client(running)
        (new,) = kite.historical_data(token, "2024-03-01", "2024-03-01", "day")
        later = kite.historical_data(token, "2024-04-30", "2024-05-02", "day")
    assert new["close"] == pytest.approx(old["close"] / 2, abs=0.006)
    assert new["volume"] == 2 * old["volume"]
    moves = [row["close"] / first["close"] - 1 for first, row in zip(later, later[1:], strict=False)]
    assert all(abs(move) < 0.2 for move in moves)  # the history is continuous across the split


def test_a_broken_adjustment_jumps_on_its_date(exchange: RunningExchange, kite: KiteConnect, market: ServedMarket):
    day = date(2024, 3, 1)
    exchange.faults = Faults(splits=(Split("DEMO001", day, 0.5, adjusted=False),))
    close = closes(kite, "DEMO001")
    place = int(np.searchsorted(market.candles["DEMO001"].dates, np.datetime64(day)))
    np.testing.assert_array_equal(close[:place], market.candles["DEMO001"].close[:place])
    assert close[place] / close[place - 1] > 1.7


def test_a_rename_changes_the_symbol_and_the_token_but_not_the_history(
    exchange: RunningExchange, kite: KiteConnect, market: ServedMarket
):
    exchange.faults = Faults(renames=(Rename("DEMO001", "DEMONEW"),))
    listed = {row["tradingsymbol"]: row["instrument_token"] for row in kite.instruments("NSE")}
    assert "DEMO001" not in listed
    assert listed["DEMONEW"] != market.instruments["DEMO001"].token
    np.testing.assert_array_equal(closes(kite, "DEMONEW"), market.candles["DEMO001"].close)
    with pytest.raises(InputException, match="invalid token"):
        kite.historical_data(market.instruments["DEMO001"].token, *SPAN)
    rows = list(csv.DictReader(io.StringIO(requests.get(exchange.index_list_url, timeout=5).text)))
    assert (rows[0]["Symbol"], rows[0]["ISIN Code"]) == ("DEMONEW", "XXDEMO000001")
    assert rows[1]["Symbol"] == "DEMO&002"


def test_a_rename_waits_for_its_date(exchange: RunningExchange, kite: KiteConnect):
    exchange.faults = Faults(renames=(Rename("DEMO001", "DEMONEW", date(2030, 1, 1)),))
    assert token_of(kite, "DEMO001")


def test_the_instruments_list_can_be_short(exchange: RunningExchange, kite: KiteConnect):
    whole = {row["tradingsymbol"] for row in kite.instruments("NSE")}
    exchange.faults = Faults(shortened_instruments=0.5)
    short = {row["tradingsymbol"] for row in kite.instruments("NSE")}
    assert short < whole
    assert short
    exchange.faults = Faults(shortened_instruments=1.0)
    assert kite.instruments("NSE") == []


def test_faults_spare_the_login_and_nses_list_unless_told(exchange: RunningExchange):
    exchange.faults = Faults(server_errors=1.0)
    KiteConnect(exchange.api_key, root=exchange.url).generate_session(exchange.request_token(), exchange.api_secret)
    assert requests.get(exchange.index_list_url, timeout=5).status_code == 200
    exchange.faults = Faults(server_errors=1.0, paths=("/IndexConstituent",))
    assert requests.get(exchange.index_list_url, timeout=5).status_code == 500
    assert client(exchange).instruments("NSE")


def test_the_seed_decides_whatever_the_order():
    faults = Faults(seed=5, server_errors=0.3, stalls=0.3)
    asked = [("/instruments/a", 0), ("/instruments/b", 0), ("/instruments/a", 1), ("/instruments/b", 1)] * 5
    asked = [(path, attempt + 2 * place) for place, (path, attempt) in enumerate(asked)]
    forward = {question: faults.on_answer(*question) for question in asked}
    backward = {question: faults.on_answer(*question) for question in reversed(asked)}
    assert forward == backward
    assert forward != {
        question: Faults(seed=6, server_errors=0.3, stalls=0.3).on_answer(*question) for question in asked
    }
    assert set(forward.values()) == {"server_errors", "stalls", None}


# Switching them


def test_faults_are_switched_over_http(exchange: RunningExchange, kite: KiteConnect, token: int):
    url = f"{exchange.url}/faults"
    wanted = {"server_errors": 1.0, "splits": [{"symbol": "DEMO001", "ex_date": "2024-03-01", "ratio": 2}]}
    answer = requests.post(url, json=wanted, timeout=5)
    assert answer.status_code == 200
    with pytest.raises(KiteException):
        kite.historical_data(token, *SPAN)
    shown = requests.get(url, timeout=5).json()["data"]
    assert (
        faults_from(shown)
        == exchange.faults
        == Faults(server_errors=1.0, splits=(Split("DEMO001", date(2024, 3, 1), 2),))
    )
    requests.post(url, json={}, timeout=5)
    assert kite.historical_data(token, *SPAN)
    traffic = requests.get(f"{exchange.url}/traffic", timeout=5).json()["data"]
    assert traffic["by_symbol"] == {"DEMO001": 2}
    assert traffic["by_status"]["500"] == 1


def status_for(market: ServedMarket, host: str, method: str, path: str) -> int:
    """The status of an answer to a request that comes from `host`."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], "client": (host, 1)}
    asyncio.run(create_app(Exchange(market))(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(("method", "path"), [("POST", "/faults"), ("GET", "/faults"), ("GET", "/traffic")])
def test_only_this_machine_may_switch_them(market: ServedMarket, method: str, path: str):
    assert status_for(market, "192.0.2.1", method, path) == 403
    assert status_for(market, "127.0.0.1", method, path) == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"serverr_errors": 0.2}, "serverr_errors"),
        ({"server_errors": "many"}, "server_errors='many'"),
        ({"server_errors": 1.5}, "server_errors is a share"),
        ({"server_errors": 0.6, "stalls": 0.6}, "add up to 1.2"),
        ({"stall_s": -1}, "stall_s"),
        ({"expire_after": 1.5}, "expire_after"),
        ({"failing_symbols": "DEMO001"}, "a list of texts"),
        ({"splits": [{"symbol": "DEMO001"}]}, "splits"),
        ({"splits": [{"symbol": "DEMO001", "ex_date": "soon", "ratio": 2}]}, "soon"),
        ({"splits": [{"symbol": "DEMO001", "ex_date": "2024-01-01", "ratio": 0}]}, "ratio above 0"),
        ({"renames": 3}, "renames"),
        ([], "give an object"),
    ],
)
def test_faults_that_cannot_be_are_named(exchange: RunningExchange, content: Any, words: str):
    with pytest.raises(NiftyFormerError) as error:
        faults_from(content)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    answer = requests.post(f"{exchange.url}/faults", json=content, timeout=5)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert exchange.faults == Faults()


def test_faults_from_the_command_line():
    faults = parse_faults(
        [
            "server_errors=0.2",
            "seed=3",
            "expire_after=20",
            "failing_symbols=DEMO001,DEMO&002",
            "splits=DEMO004:2024-01-05:2,DEMO005:2024-01-08:0.5:broken",
            "renames=DEMO006:DEMONEW:2024-01-05,DEMO007:DEMOOLD",
        ]
    )
    assert faults == Faults(
        seed=3,
        server_errors=0.2,
        expire_after=20,
        failing_symbols=("DEMO001", "DEMO&002"),
        splits=(Split("DEMO004", date(2024, 1, 5), 2), Split("DEMO005", date(2024, 1, 8), 0.5, adjusted=False)),
        renames=(Rename("DEMO006", "DEMONEW", date(2024, 1, 5)), Rename("DEMO007", "DEMOOLD")),
    )
    assert parse_faults([]) == Faults()


@pytest.mark.parametrize(
    "text",
    [
        "server_errors",
        "server_errors=x",
        "unknown=1",
        "splits=DEMO001",
        "splits=DEMO001:2024-01-05:x",
        "splits=DEMO001:2024-01-05:2:brokn",
        "renames=DEMO001:NEW:2024-01-05:more",
        "renames=DEMO001",
    ],
)
def test_a_wrong_word_of_the_command_line_is_named(text: str):
    with pytest.raises(NiftyFormerError, match=text.split("=")[0]):
        parse_faults([text])


def test_a_fault_is_a_function_and_a_field_and_the_help_names_it() -> None:
    of_each = [shares_of(kind) for kind in ("answers", "candles", "stocks")]
    names = [name for shares in of_each for name in shares]
    assert len(set(names)) == len(names) == 12
    for name in names:
        assert name in usage()
        assert faults_from({name: 0.25}) == Faults(**{name: 0.25})
        with pytest.raises(NiftyFormerError, match=f"{name} is a share"):
            faults_from({name: 1.5})


def test_the_help_names_every_field_and_each_example_can_be_said() -> None:
    fields = {field.name: field for field in dataclasses.fields(Faults)}
    for name in fields.keys() - {"seed", "paths"}:
        assert name in usage()
    examples = {
        name: field.metadata["example"].split(" ")[0] for name, field in fields.items() if "example" in field.metadata
    }
    assert examples.keys() >= {"splits", "renames", "failing_symbols", "expire_after"}
    for name, words in examples.items():
        said = getattr(parse_faults([f"{name}={words}"]), name)
        assert said == fields[name].default if name in ("stall_s", "scale") else said


def test_what_is_shown_can_be_given_again() -> None:
    faults = parse_faults(["splits=DEMO001:2024-01-05:2:broken", "renames=A:B:2024-01-05,C:D", "paths=/a,/b"])
    assert faults_from(json.loads(json.dumps(faults.as_json()))) == faults


def test_faults_of_candles_come_one_upon_the_other() -> None:
    candles = [[f"2024-01-{day:02d}", 1.0, 2.0, 0.5, 1.5, 100] for day in range(1, 31)]
    assert Faults().spoilt(candles, "AAA") == candles
    assert Faults(missing_candles=1.0, duplicated_candles=1.0).spoilt(candles, "AAA") == []
    day = candles[0][0]
    wrong = [day, -1.0, -2.0, -0.5, -1.5, 100]
    assert Faults(negative_candles=1.0, duplicated_candles=1.0).spoilt(candles[:1], "AAA") == [wrong, wrong]
    some = Faults(missing_candles=0.5).spoilt(candles, "AAA")
    assert 5 < len(some) < 25
    assert some == [row for row in candles if row in some]

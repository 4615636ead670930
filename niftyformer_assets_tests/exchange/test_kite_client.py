"""The unmodified kiteconnect client against the exchange: what it gets, and what it is refused with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import requests
from dateutil.tz import tzoffset
from kiteconnect import KiteConnect
from kiteconnect.exceptions import GeneralException, InputException, NetworkException, TokenException

from niftyformer_assets.exchange.market import BENCHMARK, BENCHMARK_TOKEN, ServedMarket
from niftyformer_assets.exchange.server import RunningExchange, run_exchange
from niftyformer_assets_tests.exchange.conftest import client, token_of
from niftyformer_assets_tests.shared_data import shared

INDIA = timedelta(hours=5, minutes=30)


def test_login_history_and_logout(exchange: RunningExchange):
    kite = KiteConnect(exchange.api_key, root=exchange.url)
    session = kite.generate_session(exchange.request_token(), exchange.api_secret)
    assert session["access_token"] == kite.access_token
    assert isinstance(session["login_time"], datetime)
    assert kite.profile()["user_id"] == session["user_id"]
    assert kite.historical_data(token_of(kite, "DEMO001"), "2024-01-01", "2024-01-31", "day")
    assert kite.invalidate_access_token() is True
    with pytest.raises(TokenException) as error:
        kite.profile()
    assert error.value.code == 403


def test_a_token_of_another_login_outlives_a_logout(exchange: RunningExchange):
    first, second = client(exchange), client(exchange)
    first.invalidate_access_token()
    assert second.profile()


def test_candles_are_at_midnight_in_india_on_the_right_dates(kite: KiteConnect, market: ServedMarket):
    candles = market.candles["DEMO001"]
    answer = kite.historical_data(
        token_of(kite, "DEMO001"), datetime(2024, 1, 1), datetime(2024, 6, 30, 23, 59, 59), "day"
    )
    assert len(answer) == len(candles)
    for place, candle in enumerate(answer):
        assert candle["date"].utcoffset() == INDIA
        assert candle["date"] == datetime.fromisoformat(str(candles.dates[place])).replace(tzinfo=tzoffset(None, 19800))
        for field in ("open", "high", "low", "close", "volume"):
            assert candle[field] == getattr(candles, field)[place]


def test_from_and_to_are_inclusive(kite: KiteConnect):
    token = token_of(kite, "DEMO001")
    answer = kite.historical_data(token, "2024-01-02", "2024-01-04", "day")
    assert [candle["date"].day for candle in answer] == [2, 3, 4]
    answer = kite.historical_data(token, "2024-01-02 00:00:00", "2024-01-04 00:00:00", "day")
    assert [candle["date"].day for candle in answer] == [2, 3, 4]
    assert kite.historical_data(token, "2024-01-06", "2024-01-07", "day") == []
    assert kite.historical_data(token, "2030-01-01", "2030-02-01", "day") == []


def test_whole_prices_come_without_a_point_and_open_interest_when_asked_for(exchange: RunningExchange):
    kite = client(exchange)
    token = token_of(kite, "DEMO001")
    text = requests.get(
        f"{exchange.url}/instruments/historical/{token}/day",
        params={"from": "2024-01-01", "to": "2024-05-31"},
        headers={"X-Kite-Version": "3", "Authorization": f"token {exchange.api_key}:{kite.access_token}"},
        timeout=5,
    ).text
    assert ".0," not in text
    assert "2024-01-01T00:00:00+0530" in text
    (candle,) = kite.historical_data(token, "2024-01-01", "2024-01-01", "day", oi=True)
    assert candle["oi"] == 0


def test_instruments_have_kites_columns_and_the_index(kite: KiteConnect, market: ServedMarket):
    rows = kite.instruments("NSE")
    with shared("kite_mocks/instruments_nse.csv").open() as stream:
        assert list(rows[0]) == next(csv.reader(stream))
    by_symbol = {row["tradingsymbol"]: row for row in rows}
    assert set(by_symbol) == set(market.instruments)
    assert {"DEMO&002", "DEMO-003"} <= set(by_symbol)
    index = by_symbol[BENCHMARK]
    assert (index["instrument_token"], index["exchange_token"], index["segment"]) == (
        BENCHMARK_TOKEN,
        "1001",
        "INDICES",
    )
    stock = by_symbol["DEMO001"]
    assert (stock["segment"], stock["exchange"], stock["instrument_type"], stock["lot_size"]) == ("NSE", "NSE", "EQ", 1)
    assert stock["instrument_token"] == int(stock["exchange_token"]) * 256 + 1
    assert kite.instruments() == rows


def test_the_index_has_candles_without_volume(kite: KiteConnect):
    candles = kite.historical_data(BENCHMARK_TOKEN, "2024-01-01", "2024-01-31", "day")
    assert len(candles) == 23
    assert {candle["volume"] for candle in candles} == {0}


def test_nses_list_needs_no_login(exchange: RunningExchange, market: ServedMarket):
    answer = requests.get(exchange.index_list_url, timeout=5)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text == market.index_lists["ind_nifty200list.csv"]
    assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 12


def test_without_a_list_the_answer_says_so(market: ServedMarket):
    with run_exchange(ServedMarket(market.instruments, market.candles, {})) as running:
        answer = requests.get(running.index_list_url, timeout=5)
    assert answer.status_code == 404
    assert "without an index list" in answer.text


def test_answers_have_the_fields_of_kites(exchange: RunningExchange):
    login = KiteConnect(exchange.api_key, root=exchange.url).generate_session(
        exchange.request_token(), exchange.api_secret
    )
    known = json.loads(shared("kite_mocks/generate_session.json").read_text())["data"]
    assert set(known) <= set(login)
    known = json.loads(shared("kite_mocks/profile.json").read_text())["data"]
    assert set(known) <= set(client(exchange).profile())


# Refusals


def test_a_request_token_works_once(exchange: RunningExchange):
    kite = KiteConnect(exchange.api_key, root=exchange.url)
    token = exchange.request_token()
    kite.generate_session(token, exchange.api_secret)
    with pytest.raises(TokenException, match="invalid or has expired") as error:
        kite.generate_session(token, exchange.api_secret)
    assert error.value.code == 403


def test_a_wrong_secret_is_a_wrong_checksum_and_costs_no_token(exchange: RunningExchange):
    kite = KiteConnect(exchange.api_key, root=exchange.url)
    token = exchange.request_token()
    with pytest.raises(TokenException, match="Invalid `checksum`"):
        kite.generate_session(token, "wrong")
    assert kite.generate_session(token, exchange.api_secret)


def test_a_wrong_key_is_refused(exchange: RunningExchange):
    kite = KiteConnect("wrong", root=exchange.url)
    with pytest.raises(TokenException, match="Invalid `api_key`"):
        kite.generate_session(exchange.request_token(), exchange.api_secret)
    kite.set_access_token(exchange.access_token())
    with pytest.raises(TokenException, match="Incorrect `api_key` or `access_token`"):
        kite.profile()


def test_a_login_without_a_field_is_refused(exchange: RunningExchange):
    answer = requests.post(f"{exchange.url}/session/token", data={"api_key": exchange.api_key}, timeout=5)
    assert answer.status_code == 400
    assert answer.json() == {"status": "error", "message": "Missing `request_token`.", "error_type": "InputException"}


Ask = Callable[[KiteConnect], object]
ASKS: list[Ask] = [
    lambda kite: kite.profile(),
    lambda kite: kite.instruments("NSE"),
    lambda kite: kite.historical_data(BENCHMARK_TOKEN, "2024-01-01", "2024-01-31", "day"),
]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("token", [None, "wrong"])
def test_without_a_good_token_nothing_is_told(exchange: RunningExchange, ask: Ask, token: str | None):
    kite = KiteConnect(exchange.api_key, root=exchange.url)
    if token:
        kite.set_access_token(token)
    with pytest.raises(TokenException) as error:
        ask(kite)
    assert error.value.code == 403


@pytest.mark.parametrize("version", [None, "2"])
def test_the_version_header_is_needed(exchange: RunningExchange, version: str | None):
    headers = {"Authorization": f"token {exchange.api_key}:{exchange.access_token()}"}
    if version:
        headers["X-Kite-Version"] = version
    answer = requests.get(f"{exchange.url}/user/profile", headers=headers, timeout=5)
    assert answer.status_code == 403
    assert answer.json()["error_type"] == "TokenException"


@pytest.mark.parametrize(
    ("token", "start", "end", "interval", "words"),
    [
        (1, "2024-01-01", "2024-01-31", "day", "invalid token"),
        ("x", "2024-01-01", "2024-01-31", "day", "invalid token"),
        (BENCHMARK_TOKEN, "2024-01-01", "2024-01-31", "minute", "invalid interval"),
        (BENCHMARK_TOKEN, "yesterday", "2024-01-31", "day", "invalid from date"),
        (BENCHMARK_TOKEN, "2024-01-01", "", "day", "invalid to date"),
        (BENCHMARK_TOKEN, "2024-02-01", "2024-01-31", "day", "invalid from date"),
        (BENCHMARK_TOKEN, "2018-01-01", "2023-06-25", "day", "interval exceeds max limit: 2000 days"),
    ],
)
def test_bad_questions_are_input_exceptions(
    kite: KiteConnect, token: int | str, start: str, end: str, interval: str, words: str
):
    with pytest.raises(InputException, match=words) as error:
        kite.historical_data(token, start, end, interval)
    assert error.value.code == 400


def test_2000_days_are_allowed(kite: KiteConnect):
    start = datetime(2018, 12, 10)
    assert kite.historical_data(BENCHMARK_TOKEN, start, start + timedelta(days=2000), "day")
    with pytest.raises(InputException, match="2000 days"):
        kite.historical_data(BENCHMARK_TOKEN, start, start + timedelta(days=2000, seconds=1), "day")


def test_other_exchanges_and_routes_are_refused(exchange: RunningExchange, kite: KiteConnect):
    with pytest.raises(InputException, match="NSE only"):
        kite.instruments("BSE")
    with pytest.raises(GeneralException, match="Route not found") as error:
        kite.orders()
    assert error.value.code == 404

    answer = requests.put(f"{exchange.url}/session/token", timeout=5)
    assert answer.json() == {"status": "error", "message": "Method not allowed", "error_type": "GeneralException"}
    assert answer.status_code == 405


# Rate limits


def test_three_histories_a_second_and_no_more(market: ServedMarket):
    with run_exchange(market) as running:
        kite = client(running)
        outcomes = []
        for _ in range(5):
            try:
                kite.historical_data(BENCHMARK_TOKEN, "2024-01-01", "2024-01-05", "day")
                outcomes.append(200)
            except NetworkException as error:
                outcomes.append(error.code)
                assert str(error) == "Too many requests"
        assert outcomes == [200, 200, 200, 429, 429]
        assert running.traffic.over_limit == 2
        assert running.traffic.by_symbol == {BENCHMARK: 5}
        times = [arrival.time_s for arrival in running.traffic.arrivals]
        assert times == sorted(times)


def test_the_window_slides_and_the_refused_do_not_count(monkeypatch: pytest.MonkeyPatch):
    from niftyformer_assets.exchange import traffic

    moment = [0.0]
    monkeypatch.setattr(traffic.time, "monotonic", lambda: moment[0])
    window = traffic.SlidingWindow(3)
    admitted = []
    for moment[0] in (0.0, 0.4, 0.8, 0.9, 0.94, 1.0, 1.1, 1.5, 1.8, 1.9):
        admitted.append(window.admits("key"))
    assert admitted == [True, True, True, False, False, True, False, True, True, False]
    assert window.admits("another key")


def test_the_limit_is_kites_answer(market: ServedMarket):
    with run_exchange(market, historical_per_second=1) as running:
        headers = {"X-Kite-Version": "3", "Authorization": f"token {running.api_key}:{running.access_token()}"}
        url = f"{running.url}/instruments/historical/{BENCHMARK_TOKEN}/day?from=2024-01-01&to=2024-01-05"
        answers = [requests.get(url, headers=headers, timeout=5) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json() == {
        "status": "error",
        "message": "Too many requests",
        "error_type": "NetworkException",
    }


def test_other_requests_have_a_limit_of_their_own(market: ServedMarket):
    with run_exchange(market) as running:
        kite = client(running)
        for _ in range(10):
            kite.profile()
        with pytest.raises(NetworkException, match="Too many requests"):
            kite.profile()
        assert kite.historical_data(BENCHMARK_TOKEN, "2024-01-01", "2024-01-05", "day")


# The login page


def test_the_login_page_redirects_with_a_request_token(market: ServedMarket):
    with run_exchange(market, redirect_url="http://127.0.0.1:9/kite?from=test") as running:
        answer = requests.get(running.login_url, allow_redirects=False, timeout=5)
        assert answer.status_code == 302
        target, _, query = answer.headers["location"].partition("?")
        assert target == "http://127.0.0.1:9/kite"
        fields = dict(field.split("=") for field in query.split("&"))
        assert fields["from"] == "test"
        assert fields["status"] == "success"
        kite = KiteConnect(running.api_key, root=running.url)
        assert kite.generate_session(fields["request_token"], running.api_secret)


def test_the_login_page_takes_a_loopback_redirect_only(exchange: RunningExchange):
    for url, status in (("http://127.0.0.1:9/", 302), ("http://elsewhere.example/", 400)):
        answer = requests.get(exchange.login_url, params={"redirect_url": url}, allow_redirects=False, timeout=5)
        assert answer.status_code == status


def test_the_login_page_shows_the_token_where_no_redirect_is_set(exchange: RunningExchange):
    answer = requests.get(exchange.login_url, timeout=5)
    token = answer.text.split("<code>")[1].split("</code>")[0]
    assert KiteConnect(exchange.api_key, root=exchange.url).generate_session(token, exchange.api_secret)


def test_the_login_page_refuses_a_wrong_key(exchange: RunningExchange):
    answer = requests.get(f"{exchange.url}/connect/login?v=3&api_key=wrong", timeout=5)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")

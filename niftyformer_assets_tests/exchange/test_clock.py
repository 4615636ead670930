"""What is known of the market at a moment, and how long tokens live."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from kiteconnect import KiteConnect
from kiteconnect.exceptions import InputException, TokenException

from niftyformer_assets.exchange.clock import IST, known_at, token_expiry
from niftyformer_assets.exchange.market import Candles, ServedMarket
from niftyformer_assets.exchange.server import run_exchange
from niftyformer_assets_tests.exchange.conftest import client, token_of

# Two sessions, a Thursday and a Friday.
CANDLES = Candles(
    np.array(["2024-01-04", "2024-01-05"], dtype="datetime64[D]"),
    open=np.array([10.0, 100.0]),
    high=np.array([12.0, 110.0]),
    low=np.array([9.0, 80.0]),
    close=np.array([11.0, 90.0]),
    volume=np.array([500, 1000]),
)


def at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2024, 1, day, hour, minute, tzinfo=IST)


@pytest.mark.parametrize(
    ("moment", "sessions", "last"),
    [
        (at(4, 9, 0), 0, None),
        (at(5, 9, 14), 1, (10, 12, 9, 11, 500)),
        (at(5, 9, 15), 2, (100, 100, 100, 100, 0)),
        (at(5, 12, 22), 2, (100, 104.99, 90.03, 95.01, 498)),  # 187 of the session's 375 minutes
        (at(5, 15, 30), 2, (100, 110, 80, 90.2, 980)),
        (at(6, 5, 59), 2, (100, 110, 80, 90.2, 980)),
        (at(6, 6, 0), 2, (100, 110, 80, 90, 1000)),
        (at(5, 3, 0), 1, (10, 12, 9, 10.98, 490)),
    ],
)
def test_a_candle_grows_and_becomes_final_the_next_morning(
    moment: datetime, sessions: int, last: tuple[float, ...] | None
):
    known = known_at(CANDLES, moment)
    assert len(known) == sessions
    if last is not None:
        values = [getattr(known, field)[-1] for field in ("open", "high", "low", "close", "volume")]
        assert values == pytest.approx(last, abs=0.005)


def test_the_moment_is_read_in_india():
    assert len(known_at(CANDLES, datetime.fromisoformat("2024-01-05T03:44:00+00:00"))) == 1
    assert len(known_at(CANDLES, datetime.fromisoformat("2024-01-05T03:45:00+00:00"))) == 2


def test_a_token_dies_at_six_in_the_morning():
    assert token_expiry(at(5, 9, 15)) == at(6, 6, 0)
    assert token_expiry(at(5, 5, 59)) == at(5, 6, 0)
    assert token_expiry(at(5, 6, 0)) == at(6, 6, 0)


def test_time_passes_on_the_exchange(market: ServedMarket):
    moment = [datetime(2024, 2, 1, 12, 0, tzinfo=IST)]
    with run_exchange(market, now=lambda: moment[0], historical_per_second=None) as running:
        kite = client(running)
        request_token = running.request_token()
        symbols = {row["tradingsymbol"] for row in kite.instruments("NSE")}
        assert "DEMO012" not in symbols  # it lists at session 60, in late March
        token = token_of(kite, "DEMO001")
        partial = kite.historical_data(token, "2024-01-31", "2024-02-09", "day")
        assert [candle["date"].day for candle in partial] == [31, 1]

        moment[0] += timedelta(minutes=5)
        with pytest.raises(TokenException, match="expired"):
            KiteConnect(running.api_key, root=running.url).generate_session(request_token, running.api_secret)
        moment[0] = datetime(2024, 2, 2, 6, 0, tzinfo=IST)
        with pytest.raises(TokenException):
            kite.profile()
        kite = client(running)
        (final,) = kite.historical_data(token, "2024-02-01", "2024-02-09", "day")
        assert final["volume"] > partial[-1]["volume"]
        place = np.searchsorted(market.candles["DEMO001"].dates, np.datetime64("2024-02-01"))
        assert final["close"] == market.candles["DEMO001"].close[place]

        moment[0] = datetime(2024, 5, 1, 12, 0, tzinfo=IST)
        assert "DEMO012" in {row["tradingsymbol"] for row in client(running).instruments("NSE")}


def test_a_stock_that_does_not_trade_yet_has_no_token(market: ServedMarket):
    with run_exchange(market, now=datetime(2024, 2, 1, 12, 0, tzinfo=IST)) as running:
        kite, token = client(running), market.instruments["DEMO012"].token
        with pytest.raises(InputException, match="invalid token"):
            kite.historical_data(token, "2024-01-01", "2024-02-01", "day")


def test_a_time_without_a_timezone_is_refused(market: ServedMarket):
    with pytest.raises(ValueError, match="timezone"), run_exchange(market, now=datetime(2024, 2, 1)):
        pass

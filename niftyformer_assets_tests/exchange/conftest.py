"""A small made-up market, the exchange that serves it, and the real client."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from kiteconnect import KiteConnect

from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.made_up import make_market
from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.exchange.server import RunningExchange, run_exchange
from niftyformer_assets.exchange.settings import MadeUpSettings

SMALL = MadeUpSettings(stocks=12, late_listings=2, listing_gap=30)


def weekdays(start: str, stop: str) -> np.ndarray:
    """Monday to Friday of a span: exchange tests need sessions, not a calendar."""
    days = np.arange(start, stop, dtype="datetime64[D]")
    return days[np.is_busday(days)]


def client(running: RunningExchange) -> KiteConnect:
    """The unmodified client, signed in."""
    kite = KiteConnect(running.api_key, root=running.url)
    kite.set_access_token(running.access_token())
    return kite


def token_of(kite: KiteConnect, symbol: str) -> int:
    """The token that the instruments list gives a symbol."""
    return next(int(row["instrument_token"]) for row in kite.instruments("NSE") if row["tradingsymbol"] == symbol)


@pytest.fixture(scope="session")
def market() -> ServedMarket:
    return make_market(weekdays("2024-01-01", "2024-06-01"), SMALL)


@pytest.fixture(scope="session")
def running(market: ServedMarket) -> Iterator[RunningExchange]:
    with run_exchange(market, historical_per_second=None) as running:
        yield running


@pytest.fixture
def exchange(running: RunningExchange) -> RunningExchange:
    """As if it had just been started."""
    running.faults = Faults()
    running.traffic.clear()
    return running


@pytest.fixture
def kite(exchange: RunningExchange) -> KiteConnect:
    return client(exchange)

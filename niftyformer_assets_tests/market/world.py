"""A small exchange with a clock, and an ingest from it: what tests of fetching start from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

import pandas as pd

from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.made_up import make_market
from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.exchange.server import RunningExchange, run_exchange
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.market.asking import IngestSettings
from niftyformer_assets.market.calendar import IST, sessions
from niftyformer_assets.market.candle_files import read_candle_file
from niftyformer_assets.market.ingest import Failed, Fetched, Outcome, ingest
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.store.workspace import Workspace

START = date(2024, 1, 1)
QUICK = IngestSettings(history_start=START, backoff_s=0.005, requests_per_second=500)


@lru_cache
def made_up(stocks: int = 10, first: date = START, last: date = date(2024, 6, 28)) -> ServedMarket:
    return make_market(sessions(first, last), MadeUpSettings(stocks=stocks, late_listings=2))


def at(day: str, hour: str = "18:00") -> datetime:
    """A moment in India."""
    return datetime.fromisoformat(f"{day}T{hour}:00").replace(tzinfo=IST)


class World:
    """An exchange, a workspace, and the time, which tests move."""

    def __init__(self, exchange: RunningExchange, folder: Path) -> None:
        self.exchange = exchange
        self.workspace = Workspace(folder, "test")
        self.token = exchange.access_token()
        self.logs_in_daily = True
        self.settings = QUICK
        self.symbols: Sequence[str] = sorted(exchange.exchange.market.candles.keys() - {"NIFTY 50"})

    def session(self) -> KiteSession:
        return KiteSession(self.exchange.api_key, self.token, root=self.exchange.url, timeout_s=self.settings.timeout_s)

    def pacer(self, settings: IngestSettings | None = None) -> Pacer:
        return Pacer(self.workspace.data / "pace", (settings or self.settings).requests_per_second)

    def ingest(self, now: datetime, symbols: Sequence[str] | None = None, **changes: object) -> dict[str, Outcome]:
        """Outcomes by symbol; `requests` says what it cost."""
        self.exchange.traffic.clear()
        if self.logs_in_daily:
            self.token = self.exchange.access_token()
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        outcomes = ingest(symbols or self.symbols, self.workspace, self.session, self.pacer(settings), settings, now)
        return {outcome.symbol: outcome for outcome in outcomes}

    @property
    def requests(self) -> int:
        return len(self.exchange.traffic.arrivals)

    def candles(self, symbol: str) -> pd.DataFrame:
        return read_candle_file(self.workspace.candles(symbol)).candles

    def content(self) -> dict[str, bytes]:
        """Bytes of every file of candles."""
        return {path.name: path.read_bytes() for path in sorted(self.workspace.raw.glob("*.parquet"))}


class Clock:
    """The exchange's time, moved by assignment."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def world(
    folder: Path,
    now: datetime,
    faults: Faults | None = None,
    market: ServedMarket | None = None,
    historical_per_second: int | None = None,
) -> Iterator[tuple[World, Clock]]:
    clock = Clock(now)
    with run_exchange(
        market or made_up(), now=clock, faults=faults, historical_per_second=historical_per_second
    ) as exchange:
        yield World(exchange, folder), clock


def kinds(outcomes: dict[str, Outcome]) -> set[str]:
    return {outcome.kind if isinstance(outcome, Fetched) else "failed" for outcome in outcomes.values()}


def failures(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {symbol: outcome.reason for symbol, outcome in outcomes.items() if isinstance(outcome, Failed)}

"""The market as it shows at a moment: what is listed then, and candles with the faults in force."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from niftyformer_assets.exchange.clock import IST, known_at
from niftyformer_assets.exchange.faults import Faults, Rename, Split
from niftyformer_assets.exchange.market import BENCHMARK, Candles, Instrument, ServedMarket, csv_text, token_of
from niftyformer_assets.indices import DEFAULT, INDICES

COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)


@dataclass(frozen=True)
class Listing:
    """An instrument as it is listed, and the symbol under which the market keeps its candles."""

    instrument: Instrument
    origin: str

    def goes_by(self, symbol: str) -> bool:
        """Whether `symbol` is its present or its former name."""
        return symbol in (self.instrument.symbol, self.origin)


@dataclass(frozen=True, eq=False)
class View:
    """A market with faults, at a moment. Without one (None) everything in the market has happened."""

    market: ServedMarket
    faults: Faults
    moment: datetime | None

    @property
    def today(self) -> date | None:
        return self.moment.astimezone(IST).date() if self.moment is not None else self.market.last_session

    def listings(self) -> dict[int, Listing]:
        """What is listed, by token: all that has traded by now, under the names of now."""
        renames = {rename.old: rename for rename in self.faults.renames if self._in_force(rename)}
        taken = {instrument.token for instrument in self.market.instruments.values()}
        listings: dict[int, Listing] = {}
        for symbol, instrument in self.market.instruments.items():
            dates = self.market.candles[symbol].dates
            if self.moment is not None and len(dates) and dates[0] > np.datetime64(str(self.today), "D"):
                continue
            if symbol in renames:
                new = renames[symbol].new
                instrument = Instrument(token_of(new, taken), new, instrument.name, instrument.segment)
                taken.add(instrument.token)
            listings[instrument.token] = Listing(instrument, symbol)
        return listings

    def instruments_csv(self) -> str:
        """Kite's instruments list, without what the faults leave out of it."""
        listed = [
            listing.instrument
            for listing in self.listings().values()
            if not self.faults.hits("shortened_instruments", listing.origin)
        ]
        return csv_text([COLUMNS, *(_row(instrument) for instrument in listed)])

    def index_list(self, file: str = INDICES[DEFAULT].list_file) -> str | None:
        """NSE's list of this file name; a rename in force shows in it."""
        text = self.market.index_lists.get(file)
        renames = {rename.old: rename.new for rename in self.faults.renames if self._in_force(rename)}
        if text is None or not renames:
            return text
        rows = list(csv.reader(io.StringIO(text, newline="")))
        column = [name.strip().lower() for name in rows[0]].index("symbol")
        for row in rows[1:]:
            if len(row) > column:
                row[column] = renames.get(row[column], row[column])
        return csv_text(rows)

    def candles(self, listing: Listing, start: date, end: date) -> list[list[object]]:
        """Rows [timestamp, open, high, low, close, volume] from `start` through `end`, as Kite gives them."""
        candles = self.market.candles[self._whose(listing.origin)]
        for split in self.faults.splits:
            if listing.goes_by(split.symbol) and self._in_force(split):
                candles = _after_split(candles, split)
        if self.moment is not None:
            candles = known_at(candles, self.moment)
        if self.faults.hits("scaled_stocks", listing.origin):
            candles = _scaled(candles, self.faults.scale)
        first = int(np.searchsorted(candles.dates, np.datetime64(start, "D"), side="left"))
        stop = int(np.searchsorted(candles.dates, np.datetime64(end, "D"), side="right"))
        asked = candles.take(slice(first, max(first, stop)))
        days = asked.dates.astype(str).tolist()
        values = (asked.open, asked.high, asked.low, asked.close, asked.volume)
        columns = [[_plain(value) for value in column.tolist()] for column in values]
        rows = [[f"{day}T00:00:00+0530", *row] for day, *row in zip(days, *columns, strict=True)]
        return self.faults.spoilt(rows, listing.origin)

    def _whose(self, symbol: str) -> str:
        """The symbol whose candles are given for this one."""
        if not self.faults.hits("swapped_stocks", symbol):
            return symbol
        symbols = sorted(self.market.candles.keys() - {BENCHMARK, symbol}) or [symbol]
        return next((other for other in symbols if other > symbol), symbols[0])

    def _in_force(self, change: Split | Rename) -> bool:
        start = change.ex_date if isinstance(change, Split) else change.since
        return start is None or (self.today is not None and self.today >= start)


def _scaled(candles: Candles, scale: float) -> Candles:
    def price(values: np.ndarray) -> np.ndarray:
        return np.round(values * scale, 2)

    prices = price(candles.open), price(candles.high), price(candles.low), price(candles.close)
    return Candles(candles.dates, *prices, candles.volume)


def _after_split(candles: Candles, split: Split) -> Candles:
    after = candles.dates >= np.datetime64(split.ex_date, "D")
    ratio = np.where(after | split.adjusted, split.ratio, 1.0)

    def price(values: np.ndarray) -> np.ndarray:
        return np.round(values / ratio, 2)

    volume = np.rint(candles.volume * ratio).astype(np.int64)
    return Candles(
        candles.dates, price(candles.open), price(candles.high), price(candles.low), price(candles.close), volume
    )


def _row(instrument: Instrument) -> tuple[object, ...]:
    tick, lot = ("0.0", 0) if instrument.segment == "INDICES" else ("0.05", 1)
    known = (instrument.token, instrument.exchange_token, instrument.symbol, instrument.name)
    return (*known, "0.0", "", "0.0", tick, lot, "EQ", instrument.segment, "NSE")


def _plain(value: float | int) -> float | int:
    """Kite writes a whole price without a decimal point."""
    return int(value) if value == int(value) else value

"""What the exchange serves: instruments, their daily candles, and NSE's index lists."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

BENCHMARK = "NIFTY 50"
BENCHMARK_TOKEN = 256265  # Kite's own


@dataclass(frozen=True, eq=False)
class Candles:
    """Daily candles of one instrument, one element a session, in the order of the sessions.

    dates: datetime64[D] [T], strictly increasing; prices float64 [T] in rupees; volume int64 [T]
    in shares (0 for an index). There is no missing value: a session without a candle has no element.
    """

    dates: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    def __len__(self) -> int:
        return len(self.dates)

    def take(self, places: slice | np.ndarray) -> Candles:
        """The candles at these places."""
        return Candles(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Instrument:
    """One row of Kite's instruments list."""

    token: int
    symbol: str
    name: str
    segment: str = "NSE"

    @property
    def exchange_token(self) -> int:
        return self.token // 256


@dataclass(frozen=True, eq=False)
class ServedMarket:
    """All that is traded.

    instruments and candles have the same keys, the symbols. `index_lists` are the texts that NSE
    publishes (`Company Name,Industry,Symbol,Series,ISIN Code`) by the names of their files.
    """

    instruments: Mapping[str, Instrument]
    candles: Mapping[str, Candles]
    index_lists: Mapping[str, str]

    @property
    def last_session(self) -> date | None:
        """The latest session that any instrument has a candle of."""
        ends = [candles.dates[-1] for candles in self.candles.values() if len(candles)]
        return max(ends).astype(object) if ends else None


def instruments_of(names: Mapping[str, str]) -> dict[str, Instrument]:
    """Instruments for symbols (symbol -> company name); a symbol's token hardly depends on the others."""
    instruments: dict[str, Instrument] = {}
    for symbol in sorted(names):
        if symbol == BENCHMARK:
            instruments[symbol] = Instrument(BENCHMARK_TOKEN, symbol, names[symbol], "INDICES")
        else:
            token = token_of(symbol, {instrument.token for instrument in instruments.values()})
            instruments[symbol] = Instrument(token, symbol, names[symbol])
    return instruments


def token_of(symbol: str, taken: Iterable[int] = ()) -> int:
    """A token in the form of Kite's for NSE stocks: 256 × the exchange's number + 1."""
    used = set(taken)
    number = 100_000 + zlib.crc32(symbol.encode()) % 8_000_000
    while number * 256 + 1 in used:
        number += 1
    return number * 256 + 1


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV with plain line ends."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()

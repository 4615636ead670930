"""The raw candles of one symbol: their types, their file, and what is noted beside them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from niftyformer_assets.store.errors import NiftyFormerError, damaged
from niftyformer_assets.store.tables import read_arrow, read_notes, write_arrow

log = logging.getLogger(__name__)

PRICES = ("open", "high", "low", "close")
COLUMNS = ("date", *PRICES, "volume")
SCHEMA = pa.schema(
    [
        ("date", pa.timestamp("ms")),
        *((price, pa.float64()) for price in PRICES),
        ("volume", pa.int64()),
    ]
)
# How many re-adjustments of history a file remembers.
_KEPT_CHANGES = 20


@dataclass(frozen=True, eq=False)
class CandleFile:
    """What is on disk for one symbol.

    candles: (date datetime64[ms], open, high, low, close float64, volume int64), as Kite gave them:
        what is wrong with them is for the quality report to say.
    asked_from, through: the dates that were asked for. The last candle may be earlier.
    final_through: the last session whose close was final when it was asked for.
    reason: why there are no candles, or why they end.
    unlisted: Kite no longer lists the symbol.
    changes: re-adjustments of history, oldest first.
    settled: how many doubtful things in these candles (`refresh.doubts`) Kite has confirmed later.
    series: NSE's series that they come from: "" for EQ, "BE" or "BZ" for stocks under surveillance.
    joined: the first session of that series, where those before it come from another one.
    breaks: sessions from which on nothing shows that candles are adjusted as those before them.
    isin: of the stock, as the index lists had it when these were fetched; "" where no list told.
    """

    candles: pd.DataFrame
    asked_from: date
    through: date
    final_through: date
    reason: str = ""
    unlisted: bool = False
    changes: tuple[str, ...] = ()
    settled: int = 0
    series: str = ""
    joined: date | None = None
    breaks: tuple[date, ...] = ()
    isin: str = ""

    @property
    def rows(self) -> int:
        return len(self.candles)

    @property
    def first(self) -> date | None:
        return _as_date(self.candles["date"].min()) if self.rows else None

    @property
    def last(self) -> date | None:
        return _as_date(self.candles["date"].max()) if self.rows else None

    def with_change(self, change: str) -> CandleFile:
        return replace(self, changes=(*self.changes, change)[-_KEPT_CHANGES:])


def _as_date(stamp: pd.Timestamp) -> date:
    return stamp.date()


def from_rows(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Candles from rows (date, open, high, low, close, volume) in the types that are stored.

    Kite writes whole-number prices as integers; they become float64 here.

    Raises:
        TypeError, ValueError, OverflowError: a field is not a number.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    prices = {name: np.array([_number(v) for v in columns[1 + n]], dtype=np.float64) for n, name in enumerate(PRICES)}
    return pd.DataFrame(
        {
            "date": np.array(columns[0], dtype="datetime64[ms]"),
            **prices,
            "volume": np.array([int(_number(v)) for v in columns[5]], dtype=np.int64),
        }
    )


def _number(value: Any) -> float:
    # bool and text convert silently, and neither is a price.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not a number")
    if not np.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def read_candle_file(path: Path) -> CandleFile:
    """Read what `write_candle_file` wrote.

    Raises:
        DamagedError: it is not the file that was written, or no file of candles.
        NiftyFormerError: it is missing, or cannot be read now, which says nothing about what is in it.
    """
    table, notes = read_arrow(path)
    try:
        candles = table.to_pandas()
        if tuple(candles.columns) != COLUMNS:
            raise ValueError(f"columns {', '.join(map(str, candles.columns))}")
        candles = candles.astype({"date": "datetime64[ms]", **dict.fromkeys(PRICES, "float64"), "volume": "int64"})
        return CandleFile(
            candles=candles,
            asked_from=date.fromisoformat(notes["asked_from"]),
            through=date.fromisoformat(notes["through"]),
            final_through=date.fromisoformat(notes["final_through"]),
            reason=notes.get("reason", ""),
            unlisted="unlisted" in notes,
            changes=tuple(notes["changes"].split("\n")) if notes.get("changes") else (),
            settled=int(notes.get("settled", 0)),
            series=notes.get("series", ""),
            joined=date.fromisoformat(notes["joined"]) if "joined" in notes else None,
            breaks=_breaks(notes),
            isin=notes.get("isin", ""),
        )
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise damaged(path, error) from error


def has_candles(path: Path) -> bool:
    """Does the file hold candles? False if it is missing or damaged."""
    try:
        return bool(read_arrow(path, ["date"])[0].num_rows)
    except NiftyFormerError:
        return False


def is_listed_with_candles(path: Path) -> bool:
    """Does the file hold candles of a symbol that Kite listed when it was written? False if it is damaged."""
    try:
        table, notes = read_arrow(path, ["date"])
    except NiftyFormerError:
        return False
    return bool(table.num_rows) and "unlisted" not in notes


def write_candle_file(path: Path, file: CandleFile) -> None:
    """Write atomically; the same candles and notes give the same bytes."""
    notes = {
        "asked_from": file.asked_from.isoformat(),
        "through": file.through.isoformat(),
        "final_through": file.final_through.isoformat(),
    }
    if file.reason:
        notes["reason"] = file.reason
    if file.unlisted:
        notes["unlisted"] = "yes"
    if file.changes:
        notes["changes"] = "\n".join(file.changes)
    if file.settled:
        notes["settled"] = str(file.settled)
    if file.series:
        notes["series"] = file.series
    if file.joined:
        notes["joined"] = file.joined.isoformat()
    if file.isin:
        notes["isin"] = file.isin
    if file.breaks:
        notes["breaks"] = " ".join(day.isoformat() for day in file.breaks)
    write_arrow(path, pa.Table.from_pandas(file.candles, schema=SCHEMA, preserve_index=False), notes)


def load_candles(paths: Mapping[str, Path]) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """The candles of many symbols, and for each symbol without any the reason.

    A damaged file does not stop the others: its symbol has no candles, and the reason names it.
    """
    candles: dict[str, pd.DataFrame] = {}
    reasons: dict[str, str] = {}
    for symbol, path in sorted(paths.items()):
        if not path.is_file():
            reasons[symbol] = "not fetched yet"
            continue
        try:
            file = read_candle_file(path)
        except NiftyFormerError as error:
            # Aloud, for a panel has no place to say it in.
            log.warning("%s is left out: %s", symbol, error)
            reasons[symbol] = str(error)
            continue
        if file.rows:
            candles[symbol] = file.candles
        else:
            reasons[symbol] = file.reason or "no candles"
    return candles, reasons


def readjustments(paths: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """What Kite changed in the history of each symbol, oldest first; symbols without changes are left out."""
    changes: dict[str, tuple[str, ...]] = {}
    for symbol, path in sorted(paths.items()):
        try:
            noted = read_notes(path).get("changes")
        except NiftyFormerError:
            continue
        if noted:
            changes[symbol] = tuple(noted.split("\n"))
    return changes


def load_breaks(paths: Mapping[str, Path]) -> dict[str, tuple[date, ...]]:
    """The breaks noted beside the candles of the symbols that have any; a damaged file has none."""
    found: dict[str, tuple[date, ...]] = {}
    for symbol, path in paths.items():
        try:
            breaks = _breaks(read_notes(path)) if path.is_file() else ()
        except (NiftyFormerError, ValueError):
            continue
        if breaks:
            found[symbol] = breaks
    return found


def _breaks(notes: Mapping[str, str]) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in notes.get("breaks", "").split())

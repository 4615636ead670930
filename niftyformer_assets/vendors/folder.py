"""A folder of daily candles, whoever wrote it: its format is decided from all files, then all are read by it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.by_field import files_by_field, joined_tables
from niftyformer_assets.vendors.dates import OpenDateError, read_dates
from niftyformer_assets.vendors.files import Table, cell, tables_in
from niftyformer_assets.vendors.headings import BSE, PRICES, vendor_of
from niftyformer_assets.vendors.names import INDEX, cleaned, is_symbol, some, without_common
from niftyformer_assets.vendors.numbers import PLAIN, Style
from niftyformer_assets.vendors.origins import ENDINGS, Origin, counted, files_of, problem
from niftyformer_assets.vendors.parts import SERIES, OtherStyleError, Part, decide_numbers, part_of, settle

# Files read at once: most of the time goes into parsing, for which threads do not wait for each other.
_READERS = 4
# Columns without headings are in the order that they are taken for if so many candles have the high above the low.
_MIN_IN_ORDER = 0.95


@dataclass(frozen=True, eq=False)
class Daily:
    """Daily candles of one symbol, in the order of their sessions.

    dates: datetime64[D] [T], strictly increasing; prices float64 [T] in rupees; volume int64 [T] in shares;
    previous_close: float64 [T], the close of the session before as the source gives it; None where it does not.
    """

    dates: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    previous_close: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class CandleFolder:
    """What a folder holds, and how it was read.

    candles: by symbol, that of the index `names.INDEX`.
    recognised: the format in one line. told: what a person should know besides.
    """

    candles: dict[str, Daily]
    recognised: str
    told: tuple[str, ...] = ()


def read_folder(folder: Path, adjusted_close: bool = False) -> CandleFolder:
    """Read a folder of daily candles: files of one symbol, of one day, or long tables.

    Files of one symbol are joined where their names differ in a span of time, a copy's number or the folder only.
    A candle that several files have is taken once where all its values are the same.

    Rows without any price are no candles. Where a series is told, only EQ counts. Prices are as written:
    whether they make sense is for others to say.

    Args:
        adjusted_close: multiply prices by adjusted close / close.

    Raises:
        NiftyFormerError: one line that names the folder, or the file with its column and line: it cannot
            be read, lacks a column, has a session twice, or can be read in two ways.
    """
    files = files_of(folder)
    parts, style, ignored = _parts(files.origins)
    stocks = [part for part in parts if not part.is_index]
    if not stocks:
        raise NiftyFormerError(
            f"{folder} holds no SYMBOL.csv of a stock: put one CSV of daily candles a stock there, or files with a "
            f"column Symbol (CSV, JSON or Parquet).{_left_out(ignored)}{_not_read(files.others)}"
        )
    names, told = _names(parts)
    series = sum((part.series for part in stocks), Counter[str]())
    if series and not any(map(len, stocks)):
        raise NiftyFormerError(
            f"{folder} has no row of series {SERIES}, only of {some(series)}: give NSE's files of its capital market."
        )
    if adjusted_close:
        _adjust(stocks)
    days, words = _days(parts)
    told += _told(stocks, series, adjusted_close)
    recognised = f"{folder} is read as {_layout(stocks)}; dates: {words}; numbers: {style.example}"
    candles, repeated = _candles(parts, names, days)
    if repeated:
        told.append(f"candles that several files have with the same values, taken once: {repeated:,}.")
    if ignored:
        told.append(_left_out(ignored).strip())
    if files.others:
        told.append(_not_read(files.others).strip())
    return CandleFolder(candles, recognised, tuple(told))


def _left_out(ignored: Sequence[str]) -> str:
    return f" {some(counted(ignored))}: no candles, left out." if ignored else ""


def _not_read(others: Sequence[str]) -> str:
    kinds = f"{', '.join(ENDINGS)}, .gz, .bz2, .xz or .zip"
    return f" Not read: {some(others)}. Candles are {kinds}: save others as CSV." if others else ""


def read_index(path: Path) -> Daily:
    """Read one file of an index: what it lacks of open, high and low is its close, of volume 0.

    Raises:
        NiftyFormerError: as for `read_folder`.
    """
    parts, _, _ = _parts([Origin(path)], is_index=True)
    symbols = {text for part in parts if part.symbols is not None for text in part.symbols[1]}
    if len(parts) != 1 or len(symbols) > 1:
        held = "several indices or stocks" if parts else "no table of dates and closes"
        raise problem(path, f"holds {held}", "Give candles of the index alone, as a CSV of Date and Close")
    parts[0].symbols = None
    return _candles(parts, [{"": INDEX}], _days(parts)[0])[0][INDEX]


def _parts(origins: Sequence[Origin], is_index: bool = False) -> tuple[list[Part], Style, list[str]]:
    """The tables of all files with their numbers, the style of these, and the names of files without candles."""
    try:
        parts, ignored = _parts_as(origins, True, is_index)
        style = PLAIN
    except OtherStyleError:
        parts, ignored = _parts_as(origins, False, is_index)
        style = decide_numbers(parts)
    for part in parts:
        settle(part)
        _must_be_in_order(part)
    return parts, style, ignored


def _must_be_in_order(part: Part) -> None:
    """Refuse a table without headings whose columns are not open, high, low and close in turn."""
    if part.table.columns.told or not len(part):
        return
    low, high = part.floats["low"], part.floats["high"]
    inside = [(low <= part.floats[name]) & (part.floats[name] <= high) for name in ("open", "close")]
    if np.logical_and(*inside).mean() < _MIN_IN_ORDER:
        raise problem(
            part.table.origin,
            "has no headings, and its columns are not Date, Open, High, Low, Close, Volume in this order",
            "Write the headings in its first line",
        )


def _parts_as(origins: Sequence[Origin], plain: bool, is_index: bool) -> tuple[list[Part], list[str]]:
    groups, others = ([], origins) if is_index else files_by_field(origins)
    parts = [part_of(table, plain) for group in groups for table in joined_tables(group)]
    ignored = []
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(lambda origin: _parts_in(origin, plain, is_index, bool(groups)), others)
        for origin, of_file in zip(others, found, strict=True):
            parts += of_file
            if not of_file:
                ignored.append(origin.file_name)
    kinds = {part.symbols is not None: part.table.origin for part in parts if not part.is_index}
    if len(kinds) > 1:
        raise problem(kinds[True], f"has a column of symbols and {kinds[False]} has none", "Keep them in folders apart")
    return parts, ignored


def _parts_in(origin: Origin, plain: bool, is_index: bool, by_field: bool) -> list[Part]:
    """The tables of a file; none if it holds something else than candles."""
    tables = tables_in(origin)
    return [part_of(table, plain, is_index) for table in tables if is_index or not _is_something_else(table, by_field)]


def _is_something_else(table: Table, by_field: bool) -> bool:
    """A list of symbols, as of an index; a table of none of the fields that others are of; or, where it is not called
    CSV or JSON, one without prices."""
    fields = table.columns.places.keys()
    if by_field and not fields & set(PRICES):
        return True
    if "symbol" in fields and not fields & {"date", *PRICES}:
        return True
    index = cleaned(table.name) == INDEX
    return table.origin.kind not in (".csv", ".json") and not index and not fields & {"open", "high", "low"}


def _names(parts: Sequence[Part]) -> tuple[list[dict[str, str]], list[str]]:
    """For each part the symbol of each of its texts (or more); of one that is of a single symbol, of "".

    And what a person should know of them.

    Raises:
        NiftyFormerError: two files are for one symbol under names that differ in more than a span of time.
    """
    single = [part for part in parts if part.symbols is None]
    stocks = [part.table.name for part in single if not part.is_index]
    long = [text for part in parts if part.symbols is not None for text in part.symbols[1]]
    symbols, told = _symbols_in(dict.fromkeys([*stocks, *long]))
    seen: dict[str, list[Part]] = {}
    for part in single:
        before = seen.setdefault(INDEX if part.is_index else symbols[part.table.name], [])
        if before and before[0].table.name != part.table.name:
            symbol, other = symbols.get(part.table.name, INDEX), before[0].table.origin
            raise NiftyFormerError(f"{part.table.origin} and {other} are both for {symbol}: remove one of them.")
        before.append(part)
    files = {symbol: list(dict.fromkeys(str(part.table.origin) for part in found)) for symbol, found in seen.items()}
    if several := {symbol: found for symbol, found in files.items() if len(found) > 1}:
        symbol, found = next(iter(several.items()))
        origins = " and ".join(found[:2])
        more = f", and so are those of {len(several) - 1} other symbols" if len(several) > 1 else ""
        told.append(f"{len(found)} files of {symbol} are joined ({origins}{' …' if len(found) > 2 else ''}){more}.")
    index = {"": INDEX}
    return [
        symbols if part.symbols is not None else index if part.is_index else {"": symbols[part.table.name]}
        for part in parts
    ], told


def _symbols_in(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The symbol in each name; what all have in common is cut where they are none, and that is told."""
    names = list(names)
    found = {name: cleaned(name) for name in names}
    if all(map(is_symbol, found.values())):
        return found, []
    short = dict(zip(names, without_common(names), strict=True))
    found = {name: cleaned(short[name]) for name in names}
    cut = next((name for name in names if short[name] != name), None)
    if cut is None:
        return found, []
    told = f"what all names have in common is cut: {cut} is {found[cut]}."
    if re.search(r"(?<![A-Z])(?:BO|BSE)(?![A-Z])", cut.replace(short[cut], " ").upper()):
        told += " These seem to be BSE's candles: volumes are those of that exchange alone."
    return found, [told]


def _adjust(parts: Sequence[Part]) -> None:
    """Multiply prices by adjusted close / close."""
    for part in parts:
        if "adjusted close" not in part.floats:
            raise problem(
                part.table.origin,
                "has no column 'Adj Close'",
                "Leave --adjusted-close (NIFTYFORMER_ADJUSTED_CLOSE) out",
            )
        adjusted = part.floats["adjusted close"]
        if (missing := np.isnan(adjusted)).any():
            raise part.wrong("adjusted close", int(missing.argmax()))
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(part.floats["close"] == 0, 1.0, adjusted / part.floats["close"])
        for name in PRICES[:-1]:
            part.floats[name] = part.floats[name] * factor
        part.floats["close"] = adjusted
        part.floats.pop("previous close", None)


def _days(parts: Sequence[Part]) -> tuple[list[np.ndarray], str]:
    """The session of each row of each part, and in words how dates are read."""
    used = [np.unique(part.dates[0]) for part in parts]
    texts = dict.fromkeys(part.dates[1][code] for part, codes in zip(parts, used, strict=True) for code in codes)
    try:
        dates = read_dates(texts)
    except OpenDateError as error:
        for part, codes in zip(parts, used, strict=True):
            code = next((code for code in codes if part.dates[1][code] == error.text), None)
            if code is not None:
                row = int((part.dates[0] == code).argmax())
                raise part.wrong("date", row, error.reason, error.advice) from None
        raise
    days = []
    for part, codes in zip(parts, used, strict=True):
        meant = np.zeros(len(part.dates[1]), dtype="datetime64[D]")
        meant[codes] = [dates.sessions[part.dates[1][code]] for code in codes]
        days.append(meant[part.dates[0]])
    return days, dates.words


def _candles(
    parts: Sequence[Part], names: Sequence[Mapping[str, str]], days: Sequence[np.ndarray]
) -> tuple[dict[str, Daily], int]:
    """All rows by symbol and session, and how many were there again, the same in another file.

    Raises:
        NiftyFormerError: a symbol has a session twice, in one file or with different values.
    """
    symbols = sorted({symbol for found in {id(found): found for found in names}.values() for symbol in found.values()})
    code_of = {symbol: code for code, symbol in enumerate(symbols)}
    codes = []
    for part, found in zip(parts, names, strict=True):
        if part.symbols is None:
            codes.append(np.full(len(part), code_of[found[""]], dtype=np.int32))
        else:
            codes.append(np.array([code_of[found[text]] for text in part.symbols[1]], np.int32)[part.symbols[0]])
    code, day = np.concatenate(codes), np.concatenate(days)
    order = np.lexsort((day, code))
    code, day = code[order], day[order]
    again = np.flatnonzero((np.diff(code) == 0) & (np.diff(day) == np.timedelta64(0, "D")))
    ends = np.cumsum([len(part) for part in parts])
    columns = {name: _column(parts, name)[order] for name in (*PRICES, "volume")}
    of = np.searchsorted(ends, order[np.stack([again, again + 1])], side="right")
    same = of[0] != of[1]
    for values in columns.values():
        same &= values[again] == values[again + 1]
    if not same.all():
        at = again[~same][0]
        raise _twice(parts, order[at], order[at + 1], symbols[code[at]], day[at])
    if any("previous close" in part.floats for part in parts):
        columns["previous_close"] = _column(parts, "previous close")[order]
    columns["volume"] = np.rint(columns["volume"]).astype(np.int64)
    if len(again):
        code, day = np.delete(code, again + 1), np.delete(day, again + 1)
        columns = {name: np.delete(values, again + 1) for name, values in columns.items()}
    starts = np.searchsorted(code, np.arange(len(symbols) + 1))
    return {
        symbol: Daily(day[start:end], *(values[start:end] for values in columns.values()))
        for symbol, start, end in zip(symbols, starts[:-1], starts[1:], strict=True)
    }, len(again)


def _column(parts: Sequence[Part], name: str) -> np.ndarray:
    # Taken out of the parts: of thousands of bhavcopies there is not room for everything twice.
    return np.concatenate([part.floats.pop(name, np.full(len(part), np.nan)) for part in parts])


def _twice(parts: Sequence[Part], first: int, second: int, symbol: str, day: np.datetime64) -> NiftyFormerError:
    ends = np.cumsum([len(part) for part in parts])
    found = []
    for place in sorted((int(first), int(second))):
        at = int(np.searchsorted(ends, place, side="right"))
        part = parts[at]
        row = place - (int(ends[at - 1]) if at else 0)
        found.append((part.table.of("date").origin, *cell(part.table, "date", int(part.rows[row]))))
    (one, line, text), (other, other_line, other_text) = found
    lines = f"{parts[0].table.unit}s {line} and {other_line}"
    # Candles of minutes have many stamps on one date.
    advice = "Remove one of them" if text == other_text else "Remove one of them, or make daily candles of shorter ones"
    of = "" if parts[0].symbols is None else f" of {symbol}"
    if one == other:
        return problem(one, f"has session {day}{of} twice ({lines})", advice)
    return problem(one, f"and {other} both have session {day}{of} ({lines})", advice)


def _layout(parts: Sequence[Part]) -> str:
    """The layout of the files in words."""
    vendors = dict.fromkeys(vendor_of(part.table.columns) for part in parts)
    kinds = dict.fromkeys(part.table.written for part in parts)
    files = len({table.origin for part in parts for table in (part.table, *part.table.apart.values())})
    if all(part.symbols is None for part in parts):
        layout = (
            "one file a field"
            if all(part.table.apart for part in parts)
            else "symbols side by side"
            if any(part.table.columns.ticker for part in parts) and files < len(parts)
            else "one file a symbol"
            if files == len({part.table.name for part in parts})
            else "files of one symbol each"
        )
    elif files > 1 and all(len(np.unique(part.dates[0])) <= 1 for part in parts):
        layout = "one file a day"
    else:
        layout = "a long table" if files == 1 else "long tables"
    whose = " and ".join(vendor for vendor in vendors if vendor)
    return f"{f'{whose}, ' if whose else ''}{layout} ({files} file{'s' if files > 1 else ''}, {' and '.join(kinds)})"


def _told(parts: Sequence[Part], series: Counter[str], adjusted_close: bool) -> list[str]:
    """What a person should know of how the parts were read."""
    told = []
    if adjusted_close:
        told.append("prices are multiplied by Adj Close / Close, as asked for.")
    elif any("adjusted close" in part.floats for part in parts):
        told.append(
            "Adj Close is there and not used: prices are Open to Close as written (--adjusted-close, or "
            "NIFTYFORMER_ADJUSTED_CLOSE=true, multiplies them by Adj Close / Close)."
        )
    if any(vendor_of(part.table.columns) == BSE for part in parts):
        told.append("these are BSE's candles: volumes are those of that exchange alone.")
    if twice := [part for part in parts if part.twice]:
        told.append(
            f"{twice[0].table.origin} has one column twice, {twice[0].twice[0]}, with the same values"
            f"{f', and so have {len(twice) - 1} other files' if len(twice) > 1 else ''}."
        )
    if series:
        most = ", ".join(f"{name or 'none'} {count:,}" for name, count in series.most_common(4))
        told.append(f"rows of other series than {SERIES}, left out: {most}{' …' if len(series) > 4 else ''}.")
    if any(not part.table.columns.told for part in parts):
        symbol = "Symbol, " if parts[0].symbols is not None else ""
        told.append(f"there are no headings: columns are taken for {symbol}Date, Open, High, Low, Close, Volume.")
    if broken := sum(part.broken_volumes for part in parts):
        told.append(f"volumes that are no whole numbers of shares, rounded: {broken:,}.")
    if empty := [part for part in parts if part.empty_rows]:
        count = sum(part.empty_rows for part in empty)
        told.append(f"rows without any price, left out: {count:,}, the first in {empty[0].table.origin}.")
    return told

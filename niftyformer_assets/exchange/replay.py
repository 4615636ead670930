"""A folder of candles served as a market: one CSV a symbol, checked when the exchange starts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from niftyformer_assets.exchange.market import BENCHMARK, Candles, Market, instruments_of
from niftyformer_assets.store.dates import day_of
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import Workspace

COLUMNS = ("date", "open", "high", "low", "close", "volume")


def load_folder(
    folder: Path,
    index_list: Path | None = None,
    renames: Mapping[str, str] | None = None,
    benchmark: Path | None = None,
    taken_over: Mapping[str, date] | None = None,
) -> Market:
    """Read a folder of `SYMBOL.csv` files (columns Date, Open, High, Low, Close, Volume in any case).

    Prices are served as they are: whether they make sense is for those who fetch them to say. Other
    columns are ignored, rows are put in order.

    Args:
        index_list: NSE's constituent list, served as it is. Without one the exchange has no index
            list, and says so when asked: industries and ISINs cannot be made up.
        renames: old symbol -> new symbol. Like Kite, the exchange lists a stock under its newest
            name only, with all its history: a file under an old name is served under the new one,
            in front of the new name's own file if there is one. A symbol of the index list that no
            file stands for is simply not listed.
        taken_over: old symbols that are another company's from a date on: a file's candles from then on
            stay under its own name.
        benchmark: candles of NIFTY 50, CSV or Parquet; without it `NIFTY 50.csv` of the folder, if it
            is there. Of an index only Date and Close are needed, and only the time of the stocks' own
            candles is served.

    Raises:
        NiftyFormerError: one line that names the folder, or the file with its column or row, and
            what to do.
    """
    files = _files(folder)
    candles: dict[str, Candles] = {}
    for symbol in sorted(set(files) - {BENCHMARK}):
        candles[symbol] = read_candles(files[symbol])
    candles = _under_newest_names(candles, renames or {}, taken_over or {})
    benchmark = benchmark or files.get(BENCHMARK)
    if benchmark is not None:
        candles[BENCHMARK] = _within(read_index_candles(benchmark), candles.values())
    text, companies = _read_index_list(index_list) if index_list is not None else (None, {})
    names = {symbol: companies.get(symbol, symbol) for symbol in candles}
    return Market(instruments_of(names), candles, text)


def read_candles(path: Path) -> Candles:
    """Read and check one CSV of daily candles.

    Raises:
        NiftyFormerError: the file cannot be read, lacks a column, holds something that is no date
            or no number, or has a session twice.
    """
    return _candles(path, _rows(path))


def read_index_candles(path: Path) -> Candles:
    """As `read_candles`, for an index: what it lacks of open, high and low is its close, of volume 0.

    The file may also be Parquet.
    """
    rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _rows(path)
    return _candles(path, rows, needed=("date", "close"))


def _candles(path: Path, rows: list[list[str]], needed: Sequence[str] = COLUMNS) -> Candles:
    header = [name.strip().lower() for name in rows[0]] if rows else []
    absent = [name for name in needed if name not in header]
    if absent:
        raise _problem(path, f"has no column {absent[0].capitalize()!r} in its first line", "Add the column")
    body = [(number, row) for number, row in enumerate(rows[1:], start=2) if row]
    for number, row in body:
        if len(row) != len(header):
            raise _problem(path, f"line {number} has {len(row)} fields, the first line {len(header)}")
    lines = [number for number, _ in body]
    columns = {name: [row[header.index(name)].strip() for _, row in body] for name in COLUMNS if name in header}
    dates = _dates(path, lines, columns.pop("date"))
    values = {name: _numbers(path, lines, name, texts) for name, texts in columns.items()}
    open_, high, low = (values.get(name, values["close"]) for name in ("open", "high", "low"))
    volume = np.rint(values.get("volume", np.zeros(len(dates)))).astype(np.int64)
    order = np.argsort(dates, kind="stable")
    again = np.flatnonzero(np.diff(dates[order]) == np.timedelta64(0, "D"))
    if len(again):
        first, second = lines[order[again[0]]], lines[order[again[0] + 1]]
        day = dates[order[again[0]]]
        raise _problem(path, f"has session {day} twice (lines {first} and {second})", "Remove one of them")
    return Candles(dates, open_, high, low, values["close"], volume).take(order)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise NiftyFormerError(f"{folder} is not a folder: give a folder with one SYMBOL.csv a stock to replay.")
    files: dict[str, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise _problem(folder, f"cannot be read: {error.strerror or error}", "Check its permissions") from error
    for path in paths:
        if path.suffix.lower() != ".csv" or path.name.startswith(".") or not path.is_file():
            continue
        symbol = Workspace.symbol_of(path).strip().upper()
        if symbol in files:
            raise NiftyFormerError(f"{path} and {files[symbol]} are both for {symbol}: remove one of them.")
        files[symbol] = path
    if not set(files) - {BENCHMARK}:
        raise NiftyFormerError(f"{folder} holds no SYMBOL.csv of a stock: put one CSV of daily candles a stock there.")
    return files


def _rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline="")))
    except UnicodeDecodeError as error:
        raise _problem(path, "is not UTF-8 text", "Save it as UTF-8 CSV") from error
    except csv.Error as error:
        raise _problem(path, f"is no CSV ({error})") from error
    except OSError as error:
        raise _problem(path, f"cannot be read: {error.strerror or error}", "Check its name and permissions") from error


def _parquet_rows(path: Path) -> list[list[str]]:
    try:
        frame = read_parquet(path)
    except NiftyFormerError as error:
        raise _problem(path, "is missing or no Parquet file", "Give candles as CSV or Parquet") from error
    return [[str(name) for name in frame], *([str(value) for value in row] for row in frame.itertuples(index=False))]


def _within(index: Candles, stocks: Iterable[Candles]) -> Candles:
    """The index while there are candles of a stock: the market is no older and no newer than that."""
    spans = [(candles.dates[0], candles.dates[-1]) for candles in stocks if len(candles)]
    if not spans:
        return index
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return index.take((index.dates >= first) & (index.dates <= last))


def _dates(path: Path, lines: Sequence[int], texts: Sequence[str]) -> np.ndarray:
    days = []
    for number, text in zip(lines, texts, strict=True):
        try:
            days.append(day_of(text))
        except ValueError as error:
            advice = "Write the session as YYYY-MM-DD"
            raise _problem(path, f"column 'Date', line {number}: {error}", advice) from error
    return np.array(days, dtype="datetime64[D]")


def _numbers(path: Path, lines: Sequence[int], name: str, texts: Sequence[str]) -> np.ndarray:
    try:
        numbers = np.array([float(text) for text in texts], dtype=np.float64)
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    place = next(place for place, text in enumerate(texts) if not _is_number(text))
    raise _problem(path, f"column {name.capitalize()!r}, line {lines[place]}: {texts[place]!r} is no number")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _under_newest_names(
    candles: Mapping[str, Candles], renames: Mapping[str, str], taken_over: Mapping[str, date]
) -> dict[str, Candles]:
    candles, others = dict(candles), {}
    for symbol in taken_over.keys() & candles.keys():
        theirs = candles[symbol].dates >= np.datetime64(taken_over[symbol])
        others[symbol] = candles[symbol].take(theirs)
        candles[symbol] = candles[symbol].take(~theirs)
        if not len(candles[symbol]):
            del candles[symbol]
    chains: dict[str, list[str]] = {}
    for symbol in candles:
        chains.setdefault(_newest(symbol, renames)[0], []).append(symbol)
    merged: dict[str, Candles] = {}
    for newest, symbols in chains.items():
        # The newest name first; what an older name adds is the time before it.
        symbols.sort(key=lambda symbol: _newest(symbol, renames)[1])
        merged[newest] = candles[symbols[0]]
        for symbol in symbols[1:]:
            merged[newest] = _joined(candles[symbol], merged[newest])
    return merged | others


def _newest(symbol: str, renames: Mapping[str, str]) -> tuple[str, int]:
    """The newest name, and how many renames ago `symbol` was it."""
    path = [symbol]
    while (following := renames.get(path[-1])) is not None:
        if following in path:
            raise NiftyFormerError(f"renames go in a circle: {' -> '.join([*path, following])}. Remove one of them.")
        path.append(following)
    return path[-1], len(path) - 1


def _joined(older: Candles, newer: Candles) -> Candles:
    before = older.take(older.dates < newer.dates[0]) if len(newer) else older
    return Candles(
        *(np.concatenate([getattr(before, name), getattr(newer, name)]) for name in Candles.__dataclass_fields__)
    )


def _read_index_list(path: Path) -> tuple[str, dict[str, str]]:
    """The text of an index list, and its symbols' company names."""
    rows = _rows(path)
    header = [name.strip().lower() for name in rows[0]] if rows else []
    for name in ("Company Name", "Industry", "Symbol", "Series", "ISIN Code"):
        if name.lower() not in header:
            raise _problem(path, f"has no column {name!r}", "Give a constituent list as NSE publishes it")
    company, symbol = header.index("company name"), header.index("symbol")
    companies = {row[symbol].strip(): row[company].strip() for row in rows[1:] if len(row) == len(header)}
    if not companies:
        raise _problem(path, "names no symbol", "Give a constituent list as NSE publishes it")
    return path.read_text(encoding="utf-8-sig"), companies


def _problem(path: Path, what: str, advice: str = "Mend the file or remove it") -> NiftyFormerError:
    return NiftyFormerError(f"{path} {what}. {advice}, then start again.")

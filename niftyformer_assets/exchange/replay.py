"""A folder of candles served as a market, whichever vendor's format it is in; checked when the exchange starts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from niftyformer_assets.exchange.market import BENCHMARK, Candles, ServedMarket, instruments_of
from niftyformer_assets.indices import DEFAULT, INDICES, index_of_list
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.folder import Daily, read_folder, read_index
from niftyformer_assets.vendors.names import matched, nearest, some
from niftyformer_assets.vendors.origins import problem
from niftyformer_assets.vendors.suspicions import suspicions

# Fewer matches than this, of what could match, are told first of all.
_FEW = 0.5


@dataclass(frozen=True, eq=False)
class Replay:
    """A folder of candles as a market, and what a person should know of it.

    recognised: the format, in one line. names: how its symbols go with the index list, in one line, "" without
    a list; few: whether hardly any do. told: what was left out or chosen in reading. suspicions: what looks wrong.
    matched: symbols of the list with candles, under their newest names; without a list all symbols.
    """

    market: ServedMarket
    recognised: str
    names: str
    few: bool
    told: tuple[str, ...]
    suspicions: tuple[str, ...]
    matched: frozenset[str]

    @property
    def said(self) -> tuple[str, ...]:
        """How it was read."""
        return (f"{self.recognised}.", *((self.names,) if self.names and not self.few else ()), *self.told)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be looked at before anything is made of these candles."""
        return (*((self.names,) if self.few else ()), *self.suspicions)


def read_replay(
    folder: Path,
    index_list: Path | Sequence[Path] | None = None,
    renames: Mapping[str, str] | None = None,
    benchmark: Path | None = None,
    reassigned: Mapping[str, date] | None = None,
    adjusted_close: bool = False,
    others: Mapping[str, str] | None = None,
) -> Replay:
    """Read a folder of candles: one file a symbol, one file a day, or long tables (see `vendors.folder`).

    Prices are served as they are: whether they make sense is for those who fetch them to say. Other
    columns are ignored, rows are put in order.

    Args:
        index_list: NSE's constituent list, served as it is, or several: of each index the one with the latest date
            is served. Without one the exchange has no index list, and says so when asked: industries and
            ISINs cannot be made up. Names of the folder that are written otherwise than the lists' symbols are
            matched to them.
        renames: old symbol -> new symbol. Like Kite, the exchange lists a stock under its newest
            name only, with all its history: a file under an old name is served under the new one,
            in front of the new name's own file if there is one. A symbol of the index list that no
            file stands for is simply not listed.
        reassigned: old symbols that are another company's from a date on: a file's candles from then on
            stay under its own name.
        benchmark: candles of NIFTY 50, CSV or Parquet; without it `NIFTY 50.csv` of the folder, if it
            is there. Of an index only Date and Close are needed, and only the time of the stocks' own
            candles is served.
        others: symbols beside the lists' that names of the folder are matched to, and their ISINs, "" for none.
        adjusted_close: multiply prices by adjusted close / close, where the folder has one.

    Raises:
        NiftyFormerError: one line that names the folder, or the file with its column or row, and
            what to do; or that no name of the folder is in the index list.
    """
    paths = [index_list] if isinstance(index_list, Path) else sorted(index_list or (), key=lambda path: path.name)
    lists, companies, isins = _read_index_lists(paths)
    renames, reassigned, others = renames or {}, reassigned or {}, others or {}
    isins = {isin: symbol for symbol, isin in others.items() if symbol and isin} | isins
    found = read_folder(folder, adjusted_close)
    stocks = {symbol: daily for symbol, daily in found.candles.items() if symbol != BENCHMARK}
    stocks, told = _under_nse_names(stocks, {*companies, *renames, *renames.values(), *others}, companies, isins)
    candles = _under_newest_names({symbol: _candles(d) for symbol, d in stocks.items()}, renames, reassigned)
    listed = {symbol if symbol in reassigned else _newest(symbol, renames)[0] for symbol in companies}
    names, few = _beside_the_list(folder, candles.keys(), paths, listed) if paths else ("", False)
    of_list = frozenset(candles.keys() & listed if paths else candles)
    if benchmark is not None or BENCHMARK in found.candles:
        index = read_index(benchmark) if benchmark is not None else found.candles[BENCHMARK]
        candles[BENCHMARK] = _within(_candles(index), candles.values())
    market = ServedMarket(instruments_of({symbol: companies.get(symbol, symbol) for symbol in candles}), candles, lists)
    suspected = suspicions(
        {symbol: d for symbol, d in stocks.items() if _newest(symbol, renames)[0] in of_list} or stocks
    )
    return Replay(market, found.recognised, names, few, (*found.told, *told), tuple(suspected), of_list)


def _candles(daily: Daily) -> Candles:
    return Candles(daily.dates, daily.open, daily.high, daily.low, daily.close, daily.volume)


def _under_nse_names(
    stocks: Mapping[str, Daily], known: set[str], companies: Mapping[str, str], isins: Mapping[str, str]
) -> tuple[dict[str, Daily], list[str]]:
    """Stocks under known symbols that are spelt otherwise (`M_M` is `M&M`), and a line that says which."""
    symbols = matched(stocks, known, companies, isins)
    found: dict[str, str] = {}
    for name, symbol in symbols.items():
        if symbol in found:
            raise NiftyFormerError(
                f"candles of {name} and of {found[symbol]} are both for {symbol}: remove one of them."
            )
        found[symbol] = name
    spelt = [f"{name} as {symbol}" for name, symbol in symbols.items() if name != symbol]
    told = [f"names are taken for symbols: {some(spelt)}."] if spelt else []
    return {symbols[name]: daily for name, daily in stocks.items()}, told


def _beside_the_list(folder: Path, names: Iterable[str], paths: Sequence[Path], listed: set[str]) -> tuple[str, bool]:
    """How the symbols of a folder go with those of a list, and whether few do.

    Raises:
        NiftyFormerError: none does.
    """
    names = set(names)
    common, only_here, only_there = names & listed, names - listed, listed - names
    few = len(common) < _FEW * min(len(names), len(listed))
    near = nearest(sorted(only_here)[:200], sorted(only_there)) if few else []
    hint = f" {'; '.join(near[:3])}." if near else ""
    if not common:
        raise NiftyFormerError(
            f"none of the {len(names)} symbols of {folder} ({some(names)}) is one of the {len(listed)} of "
            f"{', '.join(map(str, paths))} "
            f"({some(listed)}).{hint} Name the files, or the column of symbols, as NSE does, or give the list that "
            "goes with them, then start again."
        )
    of = ", ".join(path.name for path in paths)
    said = f"{'only ' if few else ''}{len(common)} of the {len(listed)} symbols of {of} have candles"
    if only_there:
        said += f"; without any: {some(only_there)}"
    if only_here:
        said += f"; not in the list: {some(only_here)}"
    return f"{said}.{hint}", few


def _within(index: Candles, stocks: Iterable[Candles]) -> Candles:
    """The index while there are candles of a stock: the market is no older and no newer than that."""
    spans = [(candles.dates[0], candles.dates[-1]) for candles in stocks if len(candles)]
    if not spans:
        return index
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return index.take((index.dates >= first) & (index.dates <= last))


def _under_newest_names(
    candles: Mapping[str, Candles], renames: Mapping[str, str], reassigned: Mapping[str, date]
) -> dict[str, Candles]:
    candles, others = dict(candles), {}
    for symbol in reassigned.keys() & candles.keys():
        theirs = candles[symbol].dates >= np.datetime64(reassigned[symbol])
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


def _read_index_lists(paths: Sequence[Path]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The texts of lists by the file names under which they are served, and their symbols by company and by ISIN.

    That is, symbol -> company and ISIN -> symbol, of the last list that has it.
    """
    texts: dict[str, str] = {}
    companies: dict[str, str] = {}
    isins: dict[str, str] = {}
    for path in paths:
        index = index_of_list(path.name) or INDICES[DEFAULT]
        texts[index.list_file], names, of_isin = _read_index_list(path)
        companies |= names
        isins |= of_isin
    return texts, companies, isins


def _read_index_list(path: Path) -> tuple[str, dict[str, str], dict[str, str]]:
    """The text of an index list, its symbols' company names, and its symbols by ISIN."""
    text, advice = _text(path), "Give a constituent list as NSE publishes it"
    rows = list(csv.reader(io.StringIO(text, newline="")))
    header = [name.strip().lower() for name in rows[0]] if rows else []
    for name in ("Company Name", "Industry", "Symbol", "Series", "ISIN Code"):
        if name.lower() not in header:
            raise problem(path, f"has no column {name!r}", advice)
    company, symbol, isin = (header.index(name) for name in ("company name", "symbol", "isin code"))
    whole = [[cell.strip() for cell in row] for row in rows[1:] if len(row) == len(header)]
    companies = {row[symbol]: row[company] for row in whole}
    if not companies:
        raise problem(path, "names no symbol", advice)
    return text, companies, {row[isin]: row[symbol] for row in whole if row[isin]}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise problem(path, "is not UTF-8 text", "Save it as UTF-8 CSV") from error
    except OSError as error:
        raise problem(path, f"cannot be read: {error.strerror or error}", "Check its name and permissions") from error

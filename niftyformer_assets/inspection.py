"""What would be read of a folder of candles, and what looks wrong with it, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from niftyformer_assets.exchange.market import BENCHMARK, Candles
from niftyformer_assets.exchange.replay import Replay
from niftyformer_assets.market.calendar import covered, sessions
from niftyformer_assets.market.cleaning import clean
from niftyformer_assets.settings import Settings
from niftyformer_assets.sources import must_be_on_sessions, read_replayed
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted

# Findings of the quality report that are shown, of each kind.
_SHOWN = 3


@dataclass(frozen=True)
class Inspection:
    """What a folder holds.

    rows: what and what of it, for the table. suspicious: what to look at, the most serious first.
    refused: why a run with this folder would end at once, None if it would not.
    """

    rows: tuple[tuple[str, str], ...]
    suspicious: tuple[str, ...]
    refused: NiftyFormerError | None


def inspect_folder(settings: Settings) -> Inspection:
    """Read the folder that is replayed, and look at it as a run would.

    Raises:
        NiftyFormerError: it cannot be read, or no symbol of it is in the index list.
    """
    replay = read_replayed(settings)
    stocks = {symbol: candles for symbol, candles in replay.market.candles.items() if symbol in replay.matched}
    suspicious = ["few symbols of the index list have candles."] if replay.few else []
    suspicious += replay.suspicions
    refused = None
    try:
        must_be_on_sessions(settings, replay.market)
        suspicious += _quality(stocks)
    except NiftyFormerError as error:
        refused = error
    return Inspection(
        (*_rows(settings, replay, stocks), *(("note", line) for line in replay.told)), tuple(suspicious), refused
    )


def _rows(settings: Settings, replay: Replay, stocks: Mapping[str, Candles]) -> list[tuple[str, str]]:
    candles = replay.market.candles
    counts = [len(daily) for daily in stocks.values()]
    dates = np.unique(np.concatenate([daily.dates for daily in stocks.values()]))
    rows = [("format", replay.recognised)]
    none = "none given (--index-list): symbols are not matched"
    tables = f"none among {', '.join(path.name for path in settings.given_lists)}: NSE's lists alone name all members"
    rows.append(("index list", replay.names or (tables if settings.given_lists else none)))
    if len(dates):
        empty = sum(count == 0 for count in counts)
        rows.append(("sessions", f"{len(dates):,}, {dates[0]} to {dates[-1]}"))
        rows.append(
            (
                "candles",
                f"{counted(sum(counts), 'candle')} of {counted(len(stocks), 'symbol')}, "
                f"{f'{min(counts):,}' if min(counts) == max(counts) else f'{min(counts):,} to {max(counts):,}'} each"
                f"{f', {empty} without any' if empty else ''}",
            )
        )
    else:
        rows.append(("sessions", "none"))
    if BENCHMARK in candles:
        index = candles[BENCHMARK].dates
        reach = f"{counted(len(index), 'session')}, {index[0]} to {index[-1]}" if len(index) else "no session"
        rows.append((BENCHMARK, f"{reach}, in the folder"))
    else:
        rows.append((BENCHMARK, f"{settings.benchmark or 'not in the folder: give it to a run with --benchmark'}"))
    return rows


def _quality(stocks: Mapping[str, Candles]) -> list[str]:
    """What the quality report would say of these candles, by kind, the most frequent first."""
    frames = {
        symbol: pd.DataFrame(
            {
                "date": daily.dates.astype("datetime64[ms]"),
                **{name: getattr(daily, name) for name in ("open", "high", "low", "close", "volume")},
            }
        )
        for symbol, daily in stocks.items()
        if len(daily)
    }
    start, end = covered()
    first = max(min((frame["date"].iloc[0].date() for frame in frames.values()), default=end), start)
    last = min(max((frame["date"].iloc[-1].date() for frame in frames.values()), default=start), end)
    if first > last:
        return []
    market = clean(frames, sessions(first, last))
    said = []
    for table, verdict in ((market.quarantine, "dropped or cut"), (market.suspects, "suspected, and kept")):
        for what in table["what"].value_counts().index:
            found = table[table["what"] == what]
            shown = "; ".join(
                f"{row.symbol} {row.session:%Y-%m-%d}: {row.reason}" for row in found.head(_SHOWN).itertuples()
            )
            more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            said.append(f"{what}, {len(found)} {verdict}: {shown}{more}")
    return said


def show(inspection: Inspection, console: Console) -> None:
    """Print an inspection as a table, and what is suspicious below it."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for what, text in inspection.rows:
        table.add_row(what, Text(text))
    for number, text in enumerate(inspection.suspicious):
        table.add_row("" if number else "suspicious", Text(text, style="yellow"))
    if not inspection.suspicious and inspection.refused is None:
        table.add_row("suspicious", "nothing")
    console.print(table, highlight=False)

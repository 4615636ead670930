"""What of the raw candles may be used: aligned to sessions, the impossible taken out, breaks marked.

Every decision about session t looks at candles up to t only, so later candles never change it, and
at the stocks that were members of the index and alive then, so nor do stocks that joined it later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.market.breaks import find_breaks, take_out_stray_opens
from niftyformer_assets.market.candle_files import PRICES
from niftyformer_assets.market.corporate_actions import NONE, CorporateActions
from niftyformer_assets.market.records import NO_SESSION, NOT_FINAL, WRONG_DATES, Records
from niftyformer_assets.market.scope import membership_at
from niftyformer_assets.market.settings import QualitySettings
from niftyformer_assets.market.traded_dates import TradedDates, last_candle, traded_dates
from niftyformer_assets.store.arrays import Axes

__all__ = ["CleanMarket", "QualitySettings", "clean"]


@dataclass(frozen=True, eq=False)
class CleanMarket:
    """Candles of all symbols that have any, on all sessions at which any has one.

    axes: T sessions, N symbols (sorted).
    open, high, low, close, volume: float64 [T, N], NaN where there is no candle or it is
        quarantined.
    segment: int32 [T, N], the number of the unbroken stretch of a stock's prices (0, 1, …), carried
        through sessions without a candle; -1 before the first one.
    breaks: one row for each cut between two segments, as in `breaks.Breaks`.
    raw_count: int [N], candles of the raw files, doubled ones included.
    quarantine: one row for each thing taken out or cut: symbol, session, what, reason, effect.
    suspects: the same for what is only reported, acquitted: for what NSE's list says is real.
    unknown_sessions, silent_sessions: sessions that the calendar does not know but most stocks
        traded on, and sessions of the calendar at which none did. The former are in, the latter out.
    stale_sessions: sessions of the calendar on which most stocks' candles were those of the session
        before once more: left out.
    """

    axes: Axes
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    segment: np.ndarray
    breaks: pd.DataFrame
    raw_count: np.ndarray
    quarantine: pd.DataFrame
    suspects: pd.DataFrame
    acquitted: pd.DataFrame
    unknown_sessions: np.ndarray
    silent_sessions: np.ndarray
    stale_sessions: np.ndarray


def clean(
    candles: Mapping[str, pd.DataFrame],
    sessions: np.ndarray,
    settings: QualitySettings | None = None,
    universe: pd.DataFrame | None = None,
    actions: CorporateActions = NONE,
) -> CleanMarket:
    """Align raw candles to sessions and take out what cannot be.

    Args:
        candles: (date, open, high, low, close, volume) by symbol, in any order, faults included.
        sessions: datetime64[D], NSE's sessions over at least the time of the candles.
        universe: who was a member of the index when (`membership_at`); only members of a session speak
            for the market on it. Without it, or without a list, all stocks do.
        actions: NSE's lists of corporate actions.

    Raises:
        NiftyFormerError: the dates of most stocks are wrong.
    """
    settings = settings or QualitySettings()
    calendar = np.asarray(sessions, dtype="datetime64[D]")
    symbols = tuple(sorted(symbol for symbol, frame in candles.items() if len(frame)))
    days_of = [candles[symbol]["date"].to_numpy().astype("datetime64[D]") for symbol in symbols]
    dates = np.unique(np.concatenate(days_of)) if days_of else np.array([], dtype="datetime64[D]")
    records = Records(dates, symbols)
    values = {name: np.full((len(dates), len(symbols)), np.nan) for name in (*PRICES, "volume")}
    for column, symbol in enumerate(symbols):
        _place(values, column, days_of[column], candles[symbol], records)
    member = _members(universe, symbols, dates)
    traded = traded_dates(values, dates, member, calendar)
    _take_out_what_is_no_session(values, traded, records)
    grid, member = dates[traded.session], member[traded.session]
    values = {name: array[traded.session] for name, array in values.items()}
    records = records.on(grid)
    _take_out_impossible(values, records)
    take_out_stray_opens(values, member, calendar, records, settings)
    breaks = find_breaks(values, member, calendar, records, settings, actions)
    inside = calendar[(calendar >= dates[0]) & (calendar <= dates[-1])] if len(dates) else calendar[:0]
    return CleanMarket(
        axes=Axes(grid, symbols),
        **values,
        segment=breaks.segment,
        breaks=breaks.table,
        raw_count=np.array([len(candles[symbol]) for symbol in symbols]),
        quarantine=records.table("quarantine"),
        suspects=records.table("suspect"),
        acquitted=records.table("acquitted"),
        unknown_sessions=dates[traded.unknown],
        silent_sessions=inside[~np.isin(inside, dates)],
        stale_sessions=dates[traded.stale],
    )


def _members(universe: pd.DataFrame | None, symbols: tuple[str, ...], dates: np.ndarray) -> np.ndarray:
    """bool [D, N]; a symbol that the universe does not name was never one."""
    if universe is None or not symbols or universe["lists_from"].isna().all():
        return np.ones((len(dates), len(symbols)), dtype=bool)
    spells, never = membership_at(universe, dates), np.zeros(len(dates), dtype=bool)
    return np.stack([spells.get(symbol, never) for symbol in symbols], axis=1)


def _place(values: dict[str, np.ndarray], column: int, days: np.ndarray, frame: pd.DataFrame, records: Records) -> None:
    """Put one symbol's candles on their dates, each at most once."""
    content = frame[[*PRICES, "volume"]].to_numpy(dtype=np.float64)
    for place in np.flatnonzero(np.diff(days) < np.timedelta64(0, "D")) + 1:
        reason = f"comes after {days[place - 1]}"
        records.add("suspect", column, days[place], "out of order", reason, "put in its place")
    row_of = np.searchsorted(records.grid, days)
    rows, first, counts = np.unique(row_of, return_index=True, return_counts=True)
    usable = np.ones(len(rows), dtype=bool)
    for place in np.flatnonzero(counts > 1):
        same = content[row_of == rows[place]]
        if (same == same[0]).all():
            reason = f"is there {len(same)} times, always the same"
            records.add_cell("suspect", int(rows[place]), column, "duplicate", reason, "kept once")
        else:
            usable[place] = False
            reason = f"is there {len(same)} times with different values"
            records.add_cell("quarantine", int(rows[place]), column, "duplicate", reason, "candle dropped")
    for name, at_first in zip((*PRICES, "volume"), content[first].T, strict=True):
        values[name][rows[usable], column] = at_first[usable]


def _take_out_what_is_no_session(values: dict[str, np.ndarray], traded: TradedDates, records: Records) -> None:
    """Set to NaN, and note, candles of dates without trading, copies of a session, and stocks of wrong dates."""
    present = np.isfinite(values["close"])
    last = last_candle(present)
    for row, column in np.argwhere(present & ~traded.misdated & ~traded.session[:, None]):
        before = records.grid[last[row, column]]
        repeats = f"repeats the candle of {before}" if traded.repeats_prices[row, column] else ""
        if traded.stale[row]:
            reason = (
                f"most stocks' candles are those of the session before once more{f'; {repeats}' if repeats else ''}"
            )
            records.add_cell("quarantine", row, column, NOT_FINAL, reason, "candle dropped")
        else:
            reason = f"NSE did not trade on this date{f'; it {repeats}' if repeats else ''}"
            records.add_cell("quarantine", row, column, NO_SESSION, reason, "candle dropped")
    for row, column in np.argwhere(traded.repeats & traded.session[:, None] & ~traded.misdated):
        reason = f"repeats the candle of {records.grid[last[row, column]]}, volume included"
        records.add_cell("suspect", row, column, "repeated candle", reason, "kept")
    for column in np.flatnonzero(traded.misdated.any(axis=0)).tolist():
        row = int(traded.misdated[:, column].argmax())
        reason = "candles on dates without trading, and none on as many sessions: its dates are wrong"
        records.add_cell("quarantine", row, column, WRONG_DATES, reason, "this and all later candles dropped")
    drop = traded.misdated | (present & ~traded.session[:, None])
    for array in values.values():
        array[drop] = np.nan


def _take_out_impossible(values: dict[str, np.ndarray], records: Records) -> None:
    """Set candles to NaN that no trading could have made."""
    prices = np.stack([values[name] for name in PRICES])
    present = np.isfinite(prices).any(axis=0)
    with np.errstate(invalid="ignore"):
        not_positive = present & ~(prices > 0).all(axis=0)
        negative_volume = present & ~(values["volume"] >= 0)
        high_too_low = present & (values["high"] < prices.max(axis=0))
        low_too_high = present & (values["low"] > prices.min(axis=0))
    faults = (
        (not_positive, "non-positive price"),
        (negative_volume, "negative volume"),
        (high_too_low, "high below open, low or close"),
        (low_too_high, "low above open, high or close"),
    )
    bad = np.zeros_like(present)
    for fault, what in faults:
        for row, column in zip(*np.nonzero(fault & ~bad), strict=True):
            reason = ", ".join(f"{name} {values[name][row, column]:g}" for name in (*PRICES, "volume"))
            records.add_cell("quarantine", row, column, what, reason, "candle dropped")
        bad |= fault
    for array in values.values():
        array[bad] = np.nan

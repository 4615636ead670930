"""Breaks: where a stock's prices before and after are not in the same units.

What separates a wrong adjustment from a real fall or rise is the overnight gap, the open against
the last close: real news moves a stock within a session, a corporate action between two. The gap is
taken relative to the market's own (the median stock's), so that a market-wide fall is no break. A
gap that the same session takes back is a wrong price, not a break.

Falls are judged more strictly than rises: a liquid stock hardly ever opens more than 22% below its
last close, while offers and rumours lift one by as much. `docs/corporate_actions.md` holds what the
rule finds and misses. NSE's list of corporate actions, where it is at hand, has the last word.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from niftyformer_assets.market.corporate_actions import CorporateAction, CorporateActions
from niftyformer_assets.market.records import Records
from niftyformer_assets.market.settings import QualitySettings
from niftyformer_assets.market.traded_dates import last_candle

# With fewer stocks the median says more about them than about the market, and the market is taken as still.
_MIN_FOR_MARKET = 5
# Bonus issues of one new share for two, three, four or five; they tell a suspicious fall from others.
_SHARE_RATIOS = (2 / 3, 3 / 4, 4 / 5, 5 / 6)
_RATIO_TOLERANCE = 0.03
# A suspicious fall is more than this many standard deviations of the stock's daily returns.
_MIN_DEVIATIONS = 4.0
_VOLATILITY_SESSIONS, _MIN_RETURNS = 60, 10
# After a pause of n sessions a move of this many √n standard deviations may be real.
_PAUSE_DEVIATIONS = 3.0
# A list acquits a gap if it names no action of the stock this many days around it: ex-dates were moved at short notice.
_AROUND = timedelta(days=5)
# A listed action is only to be seen in a gap if its effect is at least this many standard deviations of a day's return;
_VISIBLE_DEVIATIONS = 2.0
# one whose effect is not told, if the gap is at least this wide; one adjusted for twice, if it is wider than this.
_MIN_UNTOLD_GAP, _MIN_TWICE_GAP = 0.1, 0.2

COLUMNS = ("symbol", "session", "last_session", "move", "confirmed")


class Breaks(NamedTuple):
    """segment: int32 [T, N], number of the unbroken stretch of a stock's prices, -1 before its first candle.

    table: one row a break: symbol, session, last_session (that of the candle before), move (open over
    that candle's close − 1: the return had the move been real), confirmed (by what; empty: by nothing).
    """

    segment: np.ndarray
    table: pd.DataFrame


class _Moves(NamedTuple):
    """All [T, N]. last: row of the candle before, -1 for none. open, close: over that candle's close.

    market: how the median member moved from that candle's close to this session's open.
    sessions: how many sessions of the exchange lie from that candle's to this one's; 1 overnight.
    """

    last: np.ndarray
    sessions: np.ndarray
    open: np.ndarray
    close: np.ndarray
    market: np.ndarray


def take_out_stray_opens(
    values: dict[str, np.ndarray], member: np.ndarray, calendar: np.ndarray, records: Records, settings: QualitySettings
) -> None:
    """Set candles to NaN that open as after a wrong adjustment but close as if there had been none.

    Taken for a break, one wrong first price would change every holding's shares for good.
    """
    moves = _moves(values, member, records.grid, calendar)
    opens, closes = _excess(moves), moves.close / moves.market
    with np.errstate(invalid="ignore", divide="ignore"):
        # More than half of the way back within the session, in logarithms.
        stray = _wide(opens, settings) & (np.abs(np.log(closes)) < np.abs(np.log(opens)) / 2)
    for row, column in zip(*np.nonzero(stray), strict=True):
        reason = (
            f"opens {moves.open[row, column] - 1:+.1%} from {_since(records, moves, row, column)} but closes "
            f"{moves.close[row, column] - 1:+.1%} from it"
        )
        records.add_cell("quarantine", row, column, "stray open", reason, "candle dropped")
    for array in values.values():
        array[stray] = np.nan


def find_breaks(
    values: dict[str, np.ndarray],
    member: np.ndarray,
    calendar: np.ndarray,
    records: Records,
    settings: QualitySettings,
    actions: CorporateActions,
) -> Breaks:
    """Number the unbroken stretches of prices, cutting where a gap cannot be real.

    Args:
        member: bool [T, N], who speaks for the market on a session.
        calendar: datetime64[D], the exchange's sessions, also those on which no stock has a candle.
        actions: what NSE's lists at hand say; a gap it explains is a break however small, one of which
            it would know and does not is kept however wide.
    """
    present = np.isfinite(values["close"])
    moves = _moves(values, member, records.grid, calendar)
    excess, at_close = _excess(moves), moves.close / moves.market
    wide = _wide(excess, settings)
    volatility = _volatility(np.where(wide, np.nan, moves.close))
    likely = _PAUSE_DEVIATIONS * volatility * np.sqrt(moves.sessions)
    with np.errstate(invalid="ignore"):
        wide &= (moves.sessions <= 1) | (np.abs(np.log(excess)) > likely)
    suspect = ~wide & _suspicious(excess, at_close, volatility, settings)
    listed = _listed(present, moves.last, records, actions)
    broken = np.zeros_like(present)
    rows = []
    for row, column in sorted({*listed, *map(tuple, np.argwhere(wide | suspect).tolist())}):
        last, overnight = int(moves.last[row, column]), moves.sessions[row, column] <= 1
        told = _told(moves, values["close"], volatility, row, column, listed.get((row, column), []))
        said = (
            f"opens {moves.open[row, column] - 1:+.1%} from {_since(records, moves, row, column)} where the market's "
            f"{'gap' if overnight else 'move since'} is {moves.market[row, column] - 1:+.1%}"
        )
        since, day = _day(records.grid[last]) + timedelta(days=1), _day(records.grid[row])
        last_close = values["close"][last, column]
        innocent = not told and actions.rule_out(records.symbols[column], since, day, last_close, _AROUND)
        what = "overnight gap" if overnight else "gap after a pause"
        if told or (wide[row, column] and not innocent):
            broken[row, column] = True
            why = (
                f"confirmed by {told}"
                if told
                else "taken for a wrong adjustment, which nothing confirms: had it been real, the holder's return was "
                f"{moves.open[row, column] - 1:+.1%}"
            )
            records.add_cell("quarantine", row, column, what, f"{said}: {why}", "return dropped, new segment")
            rows.append(
                (records.symbols[column], records.grid[row], records.grid[last], moves.open[row, column] - 1, told)
            )
        elif wide[row, column]:
            reason = f"{said}: NSE's list of corporate actions names none near it, so it is real"
            records.add_cell("acquitted", row, column, what, reason, "kept")
        elif suspect[row, column] and not innocent:
            reason = f"{said}, as a wrong adjustment would"
            records.add_cell("suspect", row, column, "suspected adjustment", reason, "kept")
    begun = np.maximum.accumulate(present, axis=0)
    segment = np.where(begun, np.cumsum(broken, axis=0), -1).astype(np.int32)
    table = pd.DataFrame(sorted(rows, key=lambda row: (row[0], row[1])), columns=list(COLUMNS))
    return Breaks(segment, table.astype({"session": "datetime64[ms]", "last_session": "datetime64[ms]"}))


def _moves(values: dict[str, np.ndarray], member: np.ndarray, grid: np.ndarray, calendar: np.ndarray) -> _Moves:
    open_, close = values["open"], values["close"]
    present = np.isfinite(close)
    last = last_candle(present)
    before = np.where(last >= 0, np.take_along_axis(close, np.maximum(last, 0), axis=0), np.nan)
    opens = open_ / before
    number = np.searchsorted(calendar, grid)[:, None]
    sessions = np.where(last >= 0, number - np.take(number, np.maximum(last, 0)), 0)
    moved = present & (last >= 0)
    market = np.ones_like(close)
    # After a pause, what the market did meanwhile.
    for row in range(1, len(close)):
        for begin in np.unique(last[row, moved[row]]):
            both = member[row] & present[row] & present[begin]
            market[row, moved[row] & (last[row] == begin)] = _median(open_[row, both] / close[begin, both])
    return _Moves(last, sessions, opens, close / before, market)


def _excess(moves: _Moves) -> np.ndarray:
    """Open over last close, in units of the market's move; after a pause the smaller of that and the move itself."""
    excess = moves.open / moves.market
    with np.errstate(invalid="ignore"):
        agree = (excess - 1) * (moves.open - 1) > 0
        smaller = np.where(np.abs(np.log(moves.open)) < np.abs(np.log(excess)), moves.open, excess)
    return np.where(moves.sessions > 1, np.where(agree, smaller, np.where(np.isnan(excess), np.nan, 1.0)), excess)


def _median(ratios: np.ndarray) -> float:
    return float(np.median(ratios)) if len(ratios) >= _MIN_FOR_MARKET else 1.0


def _wide(excess: np.ndarray, settings: QualitySettings) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (excess < 1 - settings.max_overnight_fall) | (excess > 1 + settings.max_overnight_rise)


def _suspicious(
    excess: np.ndarray, at_close: np.ndarray, volatility: np.ndarray, settings: QualitySettings
) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        fallen = (excess < 1 - settings.suspect_overnight_fall) & _is_share_ratio(excess)
        fallen &= np.abs(np.log(excess)) > _MIN_DEVIATIONS * volatility
        fallen &= np.log(at_close) <= np.log(excess) / 2
        return fallen | (np.abs(excess - 1) >= settings.suspect_overnight_gap)


def _is_share_ratio(ratio: np.ndarray) -> np.ndarray:
    return np.isclose(ratio[..., None], _SHARE_RATIOS, rtol=_RATIO_TOLERANCE, atol=0).any(axis=-1)


def _volatility(ratios: np.ndarray) -> np.ndarray:
    """Standard deviation of the logarithms of close over last close, of the sessions before each; 0 where unknown."""
    rolling = pd.DataFrame(np.log(ratios)).rolling(_VOLATILITY_SESSIONS, min_periods=_MIN_RETURNS)
    return rolling.std().shift(1).fillna(0.0).to_numpy()


def _listed(
    present: np.ndarray, last: np.ndarray, records: Records, actions: CorporateActions
) -> dict[tuple[int, int], list[CorporateAction]]:
    """The actions by the cell in which they show: a stock's first candle on or after the ex-date."""
    cells: dict[tuple[int, int], list[CorporateAction]] = {}
    for column, symbol in enumerate(records.symbols):
        rows = np.flatnonzero(present[:, column] & (last[:, column] >= 0))
        for action in actions.by_symbol.get(symbol, ()):
            place = np.searchsorted(records.grid[rows], np.datetime64(action.ex_date))
            if place < len(rows) and records.grid[last[rows[place], column]] < np.datetime64(action.ex_date):
                cells.setdefault((int(rows[place]), column), []).append(action)
    return cells


def _told(
    moves: _Moves, close: np.ndarray, volatility: np.ndarray, row: int, column: int, actions: list[CorporateAction]
) -> str:
    """The listed actions that the gap is the effect of, in words; empty if it is not."""
    if not actions:
        return ""
    gap, deviation = np.log(moves.open[row, column] / moves.market[row, column]), volatility[row, column]
    last_close = close[moves.last[row, column], column]
    ratios = [action.effect(last_close) for action in actions]
    effect = np.log(np.prod([1.0 if ratio is None else ratio for ratio in ratios]))
    visible = abs(effect) > _VISIBLE_DEVIATIONS * deviation
    # Not adjusted for, or adjusted for twice: the gap is nearer to that than to nothing.
    seen = visible and abs(gap - effect) < abs(gap)
    seen |= visible and abs(gap + effect) < abs(gap) and abs(gap) > _MIN_TWICE_GAP
    seen |= None in ratios and abs(np.expm1(gap)) >= _MIN_UNTOLD_GAP and abs(gap) > _MIN_DEVIATIONS * deviation
    if not seen:
        return ""
    return "NSE's list: " + ", ".join(f"{action.purpose}, ex-date {action.ex_date}" for action in actions)


def _since(records: Records, moves: _Moves, row: int, column: int) -> str:
    if moves.sessions[row, column] <= 1:
        return "the last close"
    last = records.grid[moves.last[row, column]]
    return f"its last close, of {last}, {moves.sessions[row, column]} sessions before,"


def _day(stamp: np.datetime64) -> date:
    day: date = stamp.astype("datetime64[D]").item()
    return day

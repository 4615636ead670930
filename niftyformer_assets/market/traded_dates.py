"""On which dates of the candles NSE traded.

The calendar knows nearly all of them. What candles can tell besides: a session it lacks, a date on
which a source only repeated the last session, and files whose dates are all wrong. Every decision
about a date looks at candles up to it, and at the stocks that were members and alive then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from niftyformer_assets.market.candle_files import PRICES
from niftyformer_assets.store.errors import NiftyFormerError

# A stock is alive on a date if it has a candle on it or on one of this many sessions before.
ALIVE_SESSIONS = 20
# A date the calendar does not know counts if at least this share of the stocks alive then traded, and two of them.
_MIN_SHARE_FOR_UNKNOWN_SESSION = 0.5
# A stock's own past says how often it stands still: as many candles of it are looked at.
_HABIT = 20
# Dates off the sessions are no accident from this many and this share of all dates on,
_MIN_MISDATED, _MIN_MISDATED_SHARE = 3, 0.02
# when sessions are missing instead, at least this many for each.
_MISSING_FOR_MISDATED = 0.5


@dataclass(frozen=True, eq=False)
class TradedDates:
    """What is known of D dates [D] with candles, and of N stocks on them [D, N].

    session: bool [D], a session to use.
    unknown: bool [D], a session that the calendar does not know.
    stale: bool [D], a session of the calendar on which most stocks' candles are the ones before once
        more: its real ones had not come yet.
    repeats: bool [D, N], prices and volume are those of the candle before, from a stock that usually
        moves; repeats_prices: the same without the volume.
    misdated: bool [D, N], candles from where on it is plain that the stock's dates are wrong.
    """

    session: np.ndarray
    unknown: np.ndarray
    stale: np.ndarray
    repeats: np.ndarray
    repeats_prices: np.ndarray
    misdated: np.ndarray


def traded_dates(
    values: dict[str, np.ndarray], dates: np.ndarray, member: np.ndarray, calendar: np.ndarray
) -> TradedDates:
    """Tell sessions from other dates.

    Args:
        values: open, high, low, close, volume, float [D, N] on `dates`, NaN where there is no candle.
        dates: datetime64[D], increasing, all dates with a candle.
        member: bool [D, N], who was a member of the index.
        calendar: datetime64[D], the sessions that the calendar knows.

    Raises:
        NiftyFormerError: most stocks' dates are wrong.
    """
    present = np.isfinite(values["close"])
    moved, same_volume = _against_the_candle_before(values, present)
    testifies = _usually_moves(moved, present)
    repeats_prices = present & testifies & ~moved
    known = np.isin(dates, calendar)
    voter = member & present
    # Two at least: one stock that stands still for a session says nothing about the others.
    testimony, still = (voter & testifies).sum(axis=1), (voter & repeats_prices).sum(axis=1)
    copied = (still > 0.5 * testimony) & (still > 1)
    trades = present & (values["volume"] > 0) & ~repeats_prices
    traded = (member & trades).sum(axis=1)
    alive = (member & _alive(present, dates, calendar)).sum(axis=1)
    by_most = (traded >= _MIN_SHARE_FOR_UNKNOWN_SESSION * alive) & (traded > 1)
    unknown = ~known & by_most
    _must_not_be_shifted(unknown, dates[known & by_most], dates, calendar)
    session = np.where(known, ~copied, unknown)
    return TradedDates(
        session=session,
        unknown=unknown,
        stale=known & copied,
        repeats=repeats_prices & same_volume,
        repeats_prices=repeats_prices,
        misdated=_misdated(trades, present, dates, session, calendar),
    )


def _against_the_candle_before(values: dict[str, np.ndarray], present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Does a candle tell a price that the stock's one before did not; is its volume the same? Both bool [D, N]."""
    before = last_candle(present)
    there = present & (before >= 0)
    was = {name: np.take_along_axis(array, np.maximum(before, 0), axis=0) for name, array in values.items()}
    same = np.logical_and.reduce([values[name] == was[name] for name in PRICES])
    # Some sources fill a date with the last close alone.
    filled = np.logical_and.reduce([values[name] == was["close"] for name in PRICES])
    same_volume = (values["volume"] == was["volume"]) & (values["volume"] > 0)
    return there & ~(same | filled), there & same_volume


def last_candle(present: np.ndarray) -> np.ndarray:
    """int [D, N], the row of the last candle before each row; -1 where there is none."""
    rows = np.where(present, np.arange(len(present))[:, None], -1)
    first = np.full((min(1, len(present)), present.shape[1]), -1)
    return np.vstack([first, np.maximum.accumulate(rows, axis=0)[:-1]])


def _usually_moves(moved: np.ndarray, present: np.ndarray) -> np.ndarray:
    """bool [D, N]: did the stock move at most of its last candles before the row?"""
    result = np.zeros_like(present)
    for column in range(present.shape[1]):
        rows = np.flatnonzero(present[:, column])
        total = np.concatenate([[0], np.cumsum(moved[rows, column])])
        # The first candle has none before it to move from.
        place = np.arange(len(rows))
        begin = np.maximum(place - _HABIT, 1)
        count = np.maximum(place - begin, 0)
        result[rows, column] = 2 * (total[place] - total[np.minimum(begin, place)]) > count
    return result


def _alive(present: np.ndarray, dates: np.ndarray, calendar: np.ndarray) -> np.ndarray:
    """bool [D, N]: a candle on the date or on one of the `ALIVE_SESSIONS` sessions before it."""
    sessions_before = np.searchsorted(calendar, dates, side="left")
    last = last_candle(present)
    since = sessions_before[:, None] - sessions_before[np.maximum(last, 0)]
    return present | ((last >= 0) & (since <= ALIVE_SESSIONS))


def _must_not_be_shifted(unknown: np.ndarray, by_most: np.ndarray, dates: np.ndarray, calendar: np.ndarray) -> None:
    """Raise if most stocks traded on many dates that are no sessions, and on as many sessions did not.

    by_most: the sessions of the calendar on which they did.
    """
    if not len(calendar) or not len(dates):
        return
    inside = dates[unknown & (dates >= calendar[0]) & (dates <= calendar[-1])]
    span = calendar[(calendar >= dates[0]) & (calendar <= dates[-1])]
    lacking = span[~np.isin(span, by_most)]
    if _shifted(len(inside), len(inside) + len(by_most), len(lacking)):
        raise NiftyFormerError(
            f"the dates of the candles are wrong: most stocks have one on {len(inside)} dates on which NSE did not "
            f"trade (as {inside[0]}) and none on {len(lacking)} of its sessions (as {lacking[0]}), as when midnights "
            "in India are read as UTC. Give the candles under NSE's own dates and fetch them again; if NSE did trade "
            "then, enter those sessions in data/reference/special_sessions.csv."
        )


def _misdated(
    trades: np.ndarray, present: np.ndarray, dates: np.ndarray, session: np.ndarray, calendar: np.ndarray
) -> np.ndarray:
    """From where on are so many of a stock's dates no sessions, and so many sessions without a candle? bool [D, N]."""
    if not len(calendar) or not present.size:
        return np.zeros_like(present)
    inside = (dates >= calendar[0]) & (dates <= calendar[-1])
    off = np.cumsum(trades & (inside & ~session)[:, None], axis=0)
    candles = np.cumsum(present & inside[:, None], axis=0)
    known = np.isin(dates, calendar)
    on_sessions = np.cumsum(present & known[:, None], axis=0)
    passed = np.searchsorted(calendar, dates, side="right")
    begun = dates[np.where(present.any(axis=0), present.argmax(axis=0), -1)]
    missing = passed[:, None] - np.searchsorted(calendar, begun, side="left") - on_sessions
    return present & np.maximum.accumulate(_shifted(off, candles, missing), axis=0)


def _shifted(off: Any, dates: Any, missing: Any) -> Any:
    """Are so many of the dates off the sessions, with as many sessions missing? Numbers, or arrays of them."""
    return (off >= _MIN_MISDATED) & (off >= _MIN_MISDATED_SHARE * dates) & (missing >= _MISSING_FOR_MISDATED * off)

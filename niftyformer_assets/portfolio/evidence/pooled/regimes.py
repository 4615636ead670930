"""What kind of market a session lies in, as it was known at its close.

Shapes: T sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.market.reference import as_date, read_table

TRAILING = 60
# A tercile is told against at least so many sessions before.
MIN_BEFORE = 120
# Sessions on either side of a budget or an election that count as around it.
AROUND = 5
EVENTS = "budgets_and_elections.csv"
ELECTION = "election result"
THIRDS = ("low", "middle", "high")
NOT_KNOWN = "not known"
# From this month on the index's monthly derivatives expire on the last Tuesday, before on the last Thursday.
TUESDAYS_FROM = np.datetime64("2025-09", "M")


@dataclass(frozen=True)
class Events:
    """Days that were known ahead: of Union Budgets, interim ones included, and of the results of general elections."""

    budgets: tuple[date, ...] = ()
    elections: tuple[date, ...] = ()


NO_EVENTS = Events()


def read_events(folder: Path | None = None) -> Events:
    """The events of data/reference.

    Raises:
        NiftyFormerError: the table is missing or damaged; it names the line.
    """
    rows = read_table(EVENTS, ("date", "event", "source"), folder)
    dates = [as_date(row["date"], f"{EVENTS}, line {line}") for line, row in enumerate(rows, start=2)]
    elections = [row["event"] == ELECTION for row in rows]
    return Events(
        budgets=tuple(day for day, election in zip(dates, elections, strict=True) if not election),
        elections=tuple(day for day, election in zip(dates, elections, strict=True) if election),
    )


def regimes(dates: np.ndarray, index: pd.Series, events: Events, sessions: np.ndarray) -> dict[str, np.ndarray]:
    """What each session belongs to: name of the division -> its part of each session, str [T].

    Args:
        dates: datetime64[D] [T], the sessions to tell of.
        index: levels of the NIFTY 50 by date.
        sessions: datetime64[D], all sessions of the market at hand, those of `dates` among them.
    """
    index_return, index_deviation = trailing(index, dates)
    around_budget, around_election = (around(dates, days, sessions) for days in (events.budgets, events.elections))
    return {
        "NIFTY 50, trailing return": thirds(index_return, dates),
        "NIFTY 50, trailing deviation": thirds(index_deviation, dates),
        "expiry": np.where(expiry_weeks(dates, sessions), "week of a monthly expiry", "other weeks"),
        "budget": np.where(around_budget, "around a Union Budget", "other sessions"),
        "election": np.where(around_election, "around an election result", "other sessions"),
    }


def trailing(index: pd.Series, dates: np.ndarray) -> tuple[pd.Series, pd.Series]:
    """Return, and standard deviation of the daily returns, of an index over its last TRAILING sessions.

    Both by date of the index, up to the last of `dates`.
    """
    known = index.dropna().sort_index()
    known.index = pd.DatetimeIndex(known.index)
    known = known[: pd.Timestamp(dates[-1])]
    return known / known.shift(TRAILING) - 1, known.pct_change().rolling(TRAILING).std()


def thirds(values: pd.Series, dates: np.ndarray) -> np.ndarray:
    """The third that the value of each session lies in among the values of all dates before it, str [T].

    Only what came before counts, so a session's third never changes later; below MIN_BEFORE values it is not known.
    A session on which the index has no value has that of its last date before.
    """
    known = values.dropna()
    days = pd.DatetimeIndex(known.index).to_numpy().astype("datetime64[D]")
    # The place of each value among those up to it: 1 the smallest, ties in the middle.
    place = known.expanding().rank().to_numpy()
    before = np.arange(len(known))
    share = np.where(before >= MIN_BEFORE, (place - 1) / np.maximum(before, 1), np.nan)
    row = np.searchsorted(days, dates, side="right") - 1
    of_session = np.where(row >= 0, share[np.maximum(row, 0)], np.nan) if len(days) else np.full(len(dates), np.nan)
    third = np.minimum((3 * np.nan_to_num(of_session)).astype(int), 2)
    return np.where(np.isfinite(of_session), np.array(THIRDS)[third], NOT_KNOWN)


def expiry_weeks(dates: np.ndarray, sessions: np.ndarray) -> np.ndarray:
    """bool [T]: sessions of a calendar week in which the index's monthly derivatives expire."""
    months = np.unique(dates.astype("datetime64[M]"))
    # A week may reach into the month after.
    expiries = np.array([expiry(month, sessions) for month in np.unique(np.concatenate([months - 1, months]))])
    return np.isin(_monday(dates), _monday(expiries))


def expiry(month: np.datetime64, sessions: np.ndarray) -> np.datetime64:
    """The day on which the month's index derivatives expire: the last Thursday, from 2025-09 on the last Tuesday.

    Where that is a holiday, the session before it. Beyond the sessions at hand, holidays are not known.
    """
    weekday = 1 if month >= TUESDAYS_FROM else 3
    last = (month + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    day = last - ((_weekday(last) - weekday) % 7).astype("timedelta64[D]")
    if len(sessions) == 0 or day > sessions[-1] or day < sessions[0]:
        return np.datetime64(day)
    return np.datetime64(sessions[np.searchsorted(sessions, day, side="right") - 1])


def around(dates: np.ndarray, days: Sequence[date], sessions: np.ndarray) -> np.ndarray:
    """bool [T]: at most AROUND sessions before the first session from a day on, or after it.

    Beyond the sessions at hand weekdays count, for want of a calendar.
    """
    place = np.searchsorted(sessions, dates)
    events = np.array(days, dtype="datetime64[D]")
    events = events[events >= sessions[0]]
    last = sessions[-1]
    beyond = len(sessions) - 1 + np.busday_count(np.minimum(last, events), events)
    event = np.where(events > last, beyond, np.searchsorted(sessions, events))
    return np.asarray((np.abs(place[:, None] - event[None, :]) <= AROUND).any(axis=1))


def _monday(days: np.ndarray) -> np.ndarray:
    return days - _weekday(days).astype("timedelta64[D]")


def _weekday(days: np.ndarray) -> np.ndarray:
    """0 is Monday; 1970-01-01 was a Thursday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7

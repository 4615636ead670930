"""NSE's sessions, and which of them is over.

Holidays come from pandas-market-calendars (`NSE`), and for years after its last from
`data/reference/holidays.csv`. It knows no weekend sessions; those, and the hours of unusual ones, are
in `data/reference/special_sessions.csv`. Together they give exactly the sessions of 2015–2025; before that, the
weekdays are those of real candles, and the weekends those that NSE announced.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache

import numpy as np

from niftyformer_assets.market.reference import as_date, read_table
from niftyformer_assets.store.errors import NiftyFormerError

IST = timezone(timedelta(hours=5, minutes=30), "IST")
FIRST_COVERED = date(2010, 7, 1)
# Trading ends at 15:30, the closing session at 16:00; then the session's candle no longer moves with trades.
COMPLETE_FROM = time(16, 0)
# Kite settles a session's close, and adjusts history for the day's ex-dates, early the next morning.
FINAL_FROM = time(6, 0)
# From 2009 to 2026 there were ten or more on weekdays in each year: with fewer than this a list is unfinished.
FEWEST_HOLIDAYS = 8


@dataclass(frozen=True, eq=False)
class _Calendar:
    sessions: np.ndarray
    last_covered: date
    complete_from: dict[date, time]


def sessions(start: date, end: date) -> np.ndarray:
    """The sessions from `start` to `end`, both included, as datetime64[D] [T].

    Raises:
        NiftyFormerError: a date outside the years whose holidays are known.
    """
    calendar = _calendar()
    for day in (start, end):
        _must_be_covered(day, calendar)
    known = calendar.sessions
    return known[np.searchsorted(known, np.datetime64(start)) : np.searchsorted(known, np.datetime64(end), "right")]


def sessions_to_come(last: np.datetime64, count: int) -> np.ndarray:
    """The exchange's next sessions after `last`, datetime64[D], as far as the calendar knows them: `count` or fewer."""
    known = _calendar().sessions
    return known[np.searchsorted(known, last.astype("datetime64[D]"), "right") :][:count]


def covered() -> tuple[date, date]:
    """The first and the last date whose sessions are known."""
    return FIRST_COVERED, _calendar().last_covered


def last_complete_session(now: datetime) -> date:
    """The last session that is over at `now` (an aware datetime)."""
    local = _ist(now)
    calendar = _calendar()
    today = local.date()
    over = local.time() >= calendar.complete_from.get(today, COMPLETE_FROM)
    return _last_session(today if over else today - timedelta(days=1))


def last_final_session(now: datetime) -> date:
    """The last session whose close is final at `now` (an aware datetime)."""
    local = _ist(now)
    return _last_session(local.date() - timedelta(days=1 if local.time() >= FINAL_FROM else 2))


def is_session(day: date) -> bool:
    """Does NSE trade on this date?"""
    return len(sessions(day, day)) == 1


def _ist(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("the time must be aware of its time zone")
    return now.astimezone(IST)


def _last_session(day: date) -> date:
    calendar = _calendar()
    _must_be_covered(day, calendar)
    place = int(np.searchsorted(calendar.sessions, np.datetime64(day), "right")) - 1
    if place < 0:
        raise NiftyFormerError(f"there is no session up to {day} in the NSE calendar, which starts in {FIRST_COVERED}.")
    found: date = calendar.sessions[place].item()
    return found


def _must_be_covered(day: date, calendar: _Calendar) -> None:
    if day < FIRST_COVERED:
        raise NiftyFormerError(
            f"{day} is before the NSE calendar, which is verified from {FIRST_COVERED}: ask for a later date."
        )
    if day > calendar.last_covered:
        raise NiftyFormerError(
            f"{day} is past the NSE calendar, which knows the holidays up to {calendar.last_covered}: "
            "upgrade pandas-market-calendars to a release that knows that year's, or enter them all in "
            "data/reference/holidays.csv; then restart."
        )


@lru_cache(maxsize=1)
def _calendar() -> _Calendar:
    import pandas_market_calendars  # half a second, and the definitions do without

    nse = pandas_market_calendars.get_calendar("NSE")
    # Past the last year with a holiday the library returns every weekday, which is wrong without a word.
    last_year = max(holiday.year for holiday in nse.adhoc_holidays)
    entered = _entered_holidays(last_year)
    while last_year + 1 in {day.year for day in entered}:
        last_year += 1
    last_covered = date(last_year, 12, 31)
    regular = nse.valid_days(FIRST_COVERED.isoformat(), last_covered.isoformat()).tz_localize(None)
    complete_from: dict[date, time] = {}
    for row in read_table("special_sessions.csv", ("date", "kind", "complete_from")):
        where = f"special_sessions.csv, {row['date']}"
        try:
            at = time.fromisoformat(row["complete_from"])
            if at.tzinfo is not None:
                raise ValueError("times here are IST")
            complete_from[as_date(row["date"], where)] = at
        except ValueError as error:
            raise NiftyFormerError(f"{where}: {row['complete_from']!r} is not a time written as HH:MM.") from error
    special = np.array(sorted(day for day in complete_from if day <= last_covered), dtype="datetime64[D]")
    return _Calendar(
        sessions=np.union1d(
            np.setdiff1d(regular.to_numpy().astype("datetime64[D]"), np.array(entered, dtype="datetime64[D]")), special
        ),
        last_covered=last_covered,
        complete_from=complete_from,
    )


def _entered_holidays(last_known: int) -> list[date]:
    """The holidays of holidays.csv; a year after the last one known of which only some are there is refused."""
    days = [as_date(row["date"], "holidays.csv") for row in read_table("holidays.csv", ("date",))]
    for year, count in Counter(day.year for day in days if day.weekday() < 5).items():
        if year > last_known and count < FEWEST_HOLIDAYS:
            raise NiftyFormerError(
                f"holidays.csv has {count} weekday holidays in {year}, at least {FEWEST_HOLIDAYS} are expected: "
                "enter all that it announced for the year."
            )
    return days

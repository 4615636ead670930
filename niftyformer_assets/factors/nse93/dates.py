"""Which sessions belong together by their dates.

Everything here follows from the dates alone, never from how many sessions a panel has, so neither a session more at
its end nor one at its beginning changes what is said of another. Where the next session matters, that of t+1 is not
known at t; the next Monday to Friday stands for it, and holidays are not looked at.
"""

from __future__ import annotations

import numpy as np

# Refits of principal components begin with the first session of every 20 Mondays to Fridays, counted from this Monday.
FIRST_MONDAY, REFIT_DAYS = "2000-01-03", 20
YEARS_BEFORE = 5


def first_rows(labels: np.ndarray) -> np.ndarray:
    """Of each session the row at which its label, which never falls, begins: int [T]."""
    return np.searchsorted(labels, labels, side="left")


def refit_rows(dates: np.ndarray) -> np.ndarray:
    """Of each session the first session of its 20 Mondays to Fridays: int [T]."""
    return first_rows(np.busday_count(np.datetime64(FIRST_MONDAY), dates) // REFIT_DAYS)


def year_rows(dates: np.ndarray) -> np.ndarray:
    """Of each session the first session of its calendar year: int [T]."""
    return first_rows(dates.astype("datetime64[Y]"))


def weekday(dates: np.ndarray) -> np.ndarray:
    """0 for Monday to 6 for Sunday."""
    return (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7


def later_date(dates: np.ndarray, days: int) -> np.ndarray:
    """The date so many Mondays to Fridays later."""
    return np.busday_offset(dates, days, roll="backward")


def month(dates: np.ndarray) -> np.ndarray:
    """0 for January to 11 for December."""
    return dates.astype("datetime64[M]").astype(np.int64) % 12


def same_month_before(dates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows from the month of t+1 five years before until that of the current year: begin, end, int [T]."""
    following = later_date(dates, 1).astype("datetime64[M]")
    begin = np.searchsorted(dates, (following - 12 * YEARS_BEFORE).astype("datetime64[D]"))
    return begin, np.minimum(np.searchsorted(dates, following.astype("datetime64[D]")), np.arange(len(dates)) + 1)


def turn_of_month(dates: np.ndarray) -> np.ndarray:
    """1 on the last Monday to Friday of a month and on the first three, else 0: int [T]."""
    months = dates.astype("datetime64[M]")
    last = np.busday_offset((months + 1).astype("datetime64[D]"), -1, roll="forward")
    third = np.busday_offset(months.astype("datetime64[D]"), 2, roll="forward")
    return ((dates == last) | ((dates <= third) & np.is_busday(dates))).astype(np.int64)

"""Are the days of a file that a person gives NSE's sessions, and are all of them there?"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.market.calendar import covered, sessions
from niftyformer_assets.store.errors import NiftyFormerError

# The calendar may lack a special session or two; dates that are shifted by a day have a Sunday in every week.
MAX_OTHER_DAYS = 5
# A price index may lack special sessions, which never follow each other.
MAX_HOLE = 5
MAX_MISSING_SHARE = 0.05


def must_be_sessions(days: np.ndarray, source: str) -> None:
    """Refuse days of which more than a few are no sessions.

    Args:
        days: datetime64[D]; those outside the years that the calendar covers count as sessions.

    Raises:
        NiftyFormerError: the message names `source` and the first such days.
    """
    inside = _covered(days)
    other = np.setdiff1d(inside, _sessions_between(inside))
    if len(other) > MAX_OTHER_DAYS:
        raise NiftyFormerError(
            f"{source}: {len(other)} of its {len(days)} dates are no sessions of NSE, as {other[0]} and {other[1]}: "
            "they are shifted, or not of NSE. Write the date of each session in India, then try again."
        )


def what_is_missing(days: np.ndarray) -> str:
    """In words, what days (datetime64[D]) lack of the sessions between their first and last; "" for next to nothing."""
    inside = _covered(days)
    expected = _sessions_between(inside)
    places = np.flatnonzero(np.isin(expected, inside))
    gaps = np.diff(places) - 1
    if not len(gaps) or gaps.sum() <= MAX_HOLE:
        return ""
    if gaps.max() > MAX_HOLE:
        start = places[gaps.argmax()] + 1
        return f"{gaps.max()} sessions in a row ({expected[start]} to {expected[start + gaps.max() - 1]})"
    if gaps.sum() > MAX_MISSING_SHARE * len(expected):
        return f"{gaps.sum()} of the {len(expected)} sessions from {expected[0]} to {expected[-1]}"
    return ""


def _covered(days: np.ndarray) -> np.ndarray:
    first, last = (np.datetime64(day) for day in covered())
    return np.unique(days[(days >= first) & (days <= last)])


def _sessions_between(days: np.ndarray) -> np.ndarray:
    return sessions(days[0].item(), days[-1].item()) if len(days) else days

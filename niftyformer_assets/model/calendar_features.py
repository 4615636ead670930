"""The two temporal features of each session: where it stands in the week and in the month."""

from __future__ import annotations

from typing import Literal

import numpy as np

WEEKDAYS = 5
SESSIONS_OF_MONTH = 50


def calendar_features(dates: np.ndarray, scheme: Literal["calendar", "published"]) -> np.ndarray:
    """Weekday and session of the month, both from 0.

    `calendar` is the real one. A session on a weekend counts as a Friday. Where the first month is
    cut, its earlier sessions are counted as its earlier weekdays. `published` is what the published
    code computes from the row i alone: ((42 + i) mod 252) // 21 mod 5, and i mod 21.

    Args:
        dates: datetime64[D] [T], increasing.

    Returns:
        int64 [T, 2], in 0..4 and 0..49.
    """
    if scheme == "published":
        row = np.arange(len(dates))
        return np.stack([(42 + row) % 252 // 21 % WEEKDAYS, row % 21], axis=1)
    weekday = (dates.astype(np.int64) + 3) % 7  # the first day of the epoch was a Thursday
    months = dates.astype("datetime64[M]")
    _, first, of_month = np.unique(months, return_index=True, return_inverse=True)
    session = np.arange(len(dates)) - first[of_month]
    session[of_month == 0] += np.busday_count(months[0].astype("datetime64[D]"), dates[0])
    return np.stack([weekday.clip(max=WEEKDAYS - 1), session.clip(max=SESSIONS_OF_MONTH - 1)], axis=1)

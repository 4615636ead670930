"""How many requests a second are let through, and a record of what was asked for."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import NamedTuple

# A second, less what a busy machine may take to get to a request that has already arrived: a client
# in the same process, or on two cores, must not be punished for the server's own delay.
WINDOW_S = 0.95


class SlidingWindow:
    """Lets at most `count` requests of a key through in any `WINDOW_S`; those it refuses do not count.

    A count of None lets everything through.
    """

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._passed: dict[str, deque[float]] = {}

    def admits(self, key: str) -> bool:
        if self._count is None:
            return True
        now = time.monotonic()
        passed = self._passed.setdefault(key, deque())
        while passed and passed[0] <= now - WINDOW_S:
            passed.popleft()
        if len(passed) >= self._count:
            return False
        passed.append(now)
        return True


class Arrival(NamedTuple):
    """One request, noted when its answer is known.

    time_s: when it arrived, by time.monotonic(). symbol: whose history was asked for, if any.
    reason: "limit" where the rate limit refused it, the name of the fault that hit it, or "".
    """

    time_s: float
    path: str
    symbol: str | None
    status: int
    reason: str


class Traffic:
    """What has arrived so far."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []

    def clear(self) -> None:
        self.arrivals = []

    @property
    def by_path(self) -> Counter[str]:
        return Counter(arrival.path for arrival in list(self.arrivals))

    @property
    def by_symbol(self) -> Counter[str]:
        """Requests for history, whatever came of them."""
        return Counter(arrival.symbol for arrival in list(self.arrivals) if arrival.symbol is not None)

    @property
    def by_status(self) -> Counter[int]:
        return Counter(arrival.status for arrival in list(self.arrivals))

    @property
    def over_limit(self) -> int:
        """429s that the client brought upon itself, not those of a fault."""
        return sum(arrival.reason == "limit" for arrival in list(self.arrivals))

    def as_json(self) -> dict[str, object]:
        return {
            "requests": len(self.arrivals),
            "by_path": dict(self.by_path),
            "by_symbol": dict(self.by_symbol),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "over_limit": self.over_limit,
        }

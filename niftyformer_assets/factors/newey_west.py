"""The error of a mean of values that depend on those shortly before them, by Newey and West (1987)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

A = TypeVar("A", bound=Any)


def newey_west_lags(sessions: int, overlap: int) -> int:
    """Lags over which coefficients are taken to depend on each other.

    At least those over which labels share returns (`Label.overlap` less one). A factor that changes slowly orders the
    stocks alike for many sessions, and so do returns with a common cause; hence also 4 (n / 100)^(2/9), the rule of
    Newey and West (1994).
    """
    return max(overlap - 1, int(4 * (sessions / 100) ** (2 / 9)))


def bartlett_sum(products: Callable[[int], A], lags: int, sessions: int) -> A:
    """The products at lag 0 and, both ways, at each further one, weighted by 1 − lag / (lags + 1): Bartlett's kernel.

    Args:
        products: at a lag, those of each of n sessions with the one so many before it, added up: a number, numbers
            of several series side by side, or the matrix of several of one.
        sessions: n; there are none further apart.
    """
    total = products(0)
    for lag in range(1, min(lags, sessions - 1) + 1):
        at_lag = products(lag)
        total = total + (1 - lag / (lags + 1)) * (at_lag + at_lag.T)
    return total

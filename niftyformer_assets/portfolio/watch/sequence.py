"""Whether what comes in session by session is still what it was: a test that may be looked at every day.

The mean of n values of unit variance stays within the normal mixture's boundary at all n at once, but with probability
alpha (Robbins 1970, Statistical methods related to the law of the iterated logarithm; Howard, Ramdas, McAuliffe and
Sekhon 2021, Time-uniform, nonparametric, nonasymptotic confidence sequences). So whoever looks every day is not
alarmed more often than one who looks once. The mean of the backtest is not known exactly either: it has a plain
interval, and the two must be apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from statistics import NormalDist

import numpy as np

# In all figures together, for as long as a model is watched.
FALSE_ALARMS = 0.05
# Values at which the boundary is near its tightest: some months.
TIGHT_AT = 20.0
# With fewer values the backtest's standard deviation is no yardstick.
LEAST = 20


@dataclass(frozen=True, eq=False)
class Watched:
    """One figure, watched.

    given: float [n], the values of the sessions that have one. mean, low, high: float [n], of the values so far.
    before: the interval of the backtest's mean, which the other is to meet; None where there is nothing to judge by.
    """

    given: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    before: tuple[float, float] | None

    @property
    def below(self) -> np.ndarray:
        """bool [n]: is the mean so far below the backtest's?"""
        return self.high < self.before[0] if self.before else np.zeros(len(self.given), dtype=bool)

    @property
    def above(self) -> np.ndarray:
        return self.low > self.before[1] if self.before else np.zeros(len(self.given), dtype=bool)


def watched(values: np.ndarray, before: np.ndarray, figures: int = 1, false_alarms: float = FALSE_ALARMS) -> Watched:
    """Watch values beside those of the backtest.

    Args:
        values, before: float, in the order of the sessions; NaN where a session has none.
        figures: that are watched together; each may alarm in its part of `false_alarms`.
    """
    values, before = values[np.isfinite(values)], before[np.isfinite(before)]
    mean = np.cumsum(values) / np.arange(1, len(values) + 1)
    if len(before) < LEAST or not before.std() > 1e-9 * np.abs(before).max():
        unknown = np.full(len(values), np.nan)
        return Watched(values, mean, unknown, unknown, None)
    # Half for the backtest's interval, half for the sequence.
    alpha = false_alarms / figures / 2
    # Which is not known exactly either: a standard error more.
    spread = float(before.std(ddof=1)) * (1 + 1 / np.sqrt(2 * len(before)))
    off = NormalDist().inv_cdf(1 - alpha / 2) * spread / np.sqrt(len(before))
    width = spread * _boundary(np.arange(1, len(values) + 1), alpha)
    interval = (float(before.mean() - off), float(before.mean() + off))
    return Watched(values, mean, mean - width, mean + width, interval)


def _boundary(n: np.ndarray, alpha: float) -> np.ndarray:
    """How far the mean of n values of unit variance may be off."""
    return np.sqrt((n + TIGHT_AT) * (np.log((n + TIGHT_AT) / TIGHT_AT) + 2 * log(1 / alpha))) / n

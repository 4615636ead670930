"""Uncertainty of a figure by the stationary bootstrap (Politis and Romano 1994)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000


class Interval(NamedTuple):
    """Where a figure would lie in `level` of repetitions of history."""

    low: float
    high: float


def interval(
    statistic: Callable[..., np.ndarray],
    *series: np.ndarray,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile interval of `statistic` over resampled series.

    Blocks of consecutive sessions are drawn, of geometric length with mean n^(1/3), so that
    dependence between neighbouring sessions is kept. Several series are resampled together.

    Args:
        statistic: takes arrays [B, n], one for each series, and gives [B].
        series: float [n], sessions in order; a session where one of them is NaN is left out.

    Returns:
        NaN at both ends below 5 sessions, or where the statistic is nowhere defined.
    """
    known = np.all([np.isfinite(values) for values in series], axis=0)
    kept = [values[known] for values in series]
    n = int(known.sum())
    if n < 5:
        return Interval(np.nan, np.nan)
    rows = seeded_indices(n, resamples, seed)
    drawn = statistic(*(values[rows] for values in kept))
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) == 0:
        return Interval(np.nan, np.nan)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


@lru_cache(maxsize=2)
def seeded_indices(n: int, resamples: int, seed: int) -> np.ndarray:
    """`stationary_indices` from a seed, read-only; kept, as all figures of a report resample the same sessions."""
    rows = stationary_indices(n, resamples, np.random.default_rng(seed))
    rows.setflags(write=False)
    return rows


def stationary_indices(n: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Int [resamples, n]: which sessions make up each resampled history, wrapping at the end."""
    begins = rng.random((resamples, n)) < n ** (-1 / 3)
    begins[:, 0] = True
    place = np.arange(n)
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    start = np.take_along_axis(rng.integers(0, n, (resamples, n)), first, axis=1)
    return (start + place - first) % n

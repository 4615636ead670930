"""What depends on the order of the values in a window: extremes, ranks, quantiles."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels import HISTORY, LANES
from niftyformer_assets.factors.kernels.compiling import kernel


@kernel
def window_maxima(x: np.ndarray, start: np.ndarray, best: np.ndarray, row: np.ndarray, key: np.ndarray) -> None:
    """The largest value of each window, and the row it stands on.

    best: the maximum, missing values skipped; -inf over nothing.
    row: where `np.argmax` over the window's rows would find it: the oldest of equal ones, and a
        missing row inside the lane counts as the largest of all, as in Qlib's IdxMax.
    key: scratch; the value at `row`, +inf for a missing one.
    start: the first row of each lane; rows before it belong to no window.
    """
    best[:, :HISTORY] = -np.inf
    key[:, :HISTORY] = -np.inf
    row[:, :HISTORY] = 0.0
    for p in range(HISTORY, x.shape[0]):
        for j in range(LANES):
            highest, peak, where = -np.inf, -np.inf, 0.0
            for back in range(5):
                value = x[p - 4 + back, j]
                there = value == value
                highest = max(highest, value if there else -np.inf)
                candidate = value if there else (np.inf if p - 4 + back >= start[j] else -np.inf)
                where = p - 4 + back if candidate > peak else where
                peak = max(peak, candidate)
            best[0, p, j], key[0, p, j], row[0, p, j] = highest, peak, where
        for window, newer, older, shift in ((1, 0, 0, 5), (2, 1, 1, 10), (3, 2, 1, 20), (4, 3, 3, 30)):
            for j in range(LANES):
                best[window, p, j] = max(best[newer, p, j], best[older, p - shift, j])
                later = key[newer, p, j] > key[older, p - shift, j]
                key[window, p, j] = key[newer, p, j] if later else key[older, p - shift, j]
                row[window, p, j] = row[newer, p, j] if later else row[older, p - shift, j]


@kernel
def window_ranks(x: np.ndarray, n: np.ndarray, rank: np.ndarray) -> None:
    """Average-tie rank of the newest value among the values of its window, divided by their number `n`."""
    below, equal = np.zeros(LANES), np.zeros(LANES)
    for p in range(HISTORY, x.shape[0]):
        below[:] = 0.0
        equal[:] = 0.0
        oldest = 1
        for window, length in ((0, 5), (1, 10), (2, 20), (3, 30), (4, 60)):
            for lag in range(oldest, length):
                for j in range(LANES):
                    below[j] += 1.0 if x[p - lag, j] < x[p, j] else 0.0
                    equal[j] += 1.0 if x[p - lag, j] == x[p, j] else 0.0
            oldest = length
            for j in range(LANES):
                place = (below[j] + 0.5 * equal[j] + 1.0) / n[window, p, j]
                rank[window, p, j] = place if x[p, j] == x[p, j] else np.nan


@kernel
def window_quantiles(
    x: np.ndarray, length: int, n: np.ndarray, upper: float, lower: float, high: np.ndarray, low: np.ndarray
) -> None:
    """Two quantiles of one window in units of x, linear between the neighbours of place q(n − 1).

    Each lane keeps its window sorted, missing values as +inf at the end. A session takes the oldest
    value out and puts the newest in: one pass without a branch.
    """
    ordered = np.full((length + 1, LANES), np.inf)
    gone, carry = np.empty(LANES), np.empty(LANES)
    for p in range(HISTORY, x.shape[0]):
        for j in range(LANES):
            gone[j] = x[p - length, j] if x[p - length, j] == x[p - length, j] else np.inf
            carry[j] = x[p, j] if x[p, j] == x[p, j] else np.inf
        for k in range(length):
            for j in range(LANES):
                kept = ordered[k, j] if ordered[k, j] < gone[j] else ordered[k + 1, j]
                ordered[k, j] = min(kept, carry[j])
                carry[j] = max(kept, carry[j])
        _quantile(ordered, upper, length, n[p], x[p], high[p])
        _quantile(ordered, lower, length, n[p], x[p], low[p])


@kernel
def _quantile(ordered: np.ndarray, q: float, length: int, n: np.ndarray, unit: np.ndarray, value: np.ndarray) -> None:
    """The quantile of each lane; lanes whose window is not full look up their own place."""
    below = int(q * (length - 1))
    fraction = q * (length - 1) - below
    for j in range(LANES):
        value[j] = (ordered[below, j] + (ordered[below + 1, j] - ordered[below, j]) * fraction) / unit[j]
    for j in range(LANES):
        if n[j] < length:
            place = q * (n[j] - 1.0)
            at = int(place)
            between = ordered[at, j] if n[j] > 0.0 else np.nan
            if place > at:
                between += (ordered[at + 1, j] - ordered[at, j]) * (place - at)
            value[j] = between / unit[j]

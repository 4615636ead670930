"""What depends on the order of the values in a window: extremes, ranks, quantiles."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels import HISTORY
from niftyformer_assets.factors.kernels.compiling import step


@step
def window_extremes(
    x: np.ndarray, sign: float, first: int, start: np.ndarray, best: np.ndarray, row: np.ndarray, key: np.ndarray
) -> None:
    """The largest value of sign · x in each window, and the session it stands on.

    best: the maximum, missing values skipped; -inf over nothing.
    row: the session on which `np.argmax` over the window would find it: the oldest of equal ones, and a
        missing one inside the lane counts as the largest of all, as in Qlib's IdxMax.
    key: scratch; the value at `row`, +inf for a missing one.
    first: the session of x[0].
    start: the first session of each lane; sessions before it belong to no window.
    """
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            highest, peak, where, begin = -np.inf, -np.inf, 0.0, start[j] - (first + p)
            for back in range(-4, 1):
                value = sign * x[p + back, j]
                known = value if value == value else -np.inf
                missing = np.inf if back >= begin else -np.inf
                candidate = value if value == value else missing
                highest = max(highest, known)
                where = float(back) if candidate > peak else where
                peak = max(peak, candidate)
            best[0, p, j], key[0, p, j], row[0, p, j] = highest, peak, where + (first + p)
        for window, newer, older, shift in ((1, 0, 0, 5), (2, 1, 1, 10), (3, 2, 1, 20), (4, 3, 3, 30)):
            for j in range(x.shape[1]):
                # Everything is loaded before anything is chosen: without a branch this becomes vectors.
                new_best, old_best = best[newer, p, j], best[older, p - shift, j]
                new_key, old_key = key[newer, p, j], key[older, p - shift, j]
                new_row, old_row = row[newer, p, j], row[older, p - shift, j]
                best[window, p, j] = max(new_best, old_best)
                key[window, p, j] = max(new_key, old_key)
                row[window, p, j] = new_row if new_key > old_key else old_row


@step
def window_ranks(x: np.ndarray, n: np.ndarray, rank: np.ndarray) -> None:
    """Average-tie rank of the newest value among the values of its window, divided by their number `n`.

    Whoever is smaller counts twice and whoever is equal once, the newest among them: the rank is half
    of one more than that.
    """
    twice = np.zeros(x.shape[1])
    for p in range(HISTORY, x.shape[0]):
        twice[:] = 0.0
        for window, oldest, length in ((0, 0, 5), (1, 5, 10), (2, 10, 20), (3, 20, 30), (4, 30, 60)):
            for lag in range(oldest, length, 5):
                for j in range(x.shape[1]):
                    count, newest = twice[j], x[p, j]
                    for further in range(5):
                        value = x[p - lag - further, j]
                        count += 1.0 if value < newest else 0.0
                        count += 1.0 if value <= newest else 0.0
                    twice[j] = count
            for j in range(x.shape[1]):
                place = 0.5 * (twice[j] + 1.0) / n[window, p, j]
                rank[window, p, j] = place if x[p, j] == x[p, j] else np.nan


@step
def window_quantiles(
    x: np.ndarray,
    by_x: np.ndarray,
    length: int,
    ordered: np.ndarray,
    n: np.ndarray,
    upper: float,
    lower: float,
    high: np.ndarray,
    low: np.ndarray,
) -> None:
    """Two quantiles of one window in units of x, linear between the neighbours of place q(n − 1).

    by_x: 1 / x. n: how many values the window has.
    ordered: [length + 1, L], each lane's window sorted, missing values as +inf at the end; all
        +inf before the first row. A session takes the oldest value out and puts the newest in: one
        pass without a branch.
    """
    # On an array of its own, whose rows cannot overlap, the compiler makes vectors of the inner loop.
    own = ordered.copy()
    gone, carry = np.empty(x.shape[1]), np.empty(x.shape[1])
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            gone[j] = x[p - length, j] if x[p - length, j] == x[p - length, j] else np.inf
            carry[j] = x[p, j] if x[p, j] == x[p, j] else np.inf
        # Five places at a time: what leaves and what is carried up stay in registers meanwhile.
        for lowest in range(0, length, 5):
            for j in range(x.shape[1]):
                leaving, coming = gone[j], carry[j]
                for k in range(5):
                    here, above = own[lowest + k, j], own[lowest + k + 1, j]
                    kept = here if here < leaving else above
                    own[lowest + k, j] = min(kept, coming)
                    coming = max(kept, coming)
                carry[j] = coming
        _quantile(own, upper, length, p, n, by_x, high)
        _quantile(own, lower, length, p, n, by_x, low)
    for k in range(length + 1):
        for j in range(x.shape[1]):
            ordered[k, j] = own[k, j]


@step
def _quantile(
    ordered: np.ndarray, q: float, length: int, p: int, n: np.ndarray, by_x: np.ndarray, value: np.ndarray
) -> None:
    """The quantile of each lane in row p; lanes whose window is not full look up their own place."""
    below = int(q * (length - 1))
    fraction = q * (length - 1) - below
    not_full = 0
    for j in range(ordered.shape[1]):
        value[p, j] = (ordered[below, j] + (ordered[below + 1, j] - ordered[below, j]) * fraction) * by_x[p, j]
        not_full += 0.0 < n[p, j] < length
    if not_full == 0:
        return
    for j in range(ordered.shape[1]):
        if 0.0 < n[p, j] < length:
            place = q * (n[p, j] - 1.0)
            at = int(place)
            between = ordered[at, j]
            if place > at:
                between += (ordered[at + 1, j] - ordered[at, j]) * (place - at)
            value[p, j] = between * by_x[p, j]

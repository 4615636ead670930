"""Loops over the stocks of one session: where each value stands among those of its group."""

from __future__ import annotations

import math

import numpy as np

from niftyformer_assets.factors.kernels.compiling import kernel
from niftyformer_assets.factors.kernels.cross_section import sort


@kernel
def standardised_ranks(
    factor: np.ndarray,
    group: np.ndarray,
    groups: int,
    counts: np.ndarray,
    min_stocks: int,
    result: np.ndarray,
) -> None:
    """The place of each value among those of its group that count, ties averaged, centred and of unit variance.

    Args:
        factor, result: [T, N]; group: int64 [T, N], 0..groups-1.
        counts: bool [T, N], who is counted; others get the place that they would have.
        min_stocks: a session with fewer values that count is missing.
    """
    sessions, symbols = factor.shape
    values, places = np.empty(symbols + 64, dtype=factor.dtype), np.empty(symbols, dtype=np.int64)
    order, rank = np.empty(symbols, dtype=np.int64), np.empty(symbols)
    before, inside, squares = np.empty(groups), np.empty(groups), np.empty(groups)
    for t in range(sessions):
        result[t] = np.nan
        there, counted = 0, 0
        for n in range(symbols):
            if abs(factor[t, n]) < np.inf:
                values[there], places[there] = factor[t, n], n
                there += 1
                counted += counts[t, n]
        if counted < min_stocks:
            continue
        padded = (there + 63) // 64 * 64
        values[there:padded] = np.nan
        sort(values[:padded], places[:there], order)
        before[:] = 0.0
        first = 0
        for k in range(there + 1):
            # At the end of a run of equal values all of it gets its group's average place.
            if k == there or (k > first and factor[t, order[k]] != factor[t, order[first]]):
                inside[:] = 0.0
                for i in range(first, k):
                    inside[group[t, order[i]]] += counts[t, order[i]]
                for i in range(first, k):
                    g = group[t, order[i]]
                    rank[order[i]] = before[g] + 0.5 * (inside[g] + 1.0)
                before += inside
                first = k
        squares[:] = 0.0
        for i in range(there):
            n = order[i]
            rank[n] -= 0.5 * (before[group[t, n]] + 1.0)
            squares[group[t, n]] += counts[t, n] * rank[n] * rank[n]
        for i in range(there):
            n = order[i]
            g = group[t, n]
            result[t, n] = rank[n] / math.sqrt(squares[g] / before[g]) if squares[g] > 0.0 else 0.0

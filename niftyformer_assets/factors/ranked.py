"""Ranks: where a factor's value stands among those of the session."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from niftyformer_assets.factors.kernels.ranking import standardised_ranks


def ranked(
    factors: np.ndarray,
    counts: np.ndarray,
    min_stocks: int,
    groups: np.ndarray | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """The place of each value among the session's stocks, ties averaged, centred and of unit variance (ddof 0).

    Args:
        factors: float32 [F, T, N]; NaN and ±inf are missing.
        counts: bool [T, N], the stocks that are ranked among each other: the members of the session. Any other gets
            the place that its value would have among them, and moves no other's.
        min_stocks: a session with fewer values of stocks that count is missing.
        groups: names, [T, N]; stocks are ranked within their own. Those without a name are a group.

    Returns:
        float32 [F, T, N]. NaN where the factor is missing; 0 where a group has one value, or all its values are equal.
    """
    codes, number = np.zeros(counts.shape, dtype=np.int64), 1
    if groups is not None:
        names, inverse = np.unique(np.where(pd.isna(groups), "", groups).astype(np.str_), return_inverse=True)
        codes, number = np.ascontiguousarray(inverse.reshape(counts.shape), dtype=np.int64), len(names)
    counts, result = np.ascontiguousarray(counts), np.empty(factors.shape, dtype=np.float32)

    def compute(f: int) -> None:
        values = np.ascontiguousarray(factors[f], dtype=np.float32)
        standardised_ranks(values, codes, number, counts, min_stocks, result[f])

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(compute, range(len(factors))))
    return result

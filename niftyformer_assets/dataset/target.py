"""What the model is asked to predict: the raw return, or where it stands among the session's stocks.

Only NumPy is needed, so a bare training machine has this module too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np


def target(returns: np.ndarray, label: Literal["return", "rank", "zscore"]) -> np.ndarray:
    """Turn returns into labels, each session by itself.

    `rank` is the place among the session's stocks, ties sharing the mean of their places; `zscore`
    is the return itself. Both are scaled to unit variance (over the stocks that have a return,
    divided by their number). 0 is the middle place, or the session's median return, so that "up"
    means above it and predicting 0 is predicting the median: returns are skewed, and about their
    mean a constant below 0 would beat 0 without any skill. A session without spread (one stock, or
    all returns equal) has labels of 0.

    Args:
        returns: float [T, N], NaN where there is none.

    Returns:
        float64 [T, N]; missing stays missing.
    """
    if label == "return":
        return returns.astype(np.float64)
    if label not in ("rank", "zscore"):
        raise ValueError(f"label must be return, rank or zscore, not {label!r}")
    labels = np.full(returns.shape, np.nan)
    for session, row in enumerate(returns):
        present = np.isfinite(row)
        values = row[present].astype(np.float64)
        if label == "rank":
            labels[session, present] = _standardized(_ranks(values), np.mean)
        else:
            labels[session, present] = _standardized(values, np.median)
    return labels


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _standardized(values: np.ndarray, middle: Callable[[np.ndarray], Any]) -> np.ndarray:
    # Equal values are compared as such: their computed variance may be a rounding error above 0.
    if len(values) == 0 or values.min() == values.max():
        return np.zeros(len(values))
    return (values - middle(values)) / np.sqrt(np.mean((values - values.mean()) ** 2))

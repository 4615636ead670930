"""Between the market panel [T, N] and the lanes of a block [rows, LANES]."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels import HISTORY, LANES
from niftyformer_assets.factors.kernels.compiling import kernel


@kernel
def gather(panel: np.ndarray, columns: np.ndarray, start: np.ndarray, stop: np.ndarray, lanes: np.ndarray) -> None:
    """Copy sessions `start <= t < stop` of each lane's column; everything else, ±inf included, is missing."""
    for t in range(panel.shape[0]):
        for j in range(columns.size):
            value = panel[t, columns[j]]
            inside = start[j] <= t < stop[j] and abs(value) < np.inf
            lanes[HISTORY + t, j] = value if inside else np.nan
        for j in range(columns.size, LANES):
            lanes[HISTORY + t, j] = np.nan


@kernel
def scatter(
    values: np.ndarray,
    columns: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    first: int,
    last: int,
    place: int,
    result: np.ndarray,
) -> None:
    """Write `values` [F, rows, LANES] of the lanes to `result` [F, T, N]; ±inf becomes missing.

    The block's sessions first <= t < last go to the result's sessions from `place` on.
    """
    for f in range(values.shape[0]):
        for t in range(first, last):
            for j in range(columns.size):
                if start[j] <= t < stop[j]:
                    value = values[f, HISTORY + t, j]
                    result[f, place + t - first, columns[j]] = value if abs(value) < np.inf else np.nan


@kernel
def scatter_side_by_side(
    values: np.ndarray, column: int, width: int, first: int, last: int, place: int, result: np.ndarray
) -> None:
    """`scatter` for `width` lanes that are neighbouring columns from `column` on, all sessions of them."""
    for f in range(values.shape[0]):
        for t in range(first, last):
            to = result[f, place + t - first, column : column + width]
            for j in range(to.size):
                value = values[f, HISTORY + t, j]
                to[j] = value if abs(value) < np.inf else np.nan

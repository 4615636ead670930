"""Between the market panel [T, N] and the lanes of a block [rows, L]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from niftyformer_assets.factors.kernels import HISTORY
from niftyformer_assets.factors.kernels.compiling import kernel, step


class Block(NamedTuple):
    """L lanes, and where their factors go.

    series: [9, HISTORY + rows, L], the daily series in the order of the constants below. Missing
        in the first HISTORY rows, outside each lane's sessions, and in rows after the last session.
    columns: [n], the stock of each lane.
    start, stop: [L]; a lane holds its stock's sessions start <= t < stop.
    sessions: how many sessions the panel has.
    looked_back: which of them is the result's first; below 0 where the block begins later than the result.
    side_by_side: the columns are neighbours, and all their sessions are written: missing before a
        lane, and after it something that the block of what follows the break must overwrite.
        Otherwise only what is inside a lane is written.
    """

    series: np.ndarray
    columns: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    sessions: int
    looked_back: int
    side_by_side: bool


OPEN, HIGH, LOW, CLOSE, VOLUME, LOG_VOLUME, RATIO, LOG_VOLUME_RATIO, ACTIVITY = range(9)


@kernel
def gather(panel: np.ndarray, block: Block, number: int) -> None:
    """Fill series `number` of a block from a panel [T, N]; ±inf is missing."""
    series, columns, start, stop = block.series[number], block.columns, block.start, block.stop
    series[:HISTORY] = np.nan
    series[HISTORY + panel.shape[0] :] = np.nan
    column, width = columns[0], columns.size
    for t in range(panel.shape[0]):
        row = series[HISTORY + t]
        row[width:] = np.nan
        if block.side_by_side:
            neighbours = panel[t, column : column + width]
            for j in range(neighbours.size):
                row[j] = neighbours[j]
        else:
            for j in range(width):
                row[j] = panel[t, columns[j]]
        for j in range(row.size):
            inside = start[j] <= t < stop[j] and abs(row[j]) < np.inf
            row[j] = row[j] if inside else np.nan


@step
def scatter(values: np.ndarray, first: int, block: Block, result: np.ndarray) -> None:
    """Write `values` [F, rows, L], whose row 0 is session `first`, to `result` [F, T, N]; ±inf becomes missing."""
    columns, start, stop, looked_back = block.columns, block.start, block.stop, block.looked_back
    begin, end = max(first + HISTORY, looked_back), min(first + values.shape[1], block.sessions)
    if block.side_by_side:
        # Unsigned: an index that cannot be negative needs no look from the end, and vectors can be made.
        column, width = np.uintp(columns[0]), np.uintp(columns.size)
        for f in range(result.shape[0]):
            for session in range(begin, end):
                for j in range(width):
                    value = values[f, session - first, j]
                    result[f, session - looked_back, column + j] = value if abs(value) < np.inf else np.nan
        return
    for f in range(result.shape[0]):
        for session in range(begin, end):
            for j in range(columns.size):
                if start[j] <= session < stop[j]:
                    value = values[f, session - first, j]
                    result[f, session - looked_back, columns[j]] = value if abs(value) < np.inf else np.nan

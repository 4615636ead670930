"""The families of Alpha158, each from the daily series of a block to its place in the result.

A family goes through the sessions a stretch of rows at a time: sums over windows, formulas, and
away with the values. `result` [F, T, N] is the part of the panel that holds the family.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from niftyformer_assets.factors.kernels import HISTORY
from niftyformer_assets.factors.kernels.compiling import kernel
from niftyformer_assets.factors.kernels.formulas import (
    TINY,
    candle_shape,
    correlation,
    mean_and_deviation,
    presence_differs,
    present_in_both,
    price_levels,
    price_places,
    rate_of_change,
    reciprocal,
    relative_deviation,
    rises_and_falls,
    rising_and_falling_sessions,
    shares_of_changes,
    shares_of_sessions,
    trend_line,
)
from niftyformer_assets.factors.kernels.lanes import ACTIVITY, CLOSE, HIGH, LOW, OPEN, VOLUME, Block, scatter
from niftyformer_assets.factors.kernels.order import window_extremes, window_quantiles, window_ranks
from niftyformer_assets.factors.kernels.windows import (
    carry_over,
    forget,
    window_lagged_sums,
    window_lags,
    window_moments,
    window_products,
    window_sums,
)

# How many stacks, and layers of values, the family that needs the most of them takes.
STACKS, VALUES = 13, 20


class Scratch(NamedTuple):
    """Arrays for one family on one block at a time; a stretch has rows − HISTORY sessions.

    stacks: [STACKS, 5, rows, L], sums over windows. series: [5, rows, L], of the stretch.
    values: [VALUES, rows, L] of the result's type. ordered: [5, 61, L], sorted windows.
    """

    stacks: np.ndarray
    series: np.ndarray
    values: np.ndarray
    ordered: np.ndarray


@kernel
def candle(block: Block, scratch: Scratch, shapes: np.ndarray, roc: np.ndarray) -> None:
    """KMID … VWAP0 [13, T, N] and ROC [5, T, N]."""
    rows = scratch.values.shape[1]
    for row in range(0, block.series.shape[1] - HISTORY, rows - HISTORY):
        open_, high = block.series[OPEN, row : row + rows], block.series[HIGH, row : row + rows]
        low, close = block.series[LOW, row : row + rows], block.series[CLOSE, row : row + rows]
        candle_shape(open_, high, low, close, scratch.values)
        scatter(scratch.values, row - HISTORY, block, shapes)
        reciprocal(close, 0.0, scratch.series[0])
        rate_of_change(close, scratch.series[0], scratch.values)
        scatter(scratch.values, row - HISTORY, block, roc)


@kernel
def close_levels(block: Block, scratch: Scratch, line: np.ndarray, order: np.ndarray) -> None:
    """MA STD BETA RSQR RESI [25, T, N] and QTLU QTLD RANK [15, T, N]."""
    values, by_close, stacks = scratch.values, scratch.series[0], scratch.stacks[:6]
    n, mean, squares, lag1, lag2, lagged = stacks[0], stacks[1], stacks[2], stacks[3], stacks[4], stacks[5]
    forget(stacks, 0.0)
    scratch.ordered[:] = np.inf
    rows = values.shape[1]
    for row in range(0, block.series.shape[1] - HISTORY, rows - HISTORY):
        close = block.series[CLOSE, row : row + rows]
        reciprocal(close, 0.0, by_close)
        window_moments(close, n, mean, squares)
        mean_and_deviation(n, mean, squares, by_close, values)
        scatter(values, row - HISTORY, block, line[:10])
        window_lags(close, n, lag1, lag2)
        window_lagged_sums(close, n, mean, lagged)
        trend_line(close, by_close, n, mean, squares, lag1, lag2, lagged, values)
        scatter(values, row - HISTORY, block, line[10:])
        for window, length in ((0, 5), (1, 10), (2, 20), (3, 30), (4, 60)):
            ordered = scratch.ordered[window, : length + 1]
            window_quantiles(close, by_close, length, ordered, n[window], 0.8, 0.2, values[window], values[5 + window])
        window_ranks(close, n, values[10:])
        scatter(values, row - HISTORY, block, order)
        carry_over(stacks)


@kernel
def extremes(block: Block, scratch: Scratch, levels: np.ndarray, places: np.ndarray) -> None:
    """MAX MIN [10, T, N] and RSV IMAX IMIN IMXD [20, T, N]."""
    values, by_close, stacks = scratch.values, scratch.series[0], scratch.stacks[:6]
    top, top_row, top_key, dip, dip_row, dip_key = stacks[0], stacks[1], stacks[2], stacks[3], stacks[4], stacks[5]
    forget(stacks, -np.inf)
    rows = values.shape[1]
    for row in range(0, block.series.shape[1] - HISTORY, rows - HISTORY):
        close, first = block.series[CLOSE, row : row + rows], row - HISTORY
        window_extremes(block.series[HIGH, row : row + rows], 1.0, first, block.start, top, top_row, top_key)
        window_extremes(block.series[LOW, row : row + rows], -1.0, first, block.start, dip, dip_row, dip_key)
        reciprocal(close, 0.0, by_close)
        price_levels(by_close, top, dip, values)
        scatter(values, first, block, levels)
        price_places(close, first, block.start, top, top_row, dip, dip_row, values)
        scatter(values, first, block, places)
        carry_over(stacks)


@kernel
def correlations(block: Block, scratch: Scratch, x_number: int, y_number: int, result: np.ndarray) -> None:
    """CORR or CORD [5, T, N] of two series of the block."""
    stacks = scratch.stacks
    own_n, own_mean, own_squares = stacks[0], stacks[1], stacks[2]
    other_n, other_mean, other_squares = stacks[3], stacks[4], stacks[5]
    products = stacks[6]
    n, mean_x, x_squares, mean_y, y_squares = own_n, own_mean, own_squares, other_mean, other_squares
    apart = presence_differs(block.series[x_number], block.series[y_number])
    if apart:
        n, mean_x, x_squares, mean_y, y_squares = stacks[7], stacks[8], stacks[9], stacks[11], stacks[12]
    used = stacks if apart else stacks[:7]
    forget(used, 0.0)
    rows = scratch.values.shape[1]
    for row in range(0, block.series.shape[1] - HISTORY, rows - HISTORY):
        x, y = block.series[x_number, row : row + rows], block.series[y_number, row : row + rows]
        window_moments(x, own_n, own_mean, own_squares)
        window_moments(y, other_n, other_mean, other_squares)
        if apart:
            x_both, y_both = scratch.series[0], scratch.series[1]
            present_in_both(x, y, x_both, y_both)
            window_moments(x_both, n, mean_x, x_squares)
            window_moments(y_both, stacks[10], mean_y, y_squares)
            x, y = x_both, y_both
        window_products(x, y, n, mean_x, mean_y, products)
        own = own_n, own_squares, other_n, other_squares
        correlation(n, mean_x, x_squares, mean_y, y_squares, products, *own, scratch.values)
        scatter(scratch.values, row - HISTORY, block, result)
        carry_over(used)


@kernel
def volumes(block: Block, scratch: Scratch, spread: np.ndarray, weighted: np.ndarray) -> None:
    """VMA VSTD [10, T, N] and WVMA [5, T, N]."""
    values, by_volume, stacks = scratch.values, scratch.series[0], scratch.stacks[:6]
    forget(stacks, 0.0)
    rows = values.shape[1]
    for row in range(0, block.series.shape[1] - HISTORY, rows - HISTORY):
        volume, activity = block.series[VOLUME, row : row + rows], block.series[ACTIVITY, row : row + rows]
        window_moments(volume, stacks[0], stacks[1], stacks[2])
        reciprocal(volume, TINY, by_volume)
        mean_and_deviation(stacks[0], stacks[1], stacks[2], by_volume, values)
        scatter(values, row - HISTORY, block, spread)
        window_moments(activity, stacks[3], stacks[4], stacks[5])
        relative_deviation(stacks[3], stacks[4], stacks[5], values)
        scatter(values, row - HISTORY, block, weighted)
        carry_over(stacks)


@kernel
def counts(block: Block, scratch: Scratch, result: np.ndarray) -> None:
    """CNTP CNTN CNTD [15, T, N]."""
    stacks, rise, fall = scratch.stacks[:2], scratch.series[0], scratch.series[1]
    forget(stacks, 0.0)
    rows = scratch.values.shape[1]
    for row in range(0, block.series.shape[1] - HISTORY, rows - HISTORY):
        rising_and_falling_sessions(block.series[CLOSE, row : row + rows], rise, fall)
        window_sums(rise, stacks[0])
        window_sums(fall, stacks[1])
        shares_of_sessions(stacks[0], stacks[1], row - HISTORY, block.start, scratch.values)
        scatter(scratch.values, row - HISTORY, block, result)
        carry_over(stacks)


@kernel
def changes(block: Block, scratch: Scratch, number: int, result: np.ndarray) -> None:
    """SUMP SUMN SUMD, or VSUMP VSUMN VSUMD [15, T, N], of a series of the block."""
    stacks, rise, fall = scratch.stacks[:2], scratch.series[0], scratch.series[1]
    forget(stacks, 0.0)
    rows = scratch.values.shape[1]
    for row in range(0, block.series.shape[1] - HISTORY, rows - HISTORY):
        rises_and_falls(block.series[number, row : row + rows], rise, fall)
        window_sums(rise, stacks[0])
        window_sums(fall, stacks[1])
        shares_of_changes(stacks[0], stacks[1], scratch.values)
        scatter(scratch.values, row - HISTORY, block, result)
        carry_over(stacks)

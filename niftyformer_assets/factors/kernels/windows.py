"""Sums and moments over the windows 5, 10, 20, 30, 60; missing values are skipped.

Results are stacked [5, rows, L], one layer a window. The rows before `HISTORY` are those of
the stretch before, or what `forget` put there: for sums zero.
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels import HISTORY
from niftyformer_assets.factors.kernels.compiling import step

# How many rows back the longer windows begin that each window is part of.
REACH = (5, 20, 0, 30)


@step
def forget(stacks: np.ndarray, nothing: float) -> None:
    """Begin at the first stretch: `nothing` came before it. stacks: [K, 5, rows, L]."""
    stacks[:, :, :HISTORY] = nothing


@step
def carry_over(stacks: np.ndarray) -> None:
    """Put the last rows of a stretch before its first: those from which later windows are composed."""
    rows = stacks.shape[2] - HISTORY
    for stack in range(stacks.shape[0]):
        for window in range(len(REACH)):
            begin = HISTORY - REACH[window]
            before = stacks[stack, window, begin:HISTORY].ravel()
            last = stacks[stack, window, begin + rows :].ravel()
            # Forwards: where a stretch is short the two overlap.
            for place in range(before.size):
                before[place] = last[place]


@step
def window_sums(x: np.ndarray, total: np.ndarray) -> None:
    """total = Σ x."""
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            five = 0.0
            for lag in range(5):
                value = x[p - lag, j]
                five += value if value == value else 0.0
            total[0, p, j] = five
        for j in range(x.shape[1]):
            total[1, p, j] = total[0, p, j] + total[0, p - 5, j]
        for j in range(x.shape[1]):
            total[2, p, j] = total[1, p, j] + total[1, p - 10, j]
        for j in range(x.shape[1]):
            total[3, p, j] = total[2, p, j] + total[1, p - 20, j]
        for j in range(x.shape[1]):
            total[4, p, j] = total[3, p, j] + total[3, p - 30, j]


@step
def window_lags(x: np.ndarray, n: np.ndarray, lag1: np.ndarray, lag2: np.ndarray) -> None:
    """Σ lag and Σ lag² over the `n` rows where x is present; the newest row has lag 0."""
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            first, second = 0.0, 0.0
            for lag in range(1, 5):
                there = 1.0 if x[p - lag, j] == x[p - lag, j] else 0.0
                first += lag * there
                second += lag * lag * there
            lag1[0, p, j], lag2[0, p, j] = first, second
        for window, newer, older, shift in ((1, 0, 0, 5), (2, 1, 1, 10), (3, 2, 1, 20), (4, 3, 3, 30)):
            for j in range(x.shape[1]):
                count, first = n[older, p - shift, j], lag1[older, p - shift, j]
                lag1[window, p, j] = lag1[newer, p, j] + first + shift * count
                second = lag2[older, p - shift, j] + 2 * shift * first + shift * shift * count
                lag2[window, p, j] = lag2[newer, p, j] + second


@step
def window_lagged_sums(x: np.ndarray, n: np.ndarray, mean: np.ndarray, lagged: np.ndarray) -> None:
    """Σ lag·x over the `n` values present, whose mean is `mean`; the newest row has lag 0."""
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            five = 0.0
            for lag in range(1, 5):
                value = x[p - lag, j]
                five += lag * value if value == value else 0.0
            lagged[0, p, j] = five
        for window, newer, older, shift in ((1, 0, 0, 5), (2, 1, 1, 10), (3, 2, 1, 20), (4, 3, 3, 30)):
            for j in range(x.shape[1]):
                total = n[older, p - shift, j] * mean[older, p - shift, j]
                lagged[window, p, j] = lagged[newer, p, j] + lagged[older, p - shift, j] + shift * total


@step
def window_moments(x: np.ndarray, n: np.ndarray, mean: np.ndarray, squares: np.ndarray) -> None:
    """Number, mean and Σ (x − mean)² of the values present.

    Two windows are merged as in Chan, Golub and LeVeque (1979), which loses no digits where the
    mean is large beside the deviations (volumes; closes of a stock at its price limit).
    """
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            count, total = 0.0, 0.0
            for lag in range(5):
                value = x[p - lag, j]
                count += 1.0 if value == value else 0.0
                total += value if value == value else 0.0
            middle = total / max(count, 1.0)
            spread = 0.0
            for lag in range(5):
                value = x[p - lag, j]
                off = value - middle if value == value else 0.0
                spread += off * off
            n[0, p, j], mean[0, p, j], squares[0, p, j] = count, middle, spread
        for window, newer, older, shift in ((1, 0, 0, 5), (2, 1, 1, 10), (3, 2, 1, 20), (4, 3, 3, 30)):
            for j in range(x.shape[1]):
                a, b = n[newer, p, j], n[older, p - shift, j]
                share = b / max(a + b, 1.0)
                off = mean[older, p - shift, j] - mean[newer, p, j]
                n[window, p, j] = a + b
                mean[window, p, j] = mean[newer, p, j] + off * share
                squares[window, p, j] = squares[newer, p, j] + squares[older, p - shift, j] + off * off * a * share


@step
def window_products(
    x: np.ndarray, y: np.ndarray, n: np.ndarray, mean_x: np.ndarray, mean_y: np.ndarray, products: np.ndarray
) -> None:
    """Σ (x − mean of x)(y − mean of y); x and y are missing on the same rows, moments from `window_moments`."""
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            together = 0.0
            for lag in range(5):
                product = (x[p - lag, j] - mean_x[0, p, j]) * (y[p - lag, j] - mean_y[0, p, j])
                together += product if product == product else 0.0
            products[0, p, j] = together
        for window, newer, older, shift in ((1, 0, 0, 5), (2, 1, 1, 10), (3, 2, 1, 20), (4, 3, 3, 30)):
            for j in range(x.shape[1]):
                a, b = n[newer, p, j], n[older, p - shift, j]
                off_x = mean_x[older, p - shift, j] - mean_x[newer, p, j]
                off_y = mean_y[older, p - shift, j] - mean_y[newer, p, j]
                merged = products[newer, p, j] + products[older, p - shift, j]
                products[window, p, j] = merged + off_x * off_y * a * b / max(a + b, 1.0)

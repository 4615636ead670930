"""Sums over the last sessions of a stock's unbroken stretch, for windows of any length; missing values are skipped.

Every value is added up anew from the rows of its own window, the newest first, so a run over the newest sessions
alone gives the same bits as a run over all.

Arrays are float64 [T, N]; `segment` int [T, N] is that of a market panel; results [T - first, N] hold the sessions
from `first` on. A window ends with its session and leaves out what lies in another segment.
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels.compiling import kernel

# What is left, relative to the mean, of the variance of equal numbers.
_ROUNDING = 1e-20


@kernel
def trailing_moments(
    x: np.ndarray,
    segment: np.ndarray,
    window: int,
    first: int,
    count: np.ndarray,
    mean: np.ndarray,
    squares: np.ndarray,
    cubes: np.ndarray,
) -> None:
    """Number and mean of the values present, Σ (x − mean)² and Σ (x − mean)³."""
    for t in range(first, x.shape[0]):
        row, rows = t - first, min(window, t + 1)
        count[row], mean[row], squares[row], cubes[row] = 0.0, 0.0, 0.0, 0.0
        for lag in range(rows):
            for j in range(x.shape[1]):
                value = x[t - lag, j]
                there = value == value and segment[t - lag, j] == segment[t, j]
                count[row, j] += 1.0 if there else 0.0
                mean[row, j] += value if there else 0.0
        for j in range(x.shape[1]):
            mean[row, j] /= max(count[row, j], 1.0)
        for lag in range(rows):
            for j in range(x.shape[1]):
                value = x[t - lag, j]
                there = value == value and segment[t - lag, j] == segment[t, j]
                off = value - mean[row, j] if there else 0.0
                squares[row, j] += off * off
                cubes[row, j] += off * off * off
        for j in range(x.shape[1]):
            if squares[row, j] <= _ROUNDING * count[row, j] * mean[row, j] * mean[row, j]:
                squares[row, j], cubes[row, j] = 0.0, 0.0


@kernel
def trailing_products(
    x: np.ndarray,
    y: np.ndarray,
    segment: np.ndarray,
    window: int,
    first: int,
    count: np.ndarray,
    x_squares: np.ndarray,
    y_squares: np.ndarray,
    products: np.ndarray,
) -> None:
    """Of the sessions on which both are present: their number, Σ (x − mean)², Σ (y − mean)² and Σ of the products."""
    x_mean, y_mean = np.empty(x.shape[1]), np.empty(x.shape[1])
    for t in range(first, x.shape[0]):
        row, rows = t - first, min(window, t + 1)
        x_mean[:], y_mean[:] = 0.0, 0.0
        count[row], x_squares[row], y_squares[row], products[row] = 0.0, 0.0, 0.0, 0.0
        for lag in range(rows):
            for j in range(x.shape[1]):
                a, b = x[t - lag, j], y[t - lag, j]
                there = a == a and b == b and segment[t - lag, j] == segment[t, j]
                count[row, j] += 1.0 if there else 0.0
                x_mean[j] += a if there else 0.0
                y_mean[j] += b if there else 0.0
        for j in range(x.shape[1]):
            x_mean[j] /= max(count[row, j], 1.0)
            y_mean[j] /= max(count[row, j], 1.0)
        for lag in range(rows):
            for j in range(x.shape[1]):
                a, b = x[t - lag, j], y[t - lag, j]
                there = a == a and b == b and segment[t - lag, j] == segment[t, j]
                x_off, y_off = (a - x_mean[j], b - y_mean[j]) if there else (0.0, 0.0)
                x_squares[row, j] += x_off * x_off
                y_squares[row, j] += y_off * y_off
                products[row, j] += x_off * y_off
        for j in range(x.shape[1]):
            if x_squares[row, j] <= _ROUNDING * count[row, j] * x_mean[j] * x_mean[j]:
                x_squares[row, j] = 0.0
            if y_squares[row, j] <= _ROUNDING * count[row, j] * y_mean[j] * y_mean[j]:
                y_squares[row, j] = 0.0


@kernel
def trailing_maximum(
    x: np.ndarray,
    segment: np.ndarray,
    window: int,
    first: int,
    count: np.ndarray,
    highest: np.ndarray,
    sessions_since: np.ndarray,
) -> None:
    """Number of values present, the highest of them (−inf without any), and how many sessions ago it last was."""
    for t in range(first, x.shape[0]):
        row = t - first
        count[row], highest[row], sessions_since[row] = 0.0, -np.inf, 0.0
        for lag in range(min(window, t + 1)):
            for j in range(x.shape[1]):
                value = x[t - lag, j]
                there = value == value and segment[t - lag, j] == segment[t, j]
                count[row, j] += 1.0 if there else 0.0
                higher = there and value > highest[row, j]
                highest[row, j] = value if higher else highest[row, j]
                sessions_since[row, j] = lag if higher else sessions_since[row, j]


@kernel
def mean_of_kind(
    x: np.ndarray,
    segment: np.ndarray,
    kind: np.ndarray,
    wanted: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    first: int,
    least: int,
    result: np.ndarray,
) -> None:
    """Mean of the values present on the sessions begin[t] ≤ s < end[t] whose kind[s] is wanted[t].

    kind, wanted, begin, end: int [T]. Missing where fewer than `least` values are present.
    """
    count = np.empty(x.shape[1])
    for t in range(first, x.shape[0]):
        row = t - first
        count[:] = 0.0
        result[row] = 0.0
        for s in range(begin[t], end[t]):
            if kind[s] == wanted[t]:
                for j in range(x.shape[1]):
                    value = x[s, j]
                    there = value == value and segment[s, j] == segment[t, j]
                    count[j] += 1.0 if there else 0.0
                    result[row, j] += value if there else 0.0
        for j in range(x.shape[1]):
            result[row, j] = result[row, j] / count[j] if count[j] >= least else np.nan

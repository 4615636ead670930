"""The formulas of Alpha158 once the sums of their windows are known.

Kernels write `values` [factors, rows, L] for the rows from `HISTORY` on. What divides by
zero, with or without Qlib's ε, comes out as ±inf or NaN and is missing once it is in the panel. Series
that windows are summed over begin four rows earlier: the shortest window of the first row reaches back
that far.
"""

from __future__ import annotations

import math

import numpy as np

from niftyformer_assets.factors.kernels import HISTORY
from niftyformer_assets.factors.kernels.compiling import kernel, step
from niftyformer_assets.factors.kernels.lanes import ACTIVITY, CLOSE, LOG_VOLUME, LOG_VOLUME_RATIO, RATIO, VOLUME

TINY = 1e-12
# A rolling standard deviation up to this counts as flat (Qlib's tolerance for RSQR and CORR).
FLAT = 2e-5


@kernel
def daily_series(series: np.ndarray) -> None:
    """Fill in ln(V+1), C/c′, ln(V/v′+1) and |C/c′−1|·V; a change from a volume of zero is missing.

    series: as in `lanes.Block`.
    """
    series[LOG_VOLUME:, :HISTORY] = np.nan
    close, volume = series[CLOSE], series[VOLUME]
    log_volume, ratio, log_volume_ratio = series[LOG_VOLUME], series[RATIO], series[LOG_VOLUME_RATIO]
    activity = series[ACTIVITY]
    for p in range(HISTORY, close.shape[0]):
        for j in range(close.shape[1]):
            log_volume[p, j] = math.log(volume[p, j] + 1.0)
        for j in range(close.shape[1]):
            ratio[p, j] = close[p, j] / close[p - 1, j]
            activity[p, j] = abs(ratio[p, j] - 1.0) * volume[p, j]
            if not abs(ratio[p, j]) < np.inf:
                ratio[p, j] = np.nan
            if not activity[p, j] < np.inf:
                activity[p, j] = np.nan
        for j in range(close.shape[1]):
            change = math.log(volume[p, j] / volume[p - 1, j] + 1.0)
            log_volume_ratio[p, j] = change if change < np.inf else np.nan


@step
def rises_and_falls(x: np.ndarray, rise: np.ndarray, fall: np.ndarray) -> None:
    """max(x − x′, 0) and max(x′ − x, 0)."""
    for p in range(HISTORY - 4, x.shape[0]):
        for j in range(x.shape[1]):
            change = x[p, j] - x[p - 1, j]
            rise[p, j] = change if not change < 0.0 else 0.0
            fall[p, j] = -change if not change > 0.0 else 0.0


@step
def candle_shape(open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, values: np.ndarray) -> None:
    """KMID KLEN KMID2 KUP KUP2 KLOW KLOW2 KSFT KSFT2, and OPEN0 HIGH0 LOW0 VWAP0."""
    for p in range(HISTORY, close.shape[0]):
        for j in range(close.shape[1]):
            o, h, lo, c = open_[p, j], high[p, j], low[p, j], close[p, j]
            by_open, by_span, by_close = 1.0 / o, 1.0 / (h - lo + TINY), 1.0 / c
            by_span = by_span if h - lo != 0.0 else np.nan
            body, shift = c - o, 2.0 * c - h - lo
            # Not max() and min(): where the open or the close is missing, so are both shadows.
            upper = h - (o if o > c else c + 0.0 * o)
            lower = (o if o < c else c + 0.0 * o) - lo
            values[0, p, j] = body * by_open
            values[1, p, j] = (h - lo) * by_open
            values[2, p, j] = body * by_span
            values[3, p, j] = upper * by_open
            values[4, p, j] = upper * by_span
            values[5, p, j] = lower * by_open
            values[6, p, j] = lower * by_span
            values[7, p, j] = shift * by_open
            values[8, p, j] = shift * by_span
            values[9, p, j] = o * by_close
            values[10, p, j] = h * by_close
            values[11, p, j] = lo * by_close
            values[12, p, j] = (h + lo + c) / 3.0 * by_close


@step
def reciprocal(x: np.ndarray, added: float, by_x: np.ndarray) -> None:
    """1 / (x + added), by which whole families are multiplied: cheaper than a division each; missing where x is 0."""
    for p in range(HISTORY, x.shape[0]):
        for j in range(x.shape[1]):
            by_x[p, j] = 1.0 / (x[p, j] + added) if x[p, j] != 0.0 else np.nan


@step
def rate_of_change(close: np.ndarray, by_close: np.ndarray, values: np.ndarray) -> None:
    """ROC: the close d sessions ago, over the close; the only family without partial windows."""
    for window, length in ((0, 5), (1, 10), (2, 20), (3, 30), (4, 60)):
        for p in range(HISTORY, close.shape[0]):
            for j in range(close.shape[1]):
                values[window, p, j] = close[p - length, j] * by_close[p, j]


@step
def mean_and_deviation(
    n: np.ndarray, mean: np.ndarray, squares: np.ndarray, by_unit: np.ndarray, values: np.ndarray
) -> None:
    """MA and STD, or VMA and VSTD: mean and standard deviation (ddof 1) in units of today's value."""
    for window in range(5):
        for p in range(HISTORY, n.shape[1]):
            for j in range(n.shape[2]):
                count = n[window, p, j]
                scaled = mean[window, p, j] * by_unit[p, j]
                deviation = math.sqrt(squares[window, p, j] / (count - 1.0)) * by_unit[p, j]
                values[window, p, j] = scaled if count > 0.0 else np.nan
                values[5 + window, p, j] = deviation if count > 1.0 else np.nan


@step
def relative_deviation(n: np.ndarray, mean: np.ndarray, squares: np.ndarray, values: np.ndarray) -> None:
    """WVMA: standard deviation (ddof 1) over mean."""
    for window in range(5):
        for p in range(HISTORY, n.shape[1]):
            for j in range(n.shape[2]):
                count = n[window, p, j]
                deviation = math.sqrt(squares[window, p, j] / (count - 1.0))
                there = count > 1.0 and mean[window, p, j] != 0.0
                values[window, p, j] = deviation / (mean[window, p, j] + TINY) if there else np.nan


@step
def trend_line(
    close: np.ndarray,
    by_close: np.ndarray,
    n: np.ndarray,
    mean: np.ndarray,
    squares: np.ndarray,
    lag1: np.ndarray,
    lag2: np.ndarray,
    lagged: np.ndarray,
    values: np.ndarray,
) -> None:
    """BETA, RSQR, RESI: the least squares line of the close against time, x = −lag."""
    for window in range(5):
        for p in range(HISTORY, close.shape[0]):
            for j in range(close.shape[1]):
                count = n[window, p, j]
                average_lag = lag1[window, p, j] / count
                x_squares = lag2[window, p, j] - lag1[window, p, j] * average_lag
                x_products = lag1[window, p, j] * mean[window, p, j] - lagged[window, p, j]
                slope = x_products / x_squares
                newest = mean[window, p, j] + slope * average_lag
                fit = slope * x_products / squares[window, p, j]
                flat = squares[window, p, j] <= FLAT * FLAT * (count - 1.0)
                scaled, off = slope * by_close[p, j], (close[p, j] - newest) * by_close[p, j]
                fit = np.nan if flat else fit
                values[window, p, j] = scaled if count > 1.0 else np.nan
                values[5 + window, p, j] = fit if count > 1.0 else np.nan
                values[10 + window, p, j] = off if count > 1.0 else np.nan


@step
def price_levels(by_close: np.ndarray, top: np.ndarray, dip: np.ndarray, values: np.ndarray) -> None:
    """MAX and MIN; `dip` is the maximum of −L."""
    for window in range(5):
        for p in range(HISTORY, by_close.shape[0]):
            for j in range(by_close.shape[1]):
                values[window, p, j] = top[window, p, j] * by_close[p, j]
                values[5 + window, p, j] = -dip[window, p, j] * by_close[p, j]


@step
def price_places(
    close: np.ndarray,
    first: int,
    start: np.ndarray,
    top: np.ndarray,
    top_row: np.ndarray,
    dip: np.ndarray,
    dip_row: np.ndarray,
    values: np.ndarray,
) -> None:
    """RSV, and IMAX IMIN IMXD: the row of an extreme, counted from 1 at the oldest row of the window.

    first, start: as in `order.window_extremes`.
    """
    for window, length in ((0, 5), (1, 10), (2, 20), (3, 30), (4, 60)):
        by_length = 1.0 / length
        for p in range(HISTORY, close.shape[0]):
            for j in range(close.shape[1]):
                high, low = top[window, p, j], -dip[window, p, j]
                before = max(first + p - length, start[j] - 1)
                # A window in which nothing is present has no extreme.
                at_top = (top_row[window, p, j] - before) * by_length if high > -np.inf else np.nan
                at_dip = (dip_row[window, p, j] - before) * by_length if low < np.inf else np.nan
                place = (close[p, j] - low) / (high - low + TINY)
                values[window, p, j] = place if high - low > -np.inf and high != low else np.nan
                values[5 + window, p, j] = at_top
                values[10 + window, p, j] = at_dip
                values[15 + window, p, j] = at_top - at_dip


@step
def correlation(
    n: np.ndarray,
    mean_x: np.ndarray,
    x_squares: np.ndarray,
    mean_y: np.ndarray,
    y_squares: np.ndarray,
    products: np.ndarray,
    own_n_x: np.ndarray,
    own_x_squares: np.ndarray,
    own_n_y: np.ndarray,
    own_y_squares: np.ndarray,
    values: np.ndarray,
) -> None:
    """CORR or CORD from moments over the rows where both are present.

    Whether a window is flat is asked of each series' `own` moments, as Qlib does.
    """
    # Squares below the rounding of their own mean are those of a constant.
    rounding = 1e-15 * 1e-15
    for window in range(5):
        for p in range(HISTORY, n.shape[1]):
            for j in range(n.shape[2]):
                count = n[window, p, j]
                xx, yy = x_squares[window, p, j], y_squares[window, p, j]
                missing = own_x_squares[window, p, j] <= FLAT * FLAT * (own_n_x[window, p, j] - 1.0)
                missing |= own_y_squares[window, p, j] <= FLAT * FLAT * (own_n_y[window, p, j] - 1.0)
                missing |= xx <= rounding * count * mean_x[window, p, j] * mean_x[window, p, j]
                missing |= yy <= rounding * count * mean_y[window, p, j] * mean_y[window, p, j]
                value = products[window, p, j] / math.sqrt(xx * yy)
                values[window, p, j] = value if count > 1.0 and not missing else np.nan


@step
def presence_differs(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a value of x is missing where y is present, or the other way round."""
    differ = 0
    for p in range(x.shape[0]):
        for j in range(x.shape[1]):
            differ += (x[p, j] == x[p, j]) != (y[p, j] == y[p, j])
    return differ > 0


@step
def present_in_both(x: np.ndarray, y: np.ndarray, x_both: np.ndarray, y_both: np.ndarray) -> None:
    """Copy x and y where both are present."""
    for p in range(HISTORY - 4, x.shape[0]):
        for j in range(x.shape[1]):
            there = x[p, j] == x[p, j] and y[p, j] == y[p, j]
            x_both[p, j] = x[p, j] if there else np.nan
            y_both[p, j] = y[p, j] if there else np.nan


@step
def rising_and_falling_sessions(close: np.ndarray, rising: np.ndarray, falling: np.ndarray) -> None:
    """1 where C > c′ (C < c′), else 0; a comparison with a missing value is false."""
    for p in range(HISTORY - 4, close.shape[0]):
        for j in range(close.shape[1]):
            rising[p, j] = 1.0 if close[p, j] > close[p - 1, j] else 0.0
            falling[p, j] = 1.0 if close[p, j] < close[p - 1, j] else 0.0


@step
def shares_of_sessions(
    rising: np.ndarray, falling: np.ndarray, first: int, start: np.ndarray, values: np.ndarray
) -> None:
    """CNTP CNTN CNTD: sums of `rising` and `falling` over the number of rows, present or not, of the window.

    first, start: as in `order.window_extremes`.
    """
    for window, length in ((0, 5), (1, 10), (2, 20), (3, 30), (4, 60)):
        for p in range(HISTORY, rising.shape[1]):
            for j in range(rising.shape[2]):
                # Before the lane begins this is zero over zero: missing.
                rows = max(0, min(length, first + p - start[j] + 1))
                up, down = rising[window, p, j] / rows, falling[window, p, j] / rows
                values[window, p, j] = up
                values[5 + window, p, j] = down
                values[10 + window, p, j] = up - down


@step
def shares_of_changes(rise: np.ndarray, fall: np.ndarray, values: np.ndarray) -> None:
    """SUMP SUMN SUMD, or VSUMP VSUMN VSUMD, from the sums of rises and falls."""
    for window in range(5):
        for p in range(HISTORY, rise.shape[1]):
            for j in range(rise.shape[2]):
                moved = rise[window, p, j] + fall[window, p, j]
                scale = moved + TINY if moved != 0.0 else np.nan
                values[window, p, j] = rise[window, p, j] / scale
                values[5 + window, p, j] = fall[window, p, j] / scale
                values[10 + window, p, j] = (rise[window, p, j] - fall[window, p, j]) / scale

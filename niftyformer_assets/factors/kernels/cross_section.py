"""Loops over the stocks of one session: coefficients of information, regression residuals."""

from __future__ import annotations

import math

import numpy as np

from niftyformer_assets.factors.kernels.compiling import kernel

# A spread below this share of the largest value is the rounding of float32 factors, not a difference.
RESOLUTION = 1e-7
# A value this many times as far from the median as three quarters of the others is no measurement: it would decide
# the regression of a session alone. On real candles of 191 stocks the farthest of Alpha158 is at 279.
ABSURD = 1000.0


@kernel
def information_coefficients(
    factor: np.ndarray,
    labels: np.ndarray,
    ascending: np.ndarray,
    min_stocks: int,
    pearson: np.ndarray,
    spearman: np.ndarray,
    autocorrelation: np.ndarray,
    stocks: np.ndarray,
) -> None:
    """Coefficients of one factor [T, N] with labels [H, T, N].

    Args:
        ascending: int64 [H, T, N], on each session the stocks by label, missing ones last.
        pearson, spearman: [H, T], of factor[t] with labels[h, t].
        autocorrelation: [T], of the ranks on session t with those on session t − 1.
        stocks: [T], how many have a value.
    """
    sessions, symbols = factor.shape
    values, places = np.empty(symbols + 64, dtype=factor.dtype), np.empty(symbols, dtype=np.int64)
    order = np.empty(symbols, dtype=np.int64)
    ranks, before = np.full(symbols, np.nan), np.full(symbols, np.nan)
    factor_ranks, label_ranks = np.empty(symbols), np.empty(symbols)
    for t in range(sessions):
        count = 0
        for n in range(symbols):
            if abs(factor[t, n]) < np.inf:
                values[count], places[count] = factor[t, n], n
                count += 1
        stocks[t] = count
        padded = (count + 63) // 64 * 64
        values[count:padded] = np.nan
        sort(values[:padded], places[:count], order)
        before[:] = ranks
        ranks[:] = np.nan
        _average_ranks(factor[t], order[:count], factor[t], ranks)
        autocorrelation[t] = _correlation(ranks, before, min_stocks)
        for h in range(len(labels)):
            pearson[h, t] = _correlation(factor[t], labels[h, t], min_stocks)
            spearman[h, t] = _rank_correlation(
                factor[t], order[:count], labels[h, t], ascending[h, t], min_stocks, factor_ranks, label_ranks
            )


@kernel
def rank_correlations(
    value: np.ndarray,
    outcome: np.ndarray,
    by_value: np.ndarray,
    by_outcome: np.ndarray,
    group: np.ndarray,
    min_stocks: int,
    result: np.ndarray,
) -> None:
    """Spearman's correlation of value and outcome [T, N] among the stocks of each of G groups.

    Args:
        by_value, by_outcome: int64 [T, N], on each session the stocks by value and by outcome, missing ones last.
        group: int64 [T, N], 0..G-1.
        result: [G, T].
    """
    groups, sessions = result.shape
    symbols = value.shape[1]
    own_by_value, own_by_outcome = np.empty(symbols, dtype=np.int64), np.empty(symbols, dtype=np.int64)
    value_ranks, outcome_ranks = np.empty(symbols), np.empty(symbols)
    for t in range(sessions):
        for g in range(groups):
            valued, known = 0, 0
            for k in range(symbols):
                if group[t, by_value[t, k]] == g:
                    own_by_value[valued] = by_value[t, k]
                    valued += 1
                if group[t, by_outcome[t, k]] == g:
                    own_by_outcome[known] = by_outcome[t, k]
                    known += 1
            result[g, t] = _rank_correlation(
                value[t], own_by_value[:valued], outcome[t], own_by_outcome[:known], min_stocks,
                value_ranks, outcome_ranks,
            )  # fmt: skip


@kernel
def _rank_correlation(
    x: np.ndarray,
    by_x: np.ndarray,
    y: np.ndarray,
    by_y: np.ndarray,
    min_stocks: int,
    x_ranks: np.ndarray,
    y_ranks: np.ndarray,
) -> float:
    """Spearman's correlation over the stocks in by_x and by_y that have both x and y; missing as in `_correlation`.

    Args:
        by_x, by_y: stocks by x and by y; those without, if they are in it, come last.
        x_ranks, y_ranks: [N], room to work in. Ranks are halves of whole numbers and so are added up exactly: the
            order of the stocks does not even change a rounding error.
    """
    _average_ranks(x, by_x, y, x_ranks)
    _average_ranks(y, by_y, x, y_ranks)
    return _correlation(x_ranks, y_ranks, min_stocks)


@kernel
def sort(values: np.ndarray, places: np.ndarray, order: np.ndarray) -> None:
    """Put `places` into the order of their values, equal ones as they come.

    Counting the smaller ones compares every pair, but without a branch: for the few hundred stocks
    of a session that is faster than sorting. `values` goes on with NaN, which is neither smaller
    nor equal, to a length that divides well.
    """
    for i in range(places.size):
        value, below, equal = values[i], 0, 0
        for k in range(values.size):
            below += values[k] < value
            equal += values[k] == value
        if equal > 1:
            for k in range(i):
                below += values[k] == value
        order[below] = places[i]


@kernel
def _average_ranks(x: np.ndarray, order: np.ndarray, other: np.ndarray, ranks: np.ndarray) -> None:
    """Ranks of x, from 1, ties averaged, among the stocks that have x and `other`; the rest is missing.

    order: the stocks by x; those without x, if they are in it, come last.
    """
    ranks[:] = np.nan
    seen, first = 0, 0
    for k in range(order.size + 1):
        # At the end of a run of equal values all of it gets the average place.
        if k == order.size or (k > first and x[order[k]] != x[order[first]]):
            inside = 0
            for i in range(first, k):
                inside += abs(other[order[i]]) < np.inf
            for i in range(first, k):
                if abs(other[order[i]]) < np.inf:
                    ranks[order[i]] = seen + 0.5 * (inside + 1)
            seen += inside
            first = k
        if k < order.size and not abs(x[order[k]]) < np.inf:
            break


@kernel
def _correlation(x: np.ndarray, y: np.ndarray, min_stocks: int) -> float:
    """Pearson's correlation over the stocks that have both; missing for too few, or where one is constant."""
    count, x_sum, y_sum, x_top, y_top = 0, 0.0, 0.0, 0.0, 0.0
    for n in range(x.size):
        if abs(x[n]) < np.inf and abs(y[n]) < np.inf:
            count += 1
            x_sum += x[n]
            y_sum += y[n]
            x_top = max(x_top, abs(x[n]))
            y_top = max(y_top, abs(y[n]))
    if count < min_stocks:
        return np.nan
    x_mean, y_mean = x_sum / count, y_sum / count
    xx, yy, xy = 0.0, 0.0, 0.0
    for n in range(x.size):
        if abs(x[n]) < np.inf and abs(y[n]) < np.inf:
            a, b = x[n] - x_mean, y[n] - y_mean
            xx += a * a
            yy += b * b
            xy += a * b
    if xx <= count * (RESOLUTION * x_top) ** 2 or yy <= count * (RESOLUTION * y_top) ** 2:
        return np.nan
    return xy / math.sqrt(xx * yy)


@kernel
def standardised_residuals(
    factor: np.ndarray,
    size: np.ndarray,
    sector: np.ndarray,
    sectors: int,
    min_stocks: int,
    tail: float,
    result: np.ndarray,
) -> None:
    """Residuals of each session's regression on size and sector dummies, in their own standard deviations.

    The dummies take the mean of each sector out of the factor and of the size; what is left of the
    factor is regressed on what is left of the size (Frisch, Waugh and Lovell). That is the least
    squares solution without a collinear column, whichever stocks are missing. Absurd values are missing.

    Args:
        factor, size, result: [T, N]; sector: [T, N], 0..sectors-1.
        tail: share of each tail that is clipped before, 0 for none.
    """
    sessions, symbols = factor.shape
    x, z, count = np.empty(symbols), np.empty(symbols), np.empty(sectors)
    x_mean, z_mean = np.empty(sectors), np.empty(sectors)
    for t in range(sessions):
        result[t] = np.nan
        stocks = 0
        count[:], x_mean[:], z_mean[:] = 0.0, 0.0, 0.0
        for n in range(symbols):
            there = abs(factor[t, n]) < np.inf and abs(size[t, n]) < np.inf
            x[n] = factor[t, n] if there else np.nan
            stocks += there
        if stocks >= min_stocks:
            stocks -= _take_out_absurd(x, stocks)
        if stocks < min_stocks:
            continue
        if tail > 0.0:
            _clip_tails(x, stocks, tail)
        top, z_top = 0.0, 0.0
        for n in range(symbols):
            if x[n] == x[n]:
                count[sector[t, n]] += 1.0
                x_mean[sector[t, n]] += x[n]
                z_mean[sector[t, n]] += size[t, n]
                top = max(top, abs(x[n]))
                z_top = max(z_top, abs(size[t, n]))
        for s in range(sectors):
            x_mean[s] /= count[s]
            z_mean[s] /= count[s]
        xz, zz = 0.0, 0.0
        for n in range(symbols):
            x[n] -= x_mean[sector[t, n]]
            z[n] = size[t, n] - z_mean[sector[t, n]]
            if x[n] == x[n]:
                xz += x[n] * z[n]
                zz += z[n] * z[n]
        # Where size is the same within every sector, the dummies have said it all.
        slope = xz / zz if zz > stocks * (1e-12 * z_top) ** 2 else 0.0
        squares = 0.0
        for n in range(symbols):
            x[n] -= slope * z[n]
            squares += x[n] * x[n] if x[n] == x[n] else 0.0
        deviation = math.sqrt(squares / stocks)
        scale = 1.0 / deviation if deviation > RESOLUTION * top else 0.0
        for n in range(symbols):
            result[t, n] = x[n] * scale


@kernel
def _take_out_absurd(x: np.ndarray, count: int) -> int:
    """Set to NaN what is `ABSURD`ly far from the median of the `count` values present; how many were."""
    ordered = np.sort(x)
    middle = 0.5 * (ordered[(count - 1) // 2] + ordered[count // 2])
    off = np.sort(np.abs(ordered[:count] - middle))
    # Factors that count have many values at the median: those say nothing about how far the others may be.
    same = np.searchsorted(off, RESOLUTION * abs(middle), side="right")
    if same == count:
        return 0
    furthest, taken_out = ABSURD * off[same + 3 * (count - same - 1) // 4], 0
    for n in range(x.size):
        if abs(x[n] - middle) > furthest:
            x[n] = np.nan
            taken_out += 1
    return taken_out


@kernel
def _clip_tails(x: np.ndarray, count: int, tail: float) -> None:
    """Clip the values present at their quantiles `tail` and 1 − `tail`, linear between neighbours."""
    ordered = np.sort(x)
    low, high = tail * (count - 1), (1.0 - tail) * (count - 1)
    at, up = int(low), int(high)
    floor = ordered[at] + (ordered[min(at + 1, count - 1)] - ordered[at]) * (low - at)
    ceiling = ordered[up] + (ordered[min(up + 1, count - 1)] - ordered[up]) * (high - up)
    for n in range(x.size):
        if x[n] == x[n]:
            x[n] = min(max(x[n], floor), ceiling)


@kernel
def rolling_zscore(values: np.ndarray, window: int, least: int, result: np.ndarray) -> None:
    """Each stock's value against its own last `window` sessions, which must hold `least` values.

    Deviations have ddof 0; where they are nil the result is 0.
    """
    for t in range(values.shape[0]):
        for n in range(values.shape[1]):
            result[t, n] = np.nan
            if values[t, n] != values[t, n]:
                continue
            count, total = 0, 0.0
            for p in range(max(0, t - window + 1), t + 1):
                if values[p, n] == values[p, n]:
                    count += 1
                    total += values[p, n]
            if count < least:
                continue
            mean, squares = total / count, 0.0
            for p in range(max(0, t - window + 1), t + 1):
                if values[p, n] == values[p, n]:
                    squares += (values[p, n] - mean) ** 2
            deviation = math.sqrt(squares / count)
            result[t, n] = (values[t, n] - mean) / deviation if deviation > RESOLUTION else 0.0

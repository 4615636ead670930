"""Qlib's Alpha158: 13 shapes of the candle itself, 29 families over the windows 5, 10, 20, 30, 60.

Names, order and meaning are those of Qlib 0.9.7 (`qlib.contrib.data.handler.Alpha158`), computed in
double precision; `docs/factors.md` lists every formula. Two things differ by intent: where Qlib
divides zero by zero the value is missing, never ±inf, and a broken price adjustment restarts a
stock's windows.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.kernels import HISTORY, LANES, WINDOWS, formulas, lanes, order, windows
from niftyformer_assets.market.panel import Panel

NAMES = ALPHA158
# Sessions before a session that its factors look at: 60 of the window, one for the change on its first.
LOOKBACK = 60
# Sessions computed at a time: few enough for the arrays of a block to stay near the processor.
TILE = 330


def alpha158(
    panel: Panel, since: int = 0, threads: int | None = None, dtype: type[np.floating] = np.float32
) -> np.ndarray:
    """Compute all 158 factors.

    Args:
        panel: candles of N stocks over T sessions.
        since: only sessions from this one on are asked for; the `LOOKBACK` sessions before it are
            read, nothing earlier. The values have the same bits as those of a run over all.
        threads: how many at once; by default one a core.

    Returns:
        [158, T - since, N] in the order of `NAMES`. NaN where a factor is missing: before the
        stock's first candle, and as the rules of each factor say. Never ±inf.
    """
    sessions, symbols = panel.axes.shape
    result = np.empty((len(NAMES), sessions - since, symbols), dtype=dtype)
    if result.size == 0:
        return result
    stretches: list[_Block] = []
    later: list[_Block] = []
    for first, last in _tiles(since, sessions):
        tile = cut_sessions(panel, max(0, first - LOOKBACK), last)
        looked_back = min(first, LOOKBACK)
        stretches += _first_stretches(tile, looked_back, first - since)
        later += _later_stretches(tile, looked_back, first - since)
    threads = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        # Later stretches overwrite what the first ones left in their place, so they come second.
        for blocks in (stretches, later):
            list(pool.map(lambda k, blocks=blocks: _compute(blocks[k::threads], result), range(threads)))
    return result


def _tiles(since: int, sessions: int) -> list[tuple[int, int]]:
    """Ranges of sessions of about the same length, at most `TILE`."""
    count = -(-(sessions - since) // TILE)
    edges = [since + (sessions - since) * k // count for k in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


@dataclass(frozen=True)
class _Block:
    """Up to `LANES` unbroken stretches of the stocks of a tile.

    panel: the tile's sessions. looked_back: how many of them are only looked back at.
    place: where in the result the session after those goes.
    columns, start, stop: each stretch is the sessions start <= t < stop of its column.
    side_by_side: the columns are neighbours, and none but the first stretches of theirs are meant.
    """

    panel: Panel
    looked_back: int
    place: int
    columns: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    side_by_side: bool


def _first_stretches(panel: Panel, looked_back: int, place: int) -> list[_Block]:
    """Blocks of neighbouring columns: each stock from its first candle to its first break."""
    segment = panel.segment
    first = np.where(segment >= 0, segment, np.iinfo(segment.dtype).max).min(axis=0)
    start, stop = (segment < 0).sum(axis=0), (segment <= first).sum(axis=0)
    columns = np.arange(segment.shape[1])
    parts = [slice(edge, edge + LANES) for edge in range(0, len(columns), LANES)]
    return [_Block(panel, looked_back, place, columns[part], start[part], stop[part], True) for part in parts]


def _later_stretches(panel: Panel, looked_back: int, place: int) -> list[_Block]:
    """Blocks of what follows a break: rare, and anywhere."""
    sessions = len(panel.axes.dates)
    breaks = (np.diff(panel.segment, axis=0) > 0) & (panel.segment[:-1] >= 0)
    found = []
    for column in np.flatnonzero(breaks.any(axis=0)):
        edges = [*np.flatnonzero(breaks[:, column]) + 1, sessions]
        found += [(column, start, stop) for start, stop in zip(edges[:-1], edges[1:], strict=True)]
    parts = [np.array(found[edge : edge + LANES]).T for edge in range(0, len(found), LANES)]
    return [_Block(panel, looked_back, place, columns, start, stop, False) for columns, start, stop in parts]


class _Workspace:
    """Arrays of one thread, used again and again for whatever comes next.

    values: [20, rows, LANES] of the result's type, where factors wait to be stored.
    """

    def __init__(self, sessions: int, dtype: np.dtype) -> None:
        self.rows = HISTORY + sessions
        if self.rows * LANES * 4 % 4096 == 0:
            # Stores to layers that lie whole pages apart wait for one another: one row more.
            self.rows += 1
        self.values = np.zeros((20, self.rows, LANES), dtype=dtype)
        self._series: dict[str, np.ndarray] = {}
        self._stacks: dict[str, np.ndarray] = {}

    def series(self, *names: str) -> list[np.ndarray]:
        """[rows, LANES] each, missing before the first session."""
        for name in names:
            if name not in self._series:
                self._series[name] = np.full((self.rows, LANES), np.nan)
        return [self._series[name] for name in names]

    def stacks(self, *names: str) -> list[np.ndarray]:
        """[5, rows, LANES] each, a layer a window, zero before the first session (a sum over nothing)."""
        for name in names:
            if name not in self._stacks:
                self._stacks[name] = np.zeros((len(WINDOWS), self.rows, LANES))
        return [self._stacks[name] for name in names]


def _compute(blocks: list[_Block], result: np.ndarray) -> None:
    if blocks:
        work = _Workspace(max(len(block.panel.axes.dates) for block in blocks), result.dtype)
        for block in blocks:
            _block_factors(block, work, result)


def _block_factors(block: _Block, work: _Workspace, result: np.ndarray) -> None:
    """All factors of one block of lanes."""

    def store(first: str, values: np.ndarray) -> None:
        factor = NAMES.index(first)
        part = result[factor : factor + len(values)]
        sessions = block.looked_back, len(block.panel.axes.dates)
        if block.side_by_side:
            lanes.scatter_side_by_side(values, block.columns[0], len(block.columns), *sessions, block.place, part)
        else:
            lanes.scatter(values, block.columns, block.start, block.stop, *sessions, block.place, part)

    names = ("open", "high", "low", "close", "volume")
    open_, high, low, close, volume = candles = work.series(*names)
    for name, series in zip(names, candles, strict=True):
        lanes.gather(getattr(block.panel, name), block.columns, block.start, block.stop, series)
    start = np.full(LANES, work.rows, dtype=np.int64)
    start[: len(block.start)] = HISTORY + block.start

    values = work.values
    formulas.candle_shape(open_, high, low, close, values)
    store("KMID", values[:13])
    formulas.rate_of_change(close, values)
    store("ROC5", values[:5])

    close_moments = _moments(work, "x", close)
    n, mean, squares = close_moments
    formulas.mean_and_deviation(n, mean, squares, close, 0.0, values)
    store("MA5", values[:10])
    lag1, lag2, lagged = work.stacks("a", "b", "c")
    windows.window_lags(close, n, lag1, lag2)
    windows.window_lagged_sums(close, n, mean, lagged)
    formulas.trend_line(close, n, mean, squares, lag1, lag2, lagged, values)
    store("BETA5", values[:15])

    for window, length in enumerate(WINDOWS):
        order.window_quantiles(close, length, n[window], 0.8, 0.2, values[window], values[5 + window])
    store("QTLU5", values[:10])
    order.window_ranks(close, n, values)
    store("RANK5", values[:5])

    log_volume, ratio, log_volume_ratio, activity = work.series("ln v", "c/c'", "ln v/v'", "|r|v")
    formulas.daily_series(close, volume, log_volume, ratio, log_volume_ratio, activity)
    store("CORR5", _correlation(work, close, close_moments, log_volume))
    store("CORD5", _correlation(work, ratio, _moments(work, "x", ratio), log_volume_ratio))
    formulas.mean_and_deviation(*_moments(work, "x", volume), volume, formulas.TINY, values)
    store("VMA5", values[:10])
    formulas.relative_deviation(*_moments(work, "x", activity), values)
    store("WVMA5", values[:5])

    rise, fall, seen = work.series("rise", "fall", "seen")
    rises, falls, changes = work.stacks("a", "b", "c")
    formulas.rising_and_falling_sessions(close, rise, fall)
    windows.window_sums(rise, rises)
    windows.window_sums(fall, falls)
    formulas.shares_of_sessions(rises, falls, start, values)
    store("CNTP5", values[:15])
    for first, x in (("SUMP5", close), ("VSUMP5", volume)):
        formulas.rises_and_falls(x, rise, fall, seen)
        for series, total in ((rise, rises), (fall, falls), (seen, changes)):
            windows.window_sums(series, total)
        formulas.shares_of_changes(changes, rises, falls, values)
        store(first, values[:15])

    np.negative(low, out=low)
    top, top_row, dip, dip_row, key = borrowed = work.stacks("x n", "x mean", "y n", "y mean", "a")
    order.window_maxima(high, start, top, top_row, key)
    order.window_maxima(low, start, dip, dip_row, key)
    formulas.price_levels(close, top, dip, values)
    store("MAX5", values[:10])
    formulas.price_places(close, start, top, top_row, dip, dip_row, values)
    store("RSV5", values[:20])
    for stack in borrowed:
        stack[:, :HISTORY] = 0.0


Moments = tuple[np.ndarray, np.ndarray, np.ndarray]


def _moments(work: _Workspace, name: str, x: np.ndarray) -> Moments:
    """Number, mean and sum of squared deviations of each window, in arrays called after `name`."""
    n, mean, squares = work.stacks(f"{name} n", f"{name} mean", f"{name} squares")
    windows.window_moments(x, n, mean, squares)
    return n, mean, squares


def _correlation(work: _Workspace, x: np.ndarray, x_moments: Moments, y: np.ndarray) -> np.ndarray:
    """Correlation of x and y in each window, [5, rows, LANES]."""
    y_moments = _moments(work, "y", y)
    own = x_moments[0], x_moments[2], y_moments[0], y_moments[2]
    x_both, y_both = work.series("x both", "y both")
    if formulas.present_in_both(x, y, x_both, y_both):
        x_moments, y_moments = _moments(work, "x both", x_both), _moments(work, "y both", y_both)
    n, mean_x, x_squares = x_moments
    _, mean_y, y_squares = y_moments
    (products,) = work.stacks("a")
    windows.window_products(x_both, y_both, n, mean_x, mean_y, products)
    formulas.correlation(n, mean_x, x_squares, mean_y, y_squares, products, *own, work.values)
    return work.values[: len(WINDOWS)]

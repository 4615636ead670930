"""Qlib's Alpha158: 13 shapes of the candle itself, 29 families over the windows 5, 10, 20, 30, 60.

Names, order and meaning are those of Qlib 0.9.7 (`qlib.contrib.data.handler.Alpha158`), computed in
double precision; `docs/factors.md` lists every formula. Two things differ by intent: what divides by
zero, were it not for Qlib's ε, is missing, and a broken price adjustment restarts a stock's windows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.kernels import HISTORY, WINDOWS, families, formulas, lanes
from niftyformer_assets.factors.kernels.families import STACKS, VALUES, Scratch
from niftyformer_assets.factors.kernels.lanes import Block
from niftyformer_assets.market.panel import Panel

NAMES = ALPHA158
# Sessions before a session that its factors look at: 60 of the window, one for the change on its first.
LOOKBACK = 60
# Sessions computed at a time: few enough for the arrays of a family to stay near the processor.
STRETCH = 32
# Lanes side by side, at most: rows that end up one behind the other are fastest to write.
WIDEST = 512

# The families, the longest first, each with what it works on and where its factors stand.
_FAMILIES: tuple[tuple[Callable[..., None], tuple[int, ...], tuple[tuple[str, str], ...]], ...] = (
    (families.close_levels, (), (("MA5", "RESI60"), ("QTLU5", "RANK60"))),
    (families.extremes, (), (("MAX5", "MIN60"), ("RSV5", "IMXD60"))),
    (families.volumes, (), (("VMA5", "VSTD60"), ("WVMA5", "WVMA60"))),
    (families.correlations, (lanes.CLOSE, lanes.LOG_VOLUME), (("CORR5", "CORR60"),)),
    (families.correlations, (lanes.RATIO, lanes.LOG_VOLUME_RATIO), (("CORD5", "CORD60"),)),
    (families.changes, (lanes.CLOSE,), (("SUMP5", "SUMD60"),)),
    (families.changes, (lanes.VOLUME,), (("VSUMP5", "VSUMD60"),)),
    (families.counts, (), (("CNTP5", "CNTD60"),)),
    (families.candle, (), (("KMID", "VWAP0"), ("ROC5", "ROC60"))),
)


def alpha158(
    panel: Panel, since: int = 0, threads: int | None = None, dtype: type[np.floating] = np.float32
) -> np.ndarray:
    """Compute all 158 factors.

    Args:
        panel: candles of N stocks over T sessions.
        since: only sessions from this one on are asked for; the `LOOKBACK` sessions before it are
            read, nothing earlier. The values have the same bits as those of a run over all.
        threads: how many at once; by default one a core.
        dtype: float32 or float64, of the result; it is computed in float64 either way.

    Returns:
        [158, T - since, N] in the order of `NAMES`. NaN where a factor is missing: before the
        stock's first candle, and as the rules of each factor say. Never ±inf.
    """
    sessions, symbols = panel.axes.shape
    if not 0 <= since <= sessions:
        raise ValueError(f"since={since} is not one of the panel's {sessions} sessions")
    result = np.empty((len(NAMES), sessions - since, symbols), dtype=dtype)
    if result.size == 0:
        return result
    looked_back = min(since, LOOKBACK)
    recent = cut_sessions(panel, since - looked_back)
    threads = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        _write(pool, threads, recent, _before_breaks(recent), looked_back, result, side_by_side=True)
        # What follows a break overwrites what the first blocks left in its place, so it comes second.
        columns, start, stop = _after_breaks(recent)
        if len(columns):
            begin = int(start.min())
            after = _Lanes(columns, start - begin, stop - begin)
            _write(pool, threads, cut_sessions(recent, begin), after, looked_back - begin, result, side_by_side=False)
    return result


class _Lanes(NamedTuple):
    """Stretches of stocks: `columns`, and the sessions start <= t < stop of each, all [n]."""

    columns: np.ndarray
    start: np.ndarray
    stop: np.ndarray


def _write(
    pool: ThreadPoolExecutor,
    threads: int,
    panel: Panel,
    those: _Lanes,
    looked_back: int,
    result: np.ndarray,
    side_by_side: bool,
) -> None:
    """Compute all factors of these lanes and write them to the result.

    looked_back: the session of the panel that is the result's first; below 0 where the panel begins later.
    side_by_side: as in `Block`.
    """
    sessions = len(panel.axes.dates)
    rows, width = _rows(sessions), _width(len(those.columns))
    scratches: SimpleQueue[Scratch] = SimpleQueue()
    for memory in _memory(threads, STACKS + 1, len(WINDOWS), rows, width):
        values = np.empty((VALUES, rows, width), dtype=result.dtype)
        ordered = np.empty((len(WINDOWS), max(WINDOWS) + 1, width))
        scratches.put(Scratch(memory[:STACKS], memory[STACKS], values, ordered))

    def compute(task: tuple[Callable[..., None], Block, tuple]) -> None:
        family, block, arguments = task
        scratch = scratches.get()
        try:
            family(block, scratch, *arguments)
        finally:
            scratches.put(scratch)

    blocks = list(pool.map(_filled, _blocks(those, sessions, looked_back, rows, width, side_by_side), repeat(panel)))
    tasks = []
    for family, series, places in _FAMILIES:
        into = [result[NAMES.index(first) : NAMES.index(last) + 1] for first, last in places]
        tasks += [(family, block, (*series, *into)) for block in blocks]
    list(pool.map(compute, tasks))


def _rows(sessions: int) -> int:
    """Rows of a stretch: HISTORY and up to about `STRETCH` sessions, so that stretches are of one length."""
    count = -(-sessions // STRETCH)
    # An odd number: stores to layers that lie whole pages apart would wait for one another.
    return (HISTORY + -(-sessions // count)) | 1


def _width(symbols: int) -> int:
    """Lanes of a block: a multiple of 8, so that blocks are of one width with little left over."""
    blocks = -(-symbols // WIDEST)
    return -(-symbols // (8 * blocks)) * 8


def _before_breaks(panel: Panel) -> _Lanes:
    """Each stock from its first candle to its first break: a lane a column."""
    segment = panel.segment
    first = np.where(segment >= 0, segment, np.iinfo(segment.dtype).max).min(axis=0)
    return _Lanes(np.arange(segment.shape[1]), (segment < 0).sum(axis=0), (segment <= first).sum(axis=0))


def _after_breaks(panel: Panel) -> _Lanes:
    """What follows a break: rare, and anywhere."""
    sessions = len(panel.axes.dates)
    breaks = (np.diff(panel.segment, axis=0) > 0) & (panel.segment[:-1] >= 0)
    found = []
    for column in np.flatnonzero(breaks.any(axis=0)):
        edges = [*np.flatnonzero(breaks[:, column]) + 1, sessions]
        found += [(column, start, stop) for start, stop in zip(edges[:-1], edges[1:], strict=True)]
    return _Lanes(*np.array(found, dtype=np.int64).reshape(-1, 3).T)


def _blocks(those: _Lanes, sessions: int, looked_back: int, rows: int, width: int, side_by_side: bool) -> list[Block]:
    count, stretch = -(-len(those.columns) // width), rows - HISTORY
    memory = _memory(count, 9, HISTORY + -(-sessions // stretch) * stretch, width)
    blocks = []
    for place, series in enumerate(memory):
        columns, start, stop = (np.ascontiguousarray(part[place * width : (place + 1) * width]) for part in those)
        # Lanes to spare begin after the last session.
        begin, end = np.full(width, sessions), np.full(width, sessions)
        begin[: len(columns)], end[: len(columns)] = start, stop
        blocks.append(Block(series, columns, begin, end, sessions, looked_back, side_by_side))
    return blocks


def _filled(block: Block, panel: Panel) -> Block:
    for number, name in enumerate(("open", "high", "low", "close", "volume")):
        lanes.gather(getattr(panel, name), block, number)
    formulas.daily_series(block.series)
    return block


def _memory(*shape: int) -> np.ndarray:
    """What belongs together in one array: from 4 MiB on NumPy asks the system for large pages, faster to come by."""
    return np.empty(shape)

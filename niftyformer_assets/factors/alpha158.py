"""Qlib's Alpha158: 13 shapes of the candle itself, 29 families over the windows 5, 10, 20, 30, 60.

Names, order and meaning are those of Qlib 0.9.7 (`qlib.contrib.data.handler.Alpha158`), computed in
double precision; `docs/factors.md` lists every formula. Two things differ by intent: where Qlib
divides zero by zero the value is missing, never ±inf, and a broken price adjustment restarts a
stock's windows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from queue import SimpleQueue

import numpy as np

from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.kernels import HISTORY, WINDOWS, families, formulas, lanes
from niftyformer_assets.factors.kernels.families import Scratch
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

    Returns:
        [158, T - since, N] in the order of `NAMES`. NaN where a factor is missing: before the
        stock's first candle, and as the rules of each factor say. Never ±inf.
    """
    sessions, symbols = panel.axes.shape
    result = np.empty((len(NAMES), sessions - since, symbols), dtype=dtype)
    if result.size == 0:
        return result
    looked_back = min(since, LOOKBACK)
    recent = cut_sessions(panel, since - looked_back)
    rows, width = _rows(looked_back + sessions - since), _width(symbols)
    threads = threads or os.cpu_count() or 1
    scratches: SimpleQueue[Scratch] = SimpleQueue()
    for memory in _memory(threads, 14, len(WINDOWS), rows, width):
        ordered = np.empty((len(WINDOWS), max(WINDOWS) + 1, width))
        scratches.put(Scratch(memory[:13], memory[13], np.empty((20, rows, width), dtype=dtype), ordered))

    def compute(task: tuple[Callable[..., None], Block, tuple]) -> None:
        family, block, arguments = task
        scratch = scratches.get()
        family(block, scratch, *arguments)
        scratches.put(scratch)

    with ThreadPoolExecutor(threads) as pool:
        # What follows a break overwrites what the first blocks left in its place, so it comes second.
        for parts in (_before_breaks(recent, width), _after_breaks(recent, width)):
            blocks = list(pool.map(_filled, _blocks(recent, parts, looked_back, rows, width), repeat(recent)))
            tasks = []
            for family, series, places in _FAMILIES:
                into = [result[NAMES.index(first) : NAMES.index(last) + 1] for first, last in places]
                tasks += [(family, block, (*series, *into)) for block in blocks]
            list(pool.map(compute, tasks))
    return result


def _rows(sessions: int) -> int:
    """Rows of a stretch: HISTORY and up to about `STRETCH` sessions, so that stretches are of one length."""
    count = -(-sessions // STRETCH)
    # An odd number: stores to layers that lie whole pages apart would wait for one another.
    return (HISTORY + -(-sessions // count)) | 1


def _width(symbols: int) -> int:
    """Lanes of a block: a multiple of 8, so that blocks are of one width with little left over."""
    blocks = -(-symbols // WIDEST)
    return -(-symbols // (8 * blocks)) * 8


# The columns of a block's lanes, where each begins and ends, and whether they are neighbours.
_Part = tuple[np.ndarray, np.ndarray, np.ndarray, bool]


def _before_breaks(panel: Panel, width: int) -> list[_Part]:
    """Neighbouring columns: each stock from its first candle to its first break."""
    segment = panel.segment
    first = np.where(segment >= 0, segment, np.iinfo(segment.dtype).max).min(axis=0)
    start, stop = (segment < 0).sum(axis=0), (segment <= first).sum(axis=0)
    columns = np.arange(segment.shape[1])
    parts = [slice(edge, edge + width) for edge in range(0, len(columns), width)]
    return [(columns[part], start[part], stop[part], True) for part in parts]


def _after_breaks(panel: Panel, width: int) -> list[_Part]:
    """What follows a break: rare, and anywhere."""
    sessions = len(panel.axes.dates)
    breaks = (np.diff(panel.segment, axis=0) > 0) & (panel.segment[:-1] >= 0)
    found = []
    for column in np.flatnonzero(breaks.any(axis=0)):
        edges = [*np.flatnonzero(breaks[:, column]) + 1, sessions]
        found += [(column, start, stop) for start, stop in zip(edges[:-1], edges[1:], strict=True)]
    parts = [np.array(found[edge : edge + width]).T for edge in range(0, len(found), width)]
    return [(*part, False) for part in parts]


def _blocks(panel: Panel, parts: list[_Part], looked_back: int, rows: int, width: int) -> list[Block]:
    sessions, stretch = len(panel.axes.dates), rows - HISTORY
    memory = _memory(len(parts), 9, HISTORY + -(-sessions // stretch) * stretch, width)
    blocks = []
    for series, (columns, start, stop, side_by_side) in zip(memory, parts, strict=True):
        begin, end = np.full(width, sessions), np.full(width, sessions)
        begin[: len(start)], end[: len(stop)] = start, stop
        columns = np.ascontiguousarray(columns)
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

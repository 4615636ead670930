"""A stand-in for market capitalisation, which Kite does not give: log(close × 60-session mean volume)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.market.panel import Panel
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.tables import read_parquet, write_parquet

WINDOW = 60
MIN_SESSIONS = 20


def size_proxy(panel: Panel, window: int = WINDOW, min_sessions: int = MIN_SESSIONS) -> np.ndarray:
    """log(close × mean volume of the last `window` sessions), float64 [T, N].

    The mean is over the candles there are among the last `window` sessions of the same segment, the
    session itself included. NaN where those are fewer than `min_sessions`, where the session has
    no candle, or where nothing was traded.
    """
    present = np.isfinite(panel.volume)
    sums = _running(np.where(present, panel.volume, 0.0))
    counts = _running(present.astype(np.float64))
    sessions = np.arange(len(panel.volume))[:, None]
    # A window begins `window` sessions back, but not before its segment does.
    changed = np.vstack([np.ones((1, panel.segment.shape[1]), dtype=bool), np.diff(panel.segment, axis=0) != 0])
    segment_start = np.maximum.accumulate(np.where(changed, sessions, 0), axis=0)
    start = np.maximum(sessions - window + 1, segment_start)
    total = sums[1:] - np.take_along_axis(sums, start, axis=0)
    count = counts[1:] - np.take_along_axis(counts, start, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.log(panel.close * total / count)
    return np.where((count >= min_sessions) & (total > 0), size, np.nan)


def _running(values: np.ndarray) -> np.ndarray:
    """Sums of all sessions before each, [T+1, N]. Volumes are whole, so these are exact to 2^53 shares."""
    return np.vstack([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def save_size_proxy(path: Path, size: np.ndarray, axes: Axes) -> None:
    """Write the values there are as a long table (date, symbol, log_size), by date and symbol."""
    rows, columns = np.nonzero(np.isfinite(size))
    frame = pd.DataFrame(
        {
            "date": axes.dates[rows].astype("datetime64[ms]"),
            "symbol": np.array(axes.symbols, dtype=object)[columns],
            "log_size": size[rows, columns],
        }
    )
    write_parquet(path, frame)


def load_size_proxy(path: Path, axes: Axes) -> np.ndarray:
    """The size proxy [T, N] on these axes; NaN where the file has no value."""
    frame = read_parquet(path, ("date", "symbol", "log_size"))
    rows = pd.Index(axes.dates.astype("datetime64[ms]")).get_indexer(pd.Index(frame["date"].astype("datetime64[ms]")))
    columns = pd.Index(axes.symbols).get_indexer(pd.Index(frame["symbol"]))
    known = (rows >= 0) & (columns >= 0)
    size = np.full(axes.shape, np.nan)
    size[rows[known], columns[known]] = frame["log_size"].to_numpy()[known]
    return size

"""Each session's own return, of which labels are made."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.pictures import BLUE, PALE, figure, legend, png
from niftyformer_assets.store.arrays import Axes, read_in_index
from niftyformer_assets.store.errors import NiftyFormerError, damaged
from niftyformer_assets.store.index import entered_path


def daily_returns(close: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """(close − previous close) / previous close, float64 [T, N].

    NaN on the first session of each segment, so that nobody earns a broken adjustment, and where
    the stock has no candle on the session or on the one before: a return over a gap is not the
    return of a session.
    """
    returns = np.full(close.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (close[1:] - close[:-1]) / close[:-1]
    same = (segment[1:] == segment[:-1]) & (segment[1:] >= 0)
    returns[1:] = np.where(same & np.isfinite(change), change, np.nan)
    return returns


def write_returns(path: Path, returns: np.ndarray, axes: Axes) -> None:
    """Write label.csv [sessions × symbols] and enter it in its folder's index; empty where missing."""
    frame = pd.DataFrame(returns, index=pd.Index(axes.dates.astype(str), name="date"), columns=list(axes.symbols))
    with entered_path(path, axes.content(), {"label": "TN"}) as temporary:
        frame.to_csv(temporary, lineterminator="\n")


def read_returns(path: Path, expected: Axes | None = None) -> tuple[np.ndarray, Axes]:
    """Read what `write_returns` wrote, bit for bit, checked against its index."""
    content, axes, _ = read_in_index(path, expected)
    try:
        # As text first: Python's own conversion gives back every bit in all versions of pandas.
        frame = pd.read_csv(io.BytesIO(content), index_col=0, dtype=str)
        returns = frame.to_numpy(dtype=object, na_value=np.nan).astype(np.float64)
        inside = Axes(frame.index.to_numpy(dtype="datetime64[D]"), tuple(frame.columns))
    except ValueError as error:
        raise damaged(path, error) from error
    if (problem := inside.difference(axes)) is not None:
        raise NiftyFormerError(f"{path} and its index disagree: {problem}. Materialize it again.")
    return returns, axes


def returns_picture(returns: np.ndarray, axes: Axes) -> bytes:
    """The spread of returns across stocks by session, and the distribution of all of them, as PNG."""
    drawn = figure(10, 3.5)
    over_time, together = drawn.subplots(1, 2, width_ratios=(2, 1))
    some = np.isfinite(returns).any(axis=1)
    low, middle, high = 100 * np.nanpercentile(returns[some], (10, 50, 90), axis=1)
    days = axes.dates[some]
    over_time.fill_between(days, low, high, color=PALE, label="10th to 90th percentile of the stocks")
    over_time.plot(days, middle, color=BLUE, linewidth=0.8, label="median stock")
    over_time.set(title="Daily return by session", ylabel="return, %")
    over_time.tick_params(axis="x", labelsize=8)
    together.hist(100 * np.clip(returns[np.isfinite(returns)], -0.1, 0.1), bins=80, color=BLUE)
    together.set(title="All (beyond ±10% at the edge)", xlabel="return, %", ylabel="stock sessions", yscale="log")
    legend(drawn)
    return png(drawn)

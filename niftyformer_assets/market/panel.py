"""All symbols' candles as arrays on common sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from niftyformer_assets.store.arrays import Axes, load_arrays, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError

if TYPE_CHECKING:
    from niftyformer_assets.market.cleaning import CleanMarket

ARRAYS = ("open", "high", "low", "close", "volume", "segment")


@dataclass(frozen=True, eq=False)
class Panel:
    """Candles of N symbols over T sessions.

    axes: the sessions and symbols.
    open, high, low, close (rupees, adjusted), volume (shares): float64 [T, N], NaN where there is no
        usable candle.
    segment: int32 [T, N], number of the unbroken stretch of a stock's prices, -1 before its first.
        Whatever looks back (returns, rolling windows, correlations) starts anew with a segment.
    """

    axes: Axes
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    segment: np.ndarray


def build_panel(market: CleanMarket) -> Panel:
    """The panel of a cleaned market.

    It keeps every symbol that has candles, whatever the verdict on it as of today: whether a symbol
    takes part in an experiment is decided by `scope` on data up to the training end, so that later
    candles never decide about earlier ones.

    Raises:
        NiftyFormerError: no symbol has a candle.
    """
    if 0 in market.axes.shape:
        raise NiftyFormerError("no symbol has a candle: materialize raw_ohlcv first, and see its failures.")
    return Panel(market.axes, **{name: getattr(market, name) for name in ARRAYS})


def save_panel(path: Path, panel: Panel) -> None:
    """Write market_panel.npz and enter it in its folder's index."""
    save_arrays(path, {name: getattr(panel, name) for name in ARRAYS}, panel.axes, dict.fromkeys(ARRAYS, "TN"))


def load_panel(path: Path) -> Panel:
    """Read what `save_panel` wrote, checked against its index."""
    arrays, axes = load_arrays(path)
    return Panel(axes, **{name: arrays[name] for name in ARRAYS})

"""Cutting a market panel to the sessions that a computation looks at."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.market.panel import ARRAYS, Panel
from niftyformer_assets.store.arrays import Axes


def cut_sessions(panel: Panel, start: int, stop: int | None = None) -> Panel:
    """The sessions `start <= t < stop` of a panel, as contiguous arrays of the types that kernels expect."""
    arrays = {}
    for name in ARRAYS:
        # Compiled loops do not look whether an index is inside.
        if getattr(panel, name).shape != panel.axes.shape:
            raise ValueError(f"the panel's {name} is {getattr(panel, name).shape}, its axes are {panel.axes.shape}")
        dtype = np.int32 if name == "segment" else np.float64
        arrays[name] = np.ascontiguousarray(getattr(panel, name)[start:stop], dtype=dtype)
    return Panel(Axes(panel.axes.dates[start:stop], panel.axes.symbols), **arrays)


def typical_price(panel: Panel) -> np.ndarray:
    """(H+L+C)/3 [T, N], which stands in for the volume-weighted price that Kite does not give by day."""
    return (panel.high + panel.low + panel.close) / 3.0

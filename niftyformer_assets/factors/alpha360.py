"""Qlib's Alpha360: the last 60 sessions of six fields, in units of today's close (or volume)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from niftyformer_assets.factors.catalogue import ALPHA360, LAGS
from niftyformer_assets.factors.history import cut_sessions, typical_price
from niftyformer_assets.factors.kernels.lags import lagged_ratio
from niftyformer_assets.market.panel import Panel

NAMES = ALPHA360
LOOKBACK = max(LAGS)


def alpha360(
    panel: Panel, since: int = 0, threads: int | None = None, dtype: type[np.floating] = np.float32
) -> np.ndarray:
    """Compute all 360 factors: X[t − lag] / C[t], and V[t − lag] / (V[t] + 1e-12), missing where V[t] is 0.

    Arguments and result are those of `alpha158`. There are no partial windows: a value is missing
    where the session `lag` sessions ago lies before the stock's first candle or before a broken
    adjustment, or has no candle.
    """
    start = max(0, since - LOOKBACK)
    sessions, symbols = panel.axes.shape
    recent = cut_sessions(panel, start)
    result = np.empty((len(NAMES), sessions - since, symbols), dtype=dtype)
    volume = np.where(recent.volume == 0, np.nan, recent.volume + 1e-12)
    fields = (recent.close, recent.open, recent.high, recent.low, typical_price(recent), recent.volume)
    units = (*[recent.close] * 5, volume)

    def compute(place: int) -> None:
        field, lag = place // len(LAGS), LAGS[place % len(LAGS)]
        lagged_ratio(fields[field], units[field], recent.segment, lag, since - start, result[place])

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(compute, range(len(NAMES))))
    return result

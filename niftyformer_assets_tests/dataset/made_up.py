"""Small made-up returns with sectors, for the tests of this package."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.market.split import Split
from niftyformer_assets.store.arrays import Axes

SESSIONS, SYMBOLS = 140, 24
TRAIN = slice(0, 80)
SPLIT = Split(TRAIN, slice(80, 105), slice(105, 130), slice(130, 140))


def axes(sessions: int = SESSIONS, symbols: int = SYMBOLS) -> Axes:
    dates = np.busday_offset("2022-01-03", np.arange(sessions), roll="forward")
    return Axes(dates, tuple(f"S{number:02d}" for number in range(symbols)))


def sectors(symbols: int = SYMBOLS) -> dict[str, str]:
    return {name: ("Metals", "Banks", "Software")[place % 3] for place, name in enumerate(axes(1, symbols).symbols)}


def returns(sessions: int = SESSIONS, symbols: int = SYMBOLS, seed: int = 7, gaps: bool = True) -> np.ndarray:
    """A market factor, three sector factors and noise of uneven size; with gaps and a late listing."""
    rng = np.random.default_rng(seed)
    market, sector = rng.normal(size=(sessions, 1)), rng.normal(size=(sessions, 3))
    noise = rng.normal(size=(sessions, symbols)) * np.linspace(0.6, 3.0, symbols)
    values = 0.01 * (0.7 * market + sector[:, np.arange(symbols) % 3] + noise)
    if gaps:
        values[rng.random(values.shape) < 0.03] = np.nan
        values[:60, symbols - 1] = np.nan  # listed late
        values[0] = np.nan
    return values

"""Panels for the tests of the factors: real candles, the golden files' inputs, made-up prices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from niftyformer_assets.market.panel import ARRAYS, Panel
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets_tests.shared_data import shared

FIELDS = ARRAYS[:-1]


def panel_of(candles: pd.DataFrame) -> Panel:
    """A panel of long candles (date, symbol, fields); every stock is one unbroken stretch."""
    wide = {name: candles.pivot_table(index="date", columns="symbol", values=name) for name in FIELDS}
    close = wide["close"]
    axes = Axes(pd.to_datetime(close.index).to_numpy(), tuple(close.columns))
    segment = np.where(close.notna().cummax().to_numpy(), 0, -1).astype(np.int32)
    return Panel(axes, **{name: frame.to_numpy(dtype=float) for name, frame in wide.items()}, segment=segment)


@lru_cache(maxsize=1)
def real_panel() -> Panel:
    """191 symbols over 660 sessions, as Kite gave them."""
    frames = []
    for file in sorted(shared("market_data/kite_daily_2022_2024").glob("*.csv")):
        frame = pd.read_csv(file).rename(columns=str.lower)
        frames.append(frame.assign(symbol=file.stem))
    return panel_of(pd.concat(frames))


@lru_cache(maxsize=1)
def edge_panel() -> Panel:
    """The golden files' made-up stocks: gaps, zero volume, constant prices, ties, late listings."""
    return panel_of(pd.read_csv(shared("golden/alpha158_edge_cases_input.csv")))


def sectors_of(panel: Panel) -> np.ndarray:
    """A sector for most stocks, one that changes on the way, and one that has none."""
    numbers = np.tile(np.arange(panel.axes.shape[1]) % 4, (len(panel.axes.dates), 1))
    numbers[len(numbers) // 3 :, 1] = 2
    numbers[:, -1] = -1
    return numbers


def made_up_panel(sessions: int = 150, symbols: int = 12, seed: int = 0) -> Panel:
    """Random walks with gaps, late listings, sessions without trade, flat stretches and one broken adjustment."""
    random = np.random.default_rng(seed)
    shape = sessions, symbols
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, shape), axis=0))
    close[20:45, 1] = close[20, 1]
    close = np.round(close, 1)
    open_ = np.round(close * np.exp(random.normal(0, 0.01, shape)), 1)
    high = np.maximum(open_, close) + np.round(random.uniform(0, 2, shape), 1)
    low = np.minimum(open_, close) - np.round(random.uniform(0, 2, shape), 1)
    volume = np.round(np.exp(random.normal(11, 1, shape)))
    volume[random.random(shape) < 0.02] = 0.0
    segment = np.zeros(shape, dtype=np.int32)
    for column in range(2, symbols, 4):
        segment[: random.integers(1, sessions // 2), column] = -1
    segment[sessions // 2 :, 0] += 1
    segment[sessions // 2 + 20 :, 0] += 1
    missing = (random.random(shape) < 0.04) & (segment >= 0)
    missing[np.argmax(segment >= 0, axis=0), np.arange(symbols)] = False
    arrays = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
    for values in arrays.values():
        values[missing | (segment < 0)] = np.nan
    dates = np.datetime64("2021-01-04") + np.arange(sessions)
    axes = Axes(dates, tuple(f"S{place:03d}" for place in range(symbols)))
    return Panel(axes, **arrays, segment=segment)

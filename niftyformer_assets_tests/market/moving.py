"""Stocks that move as real ones do, for tests of what candles tell about sessions and adjustments."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.candle_files import PRICES

SESSIONS = sessions(date(2024, 1, 1), date(2024, 12, 31))


def moving(count: int = 100, seed: int = 0, deviation: float = 0.01, days: np.ndarray = SESSIONS) -> pd.DataFrame:
    """Candles of a random walk on the first `count` of these days; opens are near the last close."""
    draw = np.random.default_rng(seed)
    close = (500 * np.exp(np.cumsum(draw.normal(0, deviation, count)))).round(2)
    open_ = (np.concatenate([[500], close[:-1]]) * (1 + draw.normal(0, 0.002, count))).round(2)
    return pd.DataFrame(
        {
            "date": days[:count].astype("datetime64[ms]"),
            "open": open_,
            "high": np.maximum(open_, close) + 1,
            "low": np.minimum(open_, close) - 1,
            "close": close,
            "volume": draw.integers(10**5, 10**6, count),
        }
    )


def market(stocks: int = 20, count: int = 100, days: np.ndarray = SESSIONS) -> dict[str, pd.DataFrame]:
    return {f"S{number:02d}": moving(count, seed=100 + number, days=days) for number in range(stocks)}


def gapped(frame: pd.DataFrame, row: int, factor: float, until: int | None = None) -> pd.DataFrame:
    """The prices from a row on (until another) times a factor, as when an adjustment was forgotten."""
    frame = frame.copy()
    rows = frame.index[row:until]
    frame.loc[rows, list(PRICES)] = frame.loc[rows, list(PRICES)] * factor
    # The gap itself is the factor, whatever the stock did that night.
    frame.loc[row, "open"] = frame.loc[row - 1, "close"] * factor
    frame.loc[row, "high"] = frame.loc[row, ["open", "high", "close"]].max()
    frame.loc[row, "low"] = frame.loc[row, ["open", "low", "close"]].min()
    return frame


def with_copies(frame: pd.DataFrame, days: list[str], **changes: float) -> pd.DataFrame:
    """The last candle before each of these dates once more on it."""
    frame = frame.copy()
    for day in days:
        copy = frame[frame["date"] < day].iloc[[-1]].assign(date=np.datetime64(day, "ms"), **changes)
        frame = pd.concat([frame, copy]).sort_values("date", ignore_index=True)
    return frame

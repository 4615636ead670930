"""Candles as data frames, for those who write them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from niftyformer_assets.exchange.market import Candles

CandlesOf = Mapping[str, Candles]
PRICES = ["open", "high", "low", "close"]


def frame_of(candles: Candles) -> pd.DataFrame:
    """Columns date, open, high, low, close, volume."""
    fields = ("open", "high", "low", "close", "volume")
    columns = {name: getattr(candles, name) for name in fields}
    return pd.DataFrame({"date": candles.dates.astype("datetime64[s]"), **columns})


def long_frame(candles: CandlesOf) -> pd.DataFrame:
    frames = [frame_of(daily).assign(symbol=symbol) for symbol, daily in candles.items()]
    return pd.concat(frames, ignore_index=True)


def titled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns=str.capitalize)

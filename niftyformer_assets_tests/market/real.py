"""Real candles of 2022–2024, where they are at hand."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

from niftyformer_assets_tests.shared_data import shared


def real_candles() -> dict[str, pd.DataFrame]:
    """By symbol, in the form of raw candles."""
    folder = shared("market_data/kite_daily_2022_2024")
    return _read(str(folder))


@lru_cache
def _read(folder: str) -> dict[str, pd.DataFrame]:
    candles = {}
    for path in sorted(Path(folder).glob("*.csv")):
        frame = pd.read_csv(path).rename(columns=str.lower)
        frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[ms]")
        candles[path.stem] = frame
    return candles

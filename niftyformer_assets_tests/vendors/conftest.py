"""A few real-sized candles under NSE's names, and folders of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from niftyformer_assets.exchange.made_up import make_market
from niftyformer_assets.exchange.market import BENCHMARK, Candles
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.market.calendar import sessions


@pytest.fixture(scope="session")
def candles() -> Mapping[str, Candles]:
    """Six stocks for a quarter, one of them listed late."""
    days = sessions(date(2023, 1, 2), date(2023, 3, 31))
    market = make_market(days, MadeUpSettings(stocks=6, late_listings=1, listing_gap=20))
    names = ["RELIANCE", "M&M", "BAJAJ-AUTO", "3MINDIA", "TCS", "LATE"]
    stocks = [symbol for symbol in sorted(market.candles) if symbol != BENCHMARK]
    return {name: market.candles[symbol] for name, symbol in zip(names, stocks, strict=True)}


@pytest.fixture(scope="session")
def listed(candles: Mapping[str, Candles], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The constituent list that goes with them."""
    path = tmp_path_factory.mktemp("list") / "ind_nifty200list_2023-03-31.csv"
    rows = "".join(f"{name} Ltd.,Power,{name},EQ,INE{n:03d}A01010\n" for n, name in enumerate(candles))
    path.write_text("Company Name,Industry,Symbol,Series,ISIN Code\n" + rows)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of files from texts."""

    def make(**files: str) -> Path:
        path = tmp_path / "candles"
        path.mkdir(exist_ok=True)
        for name, text in files.items():
            (path / (name if "." in name else f"{name}.csv")).write_text(text, encoding="utf-8")
        return path

    return make

"""One is not many."""

from __future__ import annotations

from niftyformer_assets.words import counted


def test_one_is_told_from_many() -> None:
    assert [counted(n, "candle") for n in (0, 1, 2, 1234)] == ["0 candles", "1 candle", "2 candles", "1,234 candles"]
    assert [counted(n, "stock has", "stocks have") for n in (1, 2)] == ["1 stock has", "2 stocks have"]

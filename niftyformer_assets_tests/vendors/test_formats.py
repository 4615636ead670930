"""A folder in any vendor's format gives the same candles, to the bit, as the plain one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from niftyformer_assets.exchange.market import BENCHMARK, Candles
from niftyformer_assets.exchange.replay import read_replay
from niftyformer_assets_tests.vendors.written import FORMATS, same


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_gives_the_same_candles(
    format_: str, candles: Mapping[str, Candles], listed: Path, tmp_path: Path
) -> None:
    FORMATS[format_](tmp_path, candles)
    found = read_replay(tmp_path, listed)
    assert found.market.candles.keys() == candles.keys()
    for symbol, given in candles.items():
        assert same(found.market.candles[symbol], given), symbol
    assert found.matched == candles.keys()
    assert not found.few
    assert str(tmp_path) in found.recognised
    assert "\n" not in found.recognised


@pytest.mark.parametrize("name", ["NIFTY 50", "^NSEI", "NSE_NIFTY, 1D"])
def test_an_index_beside_bhavcopies_is_no_stock(name: str, candles: Mapping[str, Candles], tmp_path: Path) -> None:
    FORMATS["bhavcopy"](tmp_path, candles)
    (tmp_path / f"{name}.csv").write_text(
        'Date,Close,Shares Traded\n03-01-2023,"18,232.55",5\n13-01-2023,"17,956.6",5\n'
    )
    found = read_replay(tmp_path).market.candles
    assert found.keys() == {*candles, BENCHMARK}
    assert [str(day) for day in found[BENCHMARK].dates] == ["2023-01-03", "2023-01-13"]
    assert list(found[BENCHMARK].open) == [18232.55, 17956.6]

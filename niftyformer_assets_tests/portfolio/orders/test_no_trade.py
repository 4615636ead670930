"""Who is not to be traded, for which reason, and what is not known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from niftyformer_assets.portfolio.orders.no_trade import not_known, not_to_trade, read_no_trade
from niftyformer_assets.store.errors import NiftyFormerError

NAMES = ["PLAIN", "M&M", "BAJAJ-AUTO", "TFT", "GONE", "QUIET", "NAMED"]
LISTED = {"PLAIN", "M&M", "BAJAJ-AUTO", "TFT-BE", "QUIET", "NAMED", "PLAIN-BL"}
TRADED = {"PLAIN", "M&M", "BAJAJ-AUTO", "TFT", "NAMED"}


def test_by_kites_list() -> None:
    found = not_to_trade(NAMES, session="2024-05-31", traded=TRADED, listed=LISTED, named={"NAMED": "ASM stage 1"})
    assert set(found) == {"TFT", "GONE", "QUIET", "NAMED"}
    assert "series BE" in found["TFT"] and "not on Kite's list" in found["GONE"]
    assert found["NAMED"] == "ASM stage 1" and found["QUIET"].startswith("it did not trade on 2024-05-31")


def test_without_a_login_what_is_held_tells_its_series() -> None:
    series = {"TFT": "BE", "PLAIN": ""}
    found = not_to_trade(NAMES, session="2024-05-31", traded=TRADED, series=series)
    assert set(found) == {"TFT", "GONE", "QUIET"}
    assert "series BE" in found["TFT"] and "may be suspended" in found["GONE"]


def test_what_is_not_known_is_said() -> None:
    assert not_known(listed=True, named=True) == []
    assert len(not_known(listed=False, named=False)) == 2
    assert "ASM" in not_known(listed=True, named=False)[0]


def test_a_persons_list(tmp_path: Path) -> None:
    path = tmp_path / "no_trade.csv"
    path.write_text("symbol,reason\nabc,ASM stage 2\nDEF,\n")
    assert read_no_trade(path) == {"ABC": "ASM stage 2", "DEF": "named in no_trade.csv"}
    path.write_text("symbol\nabc\n")
    with pytest.raises(NiftyFormerError, match="has no column reason"):
        read_no_trade(path)
    path.write_text("symbol,reason\nabc,=1+1\x1b[2J\u202e" + "so on " * 1000 + "\n")
    reason = read_no_trade(path)["ABC"]
    assert reason.isprintable() and len(reason) == 200

"""What the web UI shows of an artifact: numbers with their digits, and a server's words as they are."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from niftyformer_assets.defs.bodies.market.candles import _failure
from niftyformer_assets.defs.results import as_text, table
from niftyformer_assets.market.ingest import Failed

ODD = {
    "a link": "[click](javascript:alert(1))",
    "a picture": "![x](https://elsewhere.example/x.png)",
    "a reference": "[x]: javascript:alert(1)",
    "an autolink": "<javascript:alert(1)>",
    "a bare address": "see https://elsewhere.example/ or www.elsewhere.example",
    "an address in capitals": "HTTPS://elsewhere.example",
    "html": "<img src=x onerror=alert(1)>",
    "an entity": "&#91;x&#93;(javascript:alert&#40;1&#41;)",
    "another cell": "a | b",
    "another line": "a |\n| [x](javascript:alert(1)) | b",
    "escaped before": "\\[x](javascript:alert(1))",
    "code": "`a` ``b``",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_words_stay_words(text: str) -> None:
    for shown in (as_text(text), table(pd.DataFrame({"reason": [text]})).md_str.splitlines()[2][2:-2]):
        # Every sign that markdown knows has a backslash of its own before it, and nothing is left that begins a link.
        assert not re.search(r"[`*_()\[\]<>|~]", re.sub(r"\\[\\`*_()\[\]<>|~]", "", shown))
        assert not re.search(r"(?i)https?:\S|www\.\S", shown)
        assert "\n" not in shown
        unescaped = re.sub(r"\\([\\`*_()\[\]<>|~])", r"\1", shown)
        assert unescaped.replace(" ", "") == "".join(text.split())


def test_a_failed_symbol_with_odd_words() -> None:
    failure = _failure([Failed("M&M", ODD["a link"]), Failed("AAA", ODD["another line"])], 2)
    shown = failure.metadata["failed"].md_str  # type: ignore[union-attr]
    assert "](" not in shown
    assert len(shown.splitlines()) == 4
    assert r"| M&M | \[click\]\(javascript:alert\(1\)\) |" in shown


def test_prices_keep_their_paise_and_large_numbers_their_digits() -> None:
    rows = pd.DataFrame(
        {
            "date": ["2024-01-01", "2024-01-02"],
            "open": [12345.65, 7.5],
            "close": [float("nan"), 100000.0],
            "volume": [1234567, 3],
            "rank_ic": [0.0123456, -1.5],
            "value": [1198431.256, 12.3456],
        }
    )
    lines = str(table(rows).md_str).splitlines()
    assert lines[2] == "| 2024-01-01 | 12345.65 |  | 1234567 | 0.01235 | 1198431.26 |"
    assert lines[3] == "| 2024-01-02 | 7.50 | 100000.00 | 3 | -1.5 | 12.35 |"


def test_one_row_that_is_not_shown_is_one_row() -> None:
    rows = pd.DataFrame({"n": range(4)})
    assert str(table(rows, limit=3).md_str).endswith("… and 1 more row")
    assert str(table(rows, limit=2).md_str).endswith("… and 2 more rows")

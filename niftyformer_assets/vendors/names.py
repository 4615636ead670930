"""Which NSE symbol a vendor's name is of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache

INDEX = "NIFTY 50"
_INDEX_NAMES = {"NIFTY", "NIFTY50", "NIFTY 50", "NIFTY_50", "NIFTY-50", "^NSEI", "NSEI"}
# What vendors put around a symbol. None of it can be part of one: that has letters, digits, & and -.
_AROUND = (
    re.compile(r"^QUOTE-EQUITY-|(?:-EQ)?-\d\d-\d\d-\d{4}-TO-\d\d-\d\d-\d{4}$"),
    re.compile(r" ?\(\d+\)$"),
    re.compile(r", ?(?:1?D|1440|DAILY)(?:_[0-9A-F]+)?$"),
    re.compile(r"[ _](?:STOCK[ _])?(?:PRICE[ _])?(?:HISTORICAL|HISTORY|DATA|PRICES|HISTORICAL[ _](?:DATA|PRICES))$"),
    re.compile(r"[ _.-](?:1D|D1|DAY|DAILY|EOD|OHLCV?|CANDLES)$"),
    re.compile(r"\.(?:NS|NSE)$|[:_]NSE$"),
    re.compile(r"[-_ .]EQ$"),
    re.compile(r"^NSE(?:_DLY|_EQ)?[:_| -]"),
)


@cache
def cleaned(name: str) -> str:
    """The symbol in a vendor's name: upper case, without exchange, series and time frame around it."""
    symbol = name.strip().upper()
    for around in _AROUND:
        symbol = around.sub("", symbol)
    return INDEX if symbol in _INDEX_NAMES else symbol


def without_common(names: Sequence[str]) -> list[str]:
    """File names without what all of three or more begin or end with, as a span of years, if symbols are left so.

    It is cut at a sign that no symbol has.
    """
    end = _common_start([name[::-1] for name in names])[::-1]
    found = re.search(r"[_ .,(].*$", end)
    kept = [name[: len(name) - len(found[0])] if found else name for name in names]
    start = _common_start(kept)
    begin = max(start.rfind(sign) for sign in "_ .,)") + 1
    cut = [name[begin:] for name in kept]
    return cut if len(names) > 2 and all(is_symbol(cleaned(name)) for name in cut) else list(names)


def is_symbol(name: str) -> bool:
    """Could this be one of NSE's symbols?"""
    return name == INDEX or re.fullmatch(r"[A-Z0-9&-]+", name) is not None


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]


def matched(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """For each name its symbol: the same, or the only known one with the same letters and digits (`M_M` is `M&M`)."""
    skeletons: dict[str, list[str]] = {}
    for symbol in known:
        skeletons.setdefault(_skeleton(symbol), []).append(symbol)
    found = {}
    for name in names:
        alike = skeletons.get(_skeleton(name), [])
        found[name] = alike[0] if name not in known and len(alike) == 1 else name
    return found


def _skeleton(symbol: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", symbol)


def nearest(names: Iterable[str], symbols: Sequence[str]) -> list[str]:
    """For names that are not matched the symbol that they are most like, in words; those without one are left out."""
    near = {name: difflib.get_close_matches(name, symbols, n=1, cutoff=0.7) for name in names}
    return [f"{name} is nearest to {found[0]}" for name, found in near.items() if found]


def some(names: Collection[str], count: int = 5) -> str:
    """The first of the names, and how many more there are."""
    shown = sorted(names)[:count]
    return ", ".join(shown) + (f" and {len(names) - count} more" if len(names) > count else "")

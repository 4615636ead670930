"""Which NSE symbol a vendor's name is of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from urllib.parse import unquote

INDEX = "NIFTY 50"
_INDEX_NAMES = {"NIFTY", "NIFTY50", "NIFTY 50", "NIFTY_50", "NIFTY-50", "^NSEI", "NSEI"}
# A date, a month or a year, and a span of them between the other words of a name. No symbol has a part like it.
_YEAR = r"(?:19|20)\d\d"
_DATE = (
    rf"(?:(?:FY)?{_YEAR}(?:[-_.]?\d\d(?:[-_.]?\d\d(?:\d{{4}})?)?)?|\d\d[-_.]?\d\d[-_.]?{_YEAR}"
    rf"|(?:\d\d?[-_ ]?)?(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]*[-_ ]?{_YEAR})"
)
_SPAN = re.compile(rf"(?:^|[ _.,-]+)\(?{_DATE}(?:(?:[ _-]*TO[ _-]*|[ _-]+){_DATE})?\)?(?=$|[ _.,-])", re.IGNORECASE)
# The number that a browser gives to a file of a name that is there already.
_COPY = re.compile(r" ?\(\d+\)$")
# What a file is called that does not say whose candles it has.
_SAYS_NOTHING = re.compile(
    r"(?:DATA|PART|[ _.-]|D|1D|DAY|DAILY|EOD|OHLCV?|CANDLES|PRICES?|HISTORY|HISTORICAL|(?<!\d)\d\d?(?!\d))*"
)
# What vendors put around a symbol. None of it can be part of one: that has letters, digits, & and -.
_AROUND = (
    re.compile(r"^QUOTE-EQUITY-"),
    re.compile(r", ?(?:1?D|1440|DAILY)(?:_[0-9A-F]+)?$"),
    re.compile(r"[ _](?:STOCK[ _])?(?:PRICE[ _])?(?:HISTORICAL|HISTORY|DATA|PRICES|HISTORICAL[ _](?:DATA|PRICES))$"),
    re.compile(r"[ _.-](?:1D|D1|DAY|DAILY|EOD|OHLCV?|CANDLES)$"),
    # Numbers of an instrument, and minutes of a day.
    re.compile(r"[ _.]\d{4,}$|(?<=[A-Z])1440$"),
    re.compile(r"\.(?:NS|NSE)$|[:_]NSE$"),
    re.compile(r"[-_ .]EQ$"),
    re.compile(r"^NSE(?:_DLY|_EQ)?[:_| -]"),
)


_KEYS = ("symbol", "ticker", "tradingsymbol", "scrip", "stock")


@cache
def cleaned(name: str) -> str:
    """The symbol in a vendor's name: upper case, without exchange, series and time frame around it."""
    symbol = without_span(name.strip()).upper()
    for around in _AROUND:
        symbol = around.sub("", symbol)
    return INDEX if symbol in _INDEX_NAMES else symbol


def without_span(name: str) -> str:
    """A name without the span of time in it, as `2022`, `2022-01-01_2022-12-31` or `01-01-2022-TO-31-12-2022`."""
    return _COPY.sub("", _SPAN.sub("", _COPY.sub("", name))).strip(" _.,-")


def name_of_file(stem: str, folders: Sequence[str]) -> str:
    """What a file is called without its span of time; what its folder is, where its own name says nothing.

    A folder `symbol=RELIANCE`, as those who write Parquet in parts have, says it before all.
    """
    for folder in reversed(folders):
        key, is_pair, value = folder.partition("=")
        if is_pair and key.lower() in _KEYS:
            return unquote(value)
    name = without_span(stem)
    if not _SAYS_NOTHING.fullmatch(name.upper()):
        return name
    above = [folder for folder in map(without_span, reversed(folders)) if not _SAYS_NOTHING.fullmatch(folder.upper())]
    return above[0] if above else stem


def without_common(names: Sequence[str]) -> list[str]:
    """File names without what all of three or more begin or end with, as a span of years, if symbols are left so.

    It is cut at a sign that no symbol has.
    """
    end = _common_start([name[::-1] for name in names])[::-1]
    found = re.search(r"[_ .,(].*$", end)
    kept = [name[: len(name) - len(found[0])] if found else name for name in names]
    start = _common_start(kept)
    begin = max(start.rfind(sign) for sign in "_ .,:)") + 1
    cut = [name[begin:] for name in kept]
    return cut if len(names) > 2 and all(is_symbol(cleaned(name)) for name in cut) else list(names)


def is_symbol(name: str) -> bool:
    """Could this be one of NSE's symbols?"""
    return name == INDEX or re.fullmatch(r"[A-Z0-9&-]+", name) is not None


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]


def matched(
    names: Iterable[str],
    known: Collection[str],
    companies: Mapping[str, str] | None = None,
    isins: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """For each name its symbol: the same, or the only known one with the same letters and digits (`M_M` is `M&M`).

    Args:
        companies: symbol -> name of the company, which stands for the symbol with or without its "Limited".
        isins: ISIN -> symbol.
    """
    isins = isins or {}
    skeletons: dict[str, list[str]] = {}
    for symbol in known:
        skeletons.setdefault(_skeleton(symbol), []).append(symbol)
    for symbol, company in (companies or {}).items():
        for name in {company, re.sub(r" +(?:LTD|LIMITED)\.?$", "", company.strip(), flags=re.IGNORECASE)}:
            skeletons.setdefault(_skeleton(name.upper()), []).append(symbol)
    found = {}
    for name in names:
        alike = list(dict.fromkeys(skeletons.get(_skeleton(name), [])))
        found[name] = isins.get(name) or (alike[0] if name not in known and len(alike) == 1 else name)
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

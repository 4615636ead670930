"""Under which trading symbol Kite lists a stock today, and whether its list of instruments is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from niftyformer_assets.market.candle_files import is_listed_with_candles
from niftyformer_assets.market.kite import BrokenAnswer
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace

# A list of instruments that lacks more of the symbols that have candles was cut short.
MAX_UNLISTED_SHARE = 0.05
# Of stocks that must be delivered after each trade, and of those that do not comply with the listing rules.
SURVEILLANCE_SERIES = ("BE", "BZ")
# A stock that goes by SYMBOL.ISIN, as its symbol is another company's by now: Kite lists none under that.
_GIVEN_UP = re.compile(r"\.[A-Z]{2}[A-Z0-9]{10}$")


def listed_as(
    symbol: str, listed: Mapping[str, int | None], aliases: Mapping[str, Sequence[str]]
) -> tuple[int, str] | None:
    """Token and series of a stock, None where Kite does not list it.

    Args:
        listed: Kite's instruments (`KiteSession.instruments`).
        aliases: other symbols of each stock, the likeliest first.

    Raises:
        NiftyFormerError: Kite lists several instruments under its symbol, or its token under several.
    """
    for name, series in _names(symbol, aliases):
        if name not in listed:
            continue
        token = listed[name]
        if token is None:
            raise NiftyFormerError(
                f"Kite lists several instruments of NSE as {name}, or others with its token, and nothing tells which "
                "one is the stock: its candles are kept as they are; fetch them again once Kite's list is mended."
            )
        return token, series
    return None


def must_be_whole(listed: Mapping[str, int | None], workspace: Workspace, aliases: Mapping[str, Sequence[str]]) -> None:
    """Refuse a list of instruments that lacks too many of the symbols that have candles.

    Raises:
        BrokenAnswer: it was cut short.
    """
    with_candles, gone = 0, []
    for path in sorted(workspace.raw.glob("*.parquet")):
        symbol = Workspace.symbol_of(path)
        if _GIVEN_UP.search(symbol) or not is_listed_with_candles(path):
            continue
        with_candles += 1
        if not any(name in listed for name, _ in _names(symbol, aliases)):
            gone.append(symbol)
    # A single stock may always go, or a small universe could never lose one.
    if len(gone) > max(1, MAX_UNLISTED_SHARE * with_candles):
        raise BrokenAnswer(
            f"Kite's list of instruments lacks {len(gone)} of the {with_candles} symbols that have candles "
            f"({', '.join(gone[:3])}, …): it was cut short. All candles are kept; fetch them again later."
        )


def _names(symbol: str, aliases: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Under which trading symbols Kite may list a stock, the likeliest first, each with its series."""
    names = (symbol, *aliases.get(symbol, ()))
    yield from ((name, "") for name in names)
    for series in SURVEILLANCE_SERIES:
        yield from ((f"{name}-{series}", series) for name in names)

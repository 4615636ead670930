"""Words of sentences that hold a number."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts: `1 candle`, `2 candles`, `1,234 candles`; `many` where an s does not do."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

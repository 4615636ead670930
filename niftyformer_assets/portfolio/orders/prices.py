"""Limit prices in whole paise, on the exchange's ticks.

NSE's ticks go by the price: 0.01 below Rs 250, 0.05 below 1,000, 0.10 below 5,000, 0.50 below 10,000, 1 below 20,000
and 5 above; before 2025 it was 0.05 for most. Each stock's is drawn anew once a month, so that near a bound another one
may hold: Kite then says so, and lets the price be corrected. Below Rs 250 the older 0.05 fits both.
"""

from __future__ import annotations

from bisect import bisect_right

# Prices in paise from which on each tick in paise holds.
_FROM = (0, 100_000, 500_000, 1_000_000, 2_000_000)
_TICK = (5, 10, 50, 100, 500)
_PARTS = 1_000_000


def tick_of(price: int) -> int:
    """The tick of a stock at this price; both in paise."""
    return _TICK[bisect_right(_FROM, price) - 1]


def limit_price(close: int, side: str, band: float) -> int:
    """The worst price that an order takes, in paise: within the band around the close, on a tick.

    Args:
        close: paise, above 0.
        side: `buy` or `sell`.
        band: as a share of the close.
    """
    tick, parts = tick_of(close), round(band * _PARTS)
    if side == "buy":
        # A price below the first tick is none.
        return max(close * (_PARTS + parts) // _PARTS // tick, 1) * tick
    return -(close * (parts - _PARTS) // _PARTS // tick) * tick

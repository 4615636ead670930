"""Figures as people read them: signs, units, Indian digit groups, and a dash where there is none."""

from __future__ import annotations

import math

from niftyformer_assets.model.baseline_registry import words_of

NONE = "–"
STATUS_NAMES = {
    "short_of_cash": "not enough cash",
    "no_price": "no candle that session",
    "locked": "high equal to low: locked at its price band",
    "no_volume": "no volume that session",
    "unaffordable": "one share costs more than its place in the portfolio",
    "no_place": "no place free, because a sale was blocked",
    "proceeds_below_costs": "a sale would not have paid its own charges",
    "over_volume": "more than the cap on the share of the traded volume",
}


def number(value: float | None, digits: int = 2, *, signed: bool = False, grouped: bool = False) -> str:
    """1.234 -> `1.23`, with a true minus sign, and none for zero; a dash for NaN and None. `grouped`: `1,234.50`."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:{'+' if signed else ''}{',' if grouped else ''}.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def percent(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """A share as per cent: 0.123 -> `12.3%`."""
    text = number(None if value is None else 100 * value, digits, signed=signed)
    return text if text == NONE else text + "%"


def interval(low: float | None, high: float | None, *, share: bool = False, digits: int = 2) -> str:
    """`0.10 to 0.32`; of shares `−3.1% to 8.0%`."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return NONE
    if share:
        return f"{percent(low, digits)} to {percent(high, digits)}"
    return f"{number(low, digits)} to {number(high, digits)}"


def p_value(value: float | None) -> str:
    """`< 0.001`, `0.012`, `0.40`, for tables."""
    if value is None or not math.isfinite(value):
        return NONE
    return "< 0.001" if value < 0.001 else number(value, 3 if value < 0.1 else 2)


def probability(value: float | None) -> str:
    """The same in a sentence: `p = 0.40`, `p < 0.001`."""
    told = p_value(value)
    return f"p {told}" if told.startswith(("<", NONE)) else f"p = {told}"


def rupees(value: float | None, digits: int = 0) -> str:
    """₹12,34,567: groups of two digits above the thousand, as written in India."""
    if value is None or not math.isfinite(value):
        return NONE
    whole, _, fraction = f"{abs(value):.{digits}f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    groups = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    text = ",".join([*groups, tail]) + (f".{fraction}" if fraction else "")
    sign = "−" if value < 0 and float(text.replace(",", "")) != 0 else ""
    return f"{sign}₹{text}"


def count(value: int) -> str:
    """1234 -> `1,234`."""
    return f"{value:,}"


def readable_name(name: str) -> str:
    """A predictor's name as it stands in tables."""
    return words_of(name)

"""How the numbers of a folder are written: one style for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# A cell with one of these holds nothing.
NOTHING = pa.array(["", "null", "nan", "n/a", "na", "none", "nil", "-", "--"])
_CURRENCY = r"(?:₹|Rs\.?|INR|\$)? ?"
_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "l": 1e5, "cr": 1e7}


@dataclass(frozen=True)
class Style:
    """How numbers are written. `thousands` are signs that group digits, `decimal` is the sign before the fraction."""

    example: str
    thousands: str
    decimal: str

    def pattern(self, suffix: bool) -> str:
        """What a whole cell looks like; with `suffix`, one of K, M, B, L (lakh) or Cr (crore) may follow."""
        sign = re.escape(self.decimal)
        digits = r"\d+"
        if self.thousands:
            # Groups of two are India's: 1,23,456.
            group = f"[{re.escape(self.thousands)}]"
            digits = rf"(?:\d+|\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}})"
        power = r"(?:[eE][+-]?\d+)?"
        after = " ?(?i:k|m|b|l|cr)?" if suffix else ""
        return rf"^{_CURRENCY}[+-]?(?:{digits}(?:{sign}\d*)?|{sign}\d+){power}{after}$"

    def floats(self, texts: pa.Array) -> pa.Array:
        """The values of cells that fit the pattern, null where the cell is."""
        bare = pc.replace_substring_regex(texts, rf"^{_CURRENCY}", "")
        if self.thousands:
            bare = pc.replace_substring_regex(bare, f"[{re.escape(self.thousands)}]", "")
        if self.decimal != ".":
            bare = pc.replace_substring(bare, self.decimal, ".")
        factor = pa.scalar(1.0)
        for suffix, times in _SUFFIXES.items():
            has = pc.match_substring_regex(bare, rf"(?i)[\d.] ?{suffix}$")
            factor = pc.if_else(pc.fill_null(has, False), times, factor)
        bare = pc.replace_substring_regex(bare, r"(?i) ?(k|m|b|l|cr)$", "")
        return pc.multiply(pc.cast(bare, pa.float64()), factor)


PLAIN = Style("1234.50", "", ".")
STYLES = (
    PLAIN,
    Style("1,234.50", ",", "."),
    Style("1.234,50", ".", ","),
    Style("1234,50", "", ","),
    Style("1 234.50", " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}'", "."),
    Style("1 234,50", " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}'", ","),
)


def plain_floats(texts: pa.Array) -> pa.Array | None:
    """Plain numbers as float64, null where a cell holds nothing; None if one is written otherwise."""
    if not pa.types.is_string(texts.type):
        return pc.cast(texts, pa.float64())
    try:
        return pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        pass
    try:
        return pc.cast(trimmed(texts), pa.float64())
    except pa.ArrowInvalid:
        return None


def trimmed(texts: pa.Array) -> pa.Array:
    """Cells without blanks around, null where they hold nothing."""
    bare = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(pc.utf8_lower(bare), NOTHING), pa.scalar(None, pa.string()), bare)


def fits(style: Style, texts: pa.Array, suffix: bool = False) -> np.ndarray:
    """Which of the cells are numbers in this style; those that hold nothing are in every one. bool [n]."""
    found = pc.fill_null(pc.match_substring_regex(texts, style.pattern(suffix)), True)
    result: np.ndarray = found.to_numpy(zero_copy_only=False)
    return result


def styles_of(columns: Iterable[tuple[pa.Array, bool]]) -> list[Style]:
    """The styles that all cells fit, the likeliest first; of those that give the same values the first only.

    Args:
        columns: cells, and whether a suffix may follow them.
    """
    columns = list(columns)
    fitting = [style for style in STYLES if all(fits(style, cells, suffix).all() for cells, suffix in columns)]
    different: list[Style] = []
    for style in fitting:
        if not any(all(style.floats(c).equals(other.floats(c)) for c, _ in columns) for other in different):
            different.append(style)
    return different

"""Numbers and names as an account's answers may hold them: what cannot be one is refused, and none is made of it.

JSON as Python reads it knows NaN and infinity, which pass through a minimum or a sum without a word.
"""

from __future__ import annotations

import re

from niftyformer_assets.store.given import in_one_line

# Beyond any count of shares, or sum of rupees.
_MOST = 10**12
# Letters, digits and signs of ASCII, the first no sign: a spreadsheet takes =, +, - and @ there for a formula.
_SYMBOL = re.compile(r"[A-Za-z0-9][!-~]{0,49}")


def shares(value: object) -> int:
    """A number of shares.

    Raises:
        ValueError: it is no whole number, or too large for one of shares.
    """
    number = rupees(value)
    if number != int(number):
        raise ValueError(f"{number:g} is no whole number of shares")
    return int(number)


def rupees(value: object) -> float:
    """A sum or a price.

    Raises:
        ValueError: it is no number, or not finite, or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_shown(value)} is no number")
    if not abs(value) < _MOST:  # neither is NaN
        raise ValueError(f"{_shown(value)} is no number of shares or rupees")
    return float(value)


def not_negative(number: float) -> float:
    """The number, which is of what cannot be less than nothing.

    Raises:
        ValueError: it is.
    """
    if number < 0:
        raise ValueError(f"{number:g} is less than nothing")
    return number


def symbol(text: object) -> str:
    """A trading symbol.

    Raises:
        ValueError: no exchange writes one so, and it might be read as something else where it is shown.
    """
    if not isinstance(text, str) or not _SYMBOL.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no symbol")
    return text


def _shown(value: object) -> str:
    return in_one_line(f"{value!r:.40}" if isinstance(value, str | float) else f"a {type(value).__name__}")

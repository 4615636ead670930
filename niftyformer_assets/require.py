"""Small checks that settings share, so that a refused value says what was expected."""

from __future__ import annotations


def require(condition: bool, message: str) -> None:
    """Raise ValueError with `message` unless `condition` holds."""
    if not condition:
        raise ValueError(message)

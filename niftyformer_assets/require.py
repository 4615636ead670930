"""Small checks that settings share, so that a refused value says what was expected."""

from __future__ import annotations


def require_seed(seed: int | None) -> None:
    """Raise ValueError unless a section's own seed is one, or None where the experiment's holds."""
    require(seed is None or 0 <= seed < 2**32, f"seed must lie between 0 and {2**32 - 1}")


def require(condition: bool, message: str) -> None:
    """Raise ValueError with `message` unless `condition` holds."""
    if not condition:
        raise ValueError(message)

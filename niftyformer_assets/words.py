"""Words of sentences that hold a number, or ask after a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts: `1 candle`, `2 candles`, `1,234 candles`; `many` where an s does not do."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def near(name: str, names: Iterable[str]) -> list[str]:
    """Those of the names that this one may be a misspelling of, the likeliest first."""
    found = difflib.get_close_matches(name, list(names), n=3, cutoff=0.75)
    # Names of one section begin alike: what is much less like it than another is not what was meant.
    likeness = {each: difflib.SequenceMatcher(None, each, name).ratio() for each in found}
    return [each for each in found if likeness[each] > likeness[found[0]] - 0.1]


def do_you_mean(names: Sequence[str]) -> str:
    """Asks after them, "" without any."""
    return f", do you mean {' or '.join(dict.fromkeys(names))}?" if names else ""

"""The table of renames: under which symbol a stock goes on, and from when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from niftyformer_assets.market.reference import as_date, read_table

# Lists and brokers may go on with an old symbol for a while (MCDOWELL-N is in a list two months after it became
# UNITDSPR). Whoever bears it later than this is another company.
LATEST_USE = timedelta(days=180)


@dataclass(frozen=True)
class Rename:
    """One row of the table."""

    old: str
    new: str
    first_session: date


def rename_table(folder: Path | None = None) -> tuple[Rename, ...]:
    """All renames, by their first session under the new symbol.

    Raises:
        NiftyFormerError: the table is missing or wrong.
    """
    rows = read_table("symbol_renames.csv", ("old", "new", "first_session"), folder)
    table = [
        Rename(row["old"], row["new"], as_date(row["first_session"], f"symbol_renames.csv, {row['old']}"))
        for row in rows
    ]
    return tuple(sorted(table, key=lambda rename: rename.first_session))


def renames(folder: Path | None = None) -> dict[str, str]:
    """Latest symbol of each renamed one, chains followed to their end, in the order of the renames."""
    table = rename_table(folder)
    latest = {rename.old: renamed(rename.old, date.min, table) for rename in table}
    return {old: new for old, new in latest.items() if old != new}


def renamed(symbol: str, since: date, table: Sequence[Rename], until: date = date.max) -> str:
    """What a stock that has been called `symbol` since a date is called at `until`, as far as the table tells.

    A symbol that was first borne long after the table gave it up is another company's, and stays.
    """
    for rename in table:
        if rename.old == symbol and since < rename.first_session + LATEST_USE and rename.first_session <= until:
            symbol, since = rename.new, rename.first_session
    return symbol


def is_certain(symbol: str, since: date, table: Sequence[Rename]) -> bool:
    """Was the symbol borne before the table gave it up, or never given up at all?"""
    return all(rename.old != symbol or since < rename.first_session for rename in table)

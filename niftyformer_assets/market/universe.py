"""Who was in the index when, from the lists at hand.

A list is in force from its own date until the day before the next one: between the two, NSE's
review took effect on a day that the lists do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from niftyformer_assets.market.index_lists import IndexList, Member, identities
from niftyformer_assets.market.sectors import sector_of
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet, write_parquet

COLUMNS = ("symbol", "company", "isin", "industry", "sector", "member_from", "member_to", "lists_from")


@dataclass(frozen=True)
class _Spell:
    """A membership in one sector, described by the newest of its lists; `end` is None while it lasts."""

    member: Member
    sector: str
    start: date
    end: date | None


def build_universe(lists: Sequence[IndexList]) -> pd.DataFrame:
    """One row for each unbroken membership of a stock in one sector.

    Args:
        lists: oldest first.

    Returns:
        symbol (the latest one of a renamed stock), company, isin, industry, sector (one of NSE's 12
        macro-economic sectors, as the lists had it then), member_from and member_to (both included;
        NaT while it lasts), lists_from (the date of the earliest list). Sorted by symbol and
        member_from.

    Raises:
        NiftyFormerError: there is no list.
    """
    if not lists:
        raise NiftyFormerError(
            "there is no constituent list: fetch one with `niftyformer universe`, or put NSE's CSV file into "
            "data/reference/index_lists/ as ind_nifty200list_YYYY-MM-DD.csv."
        )
    identity = identities(lists)
    spells: dict[str, list[_Spell]] = {}
    for place, index_list in enumerate(lists):
        until = lists[place + 1].as_of - timedelta(days=1) if place + 1 < len(lists) else None
        for member in index_list.members:
            known, sector = spells.setdefault(identity[member.isin], []), sector_of(member.industry)
            goes_on = bool(known) and known[-1].end == index_list.as_of - timedelta(days=1)
            if goes_on and known[-1].sector == sector:
                known[-1] = replace(known[-1], member=member, end=until)
            else:
                known.append(_Spell(member, sector, index_list.as_of, until))
    rows = [
        (symbol, spell.member.company, spell.member.isin, spell.member.industry, spell.sector, spell.start, spell.end)
        for symbol, known in sorted(spells.items())
        for spell in known
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS[:-1])).assign(lists_from=lists[0].as_of)
    for column in ("member_from", "member_to", "lists_from"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ms]")
    return frame


def save_universe(path: Path, universe: pd.DataFrame) -> None:
    """Write the universe's table."""
    write_parquet(path, universe)


def load_universe(path: Path) -> pd.DataFrame:
    """Read the universe's table."""
    return read_parquet(path, COLUMNS)


def members_on(universe: pd.DataFrame, day: date) -> list[str]:
    """Who was a member on this date, sorted; before the earliest list at hand, that list stands in."""
    asked = max(pd.Timestamp(day), universe["lists_from"].min())
    member = (universe["member_from"] <= asked) & ~(universe["member_to"] < asked)
    return sorted(universe.loc[member, "symbol"].unique())


def describe_reach(universe: pd.DataFrame) -> str:
    """A sentence on what the lists can answer."""
    earliest = universe["lists_from"].min().date()
    last = universe["member_from"].max().date()
    return (
        f"The lists reach back to {earliest}; the last change they show is of {last}. "
        "For a session before that, the earliest list stands in."
    )

"""Who was in which index when, from the lists and tables at hand.

A list is in force from its own date until the day before the next one of its index: between the two, NSE's
review took effect on a day that the lists do not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from niftyformer_assets.indices import DEFAULT, INDICES
from niftyformer_assets.market.identities import identities
from niftyformer_assets.market.index_lists import IndexList, Member
from niftyformer_assets.market.sectors import UNKNOWN, sector_of
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet, write_parquet

COLUMNS = (
    "symbol",
    "company",
    "isin",
    "industry",
    "sector",
    "member_from",
    "member_to",
    "lists_from",
    "index",
    "quality",
)
# The index of a stock that is at hand and in none of the lists: only trading can draw it into an experiment.
NO_INDEX = ""


@dataclass(frozen=True)
class _Spell:
    """A membership in one sector, described by the newest of its lists; `end` is None while it lasts."""

    member: Member
    sector: str
    start: date
    end: date | None


def build_universe(
    lists: Sequence[IndexList], sectors: Mapping[str, str] | None = None, others: Iterable[str] = ()
) -> pd.DataFrame:
    """One row for each unbroken membership of a stock in an index and a sector, as well known throughout.

    Args:
        lists: oldest first.
        sectors: industry by symbol, for stocks of which the lists have none.
        others: symbols at hand that experiments may draw by trading; those that are in no list get a row without
            dates.

    Returns:
        symbol (the latest one of a renamed stock), company, isin, industry, sector (one of NSE's 12
        macro-economic sectors, as the lists had it then, or Unknown), member_from and member_to (both included;
        NaT while it lasts), lists_from (the date of the earliest list of the index), index, quality (`list` where
        NSE's list says so; of a table of membership `official` or `approximate`). Sorted by symbol and member_from.

    Raises:
        NiftyFormerError: there is no list and no other symbol, or two members of one list are one stock by the others.
    """
    others = sorted(set(others))
    if not lists and not others:
        raise NiftyFormerError(
            "there is no constituent list: fetch one with `niftyformer universe`, or put NSE's CSV file into "
            f"data/reference/index_lists/ as {INDICES[DEFAULT].dated('YYYY-MM-DD')}."
        )
    symbol_of, sectors = identities(lists), sectors or {}
    for kept in lists:
        _must_be_of_different_stocks(kept, symbol_of)
    sector_at = _Sectors(lists, symbol_of, sectors)
    rows: list[tuple[object, ...]] = []
    for place, index in enumerate(INDICES.values()):
        of_index = [kept for kept in lists if kept.index == index]
        for symbol, known in _spells(of_index, symbol_of, sector_at).items():
            for spell in known:
                member, dates = spell.member, (spell.start, spell.end, of_index[0].as_of)
                described = (symbol, member.company, member.isin, member.industry, spell.sector)
                rows.append((*described, *dates, index.name, member.quality, place))
    for symbol in others:
        if symbol not in set(symbol_of.values()):
            industry = sectors.get(symbol, "")
            sector = sector_of(industry) if industry else UNKNOWN
            rows.append((symbol, "", "", industry, sector, None, None, None, NO_INDEX, "", len(INDICES)))
    frame = pd.DataFrame(rows, columns=[*COLUMNS, "place"])
    for column in ("member_from", "member_to", "lists_from"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ms]")
    frame = frame.sort_values(["symbol", "member_from", "place"], ignore_index=True)
    return frame.drop(columns="place")


def _must_be_of_different_stocks(kept: IndexList, symbol_of: Mapping[str, str]) -> None:
    met: dict[str, Member] = {}
    for member in kept.members:
        other = met.setdefault(symbol_of[member.key], member)
        if other.key != member.key:
            raise NiftyFormerError(
                f"{kept.path}: {other.symbol} ({other.isin or 'no ISIN'}) and {member.symbol} "
                f"({member.isin or 'no ISIN'}) are two members of {kept.as_of}, and one stock by the other lists: "
                "correct or remove the one that is wrong."
            )


def _spells(lists: Sequence[IndexList], symbol_of: Mapping[str, str], sector_at: _Sectors) -> dict[str, list[_Spell]]:
    """The memberships in one index by symbol, in the order of time."""
    spells: dict[str, list[_Spell]] = {}
    for place, index_list in enumerate(lists):
        until = lists[place + 1].as_of - timedelta(days=1) if place + 1 < len(lists) else None
        for member in index_list.members:
            symbol = symbol_of[member.key]
            known, sector = spells.setdefault(symbol, []), sector_at.of(symbol, member, index_list.as_of)
            last = known[-1] if known else None
            goes_on = last is not None and last.end == index_list.as_of - timedelta(days=1)
            if last is not None and goes_on and (last.sector, last.member.quality) == (sector, member.quality):
                known[-1] = replace(last, member=member, end=until)
            else:
                known.append(_Spell(member, sector, index_list.as_of, until))
    return spells


class _Sectors:
    """The sector of each member: its list's, or where that has none the nearest in time of all lists."""

    def __init__(self, lists: Sequence[IndexList], symbol_of: Mapping[str, str], sectors: Mapping[str, str]) -> None:
        self._table = sectors
        self._told: dict[str, list[tuple[date, str]]] = {}
        for index_list in lists:
            for member in index_list.members:
                if member.industry:
                    told = (index_list.as_of, sector_of(member.industry))
                    self._told.setdefault(symbol_of[member.key], []).append(told)

    def of(self, symbol: str, member: Member, day: date) -> str:
        if member.industry:
            return sector_of(member.industry)
        if told := self._told.get(symbol):
            return min(told, key=lambda one: abs(one[0] - day))[1]
        industry = self._table.get(symbol) or self._table.get(member.symbol)
        return sector_of(industry) if industry else UNKNOWN


def save_universe(path: Path, universe: pd.DataFrame) -> None:
    """Write the universe's table."""
    write_parquet(path, universe)


def load_universe(path: Path) -> pd.DataFrame:
    """Read the universe's table."""
    return read_parquet(path, COLUMNS)


def describe_reach(universe: pd.DataFrame) -> str:
    """Sentences on what the lists can answer."""
    said = []
    indices = [index for index in INDICES.values() if (universe["index"] == index.name).any()]
    for index in indices:
        rows = universe[universe["index"] == index.name]
        of = f" of the {index.title}" if len(indices) > 1 or index.name != DEFAULT else ""
        said.append(
            f"The lists{of} reach back to {rows['lists_from'].min().date()}; the last change they show is of "
            f"{rows['member_from'].max().date()}."
        )
    if not said:
        return "There is no index list: experiments can draw stocks by trading alone (universe.most_traded)."
    return " ".join([*said, "For a session before that, the earliest list stands in."])

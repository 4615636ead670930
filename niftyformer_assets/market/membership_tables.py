"""Tables of membership: who was in an index from when to when, over years, beside NSE's lists.

    from_close_of,to_close_of,symbol_then,symbol_2026,isin,nse_industry_then,quality
    2021-03-31,2021-09-30,LTI,LTM,INE214T01019,IT,official list

A row is a stock's membership over a time: from the close of one date to the close of another, or with the headings
`from` and `to` on all dates from one to the other, both included. An empty end lasts. `symbol_then` is what it was
called, `symbol_now` (or a year, as in `symbol_2026`) what it was called when the table was made. ISIN and
industry may be empty. `quality` is `official` or `approximate`, and approximate where it is not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from niftyformer_assets.indices import INDICES, Index, indices_named_in
from niftyformer_assets.market.index_lists import ISIN, SYMBOL, IndexList, Member, Quality
from niftyformer_assets.market.reference import as_date
from niftyformer_assets.market.sectors import sector_of
from niftyformer_assets.market.table_rows import given_rows
from niftyformer_assets.store.errors import NiftyFormerError

_STARTS, _ENDS = ("from", "from_close_of"), ("to", "to_close_of")
_INDUSTRIES = ("nse_industry_then", "industry_then", "industry")
_OTHERS = ("symbol_then", "isin", "quality", "index", "company", "company_name")
_NOW = re.compile(r"symbol_(now|\d{4})")
_QUALITY: dict[str, Quality] = {
    "": "approximate",
    "approx": "approximate",
    "approximate": "approximate",
    "official": "official",
    "official list": "official",
}


@dataclass(frozen=True)
class _Row:
    """One row; `end` is None while it lasts, both dates are included."""

    index: Index
    start: date
    end: date | None
    member: Member
    where: str

    def holds_on(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day <= self.end)


def is_membership(headings: Iterable[str]) -> bool:
    """Whether a file with these headings is such a table."""
    names = set(headings)
    return bool(names & set(_STARTS)) and bool(names & set(_ENDS))


def read_membership(paths: Sequence[Path]) -> list[IndexList]:
    """The members that tables name, as a list for each date on which they change, by index and date.

    On a time that no row of an index covers the tables say nothing, and there is no list.

    Raises:
        NiftyFormerError: a column is missing or unknown, a value is none, an index is not told, or two rows have one
            stock, or two stocks one symbol, at the same time.
    """
    given = [row for path in paths for row in _read(path)]
    isins = _isins(given)
    rows = [_with_isin(row, isins) for row in given]
    _must_not_overlap(rows)
    lists: list[IndexList] = []
    for index in INDICES.values():
        of_index = [row for row in rows if row.index == index]
        changes = {row.start for row in of_index} | {row.end + timedelta(days=1) for row in of_index if row.end}
        told = max((row.start for row in of_index), default=None)
        for day in sorted(changes):
            here = [row for row in of_index if row.holds_on(day)]
            if here:
                path = Path(here[0].where.rpartition(", line ")[0])
                lists.append(IndexList(day, path, tuple(row.member for row in here), index, told))
    return lists


def _read(path: Path) -> list[_Row]:
    lines = given_rows(path)
    headings = next(lines, [])
    start, end, now, industry = (
        _column(path, headings, names, what)
        for names, what in (
            (_STARTS, "from_close_of"),
            (_ENDS, "to_close_of"),
            (tuple(name for name in headings if _NOW.fullmatch(name)), "symbol_now"),
            (_INDUSTRIES, None),
        )
    )
    for needed in ("symbol_then", "isin"):
        _column(path, headings, (needed,), needed)
    known = {start, end, now, industry, *_OTHERS}
    if unknown := [name for name in headings if name not in known]:
        raise NiftyFormerError(
            f"{path}: column {unknown[0]!r} is unknown: a table of membership has from_close_of and to_close_of (or "
            "from and to), symbol_then, symbol_now, isin, and may have industry, company, quality and index."
        )
    of_file = indices_named_in(path.stem)
    rows = []
    for number, fields in enumerate(lines, start=2):
        value = dict(zip(headings, fields, strict=True))
        where = f"{path}, line {number}"
        first = as_date(value[start], where) + timedelta(days=start == "from_close_of")
        last = as_date(value[end], where) if value[end] else None
        if last is not None and last < first:
            raise NiftyFormerError(f"{where}: it ends ({value[end]}) before it begins ({value[start]}): mend it.")
        member = _member(value, now, value.get(industry, ""), where)
        rows.append(_Row(_index(value.get("index"), of_file, where), first, last, member, where))
    return rows


def _column(path: Path, headings: Sequence[str], names: Sequence[str], needed: str | None) -> str:
    """The one of these headings that is there."""
    found = [name for name in headings if name in names]
    if len(found) > 1:
        raise NiftyFormerError(f"{path}: columns {found[0]!r} and {found[1]!r} say the same: remove one of them.")
    if not found and needed is not None:
        raise NiftyFormerError(
            f"{path} has no column {needed!r}: add it; docs/candles.md has the columns of the table."
        )
    return found[0] if found else ""


def _member(value: dict[str, str], now: str, industry: str, where: str) -> Member:
    symbol, latest, isin = value["symbol_then"], value[now] or value["symbol_then"], value["isin"]
    for name in (symbol, latest):
        if not SYMBOL.fullmatch(name):
            raise NiftyFormerError(f"{where}: {name!r} is not a symbol: mend it.")
    if isin and not ISIN.fullmatch(isin):
        raise NiftyFormerError(f"{where}: {isin!r} is not the ISIN of {symbol}: mend it, or leave it empty.")
    if industry:
        try:
            sector_of(industry)
        except NiftyFormerError as error:
            raise NiftyFormerError(f"{where}: {error}") from error
    quality = value.get("quality", "")
    if quality.lower() not in _QUALITY:
        raise NiftyFormerError(
            f"{where}: quality {quality!r} is neither official nor approximate: write one of the two."
        )
    company = value.get("company") or value.get("company_name") or ""
    return Member(symbol, company, isin, industry, _QUALITY[quality.lower()], latest)


def _index(given: str | None, of_file: Sequence[Index], where: str) -> Index:
    """The index of a row: that of its column, or the one in the file's name."""
    found = indices_named_in(given.replace("-", "").replace(" ", "")) if given else of_file
    if len(found) != 1:
        raise NiftyFormerError(
            f"{where}: which index it is of is not told: add a column index, or have one of "
            f"{', '.join(INDICES)} in the file's name."
        )
    return found[0]


def _isins(rows: Iterable[_Row]) -> dict[str, list[tuple[date, str]]]:
    """The ISINs of each latest symbol, with the start of each row that has one."""
    known: dict[str, list[tuple[date, str]]] = {}
    for row in rows:
        if row.member.isin:
            known.setdefault(row.member.latest, []).append((row.start, row.member.isin))
    return known


def _with_isin(row: _Row, known: dict[str, list[tuple[date, str]]]) -> _Row:
    """A row without an ISIN has that of the row of the same stock that is nearest in time."""
    at = known.get(row.member.latest, [])
    if row.member.isin or not at:
        return row
    isin = min(at, key=lambda one: (abs(one[0] - row.start), one))[1]
    return replace(row, member=replace(row.member, isin=isin))


def _must_not_overlap(rows: Iterable[_Row]) -> None:
    ordered = sorted(rows, key=lambda row: (row.index.name, row.start, row.where))
    for what in ("stock", "symbol", "ISIN"):
        last: dict[tuple[str, str], _Row] = {}
        for row in ordered:
            name = {"stock": row.member.latest, "symbol": row.member.symbol, "ISIN": row.member.isin}[what]
            before = last.get((row.index.name, name)) if name else None
            if before is not None and (before.end is None or row.start <= before.end):
                raise NiftyFormerError(
                    f"{row.where}: {name} is there from {row.start}, and {before.where} has it "
                    f"{'without an end' if before.end is None else f'until {before.end}'}: rows of one {what} must not "
                    "overlap; correct one of the two."
                )
            last[row.index.name, name] = row

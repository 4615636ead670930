"""Folders with a file a field: `open.csv`, `high.csv`, …, each a table of dates × symbols, or of one stock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, zip_longest

from niftyformer_assets.vendors.dates import is_date
from niftyformer_assets.vendors.files import Table, tables_in
from niftyformer_assets.vendors.headings import NEEDED
from niftyformer_assets.vendors.names import INDEX, cleaned, name_of_file, some
from niftyformer_assets.vendors.origins import Origin, problem

# The words of a name that say a field; none is part of a symbol.
_FIELD = re.compile(
    r"(?<![A-Za-z])(?:(?P<adjusted_close>adj(?:usted|\.)?[ _-]?close)|(?P<open>open)|(?P<high>high)|(?P<low>low)"
    r"|(?P<close>close)|(?P<volume>volume|vol))(?:[ _-]?prices?)?(?![A-Za-z])",
    re.IGNORECASE,
)


def files_by_field(origins: Sequence[Origin]) -> tuple[list[dict[str, Origin]], list[Origin]]:
    """Files that are called alike but for a field, in groups with one of each, and the other files.

    The field stands in the file's name or, where there is none, in the nearest folder's (`open/2023.csv`).
    """
    groups: dict[str, dict[str, Origin]] = {}
    for origin in origins:
        if (found := _field_of(origin)) is not None:
            field, rest = found
            groups.setdefault(rest, {}).setdefault(field, origin)
    whole = [group for group in groups.values() if {*NEEDED[1:]} <= group.keys()]
    taken = set(chain.from_iterable(group.values() for group in whole))
    return whole, [origin for origin in origins if origin not in taken]


def _field_of(origin: Origin) -> tuple[str, str] | None:
    """The field in a file's name or its folder's, and the whole name without it; None if there is no one field."""
    names = (*origin.folders, origin.stem)
    for place in (len(names) - 1, len(names) - 2):
        if len(found := list(_FIELD.finditer(names[place]))) == 1:
            (word,) = found
            rest = names[place][: word.start()] + "\0" + names[place][word.end() :]
            return str(word.lastgroup).replace("_", " "), "/".join((*names[:place], rest, *names[place + 1 :]))
    return None


def joined_tables(group: Mapping[str, Origin]) -> list[Table]:
    """A table for each symbol of files of one field each.

    Raises:
        NiftyFormerError: a file cannot be read, has other dates than the others, or lacks a symbol.
    """
    found = {field: {table.name: table for table in _with_dates(origin, field)} for field, origin in group.items()}
    names = list(dict.fromkeys(name for tables in found.values() for name in tables))
    if len(names) > 1 and all(len(tables) == 1 for tables in found.values()):
        # One stock's: each file has a column of values, called as its field is.
        names = [_name_without_field(group["open"])]
        found = {field: dict(zip(names, tables.values(), strict=True)) for field, tables in found.items()}
    for field in NEEDED[1:]:
        lacking = [name for name in names if name not in found[field] and cleaned(name) != INDEX]
        if lacking:
            raise problem(
                group[field],
                f"has no column of {some(lacking, 3)}, which other files of this folder have",
                f"Give the {field} of all symbols",
            )
    return [_joined(name, {field: tables[name] for field, tables in found.items() if name in tables}) for name in names]


def _name_without_field(origin: Origin) -> str:
    return name_of_file(_FIELD.sub("", origin.stem), origin.folders)


def _with_dates(origin: Origin, field: str) -> list[Table]:
    tables = tables_in(origin, field)
    if tables and "date" in tables[0].values:
        return tables
    if tables and any(map(is_date, tables[0].columns.headings)):
        raise problem(origin, "has a column a date", "Turn it: rows are dates, columns symbols")
    raise problem(origin, "has no column 'Date'", "Give a table of dates and symbols")


def _joined(name: str, of_field: Mapping[str, Table]) -> Table:
    """The table of one symbol: the dates of the first field, which must be those of the others."""
    first = next(iter(of_field.values()))
    for table in of_field.values():
        if not (dates := table.values["date"][0]).equals(first.values["date"][0]):
            pairs = zip_longest(dates.to_pylist(), first.values["date"][0].to_pylist(), fillvalue="none")
            row, (here, there) = next((row, pair) for row, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
            raise problem(
                table.origin,
                f"has other dates than {first.origin}: the one of row {row} is {here} here and {there} there",
                "Give all files of a folder the same dates in the same order",
            )
    values = {field: table.values[field] for field, table in of_field.items()}
    places = {field: table.columns.places[field] for field, table in of_field.items()}
    return Table(
        first.origin,
        replace(first.columns, places={"date": first.columns.places["date"], **places}, ticker=name),
        {"date": first.values["date"], **values},
        first.rows,
        first.written,
        first.place,
        of_field,
    )

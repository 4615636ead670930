"""The files that say who is in an index, in folders or named one by one: each is known by its name or its headings.

NSE's constituent lists (`index_lists`), tables of membership (`membership_tables`), and tables of sectors for stocks
that neither has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from niftyformer_assets.indices import INDICES, Index, index_of_list
from niftyformer_assets.market.index_lists import (
    COLUMNS,
    IndexList,
    date_of,
    is_dated,
    named_index,
    read_list,
)
from niftyformer_assets.market.membership_tables import is_membership, read_membership
from niftyformer_assets.market.sectors import sector_of
from niftyformer_assets.market.table_rows import given_rows
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line

Kind = Literal["list", "membership", "sectors"]
_SECTOR_COLUMNS = ("nse_sector", "sector", "industry")


def kind_of(path: Path) -> Kind:
    """What a file is.

    Raises:
        NiftyFormerError: nothing of these, or it cannot be read.
    """
    if index_of_list(path.name):
        return "list"
    headings = next(given_rows(path), [])
    if is_membership(headings):
        return "membership"
    if {"_".join(column.split()) for column in COLUMNS} <= set(headings):
        return "list"
    if "symbol" in headings and set(_SECTOR_COLUMNS) & set(headings):
        return "sectors"
    raise NiftyFormerError(
        f"{path} is neither a constituent list of NSE nor a table of membership (from, to, symbol_then, symbol_now, "
        "isin) or of sectors (symbol, nse_sector), by its name and headings: mend or remove it."
    )


def read_lists(sources: Iterable[Path], wrong: list[str] | None = None) -> list[IndexList]:
    """All that lists and tables say of who was a member, oldest first.

    Of two lists of an index for one date the one in the earlier folder counts; a list counts before a table that
    changes on its date. Lists may be of fewer names than NSE keeps in an index, but not one among others that have all.

    Args:
        sources: folders, which may be missing or empty, and files. A file that is a list without a date is not
            read: it counts from when it is installed under one.
        wrong: gets what is wrong with a file, and it is left out.

    Raises:
        NiftyFormerError: without `wrong`, a file is wrong. Where lists decide who was a member, one
            that is left out would change the answer.
    """
    files = list(_files(sources, wrong))
    found = {(kept.index.name, kept.as_of): kept for kept in reversed(_whole(_lists(files, wrong), wrong))}
    for kept in _of_tables([path for path, kind in files if kind == "membership"], wrong):
        found.setdefault((kept.index.name, kept.as_of), kept)
    order = list(INDICES)
    return sorted(found.values(), key=lambda kept: (kept.as_of, order.index(kept.index.name)))


def short_lists(lists: Iterable[IndexList]) -> list[str]:
    """Of each list with fewer names than NSE keeps in its index, what is to be said of it."""
    return [
        f"{kept.path} has {len(kept.members)} of the {kept.index.members} names of the {kept.index.title}: it was cut "
        "short"
        for kept in lists
        if len(kept.members) < kept.index.fewest and kept.members[0].quality == "list"
    ]


def dated_lists(folder: Path, index: Index) -> list[IndexList]:
    """NSE's lists of one index in a folder, oldest first."""
    paths = [(path, "list") for path in sorted(folder.glob("*.csv")) if index_of_list(path.name) == index]
    return sorted(_lists(paths, None), key=lambda kept: kept.as_of)


def tables_among(sources: Iterable[Path]) -> list[Path]:
    """The tables of membership and of sectors; errors as in `read_lists`."""
    return [path for path, kind in _files(sources, None) if kind != "list"]


def read_sectors(sources: Iterable[Path], wrong: list[str] | None = None) -> dict[str, str]:
    """Industry by symbol from tables of sectors; `wrong` as in `read_lists`.

    Raises:
        NiftyFormerError: a row has no symbol or a sector that NSE does not have, or two rows disagree.
    """
    sectors: dict[str, str] = {}
    for path in (path for path, kind in _files(sources, wrong) if kind == "sectors"):
        try:
            _add_sectors(sectors, path)
        except NiftyFormerError as error:
            _tell(error, wrong)
    return sectors


def _add_sectors(sectors: dict[str, str], path: Path) -> None:
    lines = given_rows(path)
    headings = next(lines)
    column = next(name for name in _SECTOR_COLUMNS if name in headings)
    for number, fields in enumerate(lines, start=2):
        row = dict(zip(headings, fields, strict=True))
        symbol, industry = row["symbol"], row[column]
        try:
            sector = sector_of(industry)
        except NiftyFormerError as error:
            raise NiftyFormerError(f"{path}, line {number}: {error}") from error
        if sector_of(sectors.setdefault(symbol, industry)) != sector:
            raise NiftyFormerError(
                f"{path}, line {number}: {symbol} is of {industry}, and of {sectors[symbol]} in another row: "
                "correct one of the two."
            )


def _files(sources: Iterable[Path], wrong: list[str] | None) -> Iterator[tuple[Path, Kind]]:
    for source in sources:
        # One that is not there may be a folder that nothing was put into yet; a file must be there.
        is_folder = not (source.is_file() or source.suffix.lower() == ".csv")
        for path in sorted(source.glob("*.csv")) if is_folder else [source]:
            try:
                kind = kind_of(path)
                if kind == "list" and is_folder:
                    named_index(path)
            except NiftyFormerError as error:
                _tell(error, wrong)
                continue
            if is_folder or kind != "list" or is_dated(path):
                yield path, kind


def _lists(files: Iterable[tuple[Path, str]], wrong: list[str] | None) -> list[IndexList]:
    """Each list once, in the order of the files."""
    found: dict[tuple[str, object], IndexList] = {}
    for path, kind in files:
        if kind != "list":
            continue
        try:
            as_of, index = date_of(path), index_of_list(path.name)
            key = (index.name if index is not None else "", as_of)
            if key not in found:
                found[key] = read_list(path, as_of)
        except NiftyFormerError as error:
            _tell(error, wrong)
    return list(found.values())


def _whole(lists: list[IndexList], wrong: list[str] | None) -> list[IndexList]:
    """Without those that were cut short, as the others of the index tell: those that a person made are all smaller."""
    of_nse = {kept.index for kept in lists if not short_lists([kept])}
    cut = [kept for kept in lists if kept.index in of_nse and short_lists([kept])]
    for said in short_lists(cut):
        _tell(NiftyFormerError(f"{said}, and others at hand are whole: download it again, or remove it."), wrong)
    return [kept for kept in lists if kept not in cut]


def _of_tables(paths: list[Path], wrong: list[str] | None) -> list[IndexList]:
    try:
        return read_membership(paths)
    except NiftyFormerError as error:
        _tell(error, wrong)
        return []


def _tell(error: NiftyFormerError, wrong: list[str] | None) -> None:
    if wrong is None:
        raise error
    wrong.append(in_one_line(error))

"""NSE's constituent lists: one file says who is in an index on one date.

Nothing here needs pandas: the definitions read the symbols of all lists when they load.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from niftyformer_assets.indices import DEFAULT, INDICES, Index, index_of_list
from niftyformer_assets.market.reference import as_date
from niftyformer_assets.market.sectors import sector_of
from niftyformer_assets.store.errors import DamagedError, NiftyFormerError
from niftyformer_assets.store.index import read_given, write_entered

# How well a membership is known: from NSE's own list, or from a table that calls itself so.
Quality = Literal["list", "official", "approximate"]

COLUMNS = ("company name", "industry", "symbol", "isin code")
# The longest of NSE's have 20; each becomes a file's name.
SYMBOL = re.compile(r"[A-Z0-9&\-]{1,40}")
ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{10}")
_DATED = re.compile(r".*_(\d{4}-\d{2}-\d{2})\.csv")
# NSE's placeholder for a company that is being spun off; it has no candles and leaves within days.
_PLACEHOLDER = "DUMMY"
# The largest, of the NIFTY-500, has 40 KB.
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Member:
    """One member, as NSE wrote it or as a table of membership has it.

    isin, company and industry are empty where a table does not know them. latest: the symbol that the stock goes by
    at the time of the table; empty in a list.
    """

    symbol: str
    company: str
    isin: str
    industry: str
    quality: Quality = "list"
    latest: str = ""

    @property
    def key(self) -> str:
        """What the stock is known by: its ISIN, or the latest symbol of one without."""
        return self.isin or f"?{self.latest or self.symbol}"


@dataclass(frozen=True)
class IndexList:
    """The constituents of an index on one date.

    told: when a table of membership was made, as far as its rows tell; of a list its own date.
    """

    as_of: date
    path: Path
    members: tuple[Member, ...]
    index: Index = INDICES[DEFAULT]
    told: date | None = None

    @property
    def name(self) -> str:
        """Its date, and its index if that is not the NIFTY-200."""
        return str(self.as_of) if self.index.name == DEFAULT else f"{self.index.title} {self.as_of}"

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(member.symbol for member in self.members)


def parse_list(content: bytes, source: str) -> tuple[Member, ...]:
    """Read and check a list in NSE's format; the case of its headers does not matter.

    Raises:
        NiftyFormerError: not a list (a web page, say), a column is missing, a field is empty or
            malformed, a symbol or an ISIN comes twice, an industry is unknown, or there is no member.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if text.lstrip()[:1] == "<":
        raise NiftyFormerError(f"{source} is a web page, not a constituent list: download NSE's CSV file again.")
    try:
        # Whatever ends its lines, an old Mac's carriage returns included.
        rows = [row for row in csv.reader(io.StringIO(text, newline=None)) if any(field.strip() for field in row)]
    except csv.Error as error:
        raise NiftyFormerError(f"{source} is no CSV ({error}): download NSE's CSV file again.") from error
    header = [field.strip().lower() for field in rows[0]] if rows else []
    lacking = [column for column in COLUMNS if column not in header]
    if lacking:
        raise NiftyFormerError(
            f"{source} has no column {lacking[0]!r}: a list has the columns "
            "Company Name, Industry, Symbol, Series, ISIN Code."
        )
    members: dict[str, Member] = {}
    of_isin: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        member = _member(dict(zip(header, row, strict=False)), f"{source}, line {number}")
        if member.symbol in members:
            raise NiftyFormerError(f"{source}, line {number}: {member.symbol} is there twice: remove one line.")
        if member.symbol.startswith(_PLACEHOLDER):
            continue
        if member.isin in of_isin:
            raise NiftyFormerError(
                f"{source}, line {number}: {member.symbol} and {of_isin[member.isin]} have one ISIN, {member.isin}: "
                "correct one of the two lines, or download NSE's CSV file again."
            )
        members[member.symbol] = member
        of_isin[member.isin] = member.symbol
    if not members:
        raise NiftyFormerError(f"{source} has no member: download NSE's CSV file again.")
    return tuple(members.values())


def _member(row: Mapping[str, str], where: str) -> Member:
    company, industry, symbol, isin = (row.get(column, "").strip() for column in COLUMNS)
    if not SYMBOL.fullmatch(symbol):
        raise NiftyFormerError(f"{where}: {symbol!r:.60} is not a symbol: the file is cut off or mixed up.")
    if not ISIN.fullmatch(isin):
        raise NiftyFormerError(f"{where}: {isin!r:.60} is not the ISIN of {symbol}: the file is cut off or mixed up.")
    try:
        sector_of(industry)
    except NiftyFormerError as error:
        raise NiftyFormerError(f"{where}: {error}") from error
    return Member(symbol, company, isin, industry)


def named_index(path: Path) -> Index:
    """The index in a list's file name."""
    found = index_of_list(path.name)
    if found is None:
        names = ", ".join(row.list_file for row in INDICES.values())
        raise NiftyFormerError(f"{path}: no index of that name is known here, only {names}: rename or remove it.")
    return found


def is_dated(path: Path) -> bool:
    """Whether a list's file name has a date."""
    return _DATED.fullmatch(path.name) is not None


def date_of(path: Path) -> date:
    """The date in a list's file name."""
    match = _DATED.fullmatch(path.name)
    if match is None:
        name = (index_of_list(path.name) or INDICES[DEFAULT]).dated("YYYY-MM-DD")
        raise NiftyFormerError(f"{path}: the date is not in the name; name it {name}.")
    return as_date(match.group(1), str(path))


def read_list(path: Path, as_of: date | None = None) -> IndexList:
    """Read one list; its date is in its name unless given. A name without an index is one of the NIFTY-200."""
    as_of = as_of or date_of(path)
    try:
        content = read_given(path, MOST_BYTES)
    except DamagedError:
        raise NiftyFormerError(
            f"{path} is damaged: it is not the list that was kept. Restore it, or delete it and fetch the list again "
            "(`niftyformer universe`)."
        ) from None
    except OSError as error:
        raise NiftyFormerError(f"{path} could not be read: {error.strerror}. Name a constituent list.") from error
    return IndexList(as_of, path, parse_list(content, str(path)), index_of_list(path.name) or INDICES[DEFAULT])


def install_list(source: Path, folder: Path, as_of: date | None = None) -> Path:
    """Check a list that a person names and copy it into `folder` under its date."""
    found = read_list(source, as_of)
    target = folder / found.index.dated(found.as_of)
    write_entered(target, source.read_bytes())
    return target

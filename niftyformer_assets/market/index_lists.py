"""NSE's constituent lists: reading, checking, fetching, and one identity for a renamed stock.

Nothing here needs pandas: the definitions read the symbols of all lists when they load.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from niftyformer_assets.market.reference import as_date, read_table
from niftyformer_assets.market.sectors import sector_of
from niftyformer_assets.store.atomic import write_bytes
from niftyformer_assets.store.errors import NiftyFormerError

NSE_ROOT = "https://niftyindices.com"
LIST_ROUTE = "/IndexConstituent/ind_nifty200list.csv"
_NAME = re.compile(r"ind_nifty200list_(\d{4}-\d{2}-\d{2})\.csv")
_COLUMNS = ("company name", "industry", "symbol", "isin code")
_SYMBOL = re.compile(r"[A-Z0-9&\-]+")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{10}")
# NSE's placeholder for a company that is being spun off; it has no candles and leaves within days.
_PLACEHOLDER = "DUMMY"
# A review changes 7 to 17 of 200 names, so a list with a tenth fewer than the last one was cut off.
_MIN_SHARE_OF_LAST = 0.9


@dataclass(frozen=True)
class Member:
    """One line of a constituent list, as NSE wrote it."""

    symbol: str
    company: str
    isin: str
    industry: str


@dataclass(frozen=True)
class IndexList:
    """The constituents on one date."""

    as_of: date
    path: Path
    members: tuple[Member, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(member.symbol for member in self.members)


def parse_list(content: bytes, source: str) -> tuple[Member, ...]:
    """Read and check a list in NSE's format; the case of its headers does not matter.

    Raises:
        NiftyFormerError: not a list (a web page, say), a column is missing, a field is empty or
            malformed, a symbol comes twice, an industry is unknown, or there is no member.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if text.lstrip()[:1] == "<":
        raise NiftyFormerError(f"{source} is a web page, not a constituent list: download NSE's CSV file again.")
    rows = [row for row in csv.reader(io.StringIO(text)) if any(field.strip() for field in row)]
    header = [field.strip().lower() for field in rows[0]] if rows else []
    lacking = [column for column in _COLUMNS if column not in header]
    if lacking:
        raise NiftyFormerError(
            f"{source} has no column {lacking[0]!r}: a list has the columns "
            "Company Name, Industry, Symbol, Series, ISIN Code."
        )
    members: dict[str, Member] = {}
    for number, row in enumerate(rows[1:], start=2):
        member = _member(dict(zip(header, row, strict=False)), f"{source}, line {number}")
        if member.symbol in members:
            raise NiftyFormerError(f"{source}, line {number}: {member.symbol} is there twice: remove one line.")
        if not member.symbol.startswith(_PLACEHOLDER):
            members[member.symbol] = member
    if not members:
        raise NiftyFormerError(f"{source} has no member: download NSE's CSV file again.")
    return tuple(members.values())


def _member(row: Mapping[str, str], where: str) -> Member:
    company, industry, symbol, isin = (row.get(column, "").strip() for column in _COLUMNS)
    if not _SYMBOL.fullmatch(symbol):
        raise NiftyFormerError(f"{where}: {symbol!r} is not a symbol: the file is cut off or mixed up.")
    if not _ISIN.fullmatch(isin):
        raise NiftyFormerError(f"{where}: {isin!r} is not the ISIN of {symbol}: the file is cut off or mixed up.")
    try:
        sector_of(industry)
    except NiftyFormerError as error:
        raise NiftyFormerError(f"{where}: {error}") from error
    return Member(symbol, company, isin, industry)


def date_of(path: Path) -> date:
    """The date in a list's file name."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise NiftyFormerError(f"{path}: the date is not in the name; name it ind_nifty200list_YYYY-MM-DD.csv.")
    return as_date(match.group(1), str(path))


def read_list(path: Path, as_of: date | None = None) -> IndexList:
    """Read one list; its date is in its name unless given."""
    as_of = as_of or date_of(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NiftyFormerError(f"{path} could not be read: {error.strerror}. Name a constituent list.") from error
    return IndexList(as_of, path, parse_list(content, str(path)))


def read_lists(folders: Iterable[Path]) -> list[IndexList]:
    """All lists in these folders, oldest first; of two for one date, the one in the earlier folder.

    Folders may be missing or empty. Only names like ind_nifty200list_YYYY-MM-DD.csv are lists.
    """
    found: dict[date, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("ind_nifty200list_*.csv")):
            found.setdefault(date_of(path), path)
    return [read_list(path, as_of) for as_of, path in sorted(found.items())]


def symbols_of_lists(folders: Iterable[Path]) -> list[str]:
    """All members of all lists at hand, each under its latest symbol, sorted."""
    return sorted(set(identities(read_lists(folders)).values()))


def aliases_of_lists(folders: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Earlier symbols of a stock by its latest one, the newest first; stocks never renamed are left out."""
    aliases: dict[str, list[str]] = {}
    for old, new in (renames() | identities(read_lists(folders))).items():
        if old != new:
            aliases.setdefault(new, []).insert(0, old)
    return {new: tuple(olds) for new, olds in sorted(aliases.items())}


def renames(folder: Path | None = None) -> dict[str, str]:
    """Latest symbol of each renamed one, chains followed to their end, in the order of the renames."""
    rows = read_table("symbol_renames.csv", ("old", "new", "first_session"), folder)
    rows.sort(key=lambda row: as_date(row["first_session"], f"symbol_renames.csv, {row['old']}"))
    step = {row["old"]: row["new"] for row in rows}
    latest: dict[str, str] = {}
    for old in step:
        new, seen = old, {old}
        while new in step:
            new = step[new]
            if new in seen:
                raise NiftyFormerError(f"symbol_renames.csv renames {old} in a circle: correct it.")
            seen.add(new)
        latest[old] = new
    return latest


def identities(lists: Iterable[IndexList]) -> dict[str, str]:
    """The latest symbol of every symbol in the lists.

    A rename is known from the table of renames, or from one ISIN under two symbols in lists of
    different dates.
    """
    renamed = renames()
    lists = list(lists)
    latest_of_isin = {member.isin: member.symbol for index_list in lists for member in index_list.members}
    identity: dict[str, str] = {}
    for index_list in lists:
        for member in index_list.members:
            latest = latest_of_isin[member.isin]
            identity[member.symbol] = renamed.get(latest, latest)
    # A symbol may have had two ISINs, and been renamed under each.
    for symbol in identity:
        seen = {symbol}
        while (latest := identity.get(identity[symbol], identity[symbol])) not in seen:
            seen.add(latest)
            identity[symbol] = latest
    return identity


def install_list(source: Path, folder: Path, as_of: date | None = None) -> Path:
    """Check a list that a person names and copy it into `folder` under its date."""
    found = read_list(source, as_of)
    target = folder / f"ind_nifty200list_{found.as_of}.csv"
    write_bytes(target, source.read_bytes())
    return target


def fetch_list(
    folder: Path, today: date, root: str = NSE_ROOT, min_members: int = 1, attempts: int = 3, timeout_s: float = 20.0
) -> Path:
    """Fetch the list in force from NSE (or what speaks for it) and keep it under today's date.

    A list with the same members as the last one at hand is not kept again. A broken answer never
    replaces a list.

    Args:
        folder: where lists are kept.
        min_members: fewer are a broken answer (180 for the real NIFTY 200).

    Returns:
        The file that holds the list in force.

    Raises:
        NiftyFormerError: no answer, or an answer that is no list, or one cut short.
    """
    url = root.rstrip("/") + LIST_ROUTE
    content = _download(url, attempts, timeout_s)
    members = parse_list(content, url)
    known = read_lists([folder])
    before = next((index_list for index_list in reversed(known) if index_list.as_of <= today), None)
    least = max(min_members, int(_MIN_SHARE_OF_LAST * len(before.members)) if before else 0)
    if len(members) < least:
        raise NiftyFormerError(
            f"{url} gave {len(members)} members where at least {least} were expected: the answer was cut short. "
            "The lists at hand are kept; fetch it again later."
        )
    if before is not None and set(before.members) == set(members):
        return before.path
    path = folder / f"ind_nifty200list_{today}.csv"
    write_bytes(path, content)
    return path


def _download(url: str, attempts: int, timeout_s: float) -> bytes:
    import requests
    from tenacity import (
        RetryError,
        Retrying,
        retry_if_exception_type,
        stop_after_attempt,
        wait_exponential,
        wait_random,
    )

    session = requests.Session()
    session.trust_env = not is_loopback(url)
    # NSE's site answers 403 to a client that does not look like a browser.
    headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) niftyformer", "Accept": "text/csv,*/*"}
    try:
        for attempt in Retrying(
            stop=stop_after_attempt(attempts),
            wait=wait_exponential(multiplier=0.5, max=5) + wait_random(0, 0.5),
            retry=retry_if_exception_type(requests.RequestException),
        ):
            with attempt:
                answer = session.get(url, headers=headers, timeout=timeout_s)
                answer.raise_for_status()
                return answer.content
    except RetryError as error:
        cause = error.last_attempt.exception()
        status = getattr(getattr(cause, "response", None), "status_code", None)
        detail = f"HTTP status {status}" if status else type(cause).__name__
        raise NiftyFormerError(
            f"{url} gave no constituent list ({detail}): the lists at hand are kept; fetch it again later, or put a "
            "downloaded list into data/reference/index_lists/."
        ) from cause
    raise AssertionError("a retry loop ends by returning or by raising")


def is_loopback(url: str) -> bool:
    """Is the address on this machine? Then no proxy of the environment may stand between."""
    from urllib.parse import urlsplit

    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")

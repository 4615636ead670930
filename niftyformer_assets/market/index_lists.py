"""NSE's constituent lists: reading, checking, fetching, and which of their members are one stock.

Nothing here needs pandas: the definitions read the symbols of all lists when they load.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from niftyformer_assets.market.reference import as_date
from niftyformer_assets.market.renames import LATEST_USE, Rename, is_certain, rename_table, renamed, renames
from niftyformer_assets.market.sectors import sector_of
from niftyformer_assets.store.errors import DamagedError, NiftyFormerError
from niftyformer_assets.store.given import in_one_line
from niftyformer_assets.store.index import read_given, write_entered

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
# The real list has 15 KB.
_MOST_BYTES = 1 << 20


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
    lacking = [column for column in _COLUMNS if column not in header]
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
        content = read_given(path, _MOST_BYTES)
    except DamagedError:
        raise NiftyFormerError(
            f"{path} is damaged: it is not the list that was kept. Restore it, or delete it and fetch the list again "
            "(`niftyformer universe`)."
        ) from None
    except OSError as error:
        raise NiftyFormerError(f"{path} could not be read: {error.strerror}. Name a constituent list.") from error
    return IndexList(as_of, path, parse_list(content, str(path)))


def read_lists(folders: Iterable[Path], wrong: list[str] | None = None) -> list[IndexList]:
    """All lists in these folders, oldest first; of two for one date, the one in the earlier folder.

    Folders may be missing or empty. Only names like ind_nifty200list_YYYY-MM-DD.csv are lists.

    Args:
        wrong: gets what is wrong with a list, and it is left out.

    Raises:
        NiftyFormerError: without `wrong`, a list is wrong. Where lists decide who was a member, one
            that is left out would change the answer.
    """
    found: dict[date, IndexList] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("ind_nifty200list_*.csv"))):
        try:
            as_of = date_of(path)
            if as_of not in found:
                found[as_of] = read_list(path, as_of)
        except NiftyFormerError as error:
            if wrong is None:
                raise
            wrong.append(in_one_line(error))
    return [index_list for _, index_list in sorted(found.items())]


def symbols_of_lists(folders: Iterable[Path], wrong: list[str] | None = None) -> list[str]:
    """All members of all lists at hand, each under its latest symbol, sorted; `wrong` as in `read_lists`."""
    return sorted(set(identities(read_lists(folders, wrong)).values()))


def aliases_of_lists(
    folders: Iterable[Path], on: date | None = None, wrong: list[str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Under which other symbols a stock may be listed, by its latest symbol or an earlier one; the likeliest first.

    A symbol that is another stock's in the lists by now is nobody else's. On a date, a symbol that was
    given up long before it is not among them: whoever is listed under it then is another company.
    `wrong` is that of `read_lists`.
    """
    table = rename_table()
    stocks = _stocks(read_lists(folders, wrong), table)
    given_up = {latest: dict(stock.given_up) for latest, stock in stocks.items()}
    earlier = {name for dates in given_up.values() for name in dates}
    for rename in table:
        given_up.setdefault(renamed(rename.old, date.min, table), {})[rename.old] = rename.first_session
    theirs = stocks.keys() | (set(renames().values()) - earlier)
    aliases: dict[str, tuple[str, ...]] = {}
    for latest, dates in given_up.items():
        names = sorted(dates.keys() - theirs, key=lambda name: (dates[name], name), reverse=True)
        aliases[latest] = tuple(name for name in names if on is None or on < dates[name] + LATEST_USE)
        for name in names:
            aliases[name] = tuple(other for other in (latest, *names) if other != name)
    return dict(sorted(aliases.items()))


def isins_of_lists(folders: Iterable[Path], wrong: list[str] | None = None) -> dict[str, str]:
    """The latest ISIN of each stock of the lists, by the symbol that it goes by; `wrong` as in `read_lists`."""
    return {latest: stock.isin for latest, stock in _stocks(read_lists(folders, wrong), rename_table()).items()}


def company_of(isin: str) -> str:
    """The issuer and the kind of paper: a split of the face value changes only what follows in an ISIN."""
    return isin[:9]


@dataclass
class _Stock:
    """One stock through the lists, as the latest of them tells.

    since: the first of the lists that called it `symbol`. given_up: earlier symbols, and since when
    it bears them no longer.
    """

    symbol: str
    isin: str
    since: date
    seen: date
    given_up: dict[str, date] = field(default_factory=dict)
    isins: set[str] = field(default_factory=set)

    def meet(self, member: Member, as_of: date) -> None:
        if member.symbol != self.symbol:
            self.given_up[self.symbol] = as_of
            self.given_up.pop(member.symbol, None)
            self.symbol, self.since = member.symbol, as_of
        self.isin, self.seen = member.isin, as_of
        self.isins.add(member.isin)


def identities(lists: Iterable[IndexList]) -> dict[str, str]:
    """For the ISIN of every member of the lists the symbol that its stock goes by: its latest one.

    A stock is its ISIN in time. It stays the same when a face value split changes the end of its ISIN,
    and when the table of renames says so. Another issuer under the same symbol is another company; a
    stock whose latest symbol is another's by now goes by symbol and ISIN, as in OLDNAME.INE000A01010.

    Args:
        lists: oldest first.
    """
    return {isin: latest for latest, stock in _stocks(lists, rename_table()).items() for isin in stock.isins}


def _stocks(lists: Iterable[IndexList], table: Sequence[Rename]) -> dict[str, _Stock]:
    """The stocks of the lists by their latest symbol."""
    stocks: list[_Stock] = []
    of_isin: dict[str, _Stock] = {}
    for index_list in lists:
        as_of = index_list.as_of
        known = [(member, of_isin[member.isin]) for member in index_list.members if member.isin in of_isin]
        met = {id(stock) for _, stock in known}
        free = [stock for stock in stocks if id(stock) not in met]
        for member in index_list.members:
            if member.isin in of_isin:
                continue
            stock = _under_another_isin(member, free, table, as_of)
            if stock is None:
                stock = _Stock(member.symbol, member.isin, as_of, as_of)
                stocks.append(stock)
            else:
                free.remove(stock)
            known.append((member, stock))
        for member, stock in known:
            stock.meet(member, as_of)
            of_isin[member.isin] = stock
    return _by_latest_symbol(stocks, table)


def _under_another_isin(member: Member, free: Iterable[_Stock], table: Sequence[Rename], as_of: date) -> _Stock | None:
    """The stock, of those not in this list otherwise, that a member with an ISIN not seen before is."""
    for stock in free:
        if stock.symbol == member.symbol and company_of(stock.isin) == company_of(member.isin):
            return stock
    for stock in free:
        if stock.symbol != member.symbol and renamed(stock.symbol, stock.since, table, as_of) == member.symbol:
            return stock
    return None


def _by_latest_symbol(stocks: Iterable[_Stock], table: Sequence[Rename]) -> dict[str, _Stock]:
    """Of two stocks with one symbol it is that of the one which bore it last."""

    def claim(stock: _Stock) -> tuple[bool, date]:
        return is_certain(stock.symbol, stock.since, table), stock.seen

    named: dict[str, _Stock] = {}
    for stock in sorted(stocks, key=claim, reverse=True):
        latest = renamed(stock.symbol, stock.since, table)
        names = (latest, stock.symbol, f"{stock.symbol}.{stock.isin}")
        named[next(name for name in names if name not in named)] = stock
    return named


def install_list(source: Path, folder: Path, as_of: date | None = None) -> Path:
    """Check a list that a person names and copy it into `folder` under its date."""
    found = read_list(source, as_of)
    target = folder / f"ind_nifty200list_{found.as_of}.csv"
    write_entered(target, source.read_bytes())
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
    write_entered(path, content)
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

    from niftyformer_assets.web import BoundedSession, is_loopback

    session = BoundedSession(redirects="followed", deadline_s=3 * timeout_s)
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

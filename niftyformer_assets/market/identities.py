"""Which members of the lists are one stock, and what it goes by: a stock is its ISIN in time.

Nothing here needs pandas: the definitions read the symbols of all lists when they load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from niftyformer_assets.market.index_lists import IndexList, Member
from niftyformer_assets.market.membership_files import read_lists
from niftyformer_assets.market.renames import LATEST_USE, Rename, is_certain, rename_table, renamed, renames


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
    stocks = _stocks(read_lists(folders, wrong), rename_table())
    return {latest: stock.isin for latest, stock in stocks.items() if stock.isin}


def company_of(isin: str) -> str:
    """The issuer and the kind of paper: a split of the face value changes only what follows in an ISIN."""
    return isin[:9]


@dataclass
class _Stock:
    """One stock through the lists, as the latest of them tells.

    since: the first of the lists that called it `symbol`. given_up: earlier symbols, and since when
    it bears them no longer. keys: of its members. latest, told: what a table of membership calls it by the time
    that the table was made, and when that was.
    """

    symbol: str
    isin: str
    since: date
    seen: date
    given_up: dict[str, date] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    latest: str = ""
    told: date = date.min

    @property
    def called_last(self) -> str:
        return self.latest or self.symbol

    def meet(self, member: Member, index_list: IndexList) -> None:
        if member.symbol != self.symbol:
            self._is_called(member.symbol, index_list.as_of)
        self.isin, self.seen = member.isin or self.isin, index_list.as_of
        self.keys.add(member.key)
        if member.latest and index_list.told is not None:
            self.latest, self.told = member.latest, index_list.told

    def settle(self) -> None:
        """Take the symbol that a table tells, unless a list has another one since."""
        if self.latest and self.latest != self.symbol and self.since <= self.told:
            self._is_called(self.latest, self.told)

    def _is_called(self, symbol: str, since: date) -> None:
        self.given_up[self.symbol] = since
        self.given_up.pop(symbol, None)
        self.symbol, self.since = symbol, since


def identities(lists: Iterable[IndexList]) -> dict[str, str]:
    """For the key of every member of the lists the symbol that its stock goes by: its latest one.

    A stock is its ISIN in time. It stays the same when a face value split changes the end of its ISIN,
    and when the table of renames says so. Another issuer under the same symbol is another company; a
    stock whose latest symbol is another's by now goes by symbol and ISIN, as in OLDNAME.INE000A01010.

    Args:
        lists: oldest first.
    """
    return {key: latest for latest, stock in _stocks(lists, rename_table()).items() for key in stock.keys}


def _stocks(lists: Iterable[IndexList], table: Sequence[Rename]) -> dict[str, _Stock]:
    """The stocks of the lists by their latest symbol."""
    stocks: list[_Stock] = []
    of_key: dict[str, _Stock] = {}
    for index_list in lists:
        known = [(member, of_key[member.key]) for member in index_list.members if member.key in of_key]
        met = {id(stock) for _, stock in known}
        free = [stock for stock in stocks if id(stock) not in met]
        for member in index_list.members:
            if member.key in of_key:
                continue
            stock = _under_another_key(member, free, table, index_list.as_of)
            if stock is None:
                stock = _Stock(member.symbol, member.isin, index_list.as_of, index_list.as_of)
                stocks.append(stock)
            else:
                free.remove(stock)
            known.append((member, stock))
        for member, stock in known:
            stock.meet(member, index_list)
            of_key[member.key] = stock
    for stock in stocks:
        stock.settle()
    return _by_latest_symbol(stocks, table)


def _under_another_key(member: Member, free: Iterable[_Stock], table: Sequence[Rename], as_of: date) -> _Stock | None:
    """The stock, of those not in this list otherwise, that a member with an ISIN not seen before is.

    A table's latest symbol tells a stock as an ISIN does, where one of the two is not known.
    """
    for stock in free:
        if stock.isin and member.isin:
            if stock.symbol == member.symbol and company_of(stock.isin) == company_of(member.isin):
                return stock
        elif stock.symbol == member.symbol or stock.called_last == (member.latest or member.symbol):
            return stock
    for stock in free:
        if stock.latest and stock.latest == member.latest:
            return stock
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
        names = (latest, stock.symbol, f"{stock.symbol}.{stock.isin or 'unknown'}")
        named[next(name for name in names if name not in named)] = stock
    return named

"""What the rows of the ledger make of an account: cash, holdings and value, reckoned anew from the first row on.

Money is whole paise. The kinds of row, by what they hold beside the session:

- opening: `books`, the cash of each, and `starts`, the sessions with a score that pass before each begins. Nothing
  trades on its session.
- rules: the experiment, its strategy, costs and seed, in force from here on.
- rename: a holding goes on as `to`.
- action: of a `book` and `symbol`, `shares` become `shares_after` and `cash` is paid for the fraction. `reason` is
  `adjusted` where past closes were multiplied, as for a split or a bonus: by 1/`factor`, to `close` at the session;
  `broken_adjustment` where prices broke and a holding is carried over at the same value.
- correction: the close of a `symbol` at the session `of`, that `shares` were valued at, reads `now` and not `was`.
- trade: of a `book`, `symbol`, `side`, `reason`, `status`, `shares`, `price`, `cost`.
- interest: of a `book`, `cash` that it earned.
- valuation: `cash`, `nav`, and of each holding its shares and close; `scored`: was there a score at the close before?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from niftyformer_assets.portfolio.paper.ledger import Ledger, Row
from niftyformer_assets.store.errors import NiftyFormerError


@dataclass
class PaperBook:
    """cash: paise. age: sessions that had a score, less those that it begins later. since: the session of the first
    buy of what is held."""

    cash: int
    age: int
    shares: dict[str, int] = field(default_factory=dict)
    since: dict[str, str] = field(default_factory=dict)


@dataclass
class PaperAccount:
    """An account after some rows.

    rules: the last row that says them.
    navs: paise at each session, as corrected since. held: shares at each session's close; of the last one in today's.
    closes: of each holding, what it was valued at since it is held, or since an action, paise.
    """

    rules: Row | None = None
    books: list[PaperBook] = field(default_factory=list)
    navs: dict[str, int] = field(default_factory=dict)
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    closes: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def opened(self) -> str:
        """The session of the opening."""
        return next(iter(self.navs))

    @property
    def last(self) -> str:
        """The last session that was valued."""
        return next(reversed(self.navs))

    @property
    def cash(self) -> int:
        return sum(book.cash for book in self.books)

    @property
    def shares(self) -> dict[str, int]:
        """What is held in all books, by symbol."""
        total: dict[str, int] = {}
        for book in self.books:
            for symbol, shares in book.shares.items():
                total[symbol] = total.get(symbol, 0) + shares
        return dict(sorted(total.items()))

    def take(self, row: Row) -> None:
        """Reckon with one row more.

        Raises:
            ValueError: it does not follow from the rows before.
        """
        kind = row["kind"]
        _require(bool(self.books) != (kind == "opening"), "an opening is the first row, and the only one")
        takes = {
            "opening": self._open,
            "rules": self._change_rules,
            "rename": self._rename,
            "action": self._act,
            "correction": self._correct,
            "trade": self._trade,
            "interest": self._earn,
            "valuation": self._value,
        }
        _require(kind in takes, f"there is no kind of row {kind!r}")
        takes[kind](row)
        _require(self.cash >= 0, "cash is below 0")

    def _open(self, row: Row) -> None:
        self.books = [PaperBook(cash, -start) for cash, start in zip(row["books"], row["starts"], strict=True)]
        self.navs[row["session"]] = self.cash
        self.held[row["session"]] = {}

    def _change_rules(self, row: Row) -> None:
        self.rules = row

    def _rename(self, row: Row) -> None:
        old, new = row["symbol"], row["to"]
        _require(old in self.shares and new not in self.shares, f"{old} is not held, or {new} is")
        if old in self.closes:
            self.closes[new] = self.closes.pop(old)
        for held in (*self.held.values(), *(book.shares for book in self.books)):
            if old in held:
                held[new] = held.pop(old)
        for book in self.books:
            if old in book.since:
                book.since[new] = book.since.pop(old)

    def _act(self, row: Row) -> None:
        book, symbol = self.books[row["book"]], row["symbol"]
        _require(book.shares.get(symbol, 0) == row["shares"] > 0, f"{symbol} is not held so")
        self._hold(book, symbol, row["shares_after"])
        book.cash += row["cash"]
        if row["reason"] == "adjusted":
            self.closes[symbol] = {self.last: row["close"]}
            self.held[self.last][symbol] = self.shares.get(symbol, 0)
        else:
            self.closes.pop(symbol, None)

    def _correct(self, row: Row) -> None:
        symbol, of = row["symbol"], row["of"]
        _require(self.closes.get(symbol, {}).get(of) == row["was"], f"{symbol} was not valued so on {of}")
        _require(self.held[of].get(symbol) == row["shares"], f"{symbol} was not held so on {of}")
        self.closes[symbol][of] = row["now"]
        self.navs[of] += row["shares"] * (row["now"] - row["was"])

    def _trade(self, row: Row) -> None:
        book, symbol, shares = self.books[row["book"]], row["symbol"], row["shares"]
        _require(shares > 0 and row["side"] in ("buy", "sell"), "it trades nothing")
        held = book.shares.get(symbol, 0)
        if row["side"] == "buy":
            if not held:
                book.since[symbol] = row["session"]
            self._hold(book, symbol, held + shares)
            book.cash -= shares * row["price"] + row["cost"]
        else:
            _require(held >= shares, f"more of {symbol} is sold than is held")
            self._hold(book, symbol, held - shares)
            book.cash += shares * row["price"] - row["cost"]
        _require(book.cash >= 0, "cash of the book is below 0")

    def _earn(self, row: Row) -> None:
        self.books[row["book"]].cash += row["cash"]

    def _value(self, row: Row) -> None:
        session, holdings = row["session"], row["holdings"]
        _require(session > self.last, "its session is not after the one before")
        _require(
            {symbol: shares for symbol, (shares, _) in holdings.items()} == self.shares, "it values other holdings"
        )
        nav = self.cash + sum(shares * close for shares, close in holdings.values())
        _require((row["cash"], row["nav"]) == (self.cash, nav), "its sum is another")
        self.navs[session], self.held[session] = nav, self.shares
        self.closes = {symbol: self.closes.get(symbol, {}) | {session: holdings[symbol][1]} for symbol in holdings}
        for book in self.books:
            book.age += bool(row["scored"])

    @staticmethod
    def _hold(book: PaperBook, symbol: str, shares: int) -> None:
        if shares:
            book.shares[symbol] = shares
        else:
            book.shares.pop(symbol, None)
            book.since.pop(symbol, None)


def account_of(ledger: Ledger) -> PaperAccount:
    """The account that a ledger has led to.

    Raises:
        NiftyFormerError: it names the first row that does not follow from those before.
    """
    account = PaperAccount()
    for number, row in enumerate(ledger.rows, start=1):
        try:
            account.take(row)
        except (ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
            raise NiftyFormerError(
                f"{ledger.named(number)} does not follow from the rows before it ({error}): restore the file from a "
                "copy"
            ) from error
    return account


def costs_paid(rows: Sequence[Row]) -> int:
    """What all trades cost, paise."""
    return sum(row["cost"] for row in rows if row["kind"] == "trade")


def _require(holds: bool, said: str) -> None:
    if not holds:
        raise ValueError(said)

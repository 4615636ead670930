"""What the account does in the sessions since its last valuation: the backtest's engine, a session at a time.

Scores are those of the signals, whichever were given; a session without one trades nothing. Prices are those at hand
when a session is first followed. What happens when

- past closes of a holding were multiplied by one factor: an action, before anything else.
- a close that a holding was valued at reads otherwise: a correction of that session's value. What was traded stays as
  it was, and so does what was decided: a decision knows the closes of its signal.
- several sessions are followed at once: of those before the last, prices are as they are now.
- a holding is outside the universe of the experiment: it is sold in the next session that lets it.

Shapes: T sessions from the opening on, N symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest import daily, layout
from niftyformer_assets.portfolio.backtest.market import Market, name_order
from niftyformer_assets.portfolio.backtest.records import bridge_price
from niftyformer_assets.portfolio.backtest.returns import session_rate
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.paper.account import PaperAccount, PaperBook
from niftyformer_assets.portfolio.paper.adjusted import LEAST, ROUNDING, adjustment
from niftyformer_assets.portfolio.paper.ledger import Row
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

# Signals whose closes tell an adjusted price from a corrected one.
CLOSES_COMPARED = 5


@dataclass(frozen=True)
class Given:
    """What a signal said at the close of its session.

    digest: SHA-256 of its file. scores: as the strategy ranks them. closes: paise, as they stood.
    """

    session: str
    digest: str
    scores: Mapping[str, float]
    closes: Mapping[str, int]


def given_of(table: pd.DataFrame, session: str, digest: str, called: Mapping[str, str] | None = None) -> Given:
    """What the table of a signal says (`signals.decision.COLUMNS`).

    Args:
        called: what symbols that were renamed since are called now.
    """
    symbols = [(called or {}).get(symbol, symbol) for symbol in table["symbol"]]
    scores, closes = (dict(zip(symbols, table[name].tolist(), strict=True)) for name in ("ranked_score", "close"))
    known = {symbol: round(close * 100) for symbol, close in closes.items() if close > 0}
    return Given(session, digest, {symbol: score for symbol, score in scores.items() if np.isfinite(score)}, known)


@dataclass(frozen=True)
class PaperRules:
    """By which an account trades."""

    experiment: str
    strategy: StrategySettings
    costs: CostSettings
    seed: int

    @property
    def said(self) -> dict[str, Any]:
        """As JSON values."""
        values = {"experiment": self.experiment, "seed": self.seed, "costs": asdict(self.costs)}
        return values | {"strategy": asdict(self.strategy) | {"neutralise": list(self.strategy.neutralise)}}


def open_account(rules: PaperRules, given: Given) -> list[Row]:
    """The first rows: the strategy's capital in cash, at the close of a signal's session."""
    opening = {"books": list(rules.strategy.capitals), "starts": list(rules.strategy.starts)}
    return [
        _row("opening", given.session, given, **opening),
        _row("rules", given.session, given, **rules.said),
    ]


def follow(
    account: PaperAccount,
    market: Market,
    signals: Mapping[str, Given],
    rules: PaperRules,
    called: Mapping[str, str] | None = None,
) -> list[Row]:
    """The rows since the last one; none where nothing is new.

    Args:
        account: takes them.
        market: of all sessions from the opening through the newest, of whatever is held too.
        signals: by session, those from the account's last one on, and a few before it.
        called: what holdings that were renamed are called in the market.

    Raises:
        NiftyFormerError: the rules have another number of books than the account.
    """
    market = market.columns(name_order(market.axes))
    sessions = [str(day) for day in market.axes.dates]
    if sessions[0] != account.opened:
        raise NiftyFormerError(
            f"the paper account was opened on {account.opened}, which is no session of the candles any more: fetch "
            "those of that day again"
        )
    rows: list[Row] = []

    def note(kind: str, session: str, given: Given | None, **more: Any) -> None:
        row = _row(kind, session, given, **more)
        account.take(row)
        rows.append(row)

    if len(rules.strategy.starts) != len(account.books):
        raise NiftyFormerError(
            f"the paper account has {len(account.books)} books and the strategy of {rules.experiment} has "
            f"{len(rules.strategy.starts)}: set its `strategy.books` as it was, or begin a new account"
        )
    for old, new in (called or {}).items():
        if old in account.shares:
            note("rename", sessions[-1], None, symbol=old, to=new)
    for kind, session, more in _read_otherwise(account, market, sessions):
        note(kind, session, None, **more)
    to_come = [t for t, session in enumerate(sessions) if session > account.last]
    if (
        to_come
        and account.rules is not None
        and any(account.rules.get(name) != said for name, said in rules.said.items())
    ):
        note("rules", sessions[to_come[0]], None, **rules.said)
    for t in to_come:
        given = signals.get(sessions[t - 1])
        then = market.rows(slice(t + 1))
        if given is not None:
            then = _as_it_stood(then, given, signals)
        scores = _scores(given, then.axes)
        for number, book in enumerate(account.books):
            before = _book(book, t, then.axes)
            alone = daily.Account(then.axes.symbols, t, (before,))
            after, orders = daily.go_on(scores, then, alone, rules.strategy, rules.costs, rules.seed)
            for more in _carried_over(before, then):
                note("action", sessions[t], given, book=number, reason="broken_adjustment", **more)
            for order in orders[orders["shares"] > 0].to_dict("records"):
                said = {name: order[name] for name in ("symbol", "side", "reason", "status")}
                money = {name: round(order[name] * 100) for name in ("price", "cost")}
                note("trade", sessions[t], given, book=number, shares=int(order["shares"]), **said, **money)
            earned = int(before.cash * session_rate(rules.strategy.cash_yield) + 0.5) if t > 1 else 0
            if earned:
                note("interest", sessions[t], given, book=number, cash=earned)
            _must_agree(book, after.books[0], then.axes)
        close = dict(zip(then.axes.symbols, then.mark[t].tolist(), strict=True))
        holdings = {symbol: [shares, close[symbol]] for symbol, shares in account.shares.items()}
        nav = account.cash + sum(shares * price for shares, price in holdings.values())
        scored = bool(np.isfinite(scores.values[t - 1]).any())  # noqa: PD011
        note("valuation", sessions[t], given, cash=account.cash, nav=nav, holdings=holdings, scored=scored)
    return rows


def worth(account: PaperAccount) -> int:
    """Paise at the closes that were last known."""
    return account.cash + sum(shares * account.closes[name][account.last] for name, shares in account.shares.items())


def _row(kind: str, session: str, given: Given | None, **more: Any) -> Row:
    """A row, of the signal that it follows: `decided` is that one's session."""
    of = (None, None) if given is None else (given.digest, given.session)
    return {"kind": kind, "session": session, "signal": of[0], "decided": of[1], **more}


def _read_otherwise(
    account: PaperAccount, market: Market, sessions: Sequence[str]
) -> list[tuple[str, str, dict[str, Any]]]:
    """The actions and corrections that closes tell which read otherwise than holdings were valued at."""
    place = {session: t for t, session in enumerate(sessions)}
    found: list[tuple[str, str, dict[str, Any]]] = []
    for j, symbol in enumerate(market.axes.symbols):
        was = {day: close for day, close in account.closes.get(symbol, {}).items() if day in place and close > 0}
        now = {day: int(market.mark[place[day], j]) for day in was}
        if was == now or not all(now.values()):
            continue
        held = {day: account.held[day][symbol] for day in was}
        factor = adjustment(was, now)
        if factor is not None and account.last in was:
            close, exact = now[account.last], round(was[account.last] * factor)
            close, corrected = (close, None) if abs(close - exact) <= ROUNDING else (exact, close)
            total = 0
            for number, book in enumerate(account.books):
                if shares := book.shares.get(symbol, 0):
                    whole, rest = divmod(shares * factor.denominator, factor.numerator)
                    more = {"book": number, "symbol": symbol, "reason": "adjusted", "factor": str(factor)}
                    more |= {"shares": shares, "shares_after": whole, "close": close, "seen": sessions[-1]}
                    found.append(("action", account.last, {**more, "cash": round(rest * close / factor.numerator)}))
                    total += whole
            if corrected is not None:
                more = {"symbol": symbol, "of": account.last, "was": close, "now": corrected, "shares": total}
                found.append(("correction", sessions[-1], more))
            continue
        for day in was:
            if was[day] != now[day]:
                more = {"symbol": symbol, "of": day, "was": was[day], "now": now[day], "shares": held[day]}
                found.append(("correction", sessions[-1], more))
    return found


def _as_it_stood(market: Market, given: Given, signals: Mapping[str, Given]) -> Market:
    """The market with the closes of the last session but one as its signal knew them, but for adjustments since."""
    t = len(market.axes.dates) - 2
    place = {str(day): row for row, day in enumerate(market.axes.dates[: t + 1])}
    days = [day for day in sorted(signals) if day in place][-CLOSES_COMPARED:]
    close = market.close.copy()
    for j, symbol in enumerate(market.axes.symbols):
        stood = given.closes.get(symbol)
        if stood is None or stood == market.mark[t, j] or not market.has_candle[t, j]:
            continue
        was = {day: known for day in days if (known := signals[day].closes.get(symbol))}
        now = {day: int(market.mark[place[day], j]) for day in was}
        if not all(now.values()):
            continue
        # Of an adjusted stock too a close may have been corrected since.
        if adjustment(was, now) is None or abs(market.mark[t, j] / stood - 1) < LEAST:
            close[t, j] = stood / 100
    return replace(market, close=close)


def _scores(given: Given | None, axes: Axes) -> Scores:
    values = np.full(axes.shape, np.nan)
    if given is not None:
        values[-2] = [given.scores.get(symbol, np.nan) for symbol in axes.symbols]
    return Scores(axes, values)


def _book(book: PaperBook, t: int, axes: Axes) -> layout.Opening:
    """A book as the engine takes it, at session t."""
    shares = np.array([book.shares.get(symbol, 0) for symbol in axes.symbols], dtype=np.int64)
    days = [np.datetime64(book.since.get(symbol, str(axes.dates[0])), "D") for symbol in axes.symbols]
    return layout.Opening(t, book.age, book.cash, shares, np.searchsorted(axes.dates, days).astype(np.int64))


def _carried_over(before: layout.Opening, market: Market) -> list[dict[str, Any]]:
    """What is exchanged over a broken adjustment in the last session."""
    price, mark = bridge_price(market)[-1], market.mark[-2]
    found = []
    for j in np.flatnonzero((before.shares > 0) & (price > 0)):
        after, cash = divmod(int(before.shares[j] * mark[j]), int(price[j]))
        of = {"symbol": market.axes.symbols[j], "shares": int(before.shares[j])}
        found.append({**of, "shares_after": after, "cash": cash, "close": int(price[j])})
    return found


def _must_agree(book: PaperBook, engine: layout.Opening, axes: Axes) -> None:
    """The rows say what the engine did."""
    shares = {axes.symbols[j]: int(engine.shares[j]) for j in np.flatnonzero(engine.shares)}
    if (shares, int(engine.cash)) != (dict(sorted(book.shares.items())), book.cash):
        raise RuntimeError(f"the ledger's rows of {axes.dates[-1]} are not what the engine did")

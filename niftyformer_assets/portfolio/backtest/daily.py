"""A backtest one session at a time: what an account intends at a close, and what comes of it in the next session.

It is the backtest's own engine, so that what it does day by day is what the backtest did. Scores are as the strategy
ranks them (`scoring.scores_to_trade`), of all sessions so far.

Shapes: T sessions so far, N symbols, K books.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest import engine, layout, records
from niftyformer_assets.portfolio.backtest.costs import rates
from niftyformer_assets.portfolio.backtest.market import Market, name_order
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.ties import lots
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes


@dataclass(frozen=True, eq=False)
class Account:
    """What is held after a close, of each of K books.

    symbols: N, sorted. ages: sessions that had a score, less those that the book began later. cash: paise.
    shares: int64 [N] of each. since: int64 [N] of each, the session of the first buy of what is held.
    """

    symbols: tuple[str, ...]
    sessions: int
    books: tuple[layout.Opening, ...]


def open_account(strategy: StrategySettings, symbols: tuple[str, ...]) -> Account:
    """An account of the strategy's capital before the first session."""
    return Account(tuple(sorted(symbols)), 0, tuple(records.openings(strategy, len(symbols))))


def intentions(
    scores: Scores, market: Market, account: Account, strategy: StrategySettings, seed: int = 0
) -> pd.DataFrame:
    """What will be ordered in the session after the last one, as known at its close.

    Args:
        scores, market: of the T sessions so far.
        account: after the last of them.

    Returns:
        book, symbol, action (`sell` all, `buy` anew, best first, `weigh` what is kept and restored to its weight) and
        weight, the share of the book's value that the name is to have; of what is bought where weights are not
        restored, of the book's free cash alone.
    """
    tape, ranking, rules, symbols = _as_the_engine_reads(scores, market, account, strategy, seed)
    rows: list[tuple[int, str, str, float]] = []
    for number, book in enumerate(account.books):
        leave, enter, rebalance, places = engine.intend(tape, ranking, rules, book)
        kept = (book.shares > 0) & ~leave
        free = max(int(rules.top_k[-1]) - int(kept.sum()), 1)
        rows += [(number, symbols[j], "sell", 0.0) for j in np.flatnonzero(leave)]
        rows += [(number, symbols[j], "buy", 1 / places if rebalance else 1 / free) for j in enter]
        if rebalance:
            rows += [(number, symbols[j], "weigh", 1 / places) for j in np.flatnonzero(kept)]
    return pd.DataFrame(rows, columns=["book", "symbol", "action", "weight"])


def go_on(
    scores: Scores, market: Market, account: Account, strategy: StrategySettings, costs: CostSettings, seed: int = 0
) -> tuple[Account, pd.DataFrame]:
    """Trade each session that came after the account's last one, as was intended at the close before it.

    Args:
        scores: of the sessions before the last one, at least.
        market: of all T sessions.
        account: after any of the sessions before; of the first session of all it may know nothing.

    Returns:
        the account after the last session, and the orders of those sessions as `BacktestResult.orders`, those of one
        book after another.
    """
    T = len(market.axes.dates)
    if account.sessions >= T:
        raise ValueError(f"the account is of {account.sessions} sessions, and the market of {T}")
    values = np.full(market.axes.shape, np.nan)
    known = scores.values[: T - 1]  # noqa: PD011
    values[: len(known)] = known
    padded = Scores(Axes(market.axes.dates, scores.axes.symbols), values)
    tape, ranking, rules, symbols = _as_the_engine_reads(padded, market, account, strategy, seed)
    charged = rates(market.axes.dates, costs)
    books, orders = [], []
    for book in account.books:
        _, cash, _, held, rows, since = engine.simulate(tape, ranking, rules, charged, book, True)
        scored = int((ranking.scored[max(book.start - 1, 0) : T - 1] > 0).sum())
        books.append(layout.Opening(T, book.age + scored, int(cash[-1]), held[-1].copy(), since))
        orders.append(records.order_table(rows, Axes(market.axes.dates, symbols)))
    return replace(account, sessions=T, books=tuple(books)), pd.concat(orders, ignore_index=True)


def _as_the_engine_reads(
    scores: Scores, market: Market, account: Account, strategy: StrategySettings, seed: int
) -> tuple[layout.Tape, layout.Ranking, layout.Rules, tuple[str, ...]]:
    scores.require_axes(market.axes)
    by_name = name_order(market.axes)
    named, scored = market.columns(by_name), scores.columns(by_name)
    if named.axes.symbols != account.symbols:
        raise ValueError("the account is of other symbols than the market")
    ranking = records.ranking(scored.values, lots(named.axes, seed))
    return records.tape(named, strategy), ranking, records.rules(strategy, named), named.axes.symbols

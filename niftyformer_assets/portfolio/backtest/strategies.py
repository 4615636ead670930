"""Strategies: which names leave and which enter, decided at the close of a session.

A strategy is one function here, by its name in `settings.STRATEGIES`, and what it can be told in `StrategySettings`.
It is given the session d; age, how many sessions that had a score went before; and equity, paise. Holdings that
are outside the universe are marked in `book` as leaving already, and count as gone. It marks in `book` which other
names leave and, best first, which enter; and returns how many enter, whether equal weights are restored, and into
how many places equity is divided. Arrays are [T, N] sessions x symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from niftyformer_assets.compiling import step
from niftyformer_assets.portfolio.backtest.execution import refuse
from niftyformer_assets.portfolio.backtest.layout import BUY, ENTER, NONE, UNAFFORDABLE, Book, Ranking, Rules, Tape
from niftyformer_assets.portfolio.settings import STRATEGIES


@step
def topk_equal_weight(
    d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
) -> tuple[int, bool, int]:
    """Restore equal weights and fill free places; on a drop session replace the worst holdings.

    That is as far as others are at hand.
    """
    rebalance = age % rules.rebalance_every == 0
    drop = age > 0 and age % rules.drop_every == 0
    if not (rebalance or drop):
        return 0, False, rules.top_k
    names = _staying(book)
    dropping = int(rules.drop_share * names + 0.5) if drop else 0
    entering = _candidates(d, dropping + rules.top_k - names, equity // rules.top_k, book, tape, ranking, rules)
    for _ in range(min(dropping, entering)):
        worst, worst_key = -1, -1
        for j in range(len(book.shares)):
            if book.shares[j] > 0 and not book.leave[j]:
                key = _key(d, j, tape, ranking)
                if key > worst_key:
                    worst, worst_key = j, key
        book.leave[worst] = True
    return entering, rebalance, rules.top_k


@step
def topk_dropout(
    d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
) -> tuple[int, bool, int]:
    """Of the holdings and the best names not held, sell holdings among the worst n_drop; buy the best of the rest."""
    names = _staying(book)
    found = _candidates(d, rules.n_drop + rules.top_k - names, equity // rules.top_k, book, tape, ranking, rules)
    line = np.empty(names + found, dtype=np.int64)
    for queued in range(found):
        line[queued] = _key(d, book.enter[queued], tape, ranking)
    queued = found
    for j in range(len(book.shares)):
        if book.shares[j] > 0 and not book.leave[j]:
            line[queued] = _key(d, j, tape, ranking)
            queued += 1
    leaving = 0
    for j in range(len(book.shares)):
        if book.shares[j] == 0 or book.leave[j] or d + 1 - book.since[j] < rules.hold_sessions:
            continue
        own, worse = _key(d, j, tape, ranking), 0
        for key in line:
            if key > own:
                worse += 1
        if worse < rules.n_drop:
            book.leave[j] = True
            leaving += 1
    return min(found, max(leaving + rules.top_k - names, 0)), False, rules.top_k


@step
def equal_weight(
    d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
) -> tuple[int, bool, int]:
    """Hold the top_k best scored members, whatever was held; the places are as many as there are names."""
    if age % rules.rebalance_every != 0:
        return 0, False, rules.top_k
    chosen, entering = 0, 0
    for j in range(len(book.shares)):
        book.leave[j] = book.shares[j] > 0
    for r in range(ranking.scored[d]):
        j = ranking.stock_of[ranking.order[d, r]]
        if chosen == rules.top_k:
            break
        if not tape.member[d, j] or tape.absent[d, j] >= rules.delisted_after:
            continue
        chosen += 1
        if book.shares[j] > 0:
            book.leave[j] = False
        else:
            book.enter[entering] = j
            entering += 1
    return entering, True, max(chosen, 1)


@step
def _staying(book: Book) -> int:
    """How many names are held and not about to leave."""
    names = 0
    for j in range(len(book.shares)):
        if book.shares[j] > 0 and not book.leave[j]:
            names += 1
    return names


@step
def _candidates(d: int, wanted: int, place: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules) -> int:
    """The best scored members not held, not delisted, and of which one share fits into a place; best first."""
    found = 0
    for r in range(ranking.scored[d]):
        if found >= wanted:
            break
        j = ranking.stock_of[ranking.order[d, r]]
        if book.shares[j] > 0 or not tape.member[d, j] or tape.absent[d, j] >= rules.delisted_after:
            continue
        if tape.mark[d, j] > place:
            refuse(d + 1, j, BUY, ENTER, UNAFFORDABLE, NONE, NONE, book)
            continue
        book.enter[found] = j
        found += 1
    return found


@step
def _key(d: int, j: int, tape: Tape, ranking: Ranking) -> int:
    """Place of stock j in the line, 0 the best; behind all others without a score or no longer a member."""
    rank = ranking.rank[d, ranking.score_of[j]]
    if rank < ranking.scored[d] and tape.member[d, j]:
        return rank
    return len(ranking.score_of) + rank


def _dispatch(functions: list[Callable[..., Any]], code: int = 0) -> Callable[..., Any]:
    """One compiled function that calls the strategy whose place in `STRATEGIES` is `rules.strategy`."""
    this = functions[0]
    if len(functions) == 1:
        return this
    others = _dispatch(functions[1:], code + 1)

    @step
    def decide(
        d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
    ) -> tuple[int, bool, int]:
        if rules.strategy == code:
            return this(d, age, equity, book, tape, ranking, rules)
        return others(d, age, equity, book, tape, ranking, rules)

    return decide


decide = _dispatch([globals()[name] for name in STRATEGIES])

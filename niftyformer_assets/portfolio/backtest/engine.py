"""The engine of the backtest: the loop over sessions, compiled, in whole shares and whole paise.

One engine runs the strategy, its reference portfolios and the thousand portfolios of the null
(`evidence.null`). Arrays are [T, N] sessions x symbols, the latter in the order of their names. It
never looks ahead: what is decided at session t (`choosing`) uses rows up to t, and fills at t+1
(`execution`). `run.py` says what its results mean.
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.compiling import kernel, step
from niftyformer_assets.portfolio.backtest.costs import Rates
from niftyformer_assets.portfolio.backtest.deciding import decide
from niftyformer_assets.portfolio.backtest.execution import sell, trade
from niftyformer_assets.portfolio.backtest.layout import (
    CASH,
    DAY_ROW,
    DELISTED,
    FIELDS,
    ITEMS,
    ROWS_PER_NAME,
    USED,
    Book,
    Opening,
    Ranking,
    Rules,
    Tape,
)


@kernel
def simulate(
    tape: Tape, ranking: Ranking, rules: Rules, rates: Rates, opening: Opening, record: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Run one book from a session on.

    Args:
        opening: what there is before it.
        record: keep holdings and orders; the null needs neither, and gets none that mean anything.

    Returns:
        nav, cash and interest [T] in paise, holdings [T, N] in shares (none of them means anything before the opening),
        orders (ORDER_FIELDS and the cost items), and since when what is held at the end is held [N].
    """
    T, N = tape.mark.shape
    nav = np.empty(T, dtype=np.int64)
    cash = np.empty(T, dtype=np.int64)
    interest = np.zeros(T, dtype=np.int64)
    holdings = np.zeros((T if record else 0, N), dtype=np.int64)
    book = _open_book(opening)
    age = opening.age
    if opening.start > 0:
        cash[opening.start - 1] = opening.cash
        nav[opening.start - 1] = _worth(opening.start - 1, book, tape)
    for t in range(opening.start, T):
        if record:
            book = _make_room(book)
        else:
            book.purse[USED] = 0
        book.day[:] = 0
        book.day[DAY_ROW] = -1

        # At the close of t-1.
        entering, rebalance, places = 0, False, 1
        leaving = t > 0 and _leave_outside(t - 1, book, tape)
        scored = t > 0 and ranking.scored[t - 1] > 0
        decided = scored and age >= 0
        if decided:
            entering, rebalance, places = decide(t - 1, age, nav[t - 1], book, tape, ranking, rules)
        if scored:
            age += 1

        # At t.
        for j in range(N):
            if book.shares[j] > 0 and tape.bridge[t, j] > 0:
                value = book.shares[j] * tape.mark[t - 1, j]
                book.shares[j] = value // tape.bridge[t, j]
                book.purse[CASH] += value - book.shares[j] * tape.bridge[t, j]
            elif book.shares[j] > 0 and tape.absent[t, j] >= rules.delisted_after:
                sell(t, j, book.shares[j], DELISTED, book, tape, rates)
        if decided or leaving:
            trade(t, rebalance, places, entering, book, tape, rules, rates)

        # On what lay in cash overnight, from the first session on that could earn.
        if t > 1:
            interest[t] = int(cash[t - 1] * rules.cash_rate + 0.5)
            book.purse[CASH] += interest[t]
        cash[t] = book.purse[CASH]
        nav[t] = _worth(t, book, tape)
        if record:
            for j in range(N):
                holdings[t, j] = book.shares[j]
    return nav, cash, interest, holdings, book.orders[: book.purse[USED]], book.since


@kernel
def intend(tape: Tape, ranking: Ranking, rules: Rules, opening: Opening) -> tuple[np.ndarray, np.ndarray, bool, int]:
    """What `simulate` will do in session `opening.start`, decided at the close before it, the last that is known.

    Returns:
        which names leave, bool [N]; the columns that enter, best first; whether equal weights are restored, and into
        how many places equity is divided.
    """
    d, book = opening.start - 1, _open_book(opening)
    entering, rebalance, places = 0, False, 1
    _leave_outside(d, book, tape)
    if ranking.scored[d] > 0 and opening.age >= 0:
        entering, rebalance, places = decide(d, opening.age, _worth(d, book, tape), book, tape, ranking, rules)
    return book.leave, book.enter[:entering], rebalance, places


@step
def _worth(t: int, book: Book, tape: Tape) -> int:
    """Cash, and holdings at the last known close, paise."""
    value = book.purse[CASH]
    for j in range(len(book.shares)):
        if book.shares[j] > 0:
            value += book.shares[j] * tape.mark[t, j]
    return value


@step
def _open_book(opening: Opening) -> Book:
    N = len(opening.shares)
    purse = np.zeros(2, dtype=np.int64)
    purse[CASH] = opening.cash
    return Book(
        opening.shares.copy(),
        opening.since.copy(),
        purse,
        np.zeros(N, dtype=np.bool_),
        np.zeros(N, dtype=np.int64),
        np.empty((ROWS_PER_NAME * N, FIELDS + ITEMS), dtype=np.int64),
        np.zeros(ITEMS, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
    )


@step
def _leave_outside(d: int, book: Book, tape: Tape) -> bool:
    """Let the holdings that are outside the universe leave, and no others; true if there are any."""
    found = False
    for j in range(len(book.shares)):
        book.leave[j] = book.shares[j] > 0 and tape.outside[d, j]
        found = found or book.leave[j]
    return found


@step
def _make_room(book: Book) -> Book:
    """Double the table of orders where the next session might not fit."""
    rows, used = len(book.orders), book.purse[USED]
    if used + ROWS_PER_NAME * len(book.shares) <= rows:
        return book
    orders = np.empty((2 * rows, FIELDS + ITEMS), dtype=np.int64)
    for row in range(used):
        for column in range(FIELDS + ITEMS):
            orders[row, column] = book.orders[row, column]
    return Book(book.shares, book.since, book.purse, book.leave, book.enter, orders, book.items, book.day)

"""The engine of the backtest: the loop over sessions, compiled, in whole shares and whole paise.

One engine runs the strategy, its reference portfolios and the thousand portfolios of the null
(`evidence.null`). Arrays are [T, N] sessions x symbols, the latter in the order of their names. It never
looks ahead: what is decided at session t uses rows up to t, and fills at t+1. `run.py` says
what its results mean.
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.compiling import kernel, step
from niftyformer_assets.portfolio.backtest.costs import GST_PERCENT, RATE_UNIT, Rates
from niftyformer_assets.portfolio.backtest.layout import (
    BELOW_COSTS,
    BROKERAGE,
    BUY,
    CASH,
    DAY_ROUNDING,
    DAY_ROW,
    DAY_STAMP,
    DAY_STT,
    DELISTED,
    DP,
    DROP,
    ENTER,
    EXCHANGE,
    FIELDS,
    FILLED,
    GST,
    ITEMS,
    NO_PLACE,
    NONE,
    REBALANCE,
    ROUNDING,
    ROWS_PER_NAME,
    SEBI,
    SELL,
    SHORT_OF_CASH,
    STAMP,
    STT,
    TOPK_DROPOUT,
    TOPK_EQUAL_WEIGHT,
    UNAFFORDABLE,
    USED,
    Book,
    Ranking,
    Rules,
    Tape,
)


@kernel
def simulate(
    tape: Tape, ranking: Ranking, rules: Rules, rates: Rates, capital: int, record: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Run one portfolio.

    Args:
        capital: paise.
        record: keep holdings and orders; the null needs neither, and gets none that mean anything.

    Returns:
        nav, cash and interest [T] in paise, holdings [T, N] in shares, orders (ORDER_FIELDS and the
        cost items).
    """
    T, N = tape.mark.shape
    nav = np.empty(T, dtype=np.int64)
    cash = np.empty(T, dtype=np.int64)
    interest = np.zeros(T, dtype=np.int64)
    holdings = np.zeros((T if record else 0, N), dtype=np.int64)
    book = _open_book(capital, N)
    age = 0  # sessions that had a score
    for t in range(T):
        if record:
            book = _make_room(book)
        else:
            book.purse[USED] = 0
        book.day[:] = 0
        book.day[DAY_ROW] = -1

        # At the close of t-1.
        entering, rebalance, places = 0, False, rules.top_k
        decided = t > 0 and ranking.scored[t - 1] > 0
        if decided:
            place = nav[t - 1] // places
            book.leave[:] = False
            if rules.strategy == TOPK_EQUAL_WEIGHT:
                rebalance = age % rules.rebalance_every == 0
                drop = age > 0 and age % rules.drop_every == 0
                if rebalance or drop:
                    entering = _decide_equal_weight(t - 1, drop, place, book, tape, ranking, rules)
            elif rules.strategy == TOPK_DROPOUT:
                entering = _decide_dropout(t - 1, place, book, tape, ranking, rules)
            elif age % rules.rebalance_every == 0:
                rebalance = True
                entering, places = _decide_anew(t - 1, book, tape, ranking, rules)
            age += 1

        # At t.
        for j in range(N):
            if book.shares[j] > 0 and tape.bridge[t, j] > 0:
                value = book.shares[j] * tape.mark[t - 1, j]
                book.shares[j] = value // tape.bridge[t, j]
                book.purse[CASH] += value - book.shares[j] * tape.bridge[t, j]
            elif book.shares[j] > 0 and tape.absent[t, j] >= rules.delisted_after:
                _sell(t, j, book.shares[j], DELISTED, book, tape, rates)
        if decided:
            _trade(t, rebalance, places, entering, book, tape, rules, rates)

        # On what lay in cash overnight, from the first session on that could earn.
        if t > 1:
            interest[t] = int(cash[t - 1] * rules.cash_rate + 0.5)
            book.purse[CASH] += interest[t]
        cash[t] = book.purse[CASH]
        nav[t] = cash[t]
        for j in range(N):
            if book.shares[j] > 0:
                nav[t] += book.shares[j] * tape.mark[t, j]
            if record:
                holdings[t, j] = book.shares[j]
    return nav, cash, interest, holdings, book.orders[: book.purse[USED]]


@step
def _open_book(capital: int, N: int) -> Book:
    purse = np.zeros(2, dtype=np.int64)
    purse[CASH] = capital
    return Book(
        np.zeros(N, dtype=np.int64),
        np.zeros(N, dtype=np.int64),
        purse,
        np.zeros(N, dtype=np.bool_),
        np.zeros(N, dtype=np.int64),
        np.empty((ROWS_PER_NAME * N, FIELDS + ITEMS), dtype=np.int64),
        np.zeros(ITEMS, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
    )


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


# --- strategies: which names leave, which enter ---------------------------------------------------


@step
def _decide_equal_weight(d: int, drop: bool, place: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules) -> int:
    """Fill free places; on a drop session also replace the worst holdings, as far as others are at hand."""
    held = _held(book)
    dropping = int(rules.drop_share * held + 0.5) if drop else 0
    entering = _candidates(d, dropping + rules.top_k - held, place, book, tape, ranking, rules)
    for _ in range(min(dropping, entering)):
        worst, worst_key = -1, -1
        for j in range(len(book.shares)):
            if book.shares[j] > 0 and not book.leave[j]:
                key = _key(d, j, tape, ranking)
                if key > worst_key:
                    worst, worst_key = j, key
        book.leave[worst] = True
    return entering


@step
def _decide_dropout(d: int, place: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules) -> int:
    """Of the holdings and the best names not held, sell holdings among the worst n_drop; buy the best of the rest."""
    held = _held(book)
    found = _candidates(d, rules.n_drop + rules.top_k - held, place, book, tape, ranking, rules)
    line = np.empty(held + found, dtype=np.int64)
    for queued in range(found):
        line[queued] = _key(d, book.enter[queued], tape, ranking)
    queued = found
    for j in range(len(book.shares)):
        if book.shares[j] > 0:
            line[queued] = _key(d, j, tape, ranking)
            queued += 1
    leaving = 0
    for j in range(len(book.shares)):
        if book.shares[j] == 0 or d + 1 - book.since[j] < rules.hold_sessions:
            continue
        own, worse = _key(d, j, tape, ranking), 0
        for key in line:
            if key > own:
                worse += 1
        if worse < rules.n_drop:
            book.leave[j] = True
            leaving += 1
    return min(found, max(leaving + rules.top_k - held, 0))


@step
def _decide_anew(d: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules) -> tuple[int, int]:
    """Hold the top_k best scored members, whatever was held; the places are as many as there are names."""
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
    return entering, max(chosen, 1)


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
            _refuse(d + 1, j, BUY, ENTER, UNAFFORDABLE, NONE, NONE, book)
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


@step
def _held(book: Book) -> int:
    held = 0
    for j in range(len(book.shares)):
        if book.shares[j] > 0:
            held += 1
    return held


# --- execution: sells, then buys, within the cash ---------------------------------------------------


@step
def _trade(
    t: int, rebalance: bool, places: int, entering: int, book: Book, tape: Tape, rules: Rules, rates: Rates
) -> None:
    N = len(book.shares)
    for j in range(N):
        if book.leave[j] and book.shares[j] > 0:
            _sell(t, j, book.shares[j], DROP, book, tape, rates)
    held = _held(book)
    if rebalance:
        equity = book.purse[CASH]
        for j in range(N):
            equity += book.shares[j] * tape.now[t, j]
        place = equity // places
        for j in range(N):
            excess = book.shares[j] * tape.now[t, j] - place
            if book.shares[j] > 0 and not book.leave[j] and excess >= tape.now[t, j]:
                _sell(t, j, excess // tape.now[t, j], REBALANCE, book, tape, rates)
        for j in range(N):
            if book.shares[j] > 0 and not book.leave[j] and tape.member[t - 1, j]:
                _buy(t, j, place - book.shares[j] * tape.now[t, j], REBALANCE, book, tape, rates)
    else:
        place = book.purse[CASH] // max(rules.top_k - held, 1)
    for j in book.enter[:entering]:
        # A blocked sell keeps its place: never more than top_k names.
        if held >= rules.top_k:
            _refuse(t, j, BUY, ENTER, NO_PLACE, NONE, NONE, book)
        elif _buy(t, j, place, ENTER, book, tape, rates):
            held += 1


@step
def _sell(t: int, j: int, shares: int, reason: int, book: Book, tape: Tape, rates: Rates) -> None:
    """Sell, unless blocked. A delisted stock goes at its last price, without slippage."""
    reference = tape.mark[t, j] if reason == DELISTED else tape.now[t, j]
    if reason != DELISTED and tape.block[t, j] != 0:
        _refuse(t, j, SELL, reason, tape.block[t, j], shares, reference, book)
        return
    price = reference if reason == DELISTED else _slipped(reference, SELL, shares, tape.volume[t, j], rates)
    net = shares * price - _charge(shares * price, SELL, t, rates, book.items) - _more_rounding(book)
    if book.purse[CASH] + net < 0:
        _refuse(t, j, SELL, reason, BELOW_COSTS, shares, reference, book)
        return
    book.purse[CASH] += net
    book.shares[j] -= shares
    _record(t, j, SELL, reason, FILLED, shares, shares, price, reference, book)


@step
def _buy(t: int, j: int, budget: int, reason: int, book: Book, tape: Tape, rates: Rates) -> bool:
    """Buy as many shares as the budget, and the cash, hold together with their charges; true if any."""
    now = tape.now[t, j]
    if tape.block[t, j] != 0:
        ordered = budget // now if now > 0 else 0
        if reason == ENTER or ordered > 0:
            _refuse(t, j, BUY, reason, tape.block[t, j], ordered, now, book)
        return False
    # An order is sized before the day's rounding is known; the cash must bear it.
    ordered = _affordable(t, budget, now, tape.volume[t, j], False, book, rates)
    if ordered == 0:
        if reason == ENTER:
            _refuse(t, j, BUY, reason, UNAFFORDABLE, NONE, now, book)
        return False
    shares, paid = ordered, _to_pay(t, ordered, now, tape.volume[t, j], True, book, rates)
    if paid > book.purse[CASH]:
        shares = min(ordered, _affordable(t, book.purse[CASH], now, tape.volume[t, j], True, book, rates))
        paid = _to_pay(t, shares, now, tape.volume[t, j], True, book, rates)
    if shares == 0:
        _refuse(t, j, BUY, reason, SHORT_OF_CASH, ordered, now, book)
        return False
    price = _slipped(now, BUY, shares, tape.volume[t, j], rates)
    book.purse[CASH] -= paid
    if book.shares[j] == 0:
        book.since[j] = t
    book.shares[j] += shares
    _record(t, j, BUY, reason, FILLED if shares == ordered else SHORT_OF_CASH, ordered, shares, price, now, book)
    return True


@step
def _affordable(t: int, budget: int, now: int, volume: float, rounding: bool, book: Book, rates: Rates) -> int:
    """The most shares whose value and charges fit into the budget, by bisection."""
    low, high = 0, max(budget // now, 0) + 1
    shares = high - 1
    while high - low > 1:
        if _to_pay(t, shares, now, volume, rounding, book, rates) <= budget:
            low = shares
        else:
            high = shares
        shares = (low + high) // 2
    return low


@step
def _to_pay(t: int, shares: int, now: int, volume: float, rounding: bool, book: Book, rates: Rates) -> int:
    """Value and charges of a buy, whose cost items are written; with the change of the day's rounding, or without."""
    value = shares * _slipped(now, BUY, shares, volume, rates)
    paid = value + _charge(value, BUY, t, rates, book.items)
    return paid + _more_rounding(book) if rounding else paid


@step
def _slipped(price: int, side: int, shares: int, volume: float, rates: Rates) -> int:
    """The price after slippage, in whole paise, at least one."""
    if rates.slippage == 0.0 and rates.slippage_volume == 0.0:
        return price
    bps = rates.slippage + rates.slippage_volume * 100.0 * shares / volume
    move = int(price * bps / 10_000.0 + 0.5)
    return price + move if side == BUY else max(price - move, 1)


@step
def _charge(value: int, side: int, t: int, rates: Rates, items: np.ndarray) -> int:
    """Write the cost items of one fill, each rounded half up to the paisa; return their sum."""
    total = 0
    for item in range(len(items)):
        rate = rates.value[t, side, item]
        # Whole units first, so that the product cannot overflow.
        items[item] = value // RATE_UNIT * rate + (value % RATE_UNIT * rate + RATE_UNIT // 2) // RATE_UNIT
    items[GST] = (GST_PERCENT * (items[BROKERAGE] + items[EXCHANGE] + items[SEBI]) + 50) // 100
    items[DP] = rates.dp[t] if side == SELL else 0
    for item in range(len(items)):
        total += items[item]
    return total


@step
def _more_rounding(book: Book) -> int:
    """What the fill whose items were last written adds to the day's rounding to the rupee."""
    return _rounding(book) - book.day[DAY_ROUNDING]


@step
def _rounding(book: Book) -> int:
    """What rounding STT and stamp duty of the day, half up to the rupee, adds once that fill is in."""
    stt = book.day[DAY_STT] + book.items[STT]
    stamp = book.day[DAY_STAMP] + book.items[STAMP]
    return (stt + 50) // 100 * 100 - stt + (stamp + 50) // 100 * 100 - stamp


@step
def _refuse(t: int, j: int, side: int, reason: int, status: int, ordered: int, reference: int, book: Book) -> None:
    """Record an order that got no share."""
    _record(t, j, side, reason, status, ordered, NONE, NONE, reference, book)


@step
def _record(
    t: int,
    j: int,
    side: int,
    reason: int,
    status: int,
    ordered: int,
    shares: int,
    price: int,
    reference: int,
    book: Book,
) -> None:
    """Add a row to the order book; the cost items are those last written, none without a fill.

    The day's rounding stands in the row of its last fill.
    """
    if shares > 0:
        if book.day[DAY_ROW] >= 0:
            book.orders[book.day[DAY_ROW], FIELDS + ROUNDING] = 0
        book.items[ROUNDING] = _rounding(book)
        book.day[DAY_STT] += book.items[STT]
        book.day[DAY_STAMP] += book.items[STAMP]
        book.day[DAY_ROUNDING] = book.items[ROUNDING]
        book.day[DAY_ROW] = book.purse[USED]
    row = book.orders[book.purse[USED]]
    row[0], row[1], row[2], row[3], row[4], row[5] = t, t - 1, j, side, reason, status
    row[6], row[7], row[8], row[9] = ordered, shares, price, reference
    for item in range(ITEMS):
        row[FIELDS + item] = book.items[item] if shares > 0 else 0
    book.purse[USED] += 1

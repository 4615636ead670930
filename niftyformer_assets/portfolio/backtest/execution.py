"""Orders and what they cost: sells, then buys, within the cash. Arrays are [T, N] sessions x symbols."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.compiling import step
from niftyformer_assets.portfolio.backtest.costs import GST_PERCENT, RATE_UNIT, Rates
from niftyformer_assets.portfolio.backtest.layout import (
    BELOW_COSTS,
    BROKERAGE,
    BUY,
    CASH,
    COLUMN,
    DAY_ROUNDING,
    DAY_ROW,
    DAY_STAMP,
    DAY_STT,
    DECIDED,
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
    ORDERED,
    OUTSIDE,
    OVER_VOLUME,
    PRICE,
    REASON,
    REBALANCE,
    REFERENCE,
    ROUNDING,
    SEBI,
    SELL,
    SESSION,
    SHARES,
    SHORT_OF_CASH,
    SIDE,
    STAMP,
    STATUS,
    STT,
    UNAFFORDABLE,
    USED,
    Book,
    Rules,
    Tape,
)


@step
def held(book: Book) -> int:
    """How many names are held."""
    names = 0
    for j in range(len(book.shares)):
        if book.shares[j] > 0:
            names += 1
    return names


@step
def trade(
    t: int, rebalance: bool, places: int, entering: int, book: Book, tape: Tape, rules: Rules, rates: Rates
) -> None:
    """Sell what leaves, then buy what enters, within the cash; restore equal weights if `rebalance`."""
    N = len(book.shares)
    for j in range(N):
        if book.leave[j] and book.shares[j] > 0:
            reason = OUTSIDE if tape.outside[t - 1, j] else DROP
            sell(t, j, book.shares[j], reason, book, tape, rates)
    names = held(book)
    if rebalance:
        equity = book.purse[CASH]
        for j in range(N):
            equity += book.shares[j] * tape.now[t, j]
        place = equity // places
        for j in range(N):
            excess = book.shares[j] * tape.now[t, j] - place
            if book.shares[j] > 0 and not book.leave[j] and excess >= tape.now[t, j]:
                sell(t, j, excess // tape.now[t, j], REBALANCE, book, tape, rates)
        for j in range(N):
            if book.shares[j] > 0 and not book.leave[j] and tape.member[t - 1, j]:
                _buy(t, j, place - book.shares[j] * tape.now[t, j], REBALANCE, book, tape, rates)
    else:
        place = book.purse[CASH] // max(rules.top_k[t - 1] - names, 1)
    for j in book.enter[:entering]:
        # A blocked sell keeps its place: never more than top_k names.
        if names >= rules.top_k[t - 1]:
            refuse(t, j, BUY, ENTER, NO_PLACE, NONE, NONE, book)
        elif _buy(t, j, place, ENTER, book, tape, rates):
            names += 1


@step
def sell(t: int, j: int, shares: int, reason: int, book: Book, tape: Tape, rates: Rates) -> None:
    """Sell, unless blocked. A delisted stock goes at its last price, without slippage."""
    reference = tape.mark[t, j] if reason == DELISTED else tape.now[t, j]
    if reason != DELISTED and tape.block[t, j] != 0:
        refuse(t, j, SELL, reason, tape.block[t, j], shares, reference, book)
        return
    ordered, status = shares, FILLED
    if reason != DELISTED and shares > tape.limit[t, j]:
        shares, status = tape.limit[t, j], OVER_VOLUME
        if shares == 0:
            refuse(t, j, SELL, reason, status, ordered, reference, book)
            return
    price = reference if reason == DELISTED else _slipped(reference, SELL, shares, tape.volume[t, j], rates)
    net = shares * price - _charge(shares * price, SELL, t, rates, book.items) - _more_rounding(book)
    if book.purse[CASH] + net < 0:
        refuse(t, j, SELL, reason, BELOW_COSTS, ordered, reference, book)
        return
    book.purse[CASH] += net
    book.shares[j] -= shares
    _record(t, j, SELL, reason, status, ordered, shares, price, reference, book)


@step
def _buy(t: int, j: int, budget: int, reason: int, book: Book, tape: Tape, rates: Rates) -> bool:
    """Buy as many shares as the budget, and the cash, hold together with their charges; true if any."""
    now = tape.now[t, j]
    if tape.block[t, j] != 0:
        ordered = budget // now if now > 0 else 0
        if reason == ENTER or ordered > 0:
            refuse(t, j, BUY, reason, tape.block[t, j], ordered, now, book)
        return False
    # An order is sized before the day's rounding is known; the cash must bear it.
    ordered = _affordable(t, budget, now, tape.volume[t, j], False, book, rates)
    if ordered == 0:
        if reason == ENTER:
            refuse(t, j, BUY, reason, UNAFFORDABLE, NONE, now, book)
        return False
    shares, status = ordered, FILLED
    if ordered > tape.limit[t, j]:
        shares, status = tape.limit[t, j], OVER_VOLUME
        if shares == 0:
            refuse(t, j, BUY, reason, status, ordered, now, book)
            return False
    paid = _to_pay(t, shares, now, tape.volume[t, j], True, book, rates)
    if paid > book.purse[CASH]:
        status = SHORT_OF_CASH
        shares = min(shares, _affordable(t, book.purse[CASH], now, tape.volume[t, j], True, book, rates))
        paid = _to_pay(t, shares, now, tape.volume[t, j], True, book, rates)
    if shares == 0:
        refuse(t, j, BUY, reason, SHORT_OF_CASH, ordered, now, book)
        return False
    price = _slipped(now, BUY, shares, tape.volume[t, j], rates)
    book.purse[CASH] -= paid
    if book.shares[j] == 0:
        book.since[j] = t
    book.shares[j] += shares
    _record(t, j, BUY, reason, status, ordered, shares, price, now, book)
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
def refuse(t: int, j: int, side: int, reason: int, status: int, ordered: int, reference: int, book: Book) -> None:
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
    row[SESSION], row[DECIDED], row[COLUMN] = t, t - 1, j
    row[SIDE], row[REASON], row[STATUS] = side, reason, status
    row[ORDERED], row[SHARES], row[PRICE], row[REFERENCE] = ordered, shares, price, reference
    for item in range(ITEMS):
        row[FIELDS + item] = book.items[item] if shares > 0 else 0
    book.purse[USED] += 1

"""What goes into the engine of the backtest and comes out of it: integers, and what they stand for.

Arrays are [T, N] sessions x symbols.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from niftyformer_assets.portfolio.backtest.costs import COST_ITEMS
from niftyformer_assets.portfolio.backtest.strategy_registry import registered

# Codes are np.int64, not int: numba compiles a function anew for each int literal it is called with.
NONE = np.int64(0)
BUY, SELL = np.arange(2)
SIDES = ("buy", "sell")

ENTER, REBALANCE, DROP, DELISTED, OUTSIDE = np.arange(5)
REASONS = ("enter", "rebalance", "drop", "delisted", "outside_universe")

FILLED, SHORT_OF_CASH, NO_PRICE, LOCKED, NO_VOLUME, UNAFFORDABLE, NO_PLACE, BELOW_COSTS, OVER_VOLUME = np.arange(9)
STATUSES = (
    "filled",
    "short_of_cash",
    "no_price",
    "locked",
    "no_volume",
    "unaffordable",
    "no_place",
    "proceeds_below_costs",
    "over_volume",
)

# A row of the order book: these, then the cost items. `reference` is the price before slippage.
ORDER_FIELDS = ("session", "decided", "column", "side", "reason", "status", "ordered", "shares", "price", "reference")
FIELDS = len(ORDER_FIELDS)
SESSION, DECIDED, COLUMN = (ORDER_FIELDS.index(name) for name in ("session", "decided", "column"))
SIDE, REASON, STATUS = (ORDER_FIELDS.index(name) for name in ("side", "reason", "status"))
ORDERED, SHARES, PRICE, REFERENCE = (ORDER_FIELDS.index(name) for name in ("ordered", "shares", "price", "reference"))
# A name has at most two orders a session.
ROWS_PER_NAME = 2

ITEMS = len(COST_ITEMS)
BROKERAGE, STT, EXCHANGE, SEBI = (COST_ITEMS.index(name) for name in ("brokerage", "stt", "exchange", "sebi"))
GST, STAMP, DP, ROUNDING = (COST_ITEMS.index(name) for name in ("gst", "stamp", "dp", "rounding"))


class Tape(NamedTuple):
    """The market as the engine reads it; prices in paise, 0 = none yet.

    now: price at the moment of trading, the last known one where the session has none.
    block: 0, or the status that says why nothing trades.
    mark: last known close.
    absent: sessions since the last candle.
    bridge: the price at which a holding is carried over a broken adjustment; 0 = no break.
    volume: shares traded in the session.
    member: may be bought on this session's score.
    outside: is sold on this session's score if it is held, whatever the strategy says.
    limit: the most shares of one order that fill in the session.
    """

    now: np.ndarray
    block: np.ndarray
    mark: np.ndarray
    absent: np.ndarray
    bridge: np.ndarray
    volume: np.ndarray
    member: np.ndarray
    outside: np.ndarray
    limit: np.ndarray


class Ranking(NamedTuple):
    """Scores as ranks.

    order: columns of scores, best first, those without one last; rank: its inverse.
    scored: [T], how many columns have a score.
    score_of: [N], the column of scores that stock j goes by; stock_of is its inverse. Both are
        0..N-1 but for the null, where they are a permutation.
    """

    order: np.ndarray
    rank: np.ndarray
    scored: np.ndarray
    score_of: np.ndarray
    stock_of: np.ndarray


if TYPE_CHECKING:

    class Rules(NamedTuple):
        """StrategySettings as numbers: those that are named here, and those of every strategy under their names.

        strategy: a place in `registered()`. cash_rate: what cash earns a session. A `Places` is int64 [T], the
        number of stocks that it is by the members of each session.
        """

        strategy: int
        delisted_after: int
        cash_rate: float
        top_k: np.ndarray

        def __getattr__(self, name: str) -> Any: ...

else:
    _OF_STRATEGIES = {field: kind for each in registered().values() for field, kind in each.kinds().items()}
    Rules = namedtuple("Rules", ("strategy", "delisted_after", "cash_rate", "top_k", *_OF_STRATEGIES))


class Book(NamedTuple):
    """What changes from session to session.

    shares: [N], held.
    since: [N], session of the first buy of what is held.
    purse: cash in paise, and how many rows of `orders` are used.
    leave, enter: [N], what the strategy decided: which names to sell; columns to buy, best first.
    orders: rows of ORDER_FIELDS and the cost items.
    items: the cost items of the last fill.
    day: paise of STT and of stamp duty in the session so far, what rounding both to the rupee adds,
        and the row of `orders` that it stands in; -1 before the session's first fill.
    """

    shares: np.ndarray
    since: np.ndarray
    purse: np.ndarray
    leave: np.ndarray
    enter: np.ndarray
    orders: np.ndarray
    items: np.ndarray
    day: np.ndarray


class Opening(NamedTuple):
    """Where a book goes on from, after the close of session start - 1.

    age: sessions that had a score so far, less those that it began later.
    cash: paise. shares, since: [N], as in `Book`.
    """

    start: int
    age: int
    cash: int
    shares: np.ndarray
    since: np.ndarray


CASH, USED = 0, 1
DAY_STT, DAY_STAMP, DAY_ROUNDING, DAY_ROW = 0, 1, 2, 3

"""What an order costs once it is filled, by the dated schedule of the backtest, and beside it what Kite says.

The same reckoning as the backtest's engine makes within its compiled loop, which Python cannot call; a test holds the
two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from niftyformer_assets.portfolio.backtest.costs import COST_ITEMS, GST_PERCENT, RATE_UNIT, Rates
from niftyformer_assets.portfolio.orders.answered import not_negative, rupees
from niftyformer_assets.store.errors import NiftyFormerError

_ITEM = {name: place for place, name in enumerate(COST_ITEMS)}
_TAXED = ("brokerage", "exchange", "sebi")
_SIDES = ("buy", "sell")
COMPARED = ("symbol", "side", "cost", "cost_at_kite", "blocked_at_kite")


class Charges(NamedTuple):
    """Of one fill, in paise: all of it, and the tax and the stamp duty that are rounded to the rupee by the day."""

    total: int
    stt: int
    stamp: int


def charges(value: int, side: str, rates: Rates) -> Charges:
    """The charges of a fill of this value in paise, each item rounded half up to the paisa.

    Args:
        side: `buy` or `sell`.
        rates: of which the first session's hold.
    """
    by_value = rates.value[0, _SIDES.index(side)]
    items = {name: (value * int(by_value[place]) + RATE_UNIT // 2) // RATE_UNIT for name, place in _ITEM.items()}
    items["gst"] = (GST_PERCENT * sum(items[name] for name in _TAXED) + 50) // 100
    items["dp"] = int(rates.dp[0]) if side == "sell" else 0
    return Charges(sum(items.values()), items["stt"], items["stamp"])


def to_the_rupee(stt: int, stamp: int) -> int:
    """What rounding the tax and the stamp duty of a day to the rupee, half up, adds; paise."""
    return sum((tax + 50) // 100 * 100 - tax for tax in (stt, stamp))


@dataclass(frozen=True, eq=False)
class AtKite:
    """What Kite says of orders; rupees.

    table: the cost of each by the schedule and by Kite's contract note, and what Kite would block for it alone; with
        COMPARED. Kite's note holds no depository charge, and rounds nothing. blocked: for all of them together.
    """

    table: pd.DataFrame
    blocked: float


def beside_kite(
    orders: pd.DataFrame,
    margins: Sequence[Mapping[str, Any]],
    note: Sequence[Mapping[str, Any]],
    basket: Mapping[str, Any],
) -> AtKite:
    """What Kite says of orders, beside the schedule.

    Args:
        orders: `Proposal.orders`.
        margins, note: Kite's answers on the same orders, in their order. basket: its answer on them together.

    Raises:
        NiftyFormerError: an answer is not on these orders.
    """
    try:
        named = [[str(row["tradingsymbol"]) for row in answer] for answer in (margins, note)]
        if any(names != orders["symbol"].tolist() for names in named):
            raise ValueError("it is on other orders")
        table = orders[["symbol", "side", "cost"]].assign(
            cost_at_kite=[not_negative(rupees(row["charges"]["total"])) for row in note],
            blocked_at_kite=[rupees(row["total"]) for row in margins],
        )
        return AtKite(table, rupees(basket["final"]["total"]))
    except (KeyError, TypeError, ValueError) as error:
        raise NiftyFormerError(f"Kite's answer on what the orders cost cannot be read ({error})") from None

"""Orders in the form that Kite takes them in: a basket that a browser posts to it, or a question about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

PRODUCT, VARIETY, ORDER_TYPE = "CNC", "regular", "LIMIT"


def baskets(orders: pd.DataFrame, size: int) -> list[list[dict[str, Any]]]:
    """The orders for Kite's basket page, in their order, so many in each.

    Args:
        orders: `Proposal.orders`.
    """
    rows = [{**_order(row), "readonly": False} for row in orders.to_dict("records")]
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def questions(orders: pd.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What to ask Kite about orders that nobody has placed: for their margins, and for their charges."""
    rows = [_order(row) for row in orders.to_dict("records")]
    return (
        [{**row, "trigger_price": 0} for row in rows],
        # A note is of orders that have a number and were filled; none of these is.
        [{**row, "order_id": str(number), "average_price": row["price"]} for number, row in enumerate(rows, start=1)],
    )


def _order(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "variety": VARIETY,
        "tradingsymbol": row["symbol"],
        "exchange": row["exchange"],
        "transaction_type": row["side"].upper(),
        "order_type": ORDER_TYPE,
        "quantity": int(row["shares"]),
        "price": round(float(row["price"]), 2),
        "product": PRODUCT,
    }

"""The account of whoever is signed in: what it holds, its money, and what orders would cost it.

No order is ever placed here: a basket is only shown. The charges are this exchange's own reckoning, as Kite's would be:
not rounded, and without the depository's.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from niftyformer_assets.exchange.given_json import json_from
from niftyformer_assets.exchange.refused import RefusedError

# What one basket takes.
MOST_ORDERS = 10
# A page of any site may show one after another.
MOST_BASKETS = 100
_RATES = {"transaction_tax": 0.001, "exchange_turnover_charge": 0.000_030_7, "sebi_turnover_charge": 0.000_001}
_STAMP, _GST = 0.000_15, 0.18
_EMPTY_CHARGES: Mapping[str, Any] = {
    "transaction_tax": 0,
    "transaction_tax_type": "",
    "exchange_turnover_charge": 0,
    "sebi_turnover_charge": 0,
    "brokerage": 0,
    "stamp_duty": 0,
    "gst": {"igst": 0, "cgst": 0, "sgst": 0, "total": 0},
    "total": 0,
}
_MONEY = {"cash", "debits", "collateral"}
_NEEDED = ("tradingsymbol", "exchange", "transaction_type", "quantity", "product", "order_type", "variety")


@dataclass
class Account:
    """An account that can be set.

    holdings, positions: rows in Kite's form (`holding` makes one). cash: rupees; debits: of it, what is used.
    collateral: rupees that pledged shares count for. baskets: the newest that a browser has shown, oldest first.
    """

    holdings: list[dict[str, Any]] = field(default_factory=list)
    positions: list[dict[str, Any]] = field(default_factory=list)
    cash: float = 1_000_000.0
    debits: float = 0.0
    collateral: float = 0.0
    baskets: list[list[dict[str, Any]]] = field(default_factory=list)

    def margin(self) -> dict[str, Any]:
        """The money for equity."""
        available = {"adhoc_margin": 0, "cash": self.cash, "opening_balance": self.cash}
        free = self.cash - self.debits
        return {
            "enabled": True,
            "net": free + self.collateral,
            "available": available | {"live_balance": free, "collateral": self.collateral, "intraday_payin": 0},
            "utilised": {
                "debits": self.debits,
                "exposure": 0,
                "m2m_realised": 0,
                "m2m_unrealised": 0,
                "option_premium": 0,
                "payout": 0,
                "span": 0,
                "holding_sales": 0,
                "turnover": 0,
                "liquid_collateral": 0,
                "stock_collateral": self.collateral,
                "delivery": self.debits,
            },
        }


def holding(symbol: str, quantity: int, **more: Any) -> dict[str, Any]:
    """A row of holdings in Kite's form: so many delivered shares, unless more is said."""
    row = {
        "tradingsymbol": symbol,
        "exchange": "NSE",
        "instrument_token": 0,
        "isin": "",
        "product": "CNC",
        "price": 0,
        "quantity": quantity,
        "used_quantity": 0,
        "t1_quantity": 0,
        "realised_quantity": quantity,
        "authorised_quantity": 0,
        "authorised_date": "2024-01-01 00:00:00",
        "authorisation": {},
        "opening_quantity": quantity,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": 100,
        "last_price": 100,
        "close_price": 100,
        "pnl": 0,
        "day_change": 0,
        "day_change_percentage": 0,
        "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0},
    }
    return row | more


def account_from(given: object) -> Account:
    """The account that a JSON object describes: `holdings`, rows of which symbol and quantity are enough, and money.

    Raises:
        RefusedError: it is none.
    """
    try:
        values = dict(given)  # type: ignore[call-overload]
        rows = [dict(row) for row in values.pop("holdings", [])]
        account = Account([holding(str(row.pop("tradingsymbol")), int(row.pop("quantity")), **row) for row in rows])
        account.positions = [dict(row) for row in values.pop("positions", [])]
        for name in _MONEY & values.keys():
            setattr(account, name, float(values.pop(name)))
        if values:
            raise ValueError(f"unknown {', '.join(sorted(values))}")
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise RefusedError(400, f"This is no account: {error}", "InputException") from None
    return account


def order_margins(orders: object) -> list[dict[str, Any]]:
    """What each of these orders would block: a buy its value, a sale of what is held nothing."""
    return [_margin(order, _value(order, "price")) for order in _orders(orders)]


def basket_margin(orders: object) -> dict[str, Any]:
    """What these orders would block together."""
    each = order_margins(orders)
    blocked = sum(one["total"] for one in each)
    whole = _margin({"tradingsymbol": "", "exchange": ""}, 0.0) | {"type": "", "charges": dict(_EMPTY_CHARGES)}
    return {
        "initial": whole | {"total": blocked},
        "final": whole | {"total": blocked},
        "orders": each,
        "charges": _summed([one["charges"] for one in each]),
    }


def contract_note(orders: object) -> list[dict[str, Any]]:
    """What each of these orders would cost once it is filled at its average price."""
    shown = ("transaction_type", "tradingsymbol", "exchange", "variety", "product", "order_type", "quantity")
    return [
        {name: order[name] for name in shown}
        | {"price": order["average_price"], "charges": _charges(order, _value(order, "average_price"))}
        for order in _orders(orders, "average_price")
    ]


def basket_page(text: str) -> tuple[list[dict[str, Any]], str]:
    """The orders of a basket that a browser posted, and the page that shows them; nothing is done with them.

    Raises:
        RefusedError: it is no basket.
    """
    orders = _orders(json_from(text))
    if not 0 < len(orders) <= MOST_ORDERS:
        raise RefusedError(400, f"A basket takes 1 to {MOST_ORDERS} orders, not {len(orders)}.", "InputException")
    columns = ("transaction_type", "tradingsymbol", "exchange", "quantity", "order_type", "price", "product")
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(order.get(name, '')))}</td>" for name in columns) + "</tr>"
        for order in orders
    )
    head = "".join(f"<th>{name}</th>" for name in columns)
    return orders, (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Basket</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>'
        f"<h1>Simulated exchange: a basket of {len(orders)}</h1>"
        "<p>At Kite a person would confirm or change these orders here. This exchange takes none.</p>"
        f'<table id="basket"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></body></html>'
    )


def _orders(given: object, price: str = "price") -> list[dict[str, Any]]:
    """A list of orders in Kite's form.

    Raises:
        RefusedError: it is none.
    """
    if not isinstance(given, list) or not all(isinstance(order, dict) for order in given):
        raise RefusedError(400, "Invalid input: a list of orders is needed.", "InputException")
    for order in given:
        for name in (*_NEEDED, price):
            if name not in order:
                raise RefusedError(400, f"Missing `{name}`.", "InputException")
        if order["transaction_type"] not in ("BUY", "SELL"):
            raise RefusedError(400, "Invalid `transaction_type`.", "InputException")
        quantity, value = order["quantity"], order[price]
        if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 < quantity < 10**9:
            raise RefusedError(400, "Invalid `quantity`.", "InputException")
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e9:
            raise RefusedError(400, f"Invalid `{price}`.", "InputException")
    return given


def _value(order: Mapping[str, Any], price: str) -> float:
    return float(order["quantity"] * order[price])


def _margin(order: Mapping[str, Any], value: float) -> dict[str, Any]:
    blocked = value if order.get("transaction_type") == "BUY" else 0.0
    return {
        "type": "equity",
        "tradingsymbol": order["tradingsymbol"],
        "exchange": order["exchange"],
        **dict.fromkeys(("span", "exposure", "option_premium", "additional", "bo", "cash"), 0),
        "var": blocked,
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": 1,
        "charges": _charges(order, value),
        "total": blocked,
    }


def _charges(order: Mapping[str, Any], value: float) -> dict[str, Any]:
    items = {name: rate * value for name, rate in _RATES.items()}
    gst = _GST * (items["exchange_turnover_charge"] + items["sebi_turnover_charge"])
    stamp = _STAMP * value if order.get("transaction_type") == "BUY" else 0.0
    return {
        **_EMPTY_CHARGES,
        **items,
        "transaction_tax_type": "stt",
        "stamp_duty": stamp,
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": sum(items.values()) + stamp + gst,
    }


def _summed(charges: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for name, value in _EMPTY_CHARGES.items() if not isinstance(value, (str, dict))]
    gst = sum(each["gst"]["total"] for each in charges)
    return {
        **_EMPTY_CHARGES,
        **{name: sum(each[name] for each in charges) for name in names},
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
    }

"""The orders that lead from what is held to what the signal wants, within the money at hand.

Sells come first, then buys, the best of the signal first, each as far as the money goes. An order has a limit price at
the edge of the band around the last close, and money is counted at it: whatever is filled, no more is spent than there
is. What cannot or must not be traded is left out with its reason. Nothing is ordered here.

Money is counted in whole paise, shares are whole, and a lot is one share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.costs import Rates
from niftyformer_assets.portfolio.orders.charges import charges, to_the_rupee
from niftyformer_assets.portfolio.orders.holdings import Held
from niftyformer_assets.portfolio.orders.prices import limit_price
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.words import counted

ORDERS = ("symbol", "exchange", "side", "shares", "price", "close", "value", "cost", "held", "target", "reason")
LEFT_OUT = ("symbol", "side", "shares", "reason")
UNTOUCHED = ("symbol", "held", "reason")
TARGETS = ("symbol", "weight", "close", "traded_value", "no_trade")
# The tax and the stamp duty of a day are each rounded to the rupee: together that costs at most so much, in paise.
_MOST_ROUNDING = 100
# A share of money, in whole parts.
_PARTS = 1_000_000
# What a whole number of shares may be off as a floating point number.
_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Proposal:
    """Orders that a person may confirm; money in rupees.

    orders: with the columns ORDERS, sells first. price: the limit; value: of the shares at it; cost: their charges;
        close: the last one; held, target: shares before and wanted; reason: why, in words.
    left_out: with LEFT_OUT, what the target asks for beside that, and why it is not ordered.
    untouched: with UNTOUCHED, what is held and stays, and why.
    money, money_after: at hand, and once all is filled at the limits and paid. cost: of all orders, rounded as on a
        contract note. capital: what follows the signal.
    """

    orders: pd.DataFrame
    left_out: pd.DataFrame
    untouched: pd.DataFrame
    money: float
    money_after: float
    cost: float
    capital: float


def propose(targets: pd.DataFrame, held: Held, settings: OrderSettings, rates: Rates) -> Proposal:
    """The orders from what is held to what is wanted.

    Args:
        targets: a row for each stock that the signal speaks of, the best first, with the columns TARGETS: weight, the
            share of the capital that is wanted in it, 0 where none is; close, rupees, missing where there is none;
            traded_value, rupees a session, missing where it is not known; no_trade, why it is not to be traded now, or
            nothing.
        held: under the symbols of `targets`.
        rates: the charges of the session that comes, as its only one.
    """
    money = _paise(held.money if settings.cash is None else min(held.money, settings.cash))
    rows = _rows(targets, held, settings)
    capital = money + sum(row["held"] * row["paise"] for row in rows)
    if settings.capital is not None:
        capital = min(capital, _paise(settings.capital))
    for row in rows:
        row["target"] = int(row["weight"] * capital / row["paise"] + _TINY) if row["paise"] else row["held"]
    book = _Book(settings, rates)
    credit = sum(book.sell(row) for row in rows if row["held"] > row["target"])
    budget = money + credit - _MOST_ROUNDING
    for row in rows:
        if row["held"] < row["target"]:
            budget -= book.buy(row, budget)
        elif not row["paise"] and (row["held"] or row["weight"]):
            book.leave(row, "sell" if not row["weight"] else "", 0, "its price is not known")
    for symbol in targets.loc[targets["symbol"].isin(list(settings.kept)) & (targets["weight"] > 0), "symbol"]:
        book.leave({"symbol": symbol}, "buy", 0, "it is named in `keep`")
    return Proposal(
        orders=pd.DataFrame(book.orders, columns=list(ORDERS)),
        left_out=pd.DataFrame(book.left_out, columns=list(LEFT_OUT)),
        untouched=_untouched(targets, held, settings),
        money=money / 100,
        money_after=(money + book.brought - book.rounding) / 100,
        cost=(book.charges + book.rounding) / 100,
        capital=capital / 100,
    )


def _paise(rupees: float) -> int:
    return round(rupees * 100)


def _rows(targets: pd.DataFrame, held: Held, settings: OrderSettings) -> list[dict[Any, Any]]:
    """What follows the signal: of each stock what is wanted, held and can be sold; `paise` is its close, 0 without."""
    rows = targets[list(TARGETS)]
    if settings.sell_others:
        others = held.table[~held.table["symbol"].isin(targets["symbol"])]
        no_trade = others["series"].map(lambda series: series and f"it is in the series {series}")
        of_others = others[["symbol"]].assign(
            weight=0.0, close=others["last_price"], traded_value=np.nan, no_trade=no_trade
        )
        rows = pd.concat([rows, of_others]) if len(of_others) else rows
    rows = rows[~rows["symbol"].isin(list(settings.kept))]
    at_hand = held.table.set_index("symbol")[["exchange", "held", "sellable", "t1", "pledged"]]
    found = rows.join(at_hand, on="symbol")
    # Whatever the signal speaks of is traded at NSE, where its prices are from.
    found["exchange"] = found["exchange"].where(~found["symbol"].isin(targets["symbol"]), "NSE")
    counts = ["held", "sellable", "t1", "pledged"]
    found = found.fillna({"exchange": "NSE"} | dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, int))
    found["paise"] = [_paise(close) if close > 0 else 0 for close in found["close"]]
    return found.to_dict("records")


def _untouched(targets: pd.DataFrame, held: Held, settings: OrderSettings) -> pd.DataFrame:
    """What is held and stays: the person's own, and what was bought with borrowed money."""
    found = []
    for row in held.table.to_dict("records"):
        if row["held"] and row["symbol"] in settings.kept:
            found.append((row["symbol"], row["held"], "it is named in `keep`"))
        elif row["held"] and not settings.sell_others and row["symbol"] not in set(targets["symbol"]):
            found.append((row["symbol"], row["held"], "the signal does not speak of it: it is your own"))
        if row["mtf"]:
            found.append((row["symbol"], row["mtf"], "bought with borrowed money (MTF): not counted, not sold"))
    return pd.DataFrame(found, columns=list(UNTOUCHED))


class _Book:
    """What was decided so far. `brought`: paise of all orders, bought less than nothing; `charges`: of them."""

    def __init__(self, settings: OrderSettings, rates: Rates) -> None:
        self.settings, self.rates = settings, rates
        self.orders: list[dict[str, Any]] = []
        self.left_out: list[dict[str, Any]] = []
        self.brought = self.charges = self._stt = self._stamp = 0

    @property
    def rounding(self) -> int:
        """What rounding tax and stamp duty of the day to the rupee, half up, adds to the charges; paise."""
        return to_the_rupee(self._stt, self._stamp)

    def sell(self, row: Mapping[Any, Any]) -> int:
        """Sell what is more than the target; the paise of it that buys of the same day may use."""
        more = row["held"] - row["target"]
        if row["no_trade"]:
            self.leave(row, "sell", more, row["no_trade"])
            return 0
        shares = min(more, row["sellable"])
        if shares < more:
            pledged = f"{counted(row['pledged'], 'share')} pledged" if row["pledged"] else "not free at Kite"
            self.leave(row, "sell", more - shares, f"{pledged}: it cannot be sold")
        shares = self._capped(row, "sell", shares)
        price = limit_price(row["paise"], "sell", self.settings.price_band)
        net = shares * price - charges(shares * price, "sell", self.rates).total
        if net <= _MOST_ROUNDING:
            if shares:
                self.leave(row, "sell", shares, "it would not bring more than it costs")
            return 0
        said = "not in the signal" if not row["weight"] else "above its weight"
        self._enter(row, "sell", shares, price, said)
        # Those that are not delivered yet are sold last, and bring nothing that can be used at once.
        delivered = min(shares, row["sellable"] - row["t1"])
        return net * delivered // shares * round(self.settings.sale_credit * _PARTS) // _PARTS

    def buy(self, row: Mapping[Any, Any], budget: int) -> int:
        """Buy what is less than the target as far as the budget goes; paise that it takes."""
        less = row["target"] - row["held"]
        if row["no_trade"]:
            self.leave(row, "buy", less, row["no_trade"])
            return 0
        wanted = self._capped(row, "buy", less)
        price = limit_price(row["paise"], "buy", self.settings.price_band)
        shares = max(0, min(wanted, budget // price))
        while shares and self._paid(shares * price) > budget:
            shares = min(shares - 1, shares * budget // self._paid(shares * price))
        if shares < wanted:
            self.leave(row, "buy", wanted - shares, "the money at hand does not reach")
        if not shares:
            return 0
        said = "new in the signal" if not row["held"] else "below its weight"
        self._enter(row, "buy", shares, price, said)
        return self._paid(shares * price)

    def leave(self, row: Mapping[Any, Any], side: str, shares: int, reason: str) -> None:
        """Leave an order, or a part of one, out."""
        self.left_out.append(dict(zip(LEFT_OUT, (row["symbol"], side, shares, reason), strict=True)))

    def _capped(self, row: Mapping[Any, Any], side: str, shares: int) -> int:
        cap = self.settings.volume_cap
        if not cap or np.isnan(row["traded_value"]):
            return shares
        most = int(cap * row["traded_value"] * 100 / row["paise"])
        if shares > most:
            self.leave(row, side, shares - most, f"over {cap:.3g} of the stock's usual traded value: on later sessions")
        return min(shares, most)

    def _enter(self, row: Mapping[Any, Any], side: str, shares: int, price: int, reason: str) -> None:
        value = shares * price
        cost, stt, stamp = charges(value, side, self.rates)
        self.charges, self._stt, self._stamp = self.charges + cost, self._stt + stt, self._stamp + stamp
        self.brought += (value if side == "sell" else -value) - cost
        told = (row["symbol"], row["exchange"], side, shares, price / 100, row["close"], value / 100, cost / 100)
        self.orders.append(dict(zip(ORDERS, (*told, row["held"], row["target"], reason), strict=True)))

    def _paid(self, value: int) -> int:
        return value + charges(value, "buy", self.rates).total

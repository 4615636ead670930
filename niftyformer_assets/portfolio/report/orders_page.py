"""The page of proposed orders: what, why, what it costs, and a button that opens Kite's own basket with them in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from niftyformer_assets.portfolio.formatting import number, percent, rupees
from niftyformer_assets.portfolio.orders.basket import baskets
from niftyformer_assets.portfolio.orders.charges import AtKite
from niftyformer_assets.portfolio.orders.proposal import ORDERS, Proposal
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.portfolio.report.page import Form, Page, Section, Table, render
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.words import counted

KITE_BASKET = "https://kite.zerodha.com/connect/basket"
NOTHING_IS_ORDERED = (
    "Nothing has been ordered, and nothing here can be: an order is placed by whoever confirms it in Kite's own basket."
)


@dataclass(frozen=True)
class Basket:
    """Where a basket is shown, and for which app of Kite."""

    api_key: str
    address: str = KITE_BASKET


@dataclass(frozen=True, eq=False)
class Background:
    """What a page says beside the orders.

    session, trades_on: ISO dates. source: who says what is held. experiment, workspace: names. basket: None where
    there is no app of Kite, and `no_basket` says why. at_kite: where Kite was asked. notes:
    sentences on what was not taken into account. signal: what was looked at before it was given.
    """

    session: str
    trades_on: str
    source: str
    experiment: str
    workspace: str
    basket: Basket | None = None
    no_basket: str = ""
    at_kite: AtKite | None = None
    notes: Sequence[str] = ()
    signal: Sequence[str] = field(default_factory=tuple)


def write_orders(html: Path, csv: Path, proposal: Proposal, settings: OrderSettings, background: Background) -> None:
    """The page, and the orders as a table beside it: prices and values in rupees."""
    write_text(csv, proposal.orders[list(ORDERS)].to_csv(index=False, float_format="%.2f", lineterminator="\n"))
    write_text(html, render(orders_page(proposal, settings, background, csv.name)))


def write_no_orders(html: Path, csv: Path, background: Background, reason: str) -> None:
    """A page that says why no orders are proposed, and a table without rows."""
    write_text(csv, ",".join(ORDERS) + "\n")
    page = Page(_title(background), _subtitle(background), ["No orders are proposed.", reason], "none", [])
    write_text(html, render(page))


def in_words(proposal: Proposal) -> str:
    """What is to be sold and bought, in a sentence."""
    told = []
    for side in ("sell", "buy"):
        of = proposal.orders[proposal.orders["side"] == side]
        if len(of):
            told.append(f"{side} {counted(len(of), 'stock')} for {rupees(of['value'].sum())}")
    text = " and ".join(told) or "nothing is to be traded"
    return text[0].upper() + text[1:] + "."


def orders_page(proposal: Proposal, settings: OrderSettings, background: Background, csv: str) -> Page:
    """The page; `csv` is the name of the file beside it."""
    verdict = [in_words(proposal)]
    if len(proposal.orders):
        verdict.append(
            f"With all of it filled at the limits {rupees(proposal.cost, 2)} go for charges, and of "
            f"{rupees(proposal.money)} at hand {rupees(proposal.money_after)} are left."
        )
    if len(proposal.left_out):
        number_of = counted(len(proposal.left_out), "order, or a part of one, is", "orders, or parts of them, are")
        verdict.append(f"{number_of} left out, each with its reason.")
    verdict.append(NOTHING_IS_ORDERED)
    sections = [
        _orders(proposal, settings, background, csv),
        _left_out(proposal),
        _costs(proposal, background),
        _untouched(proposal),
        _how(proposal, settings, background),
    ]
    return Page(_title(background), _subtitle(background), verdict, "none", [each for each in sections if each])


def _title(background: Background) -> str:
    return f"Orders for {background.trades_on}"


def _subtitle(background: Background) -> str:
    return (
        f"After the close of {background.session}, by the signal of {background.experiment} in workspace "
        f"{background.workspace}. What is held is said by {background.source}."
    )


def _orders(proposal: Proposal, settings: OrderSettings, background: Background, csv: str) -> Section:
    rows = [
        [row["symbol"], f"{row['side']} {row['shares']:,} at {number(row['price'])}", rupees(row["value"]),
         row["reason"]]
        for row in proposal.orders.to_dict("records")
    ]  # fmt: skip
    if not rows:
        return Section("Orders", ["What is held is what the signal wants, as far as it can be had."], files=[csv])
    return Section(
        "Orders",
        _about_buttons(background),
        [
            *_buttons(proposal.orders, settings.basket_orders, background.basket),
            Table(("stock", "order", "rupees", "why"), rows, "Sells first. Each price is a limit.", words=True),
        ],
        [csv],
    )


def _about_buttons(background: Background) -> list[str]:
    if background.basket is None:
        return [background.no_basket]
    return [
        "The button opens Kite's basket in another tab with these orders in it. There you can change or drop each one, "
        "and only there are they placed, once you confirm. Let the sales be filled before the buys: they pay for them.",
        "Orders that are open at Kite already are not counted here: look at them before you confirm these.",
    ]


def _buttons(orders: pd.DataFrame, size: int, basket: Basket | None) -> list[Form]:
    if basket is None:
        return []
    split = baskets(orders, size)
    return [
        Form(
            "Open in Kite's basket" if len(split) == 1 else f"Open basket {place} of {len(split)} in Kite",
            basket.address,
            {"api_key": basket.api_key, "data": json.dumps(part, separators=(",", ":"))},
        )
        for place, part in enumerate(split, start=1)
    ]


def _left_out(proposal: Proposal) -> Section | None:
    rows = [
        [row["symbol"], f"{row['side']} {row['shares']:,}" if row["shares"] else row["side"], row["reason"]]
        for row in proposal.left_out.to_dict("records")
    ]
    table = Table(("stock", "what", "why not"), rows, words=True)
    return Section("Left out", ["What the signal asks for beside that."], [table]) if rows else None


def _costs(proposal: Proposal, background: Background) -> Section | None:
    if not len(proposal.orders):
        return None
    text = [
        f"By Zerodha's schedule of the day all orders cost {rupees(proposal.cost, 2)}, "
        f"{percent(proposal.cost / proposal.orders['value'].sum(), 3)} of what is traded: tax, stamp duty, the "
        "exchange's and SEBI's fees, GST, and the depository's charge for each stock sold."
    ]
    if background.at_kite is None:
        return Section("What it costs", [*text, "Kite was not asked what it would charge."])
    at_kite = background.at_kite
    rows = [_beside(row) for row in at_kite.table.to_dict("records")]
    return Section(
        "What it costs",
        [
            *text,
            f"Kite's own contract note comes to {rupees(at_kite.table['cost_at_kite'].sum(), 2)}, without the "
            f"depository's charge, and Kite would block {rupees(at_kite.blocked)} for all of them together.",
        ],
        [Table(("stock", "by schedule", "at Kite", "blocked"), rows)],
    )


def _beside(row: Mapping[Any, Any]) -> list[str]:
    return [
        f"{row['side']} {row['symbol']}",
        number(row["cost"]),
        number(row["cost_at_kite"]),
        rupees(row["blocked_at_kite"]),
    ]


def _untouched(proposal: Proposal) -> Section | None:
    rows = [[row["symbol"], f"{row['held']:,}", row["reason"]] for row in proposal.untouched.to_dict("records")]
    table = Table(("stock", "shares", "why"), rows, words=True)
    return Section("What stays as it is", blocks=[table]) if rows else None


def _how(proposal: Proposal, settings: OrderSettings, background: Background) -> Section:
    cap = f"at most {percent(settings.volume_cap)} of the stock's usual traded value" if settings.volume_cap else "any"
    credit = percent(settings.sale_credit, 0)
    return Section(
        "How the orders come about",
        [
            f"{rupees(proposal.capital)} follow the signal: the weight of each stock in it, in whole shares at the "
            "close, less what is held.",
            f"Limits lie {percent(settings.price_band)} from the close at most. An order is of {cap}. Of what sales "
            f"bring {credit} can be spent on the same day, and nothing of shares that are not delivered yet.",
            *background.notes,
            *background.signal,
        ],
    )

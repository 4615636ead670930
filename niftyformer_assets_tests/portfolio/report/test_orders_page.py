"""The page of orders: each with its reason, and buttons whose forms are Kite's basket, order by order."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.costs import rates
from niftyformer_assets.portfolio.orders.charges import AtKite
from niftyformer_assets.portfolio.orders.holdings import COLUMNS, Held
from niftyformer_assets.portfolio.orders.proposal import ORDERS, Proposal, propose
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.portfolio.report.orders_page import (
    KITE_BASKET,
    Background,
    Basket,
    in_words,
    write_no_orders,
    write_orders,
)
from niftyformer_assets.portfolio.settings import CostSettings

SETTINGS = OrderSettings(basket_orders=3)
ABOUT = Background(
    session="2024-05-31",
    trades_on="2024-06-03",
    source="the account that is logged in at Kite",
    experiment="mvp",
    workspace="nifty200",
    basket=Basket("my_key"),
    notes=["Which stocks are under surveillance (ASM, GSM) is not known here."],
)


def example() -> Proposal:
    """Two sales, five buys, one stock that must not be traded, one that is the person's own."""
    names = ["NEW&1", "NEW-2", "<b>3", "NEW4", "NEW5", "SUSPENDED", "OLD1", "OLD2"]
    targets = pd.DataFrame(
        {
            "symbol": names,
            "weight": [0.16] * 6 + [0.0] * 2,
            "close": np.linspace(90, 1900, 8).round(2),
            "traded_value": 1e8,
            "no_trade": [""] * 5 + ["it did not trade on 2024-05-31: it may be suspended", "", ""],
        }
    )
    row = dict.fromkeys(COLUMNS, 0) | {"exchange": "NSE", "isin": "", "series": "", "held": 40, "sellable": 40}
    table = pd.DataFrame([row | {"symbol": name} for name in ("OLD1", "OLD2", "MINE")])
    day = np.array(["2024-06-03"], dtype="datetime64[D]")
    return propose(targets, Held(table, 20_000.0, "a test"), SETTINGS, rates(day, CostSettings()))


class Forms(HTMLParser):
    """The forms of a page: method, action and fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append({"method": of["method"], "action": of["action"]})
        elif tag == "input":
            assert of["type"] == "hidden"
            self.found[-1][of["name"]] = of["value"]
        elif tag in ("script", "iframe", "link"):
            self.others.append(tag)


def written(folder: Path, about: Background = ABOUT) -> tuple[str, Proposal]:
    proposal = example()
    write_orders(folder / "a.html", folder / "a.csv", proposal, SETTINGS, about)
    return (folder / "a.html").read_text(encoding="utf-8"), proposal


def test_the_buttons_post_every_order_to_kites_basket_and_nothing_else(tmp_path: Path) -> None:
    text, proposal = written(tmp_path)
    forms = Forms()
    forms.feed(text)
    assert {(form["method"], form["action"], form["api_key"]) for form in forms.found} == {
        ("post", KITE_BASKET, "my_key")
    }
    assert [len(json.loads(form["data"])) for form in forms.found] == [3, 3, 1] and not forms.others
    posted = [order for form in forms.found for order in json.loads(form["data"])]
    assert [(order["tradingsymbol"], order["transaction_type"].lower(), order["quantity"], order["price"])
            for order in posted] == [*zip(*(proposal.orders[name] for name in ("symbol", "side", "shares", "price")),
                                          strict=True)]  # fmt: skip
    assert {order["product"] for order in posted} == {"CNC"} and {order["order_type"] for order in posted} == {"LIMIT"}
    assert text.count("<button>") == 3 and "Open basket 2 of 3 in Kite" in text


def test_every_order_stands_there_with_its_reason(tmp_path: Path) -> None:
    text, proposal = written(tmp_path)
    assert len(proposal.orders) == 7
    for row in proposal.orders.itertuples():
        assert f"{row.side} {row.shares:,} at {row.price:.2f}" in text and row.reason in text
    assert "it may be suspended" in text and "it is your own" in text and "ASM" in text
    assert "NEW&amp;1" in text and "&lt;b&gt;3" in text and "<b>3" not in text
    assert in_words(proposal).startswith("Sell 2 stocks for ₹") and "nothing here can be" in text


def test_the_table_beside_it(tmp_path: Path) -> None:
    _, proposal = written(tmp_path)
    table = pd.read_csv(tmp_path / "a.csv")
    assert tuple(table.columns) == ORDERS
    pd.testing.assert_frame_equal(table, proposal.orders, check_dtype=False, atol=0.006)


def test_kites_figures_stand_beside(tmp_path: Path) -> None:
    orders = example().orders
    table = orders[["symbol", "side", "cost"]].assign(cost_at_kite=1.25, blocked_at_kite=1000.0)
    at_kite = AtKite(table, 6500.0)
    text, _ = written(tmp_path, Background(**{**vars(ABOUT), "at_kite": at_kite}))
    assert "Kite would block ₹6,500" in text and "₹1,000" in text and "comes to ₹8.75" in text
    assert "Kite was not asked" in written(tmp_path)[0]


def test_without_an_app_there_is_no_button_and_the_page_says_why(tmp_path: Path) -> None:
    text, _ = written(tmp_path, Background(**{**vars(ABOUT), "basket": None, "no_basket": "KITE_API_KEY is not set."}))
    assert "<form" not in text and "KITE_API_KEY is not set." in text


def test_no_orders_say_why(tmp_path: Path) -> None:
    write_no_orders(tmp_path / "a.html", tmp_path / "a.csv", ABOUT, "Set NIFTYFORMER_ORDERS__HOLDINGS.")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "No orders are proposed." in text and "NIFTYFORMER_ORDERS__HOLDINGS" in text
    assert len(pd.read_csv(tmp_path / "a.csv")) == 0

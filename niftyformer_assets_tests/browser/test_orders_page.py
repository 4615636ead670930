"""The page of orders in a real browser: legible on a phone, and its button opens a basket with exactly its orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from niftyformer_assets.exchange.made_up import make_market
from niftyformer_assets.exchange.server import RunningExchange, run_exchange
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.portfolio.orders.basket import baskets
from niftyformer_assets.portfolio.report.orders_page import Basket, write_orders
from niftyformer_assets_tests.browser.web_ui import chromium
from niftyformer_assets_tests.exchange.conftest import weekdays
from niftyformer_assets_tests.portfolio.report.test_orders_page import ABOUT, SETTINGS, example

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright.sync_api", reason="needs playwright")


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    market = make_market(weekdays("2024-01-01", "2024-02-01"), MadeUpSettings(stocks=4, late_listings=0))
    with run_exchange(market) as running:
        yield running


@pytest.fixture(scope="module")
def page_file(exchange: RunningExchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("orders")
    about = replace(ABOUT, basket=Basket(exchange.api_key, f"{exchange.url}/connect/basket"))
    write_orders(folder / "orders.html", folder / "orders.csv", example(), SETTINGS, about)
    return folder / "orders.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.mark.parametrize("width", [390, 1400])
def test_the_orders_are_read_without_scrolling_sideways(browser: Browser, page_file: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(page_file.as_uri())
    places = page.evaluate("[...document.querySelectorAll('.scroll')].map(of => of.scrollWidth - of.clientWidth)")
    buttons = page.evaluate("[...document.querySelectorAll('button')].map(of => of.getBoundingClientRect().toJSON())")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert len(places) == 3 and max(places) <= 0
    assert len(buttons) == 3
    for button in buttons:  # a finger's width, and nothing of it off the screen
        assert button["height"] >= 44 and button["left"] >= 0 and button["right"] <= width
    page.close()


def test_each_button_opens_the_basket_with_its_orders(
    browser: Browser, page_file: Path, exchange: RunningExchange
) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    expected = baskets(example().orders, SETTINGS.basket_orders)
    for place, orders in enumerate(expected):
        with page.context.expect_page() as opened:
            page.get_by_role("button").nth(place).click()
        basket = opened.value
        basket.wait_for_load_state()
        shown = basket.locator("#basket tbody tr").all_inner_texts()
        assert len(shown) == len(orders) and f"a basket of {len(orders)}" in basket.inner_text("h1")
        for text, order in zip(shown, orders, strict=True):
            assert text.split("\t")[:4] == [
                order["transaction_type"],
                order["tradingsymbol"],
                order["exchange"],
                str(order["quantity"]),
            ]
        basket.close()
    assert exchange.account.baskets == expected
    assert exchange.account.holdings == [] and exchange.account.cash == 1_000_000
    page.close()

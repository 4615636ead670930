"""The account on the simulated exchange: Kite's form, an account that is set, and a basket that is only shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import InputException

from niftyformer_assets.exchange.account import MOST_ORDERS, Account, holding
from niftyformer_assets.exchange.server import RunningExchange
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.portfolio.orders.holdings import held_at_kite
from niftyformer_assets_tests.shared_data import shared


def order(**more: Any) -> dict[str, Any]:
    return {
        "variety": "regular",
        "tradingsymbol": "DEMO001",
        "exchange": "NSE",
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": 560.0,
        "average_price": 560.0,
        "product": "CNC",
    } | more


def shape(value: Any) -> Any:
    """The names and kinds of a JSON value; of a list its first element's."""
    if isinstance(value, dict):
        return {name: shape(of) for name, of in value.items()}
    if isinstance(value, list):
        return [shape(of) for of in value[:1]]
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


@pytest.fixture
def account(exchange: RunningExchange) -> Account:
    exchange.account = Account(
        holdings=[holding("DEMO001", 7), holding("DEMO-003", 4, t1_quantity=4, realised_quantity=0)],
        cash=5000.0,
        debits=1000.0,
        collateral=300.0,
    )
    return exchange.account


def mock(name: str) -> Any:
    return json.loads((shared("kite_mocks") / f"{name}.json").read_text())["data"]


def test_it_answers_in_kites_form(kite: KiteConnect, account: Account) -> None:
    assert shape(kite.holdings()) == shape(mock("holdings"))
    assert shape(kite.margins("equity")) == shape(mock("margins_equity"))
    assert shape(kite.order_margins([order()])) == shape(mock("order_margins"))
    assert shape(kite.basket_order_margins([order()])) == shape(mock("basket_margins"))
    assert shape(kite.get_virtual_contract_note([order()])) == shape(mock("virtual_contract_note"))
    assert shape(kite.positions()).keys() == mock("positions").keys()


def test_kites_own_samples_are_read() -> None:
    held = held_at_kite(mock("holdings"), mock("positions")["net"], mock("margins_equity"))
    assert held.money == pytest.approx(99725.05)
    table = held.table.set_index("symbol")
    assert table["held"].to_dict() == {"AARON": 1, "SBIN": 16}
    assert table["sellable"].to_dict() == {"AARON": 1, "SBIN": 16}
    assert table.loc["AARON", "mtf"] == 1000


def test_what_is_set_is_read_by_the_session(exchange: RunningExchange, account: Account) -> None:
    session = KiteSession(exchange.api_key, exchange.access_token(), root=exchange.url)
    held = held_at_kite(session.holdings(), session.positions(), session.equity_margin())
    assert held.money == 4000.0
    assert held.table.set_index("symbol")["t1"].to_dict() == {"DEMO-003": 4, "DEMO001": 0}
    (margin,), (note,) = session.order_margins([order()]), session.contract_note([order()])
    assert margin["total"] == 5600.0 and session.basket_margin([order(), order()])["final"]["total"] == 11_200.0
    # STT 5.6, exchange 0.17192, SEBI 0.0056, GST 0.0319536, stamp duty 0.84.
    assert note["charges"]["total"] == pytest.approx(5.6 + 0.17192 + 0.0056 + 0.0319536 + 0.84)
    (sold,) = session.order_margins([order(transaction_type="SELL")])
    assert sold["total"] == 0 and sold["charges"]["stamp_duty"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": 0},
        {"quantity": 1.5},
        {"quantity": True},
        {"price": -1},
        {"price": "5"},
        {"transaction_type": "HOLD"},
    ],
)
def test_what_is_no_order_is_refused(wrong: dict[str, Any], kite: KiteConnect, account: Account) -> None:
    with pytest.raises(InputException, match="Invalid"):
        kite.order_margins([order(**wrong)])


def post(exchange: RunningExchange, data: str, key: str | None = None) -> requests.Response:
    form = {"api_key": exchange.api_key if key is None else key, "data": data}
    return requests.post(f"{exchange.url}/connect/basket", data=form, timeout=5)


def test_a_basket_is_shown_and_nothing_comes_of_it(exchange: RunningExchange, account: Account) -> None:
    before = json.dumps([account.holdings, account.positions, account.cash])
    answer = post(exchange, json.dumps([order(), order(tradingsymbol="<b>M&M</b>", transaction_type="SELL")]))
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "a basket of 2" in answer.text and "&lt;b&gt;M&amp;M&lt;/b&gt;" in answer.text and "<b>" not in answer.text
    assert [each["tradingsymbol"] for each in account.baskets[0]] == ["DEMO001", "<b>M&M</b>"]
    assert json.dumps([account.holdings, account.positions, account.cash]) == before


@pytest.mark.parametrize(
    ("data", "key", "said"),
    [
        ("[]", None, "takes 1 to"),
        (json.dumps([order()] * (MOST_ORDERS + 1)), None, "takes 1 to"),
        ("{", None, "Invalid JSON"),
        ("{}", None, "a list of orders"),
        ("[1]", None, "a list of orders"),
        (json.dumps([{"tradingsymbol": "X"}]), None, "Missing"),
        (json.dumps([order()]), "other", "api_key"),
    ],
)
def test_what_is_no_basket_is_refused(
    data: str, key: str | None, said: str, exchange: RunningExchange, account: Account
) -> None:
    answer = post(exchange, data, key)
    assert answer.status_code == 400 and said in answer.json()["message"] and account.baskets == []


def test_there_is_no_way_to_place_an_order(exchange: RunningExchange, kite: KiteConnect) -> None:
    for method, path in (("POST", "/orders/regular"), ("PUT", "/orders/regular/1"), ("POST", "/gtt/triggers")):
        assert requests.request(method, exchange.url + path, timeout=5).status_code == 404


def test_an_exchange_elsewhere_is_told_its_account(exchange: RunningExchange) -> None:
    door = f"{exchange.url}/account"
    given = {"cash": 10, "holdings": [{"tradingsymbol": "DEMO001", "quantity": 2, "t1_quantity": 1}]}
    assert requests.post(door, json=given, timeout=5).json()["data"]["cash"] == 10
    assert requests.get(door, timeout=5).json()["data"]["holdings"] == [holding("DEMO001", 2, t1_quantity=1)]
    for wrong in ([1], {"holdings": [{}]}, {"holdings": 3}, {"cash": "much"}, {"money": 3}):
        assert requests.post(door, json=wrong, timeout=5).status_code == 400
    assert exchange.account.cash == 10
    elsewhere = {"Origin": "https://example.org"}
    assert requests.post(door, json={}, headers=elsewhere, timeout=5).status_code == 403
    exchange.account = Account()

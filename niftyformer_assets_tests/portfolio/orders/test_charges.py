"""What orders cost: as the backtest's engine reckons, and beside Kite's own figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.compiling import njit
from niftyformer_assets.portfolio.backtest import execution
from niftyformer_assets.portfolio.backtest.costs import COST_ITEMS, rates
from niftyformer_assets.portfolio.backtest.layout import BUY, SELL
from niftyformer_assets.portfolio.orders.basket import baskets, questions
from niftyformer_assets.portfolio.orders.charges import COMPARED, beside_kite, charges, to_the_rupee
from niftyformer_assets.portfolio.settings import CostSettings
from niftyformer_assets.store.errors import NiftyFormerError

_of_the_engine = execution._charge


@njit
def by_the_engine(value: int, side: int, charged: Any, items: np.ndarray) -> int:
    return _of_the_engine(value, side, 0, charged, items)


@pytest.mark.parametrize("day", ["2022-06-01", "2023-06-01", "2024-06-03", "2025-06-02", "2026-06-01"])
def test_as_the_backtest_reckons(day: str) -> None:
    rng = np.random.default_rng(0)
    for costs in (CostSettings(), CostSettings(schedule="flat", flat_bps=5.0)):
        charged = rates(np.array([day], dtype="datetime64[D]"), costs)
        for value in [0, 1, 49, 50, 10**12, *np.exp(rng.uniform(0, 25, 100)).astype(int).tolist()]:
            for side, number in (("buy", BUY), ("sell", SELL)):
                items = np.zeros(len(COST_ITEMS), dtype=np.int64)
                total = by_the_engine(value, number, charged, items)
                expected = (total, items[COST_ITEMS.index("stt")], items[COST_ITEMS.index("stamp")])
                assert tuple(charges(value, side, charged)) == expected


def test_rounding_to_the_rupee() -> None:
    assert to_the_rupee(0, 0) == 0 and to_the_rupee(149, 50) == -49 + 50 and to_the_rupee(150, 249) == 50 - 49


def orders(number: int) -> pd.DataFrame:
    rows = [(f"S{place}", "NSE", "sell" if place < 2 else "buy", place + 1, 10.05, 1.5) for place in range(number)]
    return pd.DataFrame(rows, columns=["symbol", "exchange", "side", "shares", "price", "cost"])


def test_a_basket_is_as_kite_documents_it_and_more_orders_are_more_baskets() -> None:
    split = baskets(orders(23), 10)
    assert [len(basket) for basket in split] == [10, 10, 3]
    assert [order["tradingsymbol"] for basket in split for order in basket] == [f"S{place}" for place in range(23)]
    assert split[0][0] == {
        "variety": "regular",
        "tradingsymbol": "S0",
        "exchange": "NSE",
        "transaction_type": "SELL",
        "order_type": "LIMIT",
        "quantity": 1,
        "price": 10.05,
        "product": "CNC",
        "readonly": False,
    }
    assert baskets(orders(0), 10) == []


def test_kites_figures_stand_beside_ours() -> None:
    asked, note = questions(orders(2))
    assert asked[1]["transaction_type"] == "SELL" and note[1]["average_price"] == 10.05
    margins = [{"tradingsymbol": f"S{place}", "total": 100.0 + place} for place in range(2)]
    answers = [{"tradingsymbol": f"S{place}", "charges": {"total": 1.25}} for place in range(2)]
    together = {"final": {"total": 150.0}}
    found = beside_kite(orders(2), margins, answers, together)
    assert tuple(found.table.columns) == COMPARED and found.table["blocked_at_kite"].tolist() == [100.0, 101.0]
    assert found.blocked == 150.0
    with pytest.raises(NiftyFormerError, match="cannot be read"):
        beside_kite(orders(2), margins, answers, {"final": {}})
    for wrong in ([], answers[::-1], [{}], [{**answers[0], "charges": None}, answers[1]]):
        with pytest.raises(NiftyFormerError, match="cannot be read"):
            beside_kite(orders(2), margins, wrong, together)
    for value in (float("nan"), float("inf"), 10**400, True, "5", None):
        for answer in (
            ([margins[0] | {"total": value}, margins[1]], answers, together),
            (margins, [answers[0] | {"charges": {"total": value}}, answers[1]], together),
            (margins, answers, {"final": {"total": value}}),
        ):
            with pytest.raises(NiftyFormerError, match="cannot be read"):
                beside_kite(orders(2), *answer)

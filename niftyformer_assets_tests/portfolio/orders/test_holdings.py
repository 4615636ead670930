"""What an account holds: Kite's words told apart, and files that people give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from niftyformer_assets.portfolio.orders.holdings import (
    COLUMNS,
    held_at_kite,
    held_by_csv,
    parted,
)
from niftyformer_assets.store.errors import NiftyFormerError

MARGIN: dict[str, Any] = {
    "net": 99725.05,
    "available": {"cash": 245431.6, "live_balance": 99725.05, "collateral": 0, "adhoc_margin": 0},
    "utilised": {"debits": 145706.55},
}


def holding(symbol: str, quantity: int, **more: Any) -> dict[str, Any]:
    """A row as Kite writes it; what was delivered is all unless said otherwise."""
    return {
        "tradingsymbol": symbol,
        "exchange": "NSE",
        "isin": f"INE{symbol}",
        "product": "CNC",
        "quantity": quantity,
        "used_quantity": 0,
        "t1_quantity": 0,
        "realised_quantity": quantity,
        "collateral_quantity": 0,
        "average_price": 100,
        "last_price": 110.5,
        "mtf": {"quantity": 0},
    } | more


def position(symbol: str, quantity: int, **more: Any) -> dict[str, Any]:
    return {
        "tradingsymbol": symbol,
        "exchange": "NSE",
        "product": "CNC",
        "quantity": quantity,
        "average_price": 120,
        "last_price": 110.5,
    } | more


@pytest.mark.parametrize(
    ("row", "held", "sellable", "t1"),
    [
        (holding("A", 10), 10, 10, 0),
        # Bought on the session before: sold as well, and not delivered.
        (holding("A", 10, t1_quantity=4, realised_quantity=6), 10, 10, 4),
        # Three of ten were sold today: what is left can be sold.
        (holding("A", 7, used_quantity=3, realised_quantity=10), 7, 7, 0),
        # Pledged shares lie apart from the quantity: they are held, and stay.
        (holding("A", 10, collateral_quantity=5), 15, 10, 0),
        (holding("A", 0, collateral_quantity=5), 5, 0, 0),
        # A server that counts otherwise makes nobody sell more than is delivered.
        (holding("A", 10, realised_quantity=4), 10, 4, 0),
        (holding("A", 10, used_quantity=3), 10, 7, 0),
        # Shares on borrowed money are neither.
        (holding("A", 0, mtf={"quantity": 1000}), 0, 0, 0),
        (holding("A", 10, mtf=None), 10, 10, 0),
        # Sold short of the delivery: nothing is there.
        (holding("A", -2, realised_quantity=0, used_quantity=2), 0, 0, 0),
    ],
)
def test_what_is_held_and_what_can_be_sold(row: dict[str, Any], held: int, sellable: int, t1: int) -> None:
    (found,) = held_at_kite([row], [], MARGIN).table.to_dict("records")
    assert tuple(found) == COLUMNS
    assert (found["held"], found["sellable"], found["t1"]) == (held, sellable, t1)
    assert found["mtf"] == (row["mtf"] or {}).get("quantity", 0)


def test_what_was_bought_today_is_held_and_what_was_sold_is_not_sold_twice() -> None:
    positions = [
        position("A", 3),
        position("B", 2),
        position("C", -4),
        position("D", 9, product="MIS"),
        position("E", 9, exchange="NFO"),
    ]
    rows = [holding("A", 10), holding("C", 6, used_quantity=4, realised_quantity=10)]
    table = held_at_kite(rows, positions, MARGIN).table.set_index("symbol")
    assert table["held"].to_dict() == {"A": 13, "B": 2, "C": 6}
    assert table["sellable"].to_dict() == {"A": 13, "B": 2, "C": 6}
    assert table["bought_today"].to_dict() == table["t1"].to_dict() == {"A": 3, "B": 2, "C": 0}
    assert table.loc["A", "average_price"] == pytest.approx((10 * 100 + 3 * 120) / 13)


def test_a_stock_is_one_by_its_isin_on_both_exchanges_and_a_series_is_told() -> None:
    rows = [
        holding("SBIN", 16, exchange="BSE", isin="INE062A01020"),
        holding("SBIN", 4, isin="INE062A01020"),
        holding("CENTRALBK-BE", 5),
        holding("BAJAJ-AUTO", 1),
    ]
    table = held_at_kite(rows, [], MARGIN).table.set_index("symbol")
    assert table["held"].to_dict() == {"BAJAJ-AUTO": 1, "CENTRALBK": 5, "SBIN": 20}
    assert (table.loc["SBIN", "exchange"], table.loc["CENTRALBK", "series"]) == ("NSE", "BE")
    assert parted("M&M") == ("M&M", "") and parted("X-BE") == ("X", "BE")


@pytest.mark.parametrize(
    ("margin", "money"),
    [
        (MARGIN, 99725.05),
        # Collateral is in `net`, and buys no shares; nor does what the broker adds.
        (
            {"net": 5e6, "available": {"cash": 1000.0, "live_balance": 5e6}, "utilised": {"debits": 0}},
            1000.0,
        ),
        ({"net": 1e4, "available": {"cash": 5e4, "live_balance": 2e4}, "utilised": {"debits": 0}}, 1e4),
        ({"net": -3, "available": {"cash": 5, "live_balance": 5}, "utilised": {"debits": 9}}, 0.0),
    ],
)
def test_money_is_cash_that_nothing_else_uses(margin: dict[str, Any], money: float) -> None:
    assert held_at_kite([], [], margin).money == pytest.approx(money)
    assert len(held_at_kite([], [], margin).table) == 0


@pytest.mark.parametrize("row", [{}, holding("A", 1) | {"quantity": None}, holding("A", 1, realised_quantity="many")])
def test_an_answer_that_is_none_is_one_line(row: dict[str, Any]) -> None:
    with pytest.raises(NiftyFormerError, match="ask again later") as caught:
        held_at_kite([row], [], MARGIN)
    assert "\n" not in str(caught.value)


NO_NUMBERS = [float("nan"), float("inf"), -float("inf"), 10**30, True, "5", [], {}]


@pytest.mark.parametrize("value", [*NO_NUMBERS, None], ids=str)
@pytest.mark.parametrize("name", ["net", "available.cash", "available.live_balance", "utilised.debits"])
def test_money_that_is_no_number_is_no_money(name: str, value: object) -> None:
    """A minimum with NaN in it is whichever number comes first."""
    part, _, last = name.partition(".")
    margin = MARGIN | ({part: MARGIN[part] | {last: value}} if last else {part: value})
    with pytest.raises(NiftyFormerError, match="ask again later") as caught:
        held_at_kite([], [], margin)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        *("quantity", "t1_quantity", "realised_quantity", "used_quantity", "collateral_quantity"),
        *("average_price", "last_price", "mtf"),
    ],
)
def test_a_count_or_a_price_that_is_none_is_refused(name: str, value: object) -> None:
    if value in ([], {}) and name in ("collateral_quantity", "used_quantity", "mtf"):
        return  # as where there is none
    for row in (holding("A", 1), position("A", 1)):
        if name in row:
            rows = ([row | {name: value}], []) if "mtf" in row else ([], [row | {name: value}])
            with pytest.raises(NiftyFormerError, match="ask again later"):
                held_at_kite(*rows, MARGIN)


@pytest.mark.parametrize(
    ("name", "value"), [("quantity", 1.5), ("collateral_quantity", -1), ("used_quantity", -1), ("last_price", -1)]
)
def test_counts_are_whole_and_not_below_nothing(name: str, value: float) -> None:
    with pytest.raises(NiftyFormerError, match="ask again later"):
        held_at_kite([holding("A", 1) | {name: value}], [], MARGIN)


NO_SYMBOLS = ["", "=1+1", "+A", "-A", "@A", "A\x1b[2J", "A\u202eB", "A\nB", "A B", "<b>A</b>", "A" * 51, "\u0410"]


@pytest.mark.parametrize("text", [*NO_SYMBOLS, None, 5, ["A"]], ids=repr)
def test_what_is_no_symbol_is_not_shown_as_one(text: object, tmp_path: Path) -> None:
    for rows in (([holding("A", 1) | {"tradingsymbol": text}], []), ([], [position("A", 1) | {"tradingsymbol": text}])):
        with pytest.raises(NiftyFormerError, match="is no symbol") as caught:
            held_at_kite(*rows, MARGIN)
        assert str(caught.value).isprintable()
    if isinstance(text, str) and text.strip():
        path = tmp_path / "mine.csv"
        path.write_text(f'symbol,quantity\n"{text}",1\n', "utf-8")
        with pytest.raises(NiftyFormerError, match=r"line 2: .* is no symbol") as caught:
            held_by_csv(path, 0.0)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("symbol", ["M&M", "BAJAJ-AUTO", "SGBFEB32IV-GB", "360ONE", "8.5NHAI30", "a_b*", "J&KBANK#"])
def test_symbols_of_exchanges_are_symbols(symbol: str) -> None:
    assert held_at_kite([holding(symbol, 1)], [], MARGIN).table["symbol"].tolist() == [parted(symbol)[0]]


@pytest.mark.parametrize(
    "text",
    [
        "symbol,quantity,average_price\nSBIN,10,801.5\nM&M,3,\n",
        "\ufeffSymbol, Quantity ,Average_Price\r\nsbin,10,801.5\r\n\r\nM&M,3,\r\n",
        '"Instrument","Qty.","Avg. cost","LTP"\n"SBIN","10","₹801.5","1,000"\n"M&M","3.0","","1"\n',
    ],
)
def test_a_csv_as_people_and_kites_console_write_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, "utf-8")
    of = held_by_csv(path, 5000.0)
    assert of.money == 5000.0 and "mine.csv" in of.source
    assert of.table.set_index("symbol")["held"].to_dict() == {"M&M": 3, "SBIN": 10}
    assert of.table["sellable"].tolist() == [3, 10]
    assert of.table["average_price"].tolist()[1] == 801.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read (No such file"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "has no column symbol: its first line names the columns symbol, quantity"),
        (b"name,quantity\nSBIN,1\n", "has no column symbol"),
        (b"symbol,shares\nSBIN,1\n", "has no column quantity"),
        (b"symbol,quantity\nSBIN,1\n,2\n", "line 3: it names no symbol"),
        (b"symbol,quantity\nSBIN,many\n", "line 2: quantity is 'many', which is no number"),
        (b"symbol,quantity\nSBIN\n", "line 2: quantity is '', which is no number"),
        (b"symbol,quantity\nSBIN,nan\n", "no number"),
        (b"symbol,quantity\nSBIN,1e400\n", "no number"),
        (b"symbol,quantity\nSBIN,-1\n", "whole number of shares, not -1"),
        (b"symbol,quantity\nSBIN,1.5\n", "whole number of shares, not 1.5"),
        (b"symbol,quantity,average_price\nSBIN,1,dear\n", "average_price is 'dear'"),
        (b"symbol,quantity\nSBIN,1\nsbin,2\n", "names SBIN twice"),
        (b'symbol,quantity\n"SBIN,1\n', "cannot be read"),
        (b"symbol,quantity\nSBIN,1e30\n", "whole number of shares"),
        (b"symbol,quantity\nSBIN,10000000000000000000\n", "whole number of shares"),
        (b"symbol,quantity\nSBIN,1,000\n", "line 2: 3 fields under 2 headings"),
    ],
)
def test_a_wrong_csv_is_told_in_one_line(text: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(NiftyFormerError) as caught:
        held_by_csv(path, 0.0)
    assert said in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)

"""What a real account holds, and its money: as Kite says it, or from a CSV file that a person gives.

Kite tells apart what one word would mix. `quantity` is what is free: delivered shares and those bought on the session
before (T1), less what was sold today. Pledged shares are held, but cannot be sold before they are released. Shares
bought with borrowed money (MTF) are a matter between the person and the broker: they are told, and count as neither.
What was bought today is among the positions until the next morning.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from niftyformer_assets.portfolio.orders import answered
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line, read_regular

# The series that are settled trade for trade, or are no ordinary equity; Kite puts them behind the symbol.
SERIES = re.compile(r"(?P<symbol>.+)-(?P<series>BE|BZ|BL|IL|SM|ST|SZ|E1|RR|IV|GB|GS|P1|W1)")
# Columns of a CSV by the names that Kite's Console gives them.
_NAMES = {
    "symbol": ("symbol", "tradingsymbol", "instrument"),
    "quantity": ("quantity", "qty", "qty.", "quantity available"),
    "average_price": ("average_price", "average price", "avg. cost", "avg cost", "avg. price"),
}
_COUNTS = ("held", "sellable", "t1", "pledged", "mtf", "sold_today", "bought_today")
_MOST_BYTES = 4 << 20

COLUMNS = ("symbol", "exchange", "isin", "series", *_COUNTS, "average_price", "last_price")


@dataclass(frozen=True, eq=False)
class Held:
    """What an account holds.

    table: a row a stock, in the order of `symbol`, with COLUMNS. exchange: where it was bought last; isin: empty where
        it is not known; series: of those that Kite puts behind the symbol, which then is without it; held: shares that
        are the account's own, pledged ones among them; sellable: of these what can be sold on the next session; t1:
        of these what is not delivered yet; pledged, mtf, sold_today, bought_today: shares; average_price, last_price:
        rupees, missing where nobody says.
    money: rupees that can be spent on shares.
    source: who says so, in words.
    """

    table: pd.DataFrame
    money: float
    source: str

    def known_as(self, symbols: Collection[str], isins: Mapping[str, str]) -> Held:
        """The same with stocks under these symbols where they are these, by ISIN first and then by symbol.

        Args:
            isins: ISIN -> symbol.
        """
        table = self.table.assign(symbol=self.table["isin"].map(isins).fillna(self.table["symbol"]))
        # What is one of them is told by its symbol alone: after a split it has another ISIN.
        ours = table["symbol"].isin(list(symbols))
        return replace(self, table=_joined(table.assign(isin=table["isin"].where(~ours, "")).to_dict("records")))


def held_at_kite(
    holdings: Iterable[Mapping[str, Any]], positions: Iterable[Mapping[str, Any]], margin: Mapping[str, Any]
) -> Held:
    """What Kite's answers say together.

    Args:
        holdings, positions, margin: as `KiteSession` gives them; of positions those for delivery (CNC) of stocks.

    Raises:
        NiftyFormerError: an answer lacks a field, or holds something else.
    """
    try:
        rows = [_holding(row) for row in holdings if row["exchange"] in ("NSE", "BSE")]
        bought = [
            # On the session that comes they are held, and not delivered yet.
            _row(row, **dict.fromkeys(("held", "sellable", "t1", "bought_today"), answered.shares(row["quantity"])))
            for row in positions
            # What was sold today is negative here, and no longer in the holdings' quantity.
            if row["product"] == "CNC" and row["exchange"] in ("NSE", "BSE") and answered.shares(row["quantity"]) > 0
        ]
        return Held(_joined([*rows, *bought]), _money(margin), "the account that is logged in at Kite")
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise NiftyFormerError(
            f"Kite's answer on what the account holds cannot be read ({type(error).__name__}: {in_one_line(error)}): "
            "ask again later, or give the holdings as a CSV"
        ) from None


def _holding(row: Mapping[str, Any]) -> dict[str, Any]:
    quantity, t1, realised = (answered.shares(row[f"{kind}quantity"]) for kind in ("", "t1_", "realised_"))
    pledged, used, mtf = (
        int(answered.not_negative(answered.shares(count or 0)))
        for count in (row.get("collateral_quantity"), row.get("used_quantity"), (row.get("mtf") or {}).get("quantity"))
    )
    # Of two ways to count what is left the smaller one: no more is sold than either of them allows.
    free = max(0, min(quantity, realised + t1 - used))
    return _row(
        row,
        held=max(quantity, 0) + pledged,
        sellable=free,
        t1=max(0, min(t1, free)),
        pledged=pledged,
        mtf=mtf,
        sold_today=used,
    )


def _row(row: Mapping[str, Any], **counts: int) -> dict[str, Any]:
    symbol, series = parted(answered.symbol(row["tradingsymbol"]))
    return {
        "symbol": symbol,
        "exchange": str(row["exchange"]),
        "isin": str(row.get("isin") or ""),
        "series": series,
        **dict.fromkeys(_COUNTS, 0),
        **counts,
        "average_price": answered.not_negative(answered.rupees(row["average_price"])),
        "last_price": answered.not_negative(answered.rupees(row["last_price"])),
    }


def _money(margin: Mapping[str, Any]) -> float:
    """What can be spent on shares: cash that nothing else uses. Collateral and what the broker lends buy no shares."""
    available, utilised = margin["available"], margin["utilised"]
    free = answered.rupees(available["cash"]) - answered.rupees(utilised["debits"])
    return max(0.0, min(answered.rupees(margin["net"]), answered.rupees(available["live_balance"]), free))


def parted(symbol: str) -> tuple[str, str]:
    """A trading symbol of Kite as the stock's own and its series, which is empty for ordinary equity."""
    found = SERIES.fullmatch(symbol)
    return (found["symbol"], found["series"]) if found else (symbol, "")


def _joined(rows: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """One row a stock: what is held of it on both exchanges, or was bought today, is together."""
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # What positions do not say, holdings may; and a stock is its ISIN, whatever the exchange calls it.
    isins = table[table["isin"] != ""].drop_duplicates("symbol").set_index("symbol")["isin"].to_dict()
    table["isin"] = [isin or isins.get(symbol, "") for symbol, isin in zip(table["symbol"], table["isin"], strict=True)]
    table["stock"] = table["isin"].where(table["isin"] != "", table["symbol"])
    table["on_nse"] = table["exchange"] == "NSE"
    table["cost"] = table["average_price"] * table["held"]
    table = table.sort_values(["stock", "on_nse", "symbol"], ascending=[True, False, True])
    first = dict.fromkeys(("symbol", "exchange", "isin", "last_price"), "first")
    found = table.groupby("stock", sort=False).agg(
        first | {"series": "max", "average_price": "mean", "cost": "sum"} | dict.fromkeys(_COUNTS, "sum")
    )
    found["average_price"] = (found["cost"] / found["held"]).where(found["held"] > 0, found["average_price"])
    found = found.astype(dict.fromkeys(_COUNTS, "int64"))
    return found[list(COLUMNS)].sort_values("symbol", ignore_index=True)


def held_by_csv(path: Path, money: float) -> Held:
    """What a CSV file says is held, all of it delivered and free.

    Args:
        money: rupees at hand, which the file does not say.

    Raises:
        NiftyFormerError: the file is missing or no such table; the message names it, the line and what to do.
    """
    rows = []
    for line, values in read_table(path, _NAMES, optional=("average_price",)):
        symbol, series = parted(values["symbol"].upper())
        quantity = _number(path, line, "quantity", values["quantity"])
        try:
            held = int(answered.not_negative(answered.shares(quantity)))
        except ValueError:
            raise NiftyFormerError(
                f"{path}, line {line}: a quantity is a whole number of shares, not {quantity:g}"
            ) from None
        price = values.get("average_price", "")
        known = _number(path, line, "average_price", price) if price else float("nan")
        rows.append(
            {
                "symbol": symbol,
                "exchange": "NSE",
                "isin": "",
                "series": series,
                **dict.fromkeys(_COUNTS, 0),
                "held": held,
                "sellable": held,
                "average_price": known,
                "last_price": float("nan"),
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(_COUNTS, "int64"))
    if twice := table["symbol"][table["symbol"].duplicated()].tolist():
        raise NiftyFormerError(f"{path} names {twice[0]} twice: put its shares into one line")
    return Held(table.sort_values("symbol", ignore_index=True), money, f"the file {path.name}")


def read_table(
    path: Path, columns: Mapping[str, Sequence[str]], optional: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file that a person gives: the number of the line, and the texts by the names of `columns`.

    Args:
        columns: our names, each with those that the file may give it, whatever their case.

    Raises:
        NiftyFormerError: it cannot be read, lacks a column, or a line has too many fields or no symbol.
    """
    wanted = ", ".join(name for name in columns if name not in optional)
    try:
        text = read_regular(path, _MOST_BYTES).decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or in_one_line(error)
        raise NiftyFormerError(f"{path} cannot be read ({reason}): give a CSV file with the columns {wanted}") from None
    header = [cell.strip().lower() for cell in lines[0]] if lines else []
    places = {name: next((header.index(each) for each in names if each in header), None)
              for name, names in columns.items()}  # fmt: skip
    if absent := [name for name, place in places.items() if place is None and name not in optional]:
        raise NiftyFormerError(f"{path} has no column {absent[0]}: its first line names the columns {wanted}")
    found = []
    for line, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        # As where the comma of a thousand is taken for the end of a field.
        if any(cell.strip() for cell in cells[len(header) :]):
            raise NiftyFormerError(
                f"{path}, line {line}: {len(cells)} fields under {len(header)} headings: "
                "put what holds commas in quotes"
            )
        values = {
            name: cells[place].strip() if place < len(cells) else ""
            for name, place in places.items()
            if place is not None
        }
        if not values["symbol"]:
            raise NiftyFormerError(f"{path}, line {line}: it names no symbol")
        try:
            answered.symbol(values["symbol"])
        except ValueError as error:
            raise NiftyFormerError(f"{path}, line {line}: {error}") from None
        found.append((line, values))
    return found


def _number(path: Path, line: int, what: str, text: str) -> float:
    """A number as people write it: with commas, perhaps with the sign of the rupee."""
    try:
        value = float(text.replace(",", "").removeprefix("₹").strip())
        if not abs(value) < float("inf"):
            raise ValueError
    except ValueError:
        raise NiftyFormerError(f"{path}, line {line}: {what} is {text!r}, which is no number") from None
    return value

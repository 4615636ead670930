"""What the columns of a table of daily candles are: vendors' headings, and headings in two rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from niftyformer_assets.vendors.dates import is_date

# Field -> headings without case, spaces and signs. Of several in one table the first of the row counts; of prices
# and volume they must all say the same, but for those in `_VAGUE`, which count where there is no other.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "date": (
        *("date", "tradedate", "tradingdate", "traddt", "date1", "dateymd", "datetime", "dtyyyymmdd", "timestamp"),
        *(
            "historicaldate",
            "exchangedate",
            "indexdate",
            "time",
            "day",
            "session",
            "bizdt",
            "t",
            "epoch",
            "epochtime",
            "unix",
        ),
        *("unixtime", "ts", "dt", "chtimestamp"),
        *("indexlevel0", "unnamed0", "index", ""),
    ),
    "open": ("open", "openprice", "opnpric", "chopeningprice", "pxopen", "into", "o"),
    "high": ("high", "highprice", "hghpric", "chtradehighprice", "pxhigh", "inth", "h"),
    "low": ("low", "lowprice", "lwpric", "chtradelowprice", "pxlow", "intl", "l"),
    "close": ("close", "closeprice", "clspric", "chclosingprice", "pxlast", "intc", "c", "price"),
    "volume": (
        *(
            "volume",
            "vol",
            "tottrdqty",
            "ttltradgvol",
            "ttltrdqnty",
            "totaltradedquantity",
            "totaltradequantity",
            "tradedquantity",
        ),
        *("sharestraded", "noofshares", "chtottradedqty", "pxvolume", "intv", "quantity", "qty", "v"),
    ),
    "adjusted close": ("adjclose", "adjustedclose", "adjcloseprice", "closeadj", "closeadjusted"),
    "symbol": ("symbol", "tckrsymb", "chsymbol", "ticker", "tradingsymbol", "scrip", "stock", "instrument"),
    # Codes of a vendor's own: they tell stocks apart where a table holds several.
    "code": ("stockcode", "scripcode"),
    "series": ("series", "sctysrs", "chseries"),
    "previous close": ("prevclose", "prvsclsgpric", "previousclose", "prevcloseprice", "chpreviousclsprice"),
    "isin": ("isin", "isincode", "isinnumber"),
    "industry": ("industry",),
}
_VAGUE = frozenset({"price", "quantity", "qty", "noofshares", "o", "h", "l", "c", "v"})
PRICES = ("open", "high", "low", "close")
NEEDED = ("date", *PRICES, "volume")

BSE = "BSE"
# Whose format a table is, by headings that only this vendor has; the first that fits.
_VENDORS: tuple[tuple[str, frozenset[str]], ...] = (
    ("NSE bhavcopy (UDiFF)", frozenset({"tckrsymb", "sctysrs", "clspric"})),
    ("NSE bhavcopy with deliveries", frozenset({"symbol", "series", "date1", "closeprice"})),
    ("NSE bhavcopy", frozenset({"symbol", "series", "tottrdqty", "timestamp"})),
    ("NSE security-wise prices", frozenset({"series", "prevclose", "date"})),
    ("Yahoo", frozenset({"adjclose", "close", "volume"})),
    ("Stooq", frozenset({"ticker", "per", "date", "close"})),
    ("AmiBroker", frozenset({"ticker", "datetime", "close"})),
    ("AmiBroker", frozenset({"ticker", "dtyyyymmdd", "close"})),
    ("TradingView", frozenset({"time", "open", "close"})),
    ("Investing.com", frozenset({"price", "vol", "change"})),
    (BSE, frozenset({"noofshares", "nooftrades", "spreadhighlow"})),
    ("kiteconnect", frozenset({"", "date", "close"})),
)


@dataclass(frozen=True)
class Columns:
    """Where the fields of one table stand.

    places: field -> places of its columns; more than one where a heading is there several times.
    headings: the headings as written.
    ticker: the symbol that these columns are of, where the file says it; beside: whether its headings do.
    only: the field that the file is of, where each has a file of its own.
    told: whether the file has headings; without any, prices are taken for open, high, low and close in turn.
    """

    places: Mapping[str, tuple[int, ...]]
    headings: tuple[str, ...]
    ticker: str | None = None
    beside: bool = False
    told: bool = True
    only: str | None = None

    def moved(self, by: int) -> Columns:
        """With so many columns before it that are no field."""
        places = {field: tuple(place + by for place in places) for field, places in self.places.items()}
        return replace(self, places=places, headings=("-",) * by + self.headings)

    @property
    def used(self) -> frozenset[int]:
        """The places of all columns that are a field."""
        return frozenset(place for places in self.places.values() for place in places)


# Parts of the words and signs for other units than a rupee and a share.
_OTHER_UNITS = (
    r"\bla[ck]|\bcr|thousand|million|billion|\b(?:mn|mio|bn|[kmbl])\b|0{2,}|paise|paisa|usd|eur|gbp|[$€£%]|percent"
)


@cache
def plain(heading: str) -> str:
    """A heading without case, spaces, signs, a number before, a unit in brackets, and pandas' for a repetition."""
    text = re.sub(r"\(.*?\)|\[.*?\]", "", heading.strip().lower())
    text = re.sub(r"^\d+\. |\.\d+$", "", text)
    return re.sub(r"[^a-z0-9]", "", text)


def other_unit(heading: str) -> str:
    """The unit in brackets that a heading gives, where it is not that of rupees or of shares; "" otherwise."""
    units: list[str] = re.findall(r"[(\[](.*?)[)\]]", heading)
    return next((unit for unit in units if re.search(_OTHER_UNITS, unit, re.IGNORECASE)), "")


def columns_of(headings: Sequence[str]) -> Columns:
    """The fields that headings name; what is not known is no field."""
    plains = [plain(heading) for heading in headings]
    places: dict[str, tuple[int, ...]] = {}
    for field, names in FIELDS.items():
        # Only the first column may go without a heading: an index, which saved tables often have.
        found = [name for name in names if (name in plains if name else plains[:1] == [""])]
        plainly = [name for name in found if name not in _VAGUE] if field in (*PRICES, "volume") else []
        meant = plainly or found[:1]
        if meant:
            places[field] = (0,) if meant == [""] else tuple(n for n, name in enumerate(plains) if name in meant)
    return Columns(places, tuple(headings))


def columns_by_symbol(headings: Sequence[str], field: str) -> list[Columns]:
    """A table for each column but the date's, which is a field of the symbol that it is headed by."""
    dates = columns_of(headings).places.get("date", ())[:1]
    return [
        Columns(
            {"date": dates, field: (place,)} if dates else {field: (place,)}, tuple(headings), name.strip(), only=field
        )
        for place, name in enumerate(headings)
        if place not in dates and plain(name) not in FIELDS["date"]
    ]


def tables_of(rows: Sequence[Sequence[str]], only: str | None = None) -> tuple[list[Columns], int]:
    """The tables that stand side by side under the first rows of a file, and how many rows are headings.

    That is one table under one row, but for yfinance's: a row of fields and one of tickers, in either
    order, then often one that names the date alone. Files for AmiBroker often have no headings.
    With `only`, the file is of this field, with a column a symbol.
    """
    if not rows:
        return [columns_of(())], 1
    if only:
        return columns_by_symbol(rows[0], only), 1
    if (headless := _without_headings(rows[0])) is not None:
        return [headless], 0
    # pandas' numbers of columns, after that of its index or none.
    first = 1 if not rows[0][0].strip() else 0
    if len(rows) > 1 and [cell.strip() for cell in rows[0][first:]] == list(map(str, range(len(rows[0]) - first))):
        numbered = _without_headings(rows[1][first:])
        if numbered is not None:
            return [numbered.moved(first)], 1
    if (pairs := pairs_of(rows[0])) is not None:
        return tables_of(pairs)[0], 1
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        return [columns_of(rows[0])], 1
    for fields, tickers in ((rows[0], rows[1]), (rows[1], rows[0])):
        if _is_fields(fields) and _is_tickers(tickers):
            break
    else:
        return [columns_of(rows[0])], 1
    count = 2
    if len(rows) > 2 and rows[2] and plain(rows[2][0]) in FIELDS["date"] and not any(rows[2][1:]):
        count = 3
    found = []
    for ticker in dict.fromkeys(tickers[1:]):
        headings = [
            "Date",
            *(field if of == ticker else "-" for field, of in zip(fields[1:], tickers[1:], strict=True)),
        ]
        columns = columns_of(headings)
        found.append(Columns(columns.places, columns.headings, ticker.strip(), beside=True))
    return found, count


def pairs_of(row: Sequence[str]) -> list[list[str]] | None:
    """Headings that are pairs of a field and a ticker as two rows of headings, None where they are not.

    Two rows that were written as one, as `('Close', 'TCS.NS')`, `Close_TCS.NS` or `TCS.NS_Close`. All but the
    first have to be pairs, which is the date's.
    """
    written = re.compile(r"\('(.*)', '(.*)'\)")
    for pattern in (written, re.compile(r"([A-Za-z ]+)[_|/:]\s*(.+)"), re.compile(r"(.+)[_|/:]\s*([A-Za-z ]+)")):
        pairs = [pattern.fullmatch(heading.strip()) for heading in row[1:]]
        if not pairs or not all(pairs) or plain(row[0]) not in FIELDS["date"]:
            continue
        rows = [["", *(pair[place] for pair in pairs if pair is not None)] for place in (1, 2)]
        if any(_is_fields(fields) and _is_tickers(tickers) for fields, tickers in (rows, rows[::-1])):
            return rows
    return None


# A number, infinity, or what stands for none.
_MAYBE_NUMBER = re.compile(r"[\d.,' ]*\d[\d.,]*(?:e[+-]?\d+)?|-?inf(?:inity)?|nan|null|none|n/?a|-*", re.IGNORECASE)


def _without_headings(row: Sequence[str]) -> Columns | None:
    """The columns of a first row that is a candle already: a symbol or none, a date, a time or none, numbers."""
    headings: list[str] = []
    cells = [cell.strip() for cell in row]
    if cells and re.search(r"[A-Za-z]", cells[0]) and not is_date(cells[0]):
        headings.append("Symbol")
    if len(headings) >= len(cells) or not is_date(cells[len(headings)]):
        return None
    headings.append("Date")
    if len(headings) < len(cells) and re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", cells[len(headings)]):
        headings.append("-")
    numbers = cells[len(headings) :]
    if len(numbers) < len(NEEDED) - 1 or not all(map(_MAYBE_NUMBER.fullmatch, numbers[:5])):
        return None
    headings += [name.capitalize() for name in NEEDED[1:]]
    headings += ["-"] * (len(cells) - len(headings))
    return replace(columns_of(headings), told=False)


def _is_fields(row: Sequence[str]) -> bool:
    known = {name for field in (*PRICES, "volume", "adjusted close") for name in FIELDS[field]}
    names = [plain(heading) for heading in row[1:]]
    first = plain(row[0]) if row else "-"
    return (
        first in ("price", "attributes", "")
        and {"open", "close"} <= set(names)
        and sum(name in known for name in names) >= 0.7 * len(names)
    )


def _is_tickers(row: Sequence[str]) -> bool:
    first = plain(row[0]) if row else "-"
    return first in ("ticker", "tickers", "symbol", "symbols", "") and all(
        re.search(r"[A-Za-z]", cell) is not None for cell in row[1:]
    )


def vendor_of(columns: Columns) -> str:
    """Whose format it is, "" where the headings are anybody's."""
    if columns.beside:
        return "yfinance"
    if not columns.told or columns.only:
        return ""
    plains = {plain(heading) for place, heading in enumerate(columns.headings) if not place or plain(heading)}
    found = next((vendor for vendor, needed in _VENDORS if needed <= plains), "")
    return "" if found == "TradingView" and "date" in plains else found

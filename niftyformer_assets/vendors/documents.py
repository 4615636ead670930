"""Tables in JSON: answers of brokers as they came, and what pandas writes.

A table is a list of rows or of records, columns by name, or records by date. Of what stands around it only the symbol
counts. Numbers keep their digits as text, so that they are read as those of CSV are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from niftyformer_assets.vendors.dates import is_date
from niftyformer_assets.vendors.headings import FIELDS, columns_of, plain

Rows = list[list[str]]
# What names the columns of rows that stand beside it, and the rows.
_HEADS = ("columns", "column_names", "fields", "headers")
_BODIES = ("data", "rows", "values", "candles")


@dataclass(frozen=True)
class _Found:
    """A table: the keys on the way to it, and the symbol that is said there, if any."""

    rows: Rows
    keys: tuple[str, ...]
    symbol: str | None


def tables_of_document(text: str, is_table: Callable[[Rows], bool]) -> list[tuple[str | None, Rows]]:
    """The tables of a document, or of one a line, each with the symbol that is told of it, None for none.

    The first row is headings, unless it is a candle already. Where no symbol is said, what tells several tables apart
    is the key that they are under.

    Raises:
        ValueError: it is no JSON.
    """
    found = [table for table in _tables(_loaded(text), (), None) if is_table(table.rows)]
    keys = [table.keys for table in found]
    while len(keys) > 1 and all(keys) and len({way[-1] for way in keys}) == 1:
        keys = [way[:-1] for way in keys]
    if len(keys) < 2 or not all(keys):
        keys = [("",)] * len(keys)
    return [(table.symbol or way[-1] or None, table.rows) for table, way in zip(found, keys, strict=True)]


def _loaded(text: str) -> Any:
    def load(part: str) -> Any:
        return json.loads(part, parse_int=str, parse_float=str, parse_constant=str)

    try:
        return load(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [load(line) for line in lines]


def _tables(value: Any, keys: tuple[str, ...], symbol: str | None) -> Iterator[_Found]:
    if isinstance(value, dict):
        said = (v for k, v in value.items() if plain(k) in FIELDS["symbol"] and isinstance(v, str))
        symbol = next((name for name in said if re.search("[A-Za-z]", name)), symbol)
        if (rows := _of_dict(value)) is not None:
            yield _Found(rows, keys, symbol)
        else:
            for key, inner in value.items():
                yield from _tables(inner, (*keys, key), symbol)
    elif isinstance(value, list):
        if _all_are(value, dict) and not any(_holds_rows(record) for record in value):
            yield _Found(_of_records(value), keys, symbol)
        elif _all_are(value, list) and not any(isinstance(cell, (dict, list)) for row in value for cell in row):
            yield _Found([[_text(cell) for cell in row] for row in value], keys, symbol)
        else:
            for inner in value:
                yield from _tables(inner, keys, symbol)


def _all_are(values: Sequence[Any], kind: type) -> bool:
    return bool(values) and all(isinstance(value, kind) for value in values)


def _holds_rows(record: Mapping[str, Any]) -> bool:
    return any(
        isinstance(value, dict) or (isinstance(value, list) and any(isinstance(cell, (dict, list)) for cell in value))
        for value in record.values()
    )


def _of_dict(value: Mapping[str, Any]) -> Rows | None:
    """A dict as a table with its headings; None if it is none."""
    heads = next((value[key] for key in _HEADS if _all_are(value.get(key) or (), str)), None)
    body = next((value[key] for key in _BODIES if isinstance(value.get(key), list)), None)
    if heads and body and _all_are(body, list):
        if isinstance(index := value.get("index"), list) and len(index) == len(body):
            heads, body = ["", *heads], [[of, *row] for of, row in zip(index, body, strict=True)]
        return [list(heads), *([_text(cell) for cell in row] for row in body)]
    if (columns := _columns(value)) is not None:
        return [list(columns), *map(list, zip(*(map(_text, cells) for cells in columns.values()), strict=True))]
    return _of_dicts(value)


def _columns(value: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """Lists of one length under names of a date and of prices, at hand or in what lies below; None if there are none.

    Others, as of what may be asked for, are left out.
    """
    lists = list(_lists(value))
    names = [name for name, _ in lists]
    places = columns_of(names).places
    if not {"date", "close"} <= places.keys() or len(set(names)) < len(names):
        return None
    length = len(lists[places["date"][0]][1])
    return {name: cells for name, cells in lists if len(cells) == length}


def _lists(value: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for name, inner in value.items():
        if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], dict):
            inner = inner[0]
        if isinstance(inner, dict):
            yield from _lists(inner)
        elif isinstance(inner, list) and not any(isinstance(cell, (dict, list)) for cell in inner):
            yield name, inner


def _of_dicts(value: Mapping[str, Any]) -> Rows | None:
    """Dicts of cells: records by date, number or symbol, or columns by date or number; None if they are none of it."""
    if not value or not all(_is_cells(inner) for inner in value.values()):
        return None
    if all(map(is_date, value)):
        return _of_records([{"": day, **record} for day, record in value.items()])
    if all({"date", "close"} <= columns_of(list(record)).places.keys() for record in value.values()):
        of = "" if all(key.isdigit() for key in value) else "symbol"
        return _of_records([{of: key, **record} for key, record in value.items()])
    index = dict.fromkeys(key for cells in value.values() for key in cells)
    if "close" in columns_of(list(value)).places or all(map(is_date, index)):
        return [["", *value], *([key, *(_text(cells.get(key)) for cells in value.values())] for key in index)]
    return None


def _is_cells(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(cell, (dict, list)) for cell in value.values())


def _of_records(records: Sequence[Mapping[str, Any]]) -> Rows:
    heads = list(dict.fromkeys(key for record in records for key in record))
    return [heads, *([_text(record.get(head)) for head in heads] for record in records)]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)

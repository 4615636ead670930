"""One table of a folder on its way to candles: which rows count, and what is in their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from sys import intern

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.files import Table, cell
from niftyformer_assets.vendors.headings import NEEDED, PRICES, other_unit, plain
from niftyformer_assets.vendors.names import INDEX, cleaned, some
from niftyformer_assets.vendors.numbers import PLAIN, STYLES, Style, fits, plain_floats, styles_of, trimmed
from niftyformer_assets.vendors.origins import problem

# Whose candles count where a table tells the series: those that Kite lists under the bare symbol.
SERIES = "EQ"
_NUMBERS = (*PRICES, "volume", "adjusted close", "previous close")
_MAY_LACK = ("adjusted close", "previous close")


class OtherStyleError(Exception):
    """A number is written otherwise than plainly."""


@dataclass(eq=False)
class Part:
    """The rows [R] of one table that count.

    table: without its values. rows: their places in it. dates, symbols: the code of each row and the texts that
    codes stand for; symbols None where the table is of one symbol. numbers: field -> its columns [R], float64
    or, until their style is decided, text. floats: field -> float64 [R], NaN where nothing is written.
    series: rows of other series, left out. empty_rows: those without any price, left out. broken_volumes: those
    with a volume that is no whole number.
    twice: headings that stand there more than once, with the same values.
    """

    table: Table
    is_index: bool
    rows: np.ndarray
    dates: tuple[np.ndarray, list[str]]
    symbols: tuple[np.ndarray, list[str]] | None
    numbers: dict[str, list[pa.Array]]
    series: Counter[str]
    floats: dict[str, np.ndarray] = field(default_factory=dict)
    empty_rows: int = 0
    broken_volumes: int = 0
    twice: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def wrong(
        self, name: str, row: int, what: str = "", advice: str = "Mend the file or remove it"
    ) -> NiftyFormerError:
        """The error for what stands under a field in a row, "is no number" unless told otherwise."""
        table = self.table.of(name)
        number, text = cell(table, name, int(self.rows[row]))
        what = what or f"{text!r} is no number"
        column = table.columns.ticker if table.columns.only and name != "date" else name.capitalize()
        return problem(table.origin, f"column {column!r}, {table.unit} {number}: {what}", advice)


def part_of(table: Table, plainly: bool, is_index: bool = False) -> Part:
    """Take the rows of series EQ, or all where no series is told, and the numbers as float64 if they are plain.

    A table that is called as the index is one of the index, which needs a date and a close only.

    Raises:
        NiftyFormerError: a column is missing, or is there twice with different texts.
        OtherStyleError: with `plainly`, a number that is not.
    """
    is_index = is_index or ("symbol" not in table.values and cleaned(table.name) == INDEX)
    absent = [name for name in (("date", "close") if is_index else NEEDED) if name not in table.values]
    if absent:
        raise _lacks(table, absent)
    for name in _NUMBERS:
        for place in table.of(name).columns.places.get(name, ()):
            heading = table.of(name).columns.headings[place]
            if unit := other_unit(heading):
                raise problem(
                    table.of(name).origin,
                    f"has {name} in another unit, {unit!r} (column {heading.strip()!r})",
                    "Write prices in rupees and volumes in shares, and the heading without a unit",
                )
    twice = [_alike(table, name) for name in ("date", "symbol", "series") if len(table.values.get(name, ())) > 1]
    rows, series = np.arange(table.rows), Counter[str]()
    if "series" in table.values:
        names = pc.utf8_upper(pc.utf8_trim_whitespace(table.values["series"][0]))
        mask = pc.fill_null(pc.equal(names, SERIES), False).to_numpy(zero_copy_only=False)
        series = Counter(str(name) for name in names.filter(pa.array(~mask)).to_pylist())
        rows = rows[mask]
    places = None if len(rows) == table.rows else pa.array(rows)

    def taken(column: pa.Array) -> pa.Array:
        return column if places is None else column.take(places)

    numbers: dict[str, list[pa.Array]] = {}
    for name in _NUMBERS:
        numbers[name] = []
        for column in table.values.get(name, ()):
            kept = taken(column)
            found = plain_floats(kept) if plainly else trimmed(kept) if pa.types.is_string(kept.type) else kept
            if found is None:
                raise OtherStyleError
            numbers[name].append(found)
    symbols = next(
        (_encoded(taken(table.values[name][0])) for name in ("symbol", "code") if name in table.values), None
    )
    if symbols is not None and "symbol" not in table.values and len(symbols[1]) < 2:
        # A code of the stock that the file is called by.
        symbols = None
    part = Part(
        replace(table, values={}),
        is_index,
        rows,
        _encoded(taken(table.values["date"][0])),
        symbols,
        {name: columns for name, columns in numbers.items() if columns},
        series,
        twice=twice,
    )
    if symbols is not None and (nameless := [code for code, text in enumerate(symbols[1]) if not cleaned(text)]):
        row = int(np.isin(symbols[0], nameless).argmax())
        raise part.wrong("symbol", row, f"{symbols[1][nameless[0]]!r} is no symbol")
    return part


def _lacks(table: Table, absent: Sequence[str]) -> NiftyFormerError:
    others = [heading for place, heading in enumerate(table.columns.headings) if place not in table.columns.used]
    if absent == list(NEEDED[1:]) and len(others) > 1 and "symbol" not in table.values:
        return problem(
            table.origin,
            f"has one column of numbers a name ({some(others, 3)}): candles need open, high, low, close and volume",
            "Give a file a symbol, a long table of Symbol, Date, Open, High, Low, Close, Volume, or a file a field: "
            "open.csv, high.csv, low.csv, close.csv and volume.csv",
        )
    if {"sccode", "scname"} <= set(map(plain, others)):
        return problem(table.origin, "is a bhavcopy of BSE", "Give those of NSE, whose volumes and closes are others")
    return problem(
        table.origin,
        f"has no column {absent[0].capitalize()!r}{' in its first line' if table.unit == 'line' else ''}",
        "Add the column, or take the file out of the folder if it holds no candles",
    )


def _encoded(texts: pa.Array) -> tuple[np.ndarray, list[str]]:
    encoded = pc.fill_null(texts, "").dictionary_encode()
    # A few thousand symbols and dates, in thousands of files: one object each.
    return encoded.indices.to_numpy(zero_copy_only=False), list(map(intern, encoded.dictionary.to_pylist()))


def _alike(table: Table, name: str) -> str:
    """The headings of a text column that is there more than once, which must say the same."""
    first, *others = table.values[name]
    if not all(first.equals(other) for other in others):
        raise _differ(table, name)
    return _headings(table, name)


def _headings(table: Table, name: str) -> str:
    return " and ".join(repr(table.columns.headings[place]) for place in table.columns.places[name])


def _differ(table: Table, name: str) -> NiftyFormerError:
    return problem(
        table.origin, f"has {name} twice, in columns {_headings(table, name)}, and they differ", "Remove one of them"
    )


def decide_numbers(parts: Sequence[Part]) -> Style:
    """The style of all numbers of a folder that are text still, and their values.

    Raises:
        NiftyFormerError: a cell is no number, two are written in different ways, or all can be read in two ways.
    """
    cells = [
        (part, name, column)
        for part in parts
        for name, columns in part.numbers.items()
        for column in columns
        if pa.types.is_string(column.type)
    ]
    styles = styles_of((column, name == "volume") for _, name, column in cells)
    if not styles:
        raise _no_style(cells)
    if len(styles) > 1 and PLAIN not in styles:
        raise _two_styles(cells, styles)
    style = PLAIN if PLAIN in styles else styles[0]
    for part in parts:
        part.numbers = {
            name: [style.floats(column) if pa.types.is_string(column.type) else column for column in columns]
            for name, columns in part.numbers.items()
        }
    return style


def _no_style(cells: Iterable[tuple[Part, str, pa.Array]]) -> NiftyFormerError:
    """Which cell is no number, or which two are written in ways that exclude each other."""
    possible, before = set(STYLES), ""
    for part, name, column in cells:
        fitting = np.stack([fits(style, column, name == "volume") for style in STYLES])
        if not (alone := fitting.any(axis=0)).all():
            return part.wrong(name, int(alone.argmin()))
        for row in np.flatnonzero(~fitting.all(axis=0)):
            here = {style for style, fit in zip(STYLES, fitting[:, row], strict=True) if fit}
            if not possible & here:
                return part.wrong(
                    name,
                    int(row),
                    f"{column[int(row)].as_py()!r} is written otherwise than {before!r} elsewhere in the folder",
                    "Write all numbers alike",
                )
            if possible - here:
                possible, before = possible & here, column[int(row)].as_py()
    raise AssertionError("a style fits all cells")


def _two_styles(cells: Iterable[tuple[Part, str, pa.Array]], styles: Sequence[Style]) -> NiftyFormerError:
    for part, name, column in cells:
        values = [style.floats(column).to_numpy(zero_copy_only=False) for style in styles[:2]]
        if len(differing := np.flatnonzero((values[0] != values[1]) & np.isfinite(values[0]))):
            row = int(differing[0])
            return part.wrong(
                name,
                row,
                f"{column[row].as_py()!r} is {values[0][row]:g} or {values[1][row]:g}, and no number of the folder "
                "tells which",
                "Write numbers without signs between thousands",
            )
    raise AssertionError("the styles give the same values")


def settle(part: Part) -> None:
    """Make `floats` of the numbers, and leave out rows without any price.

    An index's open, high and low are its close where it lacks them, its volume 0.

    Raises:
        NiftyFormerError: a row has some of its numbers only, one is infinite, or a column is there twice
            with different values.
    """
    for name, columns in part.numbers.items():
        first, *others = (
            pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False) for column in columns
        )
        if not all(np.array_equal(first, other, equal_nan=True) for other in others):
            raise _differ(part.table, name)
        if others:
            part.twice.append(_headings(part.table, name))
        if np.isinf(first).any():
            raise part.wrong(name, int(np.isinf(first).argmax()))
        part.floats[name] = first
    part.numbers = {}
    prices = [name for name in PRICES if name in part.floats]
    empty = np.logical_and.reduce([np.isnan(part.floats[name]) for name in prices])
    part.empty_rows = int(empty.sum())
    if empty.any():
        part.rows, part.dates = part.rows[~empty], (part.dates[0][~empty], part.dates[1])
        part.symbols = (part.symbols[0][~empty], part.symbols[1]) if part.symbols else None
        part.floats = {name: values[~empty] for name, values in part.floats.items()}
    for name, values in part.floats.items():
        if name not in _MAY_LACK and (missing := np.isnan(values)).any():
            raise part.wrong(name, int(missing.argmax()))
    if "volume" in part.floats:
        part.broken_volumes = int((~np.isclose(part.floats["volume"], np.rint(part.floats["volume"]), 1e-12, 0)).sum())
    if part.is_index:
        for name in PRICES:
            part.floats.setdefault(name, part.floats["close"])
        part.floats.setdefault("volume", np.zeros(len(part)))

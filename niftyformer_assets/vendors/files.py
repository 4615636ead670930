"""Files of candles as tables of text: CSV with any separator, JSON, and Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.documents import tables_of_document
from niftyformer_assets.vendors.headings import (
    NEEDED,
    PRICES,
    Columns,
    columns_by_symbol,
    columns_of,
    pairs_of,
    tables_of,
)
from niftyformer_assets.vendors.names import name_of_file
from niftyformer_assets.vendors.origins import Origin, problem, read_bytes

WANTED = (*NEEDED, "adjusted close", "previous close", "symbol", "code", "series")
# Lines that may stand above the headings, how many words such a line may have, and how many columns must be known then.
_MAX_TITLES, _TITLE_WORDS, _HEADED = 20, 2, 5
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_HEAD_BYTES = 65536
# A mark of UTF-8, and blanks.
_BLANK = b"\xef\xbb\xbf \t\r\n"
# How JSON of records or rows begins, whatever the file is called.
_JSON = re.compile(rb'\{\s*"|\[\s*[\[{]')
# What files that are no text begin with, whatever they are called.
_NO_TEXT = {b"pk\x03\x04": "an Excel workbook", b"\xd0\xcf\x11\xe0": "an Excel workbook"}
_NO_TEXT |= dict.fromkeys((b"<!doctype", b"<html", b"<table"), "a web page")


@dataclass(frozen=True, eq=False)
class Table:
    """One table as written: string columns (Parquet's numbers as they are), R rows.

    values: field -> its columns, each [R]; several where a heading is there more than once.
    written: how, in words. place: which of the file's tables it is.
    apart: where the fields stand in files of their own, field -> the table of that file.
    """

    origin: Origin
    columns: Columns
    values: dict[str, list[pa.Array]]
    rows: int
    written: str
    place: int = 0
    apart: Mapping[str, Table] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the table is called, without a span of time: the symbol, unless a column says it."""
        return self.columns.ticker or name_of_file(self.origin.stem, self.origin.folders)

    @property
    def unit(self) -> str:
        """What its rows are counted in."""
        return "line" if self.written.startswith("CSV") else "row"

    def of(self, field: str) -> Table:
        """The table that a field stands in."""
        return self.apart.get(field, self)


def tables_in(origin: Origin, only: str | None = None) -> list[Table]:
    """The tables of a file, with the columns that are known; none of a `.txt` or JSON that is something else.

    Args:
        only: the field that the whole file is of, with a column a symbol.

    Raises:
        NiftyFormerError: it cannot be read; a line has another number of fields than the first.
    """
    if origin.kind == ".parquet":
        return _parquet_tables(origin, only)
    data = read_bytes(origin)
    try:
        if origin.kind == ".json" or _JSON.match(data[:64].lstrip(_BLANK)):
            return _json_tables(origin, data, only)
        layout = _Layout.of(origin, data, only)
    except NiftyFormerError:
        if origin.kind in (".csv", ".json"):
            raise
        return []
    if origin.kind != ".csv" and not layout.tables[0].places:
        return []
    content = _columns(origin, data, layout, _wanted(layout.tables))
    rows = len(next(iter(content.values()))) if content else 0
    return [
        Table(origin, columns, _values(columns, content), rows, f"CSV with {_SEPARATORS[layout.separator]}", place)
        for place, columns in enumerate(layout.tables)
    ]


def _wanted(tables: Iterable[Columns]) -> list[int]:
    """The places of all columns that are read."""
    return sorted({place for columns in tables for field in WANTED for place in columns.places.get(field, ())})


def _values(columns: Columns, content: Mapping[int, pa.Array]) -> dict[str, list[pa.Array]]:
    return {field: [content[place] for place in columns.places[field]] for field in WANTED if field in columns.places}


@dataclass(frozen=True)
class _Layout:
    """How a text file is laid out: its separator, `skip` lines before the headings, and the tables under them."""

    separator: str
    skip: int
    head_rows: int
    tables: tuple[Columns, ...]

    @classmethod
    def of(cls, origin: Origin, data: bytes, only: str | None = None) -> _Layout:
        head = data[:_HEAD_BYTES]
        if len(data) > _HEAD_BYTES:
            head = head[: head.rfind(b"\n") + 1]
        lines = _decoded(origin, head).splitlines()
        skip = 0
        separators = list(_SEPARATORS)
        while skip < len(lines) and (not lines[skip].strip() or lines[skip].lower().startswith("sep=")):
            if lines[skip].strip():
                # As Excel is told.
                separators = [sign for sign in separators if sign == lines[skip][4:5]] or separators
            skip += 1
        if skip == len(lines):
            return cls(",", skip, 1, (columns_of(()),))

        def known(sign: str, line: str) -> tuple[int, int]:
            headings = next(csv.reader([line], delimiter=sign))
            return len(columns_of(headings).places), len(headings) if only else 0

        skip += _titles(lines[skip : skip + _MAX_TITLES], lambda line: max(known(sign, line)[0] for sign in separators))
        separator = max(separators, key=lambda sign: known(sign, lines[skip]))
        rows = list(csv.reader(lines[skip : skip + 3], delimiter=separator))
        if len(rows) > 1 and len(rows[1]) == len(rows[0]) + 1 and not rows[1][-1]:
            # Each row ends in a separator.
            rows[0].append("")
        tables, count = tables_of(rows, only)
        return cls(separator, skip, count, tuple(tables))


def _titles(lines: Sequence[str], known: Callable[[str], int]) -> int:
    """How many lines stand above the headings: titles, as some vendors write."""
    for count, line in enumerate(lines):
        if known(line) >= _HEADED:
            return count
        if len([cell for cell in re.split(r"[,;\t|]", line) if cell.strip()]) > _TITLE_WORDS:
            break
    return 0


def _decoded(origin: Origin, data: bytes) -> str:
    head = data[:64].lstrip(_BLANK).lower()
    if (kind := next((kind for mark, kind in _NO_TEXT.items() if head.startswith(mark)), None)) is not None:
        raise problem(origin, f"is {kind}, not text", "Save its table as CSV")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise problem(origin, "is not UTF-8 text", "Save it as UTF-8 CSV") from error


def _columns(origin: Origin, data: bytes, layout: _Layout, positions: Sequence[int]) -> dict[int, pa.Array]:
    """The columns at these places, as text, from below the headings."""
    width = len(layout.tables[0].headings)
    names = [str(place) for place in range(width)]
    wanted = [names[place] for place in positions]
    if not wanted:
        return {}
    try:
        table = pv.read_csv(
            pa.BufferReader(data),
            pv.ReadOptions(column_names=names, skip_rows=layout.skip + layout.head_rows, use_threads=False),
            pv.ParseOptions(delimiter=layout.separator),
            pv.ConvertOptions(
                include_columns=wanted, column_types={name: pa.string() for name in wanted}, strings_can_be_null=False
            ),
        )
        return {place: _one(table.column(name)) for place, name in zip(positions, wanted, strict=True)}
    except pa.ArrowInvalid:
        # By hand, to say which line it is.
        rows = [row for _, row in body_rows(origin, data, layout)]
        return {place: pa.array([row[place] for row in rows], pa.string()) for place in positions}


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def body_rows(origin: Origin, data: bytes, layout: _Layout) -> Iterator[tuple[int, list[str]]]:
    """The rows below the headings with the number of their line, counted as rows; empty ones left out.

    Raises:
        NiftyFormerError: the text is no UTF-8 or no CSV, or a row has another number of fields.
    """
    try:
        rows = list(csv.reader(io.StringIO(_decoded(origin, data), newline=""), delimiter=layout.separator))
    except csv.Error as error:
        raise problem(origin, f"is no CSV ({error})") from error
    width = len(layout.tables[0].headings)
    start = layout.skip + layout.head_rows
    for number, row in enumerate(rows[start:], start=start + 1):
        if row:
            if len(row) != width:
                raise problem(origin, f"line {number} has {len(row)} fields, the first line {width}")
            yield number, row


def cell(table: Table, field: str, row: int) -> tuple[int, str]:
    """The line of a row of a table (or row, where a file has no lines), and what is written there under a field."""
    table = table.of(field)
    (place, *_) = table.columns.places[field]
    if table.unit == "row":
        again = tables_in(table.origin, table.columns.only)[table.place]
        return row + 1, str(again.values[field][0][row].as_py())
    data = read_bytes(table.origin)
    layout = _Layout.of(table.origin, data, table.columns.only)
    for count, (number, cells) in enumerate(body_rows(table.origin, data, layout)):
        if count == row:
            return number, cells[place].strip()
    raise AssertionError(f"{table.origin} has no row {row}")


def _json_tables(origin: Origin, data: bytes, only: str | None) -> list[Table]:
    def has_prices(rows: list[list[str]]) -> bool:
        places = tables_of(rows[:3], only)[0][0].places
        return bool(places.keys() & {only, *PRICES})

    try:
        documents = tables_of_document(_decoded(origin, data), has_prices)
    except (ValueError, RecursionError) as error:
        raise problem(origin, f"is no JSON ({error})") from error
    found: list[Table] = []
    for symbol, rows in documents:
        tables, count = tables_of(rows[:3], only)
        width = len(tables[0].headings)
        body = rows[count:]
        for number, row in enumerate(body, start=1):
            if len(row) != width:
                raise problem(origin, f"row {number} has {len(row)} fields, the first {width}")
        content = {place: pa.array([row[place] for row in body], pa.string()) for place in _wanted(tables)}
        for columns in tables:
            columns = replace(columns, ticker=columns.ticker or symbol)
            found.append(Table(origin, columns, _values(columns, content), len(body), "JSON", len(found)))
    return found


def _parquet_tables(origin: Origin, only: str | None) -> list[Table]:
    try:
        with pq.ParquetFile(pa.BufferReader(read_bytes(origin))) as file:
            names = file.schema_arrow.names
            tables, places = _parquet_columns(names, only)
            wanted = _wanted(tables)
            content = file.read(columns=[names[places[place]] for place in wanted])
    except (pa.ArrowException, OSError, ValueError, NiftyFormerError) as error:
        raise problem(origin, "is missing or no Parquet file", "Give candles as CSV or Parquet") from error
    texts = {place: _as_text(_one(content.column(names[places[place]]))) for place in wanted}
    found = []
    for place, columns in enumerate(tables):
        values = _values(columns, texts)
        for name in values.keys() & {"date", "symbol", "series"}:
            values[name] = [_whole_as_text(column) for column in values[name]]
        found.append(Table(origin, columns, values, content.num_rows, "Parquet", place))
    return found


def _parquet_columns(names: Sequence[str], only: str | None) -> tuple[list[Columns], list[int]]:
    """The tables of a Parquet file, and which of its columns each of their places is.

    Where headings are pairs, the date is the one that is not, which pandas keeps last.
    """
    if only:
        return columns_by_symbol(names, only), list(range(len(names)))
    for places in (list(range(len(names))), [len(names) - 1, *range(len(names) - 1)]):
        if (pairs := pairs_of([names[place] for place in places])) is not None:
            return tables_of(pairs)[0], places
    return [columns_of(names)], list(range(len(names)))


def _as_text(column: pa.Array) -> pa.Array:
    """Text of any kind as plain strings, numbers as they are, dates as text, what is null as null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type):
        return pc.cast(column, pa.float64())
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return column
    return pc.cast(column, pa.string())


def _whole_as_text(column: pa.Array) -> pa.Array:
    """As strings; whole numbers may be kept as floats, as pandas does where some are missing."""
    if pa.types.is_floating(column.type):
        column = pc.cast(column, pa.int64(), safe=False)
    return pc.cast(column, pa.string())

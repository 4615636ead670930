"""Files of candles as tables of text: CSV with any separator, and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.headings import NEEDED, Columns, columns_of, pairs_of, tables_of
from niftyformer_assets.vendors.names import name_of_file
from niftyformer_assets.vendors.origins import Origin, problem, read_bytes

WANTED = (*NEEDED, "adjusted close", "previous close", "symbol", "series")
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_HEAD_BYTES = 65536


@dataclass(frozen=True, eq=False)
class Table:
    """One table as written: string columns (Parquet's numbers as they are), R rows.

    values: field -> its columns, each [R]; several where a heading is there more than once.
    separator: in words. head_rows: how many rows of the file are headings.
    """

    origin: Origin
    columns: Columns
    values: dict[str, list[pa.Array]]
    rows: int
    separator: str = ""
    head_rows: int = 1

    @property
    def name(self) -> str:
        """What the table is called, without a span of time: the symbol, unless a column says it."""
        return self.columns.ticker or name_of_file(self.origin.stem, self.origin.folders)


def tables_in(origin: Origin) -> list[Table]:
    """The tables of a file, with the columns that are known; none of a `.txt` that is something else.

    Raises:
        NiftyFormerError: it cannot be read; a line has another number of fields than the first.
    """
    if origin.kind == ".parquet":
        return _parquet_tables(origin)
    data = read_bytes(origin)
    try:
        layout = _Layout.of(origin, data)
    except NiftyFormerError:
        if origin.kind == ".csv":
            raise
        return []
    if origin.kind != ".csv" and not layout.tables[0].places:
        return []
    positions = sorted({p for columns in layout.tables for field in WANTED for p in columns.places.get(field, ())})
    content = _columns(origin, data, layout, positions)
    rows = len(next(iter(content.values()))) if content else 0
    return [
        Table(
            origin,
            columns,
            {field: [content[p] for p in columns.places[field]] for field in WANTED if field in columns.places},
            rows,
            _SEPARATORS[layout.separator],
            layout.head_rows,
        )
        for columns in layout.tables
    ]


@dataclass(frozen=True)
class _Layout:
    """How a text file is laid out: its separator, `skip` lines before the headings, and the tables under them."""

    separator: str
    skip: int
    head_rows: int
    tables: tuple[Columns, ...]

    @classmethod
    def of(cls, origin: Origin, data: bytes) -> _Layout:
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

        def known(sign: str) -> int:
            return len(columns_of(next(csv.reader([lines[skip]], delimiter=sign))).places)

        separator = max(separators, key=known)
        tables, count = tables_of(list(csv.reader(lines[skip : skip + 3], delimiter=separator)))
        return cls(separator, skip, count, tuple(tables))


def _decoded(origin: Origin, data: bytes) -> str:
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


def body_rows(origin: Origin, data: bytes, layout: _Layout | None = None) -> Iterator[tuple[int, list[str]]]:
    """The rows below the headings with the number of their line, counted as rows; empty ones left out.

    Raises:
        NiftyFormerError: the text is no UTF-8 or no CSV, or a row has another number of fields.
    """
    layout = layout or _Layout.of(origin, data)
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
    """The line of a row of a table, and what is written there under a field."""
    (place, *_) = table.columns.places[field]
    if table.origin.kind == ".parquet":
        again = next(t for t in _parquet_tables(table.origin) if t.columns.ticker == table.columns.ticker)
        return row + 2, str(again.values[field][0][row].as_py())
    for count, (number, cells) in enumerate(body_rows(table.origin, read_bytes(table.origin))):
        if count == row:
            return number, cells[place].strip()
    raise AssertionError(f"{table.origin} has no row {row}")


def _parquet_tables(origin: Origin) -> list[Table]:
    try:
        with pq.ParquetFile(pa.BufferReader(read_bytes(origin))) as file:
            names = file.schema_arrow.names
            tables, places = _parquet_columns(names)
            wanted = sorted({p for columns in tables for field in WANTED for p in columns.places.get(field, ())})
            content = file.read(columns=[names[places[place]] for place in wanted])
    except (pa.ArrowException, OSError, ValueError, NiftyFormerError) as error:
        raise problem(origin, "is missing or no Parquet file", "Give candles as CSV or Parquet") from error
    texts = {place: _as_text(_one(content.column(names[places[place]]))) for place in wanted}
    found = []
    for columns in tables:
        values = {field: [texts[p] for p in columns.places[field]] for field in WANTED if field in columns.places}
        for field in values.keys() & {"date", "symbol", "series"}:
            values[field] = [_whole_as_text(column) for column in values[field]]
        found.append(Table(origin, columns, values, content.num_rows))
    return found


def _parquet_columns(names: Sequence[str]) -> tuple[list[Columns], list[int]]:
    """The tables of a Parquet file, and which of its columns each of their places is.

    Where headings are pairs, the date is the one that is not, which pandas keeps last.
    """
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

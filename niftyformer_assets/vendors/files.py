"""The files of a folder of candles as tables of text: CSV with any separator, gzip, ZIP, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.headings import NEEDED, Columns, columns_of, tables_of

ENDINGS = (".csv", ".txt", ".parquet")
WANTED = (*NEEDED, "adjusted close", "previous close", "symbol", "series")
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_HEAD_BYTES = 65536


@dataclass(frozen=True)
class Origin:
    """Where a table is: a file, or one in a ZIP."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}, {self.member}" if self.member else str(self.path)

    @property
    def file_name(self) -> str:
        """Without folders and compression."""
        name = Path(self.member).name if self.member else self.path.name
        return name[: -len(".gz")] if name.lower().endswith(".gz") else name

    @property
    def stem(self) -> str:
        """What the file is called, percent signs undone."""
        return unquote(self.file_name.rpartition(".")[0])

    @property
    def kind(self) -> str:
        return Path(self.file_name).suffix.lower()


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
        """What the table is called: the symbol, unless a column says it."""
        return self.columns.ticker or self.origin.stem


def problem(where: object, what: str, advice: str = "Mend the file or remove it") -> NiftyFormerError:
    """The error for something wrong with a file."""
    return NiftyFormerError(f"{where} {what}. {advice}, then start again.")


def files_of(folder: Path) -> list[Origin]:
    """The files of a folder that may hold candles, in order of their names; with its subfolders if it has only texts.

    Raises:
        NiftyFormerError: there is no such folder, or it or a ZIP cannot be read.
    """
    if not folder.is_dir():
        raise NiftyFormerError(f"{folder} is not a folder: give a folder with one SYMBOL.csv a stock to replay.")
    try:
        found = _origins(sorted(folder.iterdir()))
        if any(origin.kind != ".txt" for origin in found):
            return found
        return _origins(sorted(folder.rglob("*")))
    except OSError as error:
        raise problem(folder, f"cannot be read: {error.strerror or error}", "Check its permissions") from error


def _origins(paths: Sequence[Path]) -> list[Origin]:
    found: list[Origin] = []
    for path in paths:
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.lower() == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    members = [Origin(path, name) for name in sorted(archive.namelist())]
            except zipfile.BadZipFile as error:
                raise problem(path, "is no ZIP file") from error
            found += [
                origin
                for origin in members
                if origin.kind in ENDINGS and not origin.file_name.startswith(".") and "__MACOSX" not in origin.member
            ]
        elif Origin(path).kind in ENDINGS:
            found.append(Origin(path))
    return found


def read_bytes(origin: Origin) -> bytes:
    """The content of a file, unpacked.

    Raises:
        NiftyFormerError: it cannot be read.
    """
    try:
        if origin.member:
            data = _archive(origin.path, origin.path.stat().st_mtime_ns).read(origin.member)
        else:
            data = origin.path.read_bytes()
        name = origin.member or origin.path.name
        return gzip.decompress(data) if name.lower().endswith(".gz") else data
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise problem(origin, f"cannot be unpacked ({error})") from error
    except OSError as error:
        raise problem(origin, f"cannot be read: {error.strerror or error}", "Check its name and permissions") from error


@lru_cache(maxsize=2)
def _archive(path: Path, changed_ns: int) -> zipfile.ZipFile:
    """An open ZIP: one with thousands of members takes long to open. `changed_ns` tells a newer one."""
    return zipfile.ZipFile(path)


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

    Headings in two rows, as yfinance's, are there as pairs in text: `('Close', 'TCS.NS')`.
    """
    pairs = {place: found for place, name in enumerate(names) if (found := re.fullmatch(r"\('(.*)', '(.*)'\)", name))}
    places = sorted(range(len(names)), key=lambda place: (place in pairs, place))
    if not pairs or len(pairs) != len(names) - 1:
        return [columns_of(names)], list(range(len(names)))
    rows = [["", *(pairs[place][row] for place in places[1:])] for row in (1, 2)]
    return tables_of(rows)[0], places


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

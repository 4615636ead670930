"""Parquet tables: the same rows give the same bytes, and a file that is not what was written is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from niftyformer_assets.store.errors import UNREADABLE, damaged, missing
from niftyformer_assets.store.given import is_file
from niftyformer_assets.store.index import entered_path, read_entered, read_given


def write_parquet(path: Path, frame: pd.DataFrame, notes: Mapping[str, str] | None = None) -> None:
    """Write `frame` (without its index) to `path` atomically.

    `notes` are short texts kept in the file's own metadata, for example why it has no rows.
    """
    write_arrow(path, pa.Table.from_pandas(frame, preserve_index=False), notes)


def write_arrow(path: Path, table: pa.Table, notes: Mapping[str, str] | None = None, **options: Any) -> None:
    """Write an Arrow table to `path` atomically and enter it in its folder's index.

    The library's own metadata is left out. `options` are those of `pyarrow.parquet.write_table`.
    """
    table = table.replace_schema_metadata(dict(notes) if notes else None)
    with entered_path(path) as temporary:
        pq.write_table(table, temporary, **options)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table written by `write_parquet`.

    Raises:
        NiftyFormerError: the file is missing, damaged, or not the one that was written; the message names it.
    """
    table, _ = read_arrow(path, columns)
    if absent := [name for name in columns or () if name not in table.column_names]:
        raise damaged(path, ValueError(f"it has no column {absent[0]}"))
    return table.to_pandas()


def read_arrow(path: Path, columns: Sequence[str] | None = None, **options: Any) -> tuple[pa.Table, dict[str, str]]:
    """Read a table written by `write_arrow`, and its notes. Of `columns`, those that it does not have are left out.

    `options` are those of `pyarrow.parquet.ParquetFile`.

    Raises:
        NiftyFormerError: as `read_parquet`.
    """
    return _parsed(path, read_entered(path).content, columns, **options)


def read_notes(path: Path) -> dict[str, str]:
    """The notes that `write_parquet` kept in the file.

    Raises:
        NiftyFormerError: as `read_parquet`.
    """
    content = read_entered(path).content
    try:
        return _notes(pq.read_schema(pa.BufferReader(content)))
    except (pa.ArrowException, *UNREADABLE) as error:
        raise damaged(path, error) from error


def read_given_parquet(path: Path) -> pd.DataFrame:
    """Read a table that a person gives, of which an index need not say what it should be (`read_given`).

    Raises:
        NiftyFormerError: it is missing, damaged or no Parquet file; the message names it.
    """
    if not is_file(path):
        raise missing(path)
    try:
        content = read_given(path)
    except OSError as error:
        raise damaged(path, error) from error
    return _parsed(path, content)[0].to_pandas()


def _parsed(
    path: Path, content: bytes, columns: Sequence[str] | None = None, **options: Any
) -> tuple[pa.Table, dict[str, str]]:
    try:
        with pq.ParquetFile(pa.BufferReader(content), **options) as file:
            return file.read(list(columns) if columns else None), _notes(file.schema_arrow)
    except (pa.ArrowException, *UNREADABLE) as error:
        raise damaged(path, error) from error


def _notes(schema: pa.Schema) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}

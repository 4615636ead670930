"""Parquet tables: the same rows give the same bytes, and a damaged file is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from niftyformer_assets.store.atomic import atomic_path
from niftyformer_assets.store.errors import damaged, missing


def write_parquet(path: Path, frame: pd.DataFrame, notes: Mapping[str, str] | None = None) -> None:
    """Write `frame` (without its index) to `path` atomically.

    `notes` are short texts kept in the file's own metadata, for example why it has no rows.
    """
    write_arrow(path, pa.Table.from_pandas(frame, preserve_index=False), notes)


def write_arrow(path: Path, table: pa.Table, notes: Mapping[str, str] | None = None) -> None:
    """Write an Arrow table to `path` atomically; the library's own metadata is left out."""
    table = table.replace_schema_metadata(dict(notes) if notes else None)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table written by `write_parquet`.

    Raises:
        NiftyFormerError: the file is missing or damaged; the message names it.
    """
    _must_exist(path)
    try:
        return pq.read_table(path, columns=list(columns) if columns else None).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, error) from error


def read_notes(path: Path) -> dict[str, str]:
    """The notes that `write_parquet` kept in the file."""
    _must_exist(path)
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, error) from error
    return {key.decode(): value.decode() for key, value in metadata.items()}


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise missing(path)

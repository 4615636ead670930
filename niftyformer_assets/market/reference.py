"""The small committed tables of facts under `data/reference`."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

from niftyformer_assets.project import PROJECT
from niftyformer_assets.store.errors import NiftyFormerError

REFERENCE = PROJECT / "data" / "reference"


def read_table(name: str, columns: tuple[str, ...], folder: Path | None = None) -> list[dict[str, str]]:
    """The rows of a reference table as text.

    Raises:
        NiftyFormerError: the file is missing, lacks one of `columns`, or a row is short.
    """
    path = (folder or REFERENCE) / name
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            rows, header = list(table), table.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NiftyFormerError(f"{path} could not be read ({error}): restore it from the project.") from error
    if absent := [column for column in columns if column not in header]:
        raise NiftyFormerError(f"{path} has no column {absent[0]!r}: restore it from the project.")
    for number, row in enumerate(rows, start=2):
        for column in columns:
            if not row.get(column):
                raise NiftyFormerError(f"{path}, line {number}: no value in column {column!r}: fill it in.")
    return rows


def as_date(text: str, where: str) -> date:
    """An ISO date, or an error that names where it stands."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise NiftyFormerError(f"{where}: {text!r} is not a date written as YYYY-MM-DD: mend it.") from error

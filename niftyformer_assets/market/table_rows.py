"""A CSV table that a person gives, row by row, with headings in any case."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import read_given

# A membership of the NIFTY-500 over thirty years, by window, has 4 MB.
_MOST_BYTES = 32 << 20


def given_rows(path: Path) -> Iterator[list[str]]:
    """The headings (lower case, words joined by `_`), then each row with as many fields, without blanks around them.

    Raises:
        NiftyFormerError: it cannot be read, is no CSV, or a row has more or fewer fields.
    """
    try:
        content = read_given(path, _MOST_BYTES)
    except OSError as error:
        raise NiftyFormerError(f"{path} could not be read: {error.strerror}. Mend or remove it.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    headings: list[str] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=None)), start=1):
            fields = [field.strip() for field in row]
            if not any(fields):
                continue
            if headings and len(fields) != len(headings):
                raise NiftyFormerError(
                    f"{path}, line {number}: {len(fields)} fields under {len(headings)} headings: mend the line."
                )
            if not headings:
                headings = fields = ["_".join(field.lower().split()) for field in fields]
            yield fields
    except csv.Error as error:
        raise NiftyFormerError(f"{path} is no CSV ({error}): mend or remove it.") from error

"""The ledger of the paper account: rows that are only ever added, each sealed with the one before it.

A line a row, JSON. `before` is the seal of the row before, `signal` the SHA-256 of the signal that the row follows and
`decided` its session (none where it follows none), and `seal` the SHA-256 of the row's own text without it. So a row
that was changed, taken out, put in or moved does not fit, and whoever keeps a row's seal, as each materialization of
the account does, finds a ledger that was rewritten as a whole. What the rows mean says `account.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import read_regular
from niftyformer_assets.store.index import entered_digests, sha256, write_entered
from niftyformer_assets.words import counted

Row = Mapping[str, Any]

NOTHING_BEFORE = "0" * 64
_MOST_BYTES = 1 << 30
_RESTORE = "restore the file from a copy; no row of it is ever edited"


@dataclass(frozen=True)
class Head:
    """How many rows a ledger had, and the seal of the last one."""

    rows: int
    seal: str


@dataclass(frozen=True)
class Ledger:
    """What a file held when it was read, all rows verified."""

    path: Path
    rows: tuple[Row, ...]

    @property
    def head(self) -> Head:
        return Head(len(self.rows), self.rows[-1]["seal"] if self.rows else NOTHING_BEFORE)

    def named(self, number: int) -> str:
        """A row in words, the first is 1."""
        row = self.rows[number - 1]
        return f"{self.path}, row {number} ({row['kind']} of {row['session']})"


def read_ledger(path: Path) -> Ledger:
    """Read and verify a ledger; one without rows where there is no file.

    Raises:
        NiftyFormerError: the file cannot be read, or a row does not fit; the message names the first such row.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except FileNotFoundError:
        return Ledger(path, ())
    except OSError as error:
        raise NiftyFormerError(f"{path} cannot be read: {error.strerror or error}. Make it readable.") from error
    rows: list[Row] = []
    before = NOTHING_BEFORE
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        row, wrong = _row(line, number, before)
        if row is None:
            raise NiftyFormerError(f"{path}, row {number} {wrong}: {_RESTORE}")
        rows.append(row)
        before = row["seal"]
    if not rows:
        raise NiftyFormerError(f"{path} is empty: {_RESTORE}")
    return Ledger(path, tuple(rows))


def append_rows(ledger: Ledger, rows: Sequence[Row]) -> Ledger:
    """Seal rows and put them behind those of a ledger; a kill leaves the file as it was, or with all of them.

    Raises:
        NiftyFormerError: the file is another than was read, or cannot be written.
    """
    path = ledger.path
    # One whose index was lost stands in it again, though nothing is added.
    if not rows and (not ledger.rows or entered_digests([path], path.parent)):
        return ledger
    sealed: list[Row] = []
    for row in rows:
        sealed.append(
            _sealed(row, len(ledger.rows) + len(sealed) + 1, sealed[-1]["seal"] if sealed else ledger.head.seal)
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if read_ledger(path).head != ledger.head:
            raise NiftyFormerError(f"{path} was written by another run meanwhile: materialize paper_account again.")
        write_entered(path, "".join(f"{_text(row)}\n" for row in (*ledger.rows, *sealed)))
    return Ledger(path, (*ledger.rows, *sealed))


def must_hold(ledger: Ledger, heads: Sequence[tuple[Head, str]]) -> None:
    """Refuse a ledger that is not the one that went on from each of these heads.

    Args:
        heads: each with where it is from, in words.

    Raises:
        NiftyFormerError: it names the first head that does not stand in the ledger.
    """
    for head, where in heads:
        if head.rows > len(ledger.rows):
            has = counted(len(ledger.rows), "row") if ledger.rows else "no row, or is not there,"
            raise NiftyFormerError(
                f"{ledger.path} has {has} and had {head.rows} by {where}: {_RESTORE}. To begin a new account on "
                "purpose, move the file away and wipe the materializations of paper_account in Dagster"
            )
        if head.rows and ledger.rows[head.rows - 1]["seal"] != head.seal:
            raise NiftyFormerError(
                f"{ledger.named(head.rows)} is sealed with {ledger.rows[head.rows - 1]['seal'][:12]} and was with "
                f"{head.seal[:12]} by {where}: the ledger was rewritten up to there: {_RESTORE}"
            )


def _sealed(row: Row, number: int, before: str) -> Row:
    whole = {**row, "number": number, "before": before}
    return {**whole, "seal": sha256(_text(whole).encode())}


def _row(line: bytes, number: int, before: str) -> tuple[Row | None, str]:
    """A row, or what is wrong with the line."""
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None, "is no JSON"
    if not isinstance(row, dict) or not {"kind", "session", "signal", "number", "before", "seal"} <= row.keys():
        return None, "is no row of a ledger"
    said = f"({row['kind']} of {row['session']})"
    unsealed = {name: value for name, value in row.items() if name != "seal"}
    if row["seal"] != sha256(_text(unsealed).encode()):
        return None, f"{said} was changed: it does not fit its seal"
    if row["number"] != number or row["before"] != before:
        return None, f"{said} does not follow the row before it: one was taken out, put in, or moved"
    if line.decode("utf-8") != f"{_text(row)}\n":
        return None, f"{said} is not written as it was"
    return row, ""


def _text(row: Row) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":"))

"""Holding something for one process at a time, so that the next one learns who has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line, read_regular

# Whoever has the lock has said so by then.
_SAID_WITHIN_S = 1.0
_HELD_BY_US: set[Path] = set()


@contextmanager
def held(path: Path, what: str, within: str = "") -> Iterator[None]:
    """Hold `what` for the time of the block, by a lock at `path` that ends with the process, however it ends.

    A process that holds it already may hold it again, until the outer block ends.

    Args:
        within: names what the holder is a part of, as a run whose steps are made in several processes: they wait for
            each other.

    Raises:
        NiftyFormerError: another process holds it; the message says which, and since when.
    """
    # Beside the lock, for whoever tries the lock empties its file.
    holder = path.with_suffix(".holder")
    if path in _HELD_BY_US:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        while True:
            try:
                lock.acquire(timeout=_SAID_WITHIN_S if within else 0)
                break
            except Timeout:
                said = _said(holder)
                if not within or (said and not said.endswith(_part_of(within))):
                    raise
    except Timeout:
        by = _said(holder) or "another process"
        raise NiftyFormerError(f"{what} is in the hands of {by}: wait until it ends, or end it.") from None
    except OSError as error:
        raise NiftyFormerError(
            f"{path} could not be written ({error.strerror or error}): choose a folder that can."
        ) from error
    try:
        _HELD_BY_US.add(path)
        write_text(
            holder, f"process {os.getpid()} since {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}{_part_of(within)}\n"
        )
        yield
    finally:
        _HELD_BY_US.discard(path)
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _part_of(within: str) -> str:
    return f" in {within}" if within else ""


def _said(holder: Path) -> str:
    try:
        return in_one_line(read_regular(holder, 200).decode("utf-8"))
    except (OSError, ValueError):  # it has the lock and has not said so yet, or has just let go of it
        return ""

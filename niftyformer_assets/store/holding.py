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

_HELD_BY_US: set[Path] = set()


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold `what` for the time of the block, by a lock at `path` that ends with the process, however it ends.

    A process that holds it already may hold it again, until the outer block ends.

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
        lock.acquire(timeout=0)
    except Timeout:
        raise NiftyFormerError(f"{what} is in the hands of {_said(holder)}: wait until it ends, or end it.") from None
    except OSError as error:
        raise NiftyFormerError(
            f"{path} could not be written ({error.strerror or error}): choose a folder that can."
        ) from error
    try:
        _HELD_BY_US.add(path)
        write_text(holder, f"process {os.getpid()} since {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}\n")
        yield
    finally:
        _HELD_BY_US.discard(path)
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _said(holder: Path) -> str:
    try:
        return in_one_line(read_regular(holder, 200).decode("utf-8"))
    except (OSError, ValueError):  # it has the lock, and has not said so yet
        return "another process"

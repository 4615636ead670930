"""Writing files so that a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import glob
import os
import socket
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from niftyformer_assets.store.errors import NiftyFormerError


@contextmanager
def atomic_path(path: Path, place: Callable[[Path, Path], object] = Path.replace) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and renamed to `path`, by `place` if given.

    When the block raises, the temporary file is removed and `path` keeps what it held. The
    temporary name starts with a dot and ends in `.tmp`, so that no glob of ours picks it up. What killed
    processes of this machine left of theirs beside `path` is removed.

    Raises:
        NiftyFormerError: the folder cannot be written, or the disk is full.
    """
    temporary = path.parent / f".{path.name}.{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_of_killed(path)
        try:
            yield temporary
            descriptor = os.open(temporary, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise NiftyFormerError(
            f"{path} could not be written: {error.strerror or error}. "
            "Check that the folder is writable and the disk has room, then run it again."
        ) from error


def remove_leftovers(path: Path) -> None:
    """Remove temporary files that a killed process left beside `path`; nobody else may be writing it now."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        leftover.unlink(missing_ok=True)


def _remove_of_killed(path: Path) -> None:
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.{_machine()}-*.tmp"):
        process = leftover.name.removesuffix(".tmp").split("-")[-2]
        if process.isdecimal() and not _is_running(int(process)):
            leftover.unlink(missing_ok=True)


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _is_running(process: int) -> bool:
    if os.name != "posix":  # elsewhere asking with signal 0 is no question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

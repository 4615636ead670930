"""Reading what others left in a file's place: it ends with the content or with a reason, whatever lies there."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

from niftyformer_assets.store.errors import damaged, missing, unreadable

# Far above the largest of ours, the index of many sessions and symbols.
_MOST_JSON_BYTES = 64 << 20


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it is a folder, pipe, socket or device, a link that leads nowhere, larger than
            `most_bytes`, or may not be read; `strerror` says which.
    """
    # Without blocking, for a pipe that nobody writes to would keep its reader for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    except OSError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes} bytes", str(path))
    return content


def is_file(path: Path) -> bool:
    """Is a regular file there, or a link to one?

    Raises:
        NiftyFormerError: nobody may look, as in a folder that is another user's.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:  # as a link that leads nowhere
            return False
        raise unreadable(path, error) from error


def read_given_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of ours.

    Raises:
        NiftyFormerError: the file is missing, or damaged: no JSON, nested beyond reading, or no object.
    """
    try:
        content = json.loads(read_regular(path, _MOST_JSON_BYTES).decode("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    return content


def in_one_line(text: object) -> str:
    """Text as one line that every terminal, log and page takes: what cannot be shown is written as its code."""
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)

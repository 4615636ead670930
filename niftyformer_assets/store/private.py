"""Files among the temporary ones of this machine that nobody but this user can have put there."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from niftyformer_assets.store.errors import NiftyFormerError


def private_temporary_folder() -> Path:
    """This user's own folder among the temporary files, made where missing; others could put files or links elsewhere.

    Raises:
        NiftyFormerError: what is there is another user's, a link or no folder, or others may write to it.
    """
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir()) / f"niftyformer-{'user' if user is None else user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise NiftyFormerError(
            f"{folder} could not be made ({error.strerror}): remove what is there, or set TMPDIR to your own folder."
        ) from error
    if user is None:  # Windows gives each user temporary files of his own
        return folder
    if not stat.S_ISDIR(found.st_mode):
        wrong = "is no folder"
    elif found.st_uid != user:
        wrong = "is another user's"
    elif found.st_mode & 0o022:
        wrong = "can be written by others"
    else:
        return folder
    raise NiftyFormerError(f"{folder} {wrong}: remove it, or set TMPDIR to your own folder.")


def open_own(path: Path) -> int:
    """Open a file to read and write, made where missing, and follow no link; returns its descriptor.

    Raises:
        OSError: it is a link, no regular file, has another name elsewhere, or cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise OSError(None, "a link or no regular file")
    return descriptor

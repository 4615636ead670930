"""The one exception that is meant for a person."""

from __future__ import annotations

import errno
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What libraries raise of bytes that are not what they are read as: a header that asks for more memory than there is,
# nestings, a header that numpy takes for Python, a part that an archive's directory lacks, a compression nobody knows.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class NiftyFormerError(Exception):
    """Something a person can mend: one line that says what was wrong, where, and what to do.

    The command line and the assets print it without a traceback. Anything else that escapes is a
    defect of this project and keeps its traceback.
    """


class DamagedError(NiftyFormerError):
    """A file is there, and its content is not to be believed. One that cannot be read now may still be sound."""


def damaged(path: Path, error: Exception) -> DamagedError:
    """The error for a file that is there but whose content makes no sense."""
    detail = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DamagedError(f"{path} is damaged ({detail}): delete it and materialize its asset again.")


def missing(path: Path) -> NiftyFormerError:
    """The error for a file that is not there."""
    return NiftyFormerError(f"{path} does not exist: materialize the asset that writes it first.")


def unreadable(path: Path, error: OSError) -> NiftyFormerError:
    """The error for a file that may be sound, and cannot be read now."""
    return NiftyFormerError(f"{path} cannot be read: {error.strerror or error}. Make it readable.")


# What a disk or its rights refuse, of whichever file, and what to do.
_REFUSED = {
    errno.EACCES: "give the right to it, or choose another folder",
    errno.EPERM: "give the right to it, or choose another folder",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room within the quota",
    errno.EIO: "look after its disk",
    errno.ELOOP: "remove the link that leads to itself",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ENOTDIR: "remove the file that stands where a folder should",
    errno.EMFILE: "let more files be open at once (ulimit -n)",
}
# Met while writing, where nobody says of which file.
_OF_NO_FILE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE}


@contextmanager
def disk_or_one_line() -> Iterator[None]:
    """Say in one line what a disk or its rights refuse, wherever it was met."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED or (error.filename is None and error.errno not in _OF_NO_FILE):
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        raise NiftyFormerError(f"{where}{error.strerror}: {_REFUSED[error.errno]}.") from error

"""The one exception that is meant for a person."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
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

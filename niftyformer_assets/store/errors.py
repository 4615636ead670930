"""The one exception that is meant for a person."""

from __future__ import annotations

from pathlib import Path


class NiftyFormerError(Exception):
    """Something a person can mend: one line that says what was wrong, where, and what to do.

    The command line and the assets print it without a traceback. Anything else that escapes is a
    defect of this project and keeps its traceback.
    """


def damaged(path: Path, error: Exception) -> NiftyFormerError:
    """The error for a file that is there but cannot be read."""
    detail = str(error).splitlines()[0] if str(error) else type(error).__name__
    return NiftyFormerError(f"{path} is damaged ({detail}): delete it and materialize its asset again.")


def missing(path: Path) -> NiftyFormerError:
    """The error for a file that is not there."""
    return NiftyFormerError(f"{path} does not exist: materialize the asset that writes it first.")

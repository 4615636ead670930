"""What goes on within a block: which files are opened for reading, and which modules of ours an asset's body calls."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from niftyformer_assets.code import BODIES, _is_not_counted
from niftyformer_assets.imports import PACKAGE

_opened: list[set[Path]] = []


def _hear(event: str, given: tuple[object, ...]) -> None:
    """An audit hook stays for as long as the process lives, and does nothing while nobody listens."""
    if event == "open" and _opened and isinstance(given[0], str) and given[1] in ("r", "rb", None):
        for heard in _opened:
            heard.add(Path(given[0]))


sys.addaudithook(_hear)


@contextmanager
def files_read() -> Iterator[set[Path]]:
    """The files that are opened for reading within the block."""
    heard: set[Path] = set()
    _opened.append(heard)
    try:
        yield heard
    finally:
        _opened.remove(heard)


@contextmanager
def nobody_listening() -> Iterator[None]:
    """A block in which no file that is opened is heard of."""
    heard, _opened[:] = _opened[:], []
    try:
        yield
    finally:
        _opened[:] = heard


# Who answers: what comes of it is an input, as which experiments there are is.
_ANSWERS = ("exchange/", "sources.py", "experiments/study.py", "experiments/study_files.py")


class _Here(threading.local):
    """loading, silent: how many modules are being loaded, and calls under way of what does not count."""

    loading = 0
    silent = 0


@contextmanager
def modules_called() -> Iterator[dict[str, set[str]]]:
    """By each body of `defs/bodies` that runs within the block, `package/module`, the modules whose functions it calls.

    Modules are paths below the package. What runs while a module is loaded is no call of the body, and what modules
    that do not count (`code.NOT_COUNTED`) call is theirs; compiled functions are not heard.
    """
    heard: dict[str, set[str]] = {}
    here, ours, bodies = _Here(), f"{PACKAGE}/", f"{BODIES}/"
    running: list[str] = []

    @cache
    def counts(module: str) -> bool:
        return not module.startswith(_ANSWERS) and not _is_not_counted(PACKAGE / module)

    def listen(frame: FrameType, event: str, _given: Any) -> None:
        if event not in ("call", "return"):
            return
        code, begins = frame.f_code, event == "call"
        file = code.co_filename
        if code.co_name == "<module>":
            here.loading += 1 if begins else -1
        elif file.startswith(ours) and not here.loading:
            if file.startswith(bodies):
                running.append(file) if begins else running.pop()
            module = file.removeprefix(ours)
            if not counts(module):
                # Dagster's side, which calls the body, is none of its calls.
                here.silent = here.silent + bool(running) if begins else max(here.silent - 1, 0)
            elif begins and running and not here.silent:
                body = running[0].removeprefix(bodies).removesuffix(".py")
                heard.setdefault(body, set()).add(module)

    threading.setprofile(listen)
    sys.setprofile(listen)
    try:
        yield heard
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]

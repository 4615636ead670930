"""How kernels are compiled and where the compiled code is kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config as numba_config

from niftyformer_assets.store.private import private_temporary_folder

config: Any = numba_config  # its settings are set from the environment, not declared


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` when it is first called; later processes load it from the cache.

    The interpreter lock is released while it runs, division by zero gives what IEEE 754 says, and
    no rewriting of arithmetic is allowed: the same input gives the same bits on every path.
    """
    # numba reads the setting while it decorates; whatever others had set is put back.
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before


def step(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` as a part of the kernels that call it, by the same rules; Python cannot call it."""
    njit: Any = numba.njit  # its declaration leaves out two of its options
    return njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """The folder of the compiled code of exactly these sources.

    It lies where NUMBA_CACHE_DIR says; else beside the package; else, where that is read-only, in
    the user's cache folder; else in the user's own folder among the temporary files. numba by itself
    looks only at the file a kernel stands in, and would go on using code compiled with an old constant
    of another file.
    """
    here = Path(__file__).parent
    sources = hashlib.sha256()
    for source in sorted(here.glob("*.py")):
        sources.update(source.read_bytes())
    name = f"niftyformer-{sources.hexdigest()[:16]}"
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / name
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for parent in (here / "__pycache__", user):
        if _writable(parent):
            return parent / name
    # What is loaded from there is run, so nobody else may have put it there.
    return private_temporary_folder() / name


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False

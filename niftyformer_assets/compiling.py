"""How kernels are compiled and where the compiled code is kept: for all that numba compiles here.

numba looks only at the file that a kernel stands in, and would go on using code compiled with an old
constant, or an old step, of another file. So compiled code lies in a folder named after the content
of every source of ours that the kernel's own file imports, directly or through others.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, overload

import numba
from numba.core import config as numba_config

from niftyformer_assets.imports import PACKAGE, sources
from niftyformer_assets.store.private import private_temporary_folder

config: Any = numba_config  # its settings are set from the environment, not declared
njit: Any = numba.njit  # its declaration leaves out some of its options


@overload
def kernel(function: Callable[..., Any], *, error_model: str = ...) -> Callable[..., Any]: ...


@overload
def kernel(
    *, signature: str | None = ..., error_model: str = ...
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...


def kernel(
    function: Callable[..., Any] | None = None, *, signature: str | None = None, error_model: str = "python"
) -> Any:
    """Compile `function` when it is first called; later processes load it from the cache. A decorator.

    The interpreter lock is released while it runs, and no rewriting of arithmetic is allowed: the
    same input gives the same bits on every path.

    Args:
        signature: types in numba's notation, with which it is compiled as its module is loaded.
        error_model: a division by zero raises (python), or gives what IEEE 754 says (numpy).
    """
    if function is None:
        return partial(_compiled, signature=signature, error_model=error_model)
    return _compiled(function, signature, error_model)


def step(function: Callable[..., Any], *, error_model: str = "python") -> Callable[..., Any]:
    """Compile `function` as a part of the kernels that call it; Python cannot call it, which halves the time."""
    return njit(error_model=error_model, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def _compiled(function: Callable[..., Any], signature: str | None, error_model: str) -> Callable[..., Any]:
    # numba reads the setting while it decorates; whatever others had set is put back.
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder(Path(function.__code__.co_filename)))
    try:
        return njit(signature, cache=True, nogil=True, error_model=error_model)(function)
    finally:
        config.CACHE_DIR = before


@lru_cache
def cache_folder(file: Path) -> Path:
    """The folder of the code compiled from the kernels of `file`, and of exactly the sources it rests on.

    It lies where NUMBA_CACHE_DIR says; else beside the package; else, where that is read-only, in
    the user's cache folder; else in the user's own folder among the temporary files.
    """
    content = hashlib.sha256()
    for source in sorted(sources(file)):
        content.update(hashlib.sha256(source.read_bytes()).digest())
    name = f"niftyformer-{file.stem}-{content.hexdigest()[:16]}"
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / name
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for parent in (PACKAGE / "__pycache__", user):
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

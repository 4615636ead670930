"""Bare arrays that cannot lose their sessions and symbols.

Beside every bare array (`.npz`, `.npy`, matrix `.csv`) of a folder lies one `index.json`: the
sessions and symbols of that folder's arrays, and for each file its SHA-256 and which of its
dimensions is which. An array is loaded through this module only, which refuses a file that was
shuffled, shortened, re-dated or swapped, and names it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from niftyformer_assets.store.atomic import atomic_path, write_text
from niftyformer_assets.store.errors import NiftyFormerError, damaged, missing

INDEX_NAME = "index.json"


@dataclass(frozen=True, eq=False)
class Axes:
    """What the rows and columns of arrays mean.

    dates: datetime64[D] [T], strictly increasing sessions.
    symbols: N distinct names, in the order of the columns.
    """

    dates: np.ndarray
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dates", np.asarray(self.dates, dtype="datetime64[D]"))
        object.__setattr__(self, "symbols", tuple(str(symbol) for symbol in self.symbols))
        if self.dates.ndim != 1 or np.any(np.diff(self.dates) <= np.timedelta64(0, "D")):
            raise ValueError("sessions must be strictly increasing")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols must be distinct")

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)"""
        return len(self.dates), len(self.symbols)

    def difference(self, other: Axes) -> str | None:
        """What differs first between these axes and `other`, in words; None if nothing does."""
        for kind, ours, theirs in (
            ("session", self.dates.astype(str).tolist(), other.dates.astype(str).tolist()),
            ("symbol", list(self.symbols), list(other.symbols)),
        ):
            if len(ours) != len(theirs):
                return f"{len(ours)} {kind}s against {len(theirs)}"
            for place, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                if a != b:
                    return f"{kind} {place} is {a} against {b}"
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axes) and self.difference(other) is None


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray], axes: Axes, dims: Mapping[str, str]) -> None:
    """Write arrays to `path` and enter the file in the folder's index.

    A `.npz` also holds `dates` (text, YYYY-MM-DD) and `symbols`; a `.npy` holds exactly one array
    and nothing else, as the published Stockformer code reads it.

    Args:
        dims: for each array, one letter a dimension: `T` sessions, `N` symbols, any other letter a
            free dimension. Every array must be listed, scalars with an empty text.

    Raises:
        ValueError: a shape does not match `axes`; that is a defect of the caller.
    """
    for name, array in arrays.items():
        _check_shape(str(path), name, np.asarray(array), dims[name], axes)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        if path.suffix == ".npy":
            (array,) = arrays.values()
            np.save(stream, array, allow_pickle=False)
        else:
            names = np.array(axes.symbols, dtype=np.str_)
            np.savez(stream, **arrays, dates=axes.dates.astype(str), symbols=names)  # type: ignore[arg-type]
    enter_in_index(path.parent, axes, {path.name: dims})


def load_arrays(path: Path, expected: Axes | None = None) -> tuple[dict[str, np.ndarray], Axes]:
    """Load a file written by `save_arrays`, checked against its index.

    Returns the arrays by name (a `.npy` under its file's stem) and the axes they are on.

    Raises:
        NiftyFormerError: missing, damaged, not what the index says, or on other axes than
            `expected`.
    """
    axes, dims = check_in_index(path, expected)
    try:
        if path.suffix == ".npy":
            arrays = {name: np.load(path, allow_pickle=False) for name in dims}
        else:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            inside = Axes(arrays.pop("dates"), tuple(arrays.pop("symbols").tolist()))
            if (problem := inside.difference(axes)) is not None:
                raise NiftyFormerError(f"{path} and its {INDEX_NAME} disagree: {problem}. Materialize it again.")
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error
    for name, array in arrays.items():
        try:
            _check_shape(str(path), name, array, dims[name], axes)
        except (ValueError, KeyError) as error:
            raise damaged(path, error) from error
    return arrays, axes


def enter_in_index(folder: Path, axes: Axes, files: Mapping[str, Mapping[str, str]]) -> None:
    """Enter files (names relative to `folder`, with the dims of their arrays) in its `index.json`.

    Entries made on other axes are dropped: those files no longer fit what is there now, and
    loading them says to materialize them again.
    """
    with FileLock(folder / f".{INDEX_NAME}.lock"):
        known: dict = {}
        try:
            index = _read_index(folder)
            if _axes_of(index) == axes:
                known = index["files"]
        except NiftyFormerError:
            pass  # none yet, or damaged: it is written anew, and files not entered are refused
        entries = {name: {"sha256": sha256(folder / name), "dims": dict(dims)} for name, dims in files.items()}
        merged = {name: entry for name, entry in (known | entries).items() if (folder / name).is_file()}
        content = {
            "dates": axes.dates.astype(str).tolist(),
            "symbols": list(axes.symbols),
            "files": dict(sorted(merged.items())),
        }
        write_text(folder / INDEX_NAME, json.dumps(content, indent=1) + "\n")


def check_in_index(path: Path, expected: Axes | None = None, folder: Path | None = None) -> tuple[Axes, dict[str, str]]:
    """Verify that a file is the one its index describes; return its axes and the dims of its arrays.

    `folder` is where the index lies, if not beside the file.
    """
    folder = folder or path.parent
    if not path.is_file():
        raise missing(path)
    index = _read_index(folder)
    name = path.relative_to(folder).as_posix()
    entry = index["files"].get(name)
    if entry is None:
        raise NiftyFormerError(
            f"{path} is not in {folder / INDEX_NAME}: it was made on other sessions or symbols. Materialize it again."
        )
    try:
        found = sha256(path)
    except OSError as error:
        raise damaged(path, error) from error
    if found != entry["sha256"]:
        raise NiftyFormerError(
            f"{path} is not the file that {folder / INDEX_NAME} describes: it was changed after it was written. "
            "Materialize it again."
        )
    axes = _axes_of(index)
    if expected is not None and (problem := axes.difference(expected)) is not None:
        raise NiftyFormerError(f"{path} is on other axes than asked for: {problem}. Materialize it again.")
    return axes, entry["dims"]


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_index(folder: Path) -> dict:
    path = folder / INDEX_NAME
    if not path.is_file():
        raise missing(path)
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        _axes_of(index)
        return {**index, "files": dict(index["files"])}
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error


def _axes_of(index: dict) -> Axes:
    return Axes(np.array(index["dates"], dtype="datetime64[D]"), tuple(index["symbols"]))


def _check_shape(file: str, name: str, array: np.ndarray, dims: str, axes: Axes) -> None:
    sizes = dict(zip("TN", axes.shape, strict=True))
    if array.ndim != len(dims) or any(sizes.get(d, n) != n for d, n in zip(dims, array.shape, strict=True)):
        raise ValueError(f"{file}: array {name!r} has shape {array.shape}, which does not fit {dims!r} of {axes.shape}")

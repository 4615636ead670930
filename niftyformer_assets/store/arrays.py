"""Bare arrays that cannot lose their sessions and symbols.

The `index.json` beside a folder's bare arrays (`.npz`, `.npy`, matrix `.csv`) holds their sessions
and symbols, and for each file which of its dimensions is which. An array is loaded through this
module only, which refuses a file that was shuffled, shortened, re-dated or swapped, and names it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError, damaged
from niftyformer_assets.store.index import INDEX_NAME, enter, entered_path, read_entered


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

    def content(self) -> dict[str, list[str]]:
        """As an index holds them."""
        return {"dates": self.dates.astype(str).tolist(), "symbols": list(self.symbols)}

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
    with entered_path(path, axes.content(), dims) as temporary, temporary.open("wb") as stream:
        if path.suffix == ".npy":
            (array,) = arrays.values()
            np.save(stream, array, allow_pickle=False)
        else:
            names = np.array(axes.symbols, dtype=np.str_)
            np.savez(stream, **arrays, dates=axes.dates.astype(str), symbols=names)  # type: ignore[arg-type]


def load_arrays(path: Path, expected: Axes | None = None) -> tuple[dict[str, np.ndarray], Axes]:
    """Load a file written by `save_arrays`, checked against its index.

    Returns the arrays by name (a `.npy` under its file's stem) and the axes they are on.

    Raises:
        NiftyFormerError: missing, damaged, not what the index says, or on other axes than
            `expected`.
    """
    content, axes, dims = read_in_index(path, expected)
    try:
        if path.suffix == ".npy":
            arrays = {name: np.load(io.BytesIO(content), allow_pickle=False) for name in dims}
        else:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            inside = Axes(arrays.pop("dates"), tuple(arrays.pop("symbols").tolist()))
            if (problem := inside.difference(axes)) is not None:
                raise NiftyFormerError(f"{path} and its {INDEX_NAME} disagree: {problem}. Materialize it again.")
    except UNREADABLE as error:
        raise damaged(path, error) from error
    for name, array in arrays.items():
        try:
            _check_shape(str(path), name, array, dims[name], axes)
        except (ValueError, KeyError) as error:
            raise damaged(path, error) from error
    return arrays, axes


def enter_in_index(folder: Path, axes: Axes, files: Mapping[str, Mapping[str, str]]) -> None:
    """Enter files (names relative to `folder`, with the dims of their arrays) in its `index.json`.

    Entries of arrays on other axes are dropped: those files no longer fit what is there now, and
    loading them says to materialize them again.
    """
    enter(folder, files, axes.content())


def read_in_index(
    path: Path, expected: Axes | None = None, folder: Path | None = None
) -> tuple[bytes, Axes, Mapping[str, str]]:
    """The content of a file of arrays as its index describes it, with its axes and the dims of its arrays.

    `folder` is where the index lies, if not beside the file.

    Raises:
        NiftyFormerError: as `read_entered`, or on other axes than `expected`.
    """
    entered = read_entered(path, folder)
    try:
        axes = Axes(np.array(entered.axes["dates"], dtype="datetime64[D]"), tuple(entered.axes["symbols"]))
    except UNREADABLE as error:
        raise damaged((folder or path.parent) / INDEX_NAME, error) from error
    if expected is not None and (problem := axes.difference(expected)) is not None:
        raise NiftyFormerError(f"{path} is on other axes than asked for: {problem}. Materialize it again.")
    return entered.content, axes, entered.dims


def _check_shape(file: str, name: str, array: np.ndarray, dims: str, axes: Axes) -> None:
    sizes = dict(zip("TN", axes.shape, strict=True))
    if array.ndim != len(dims) or any(sizes.get(d, n) != n for d, n in zip(dims, array.shape, strict=True)):
        raise ValueError(f"{file}: array {name!r} has shape {array.shape}, which does not fit {dims!r} of {axes.shape}")


def hashes(parts: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The SHA-256 of each array's content, by name."""
    return {name: hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest() for name, part in parts.items()}

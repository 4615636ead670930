"""What is read is what was written: the SHA-256 of each file of a folder, in the `index.json` beside them.

Every artifact that a reader takes figures from is written by `entered_path` or `write_entered` and
read by `read_entered`, which refuses by name a file that was changed, cut off or exchanged. A file
and its entry change together: while one takes the other's place, the entry names both, so that a
process killed at any moment leaves a file that can be read, the old one or the new.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from niftyformer_assets.store import given
from niftyformer_assets.store.atomic import atomic_path, remove_leftovers, write_text
from niftyformer_assets.store.errors import DamagedError, NiftyFormerError, damaged, missing, unreadable

INDEX_NAME = "index.json"
# Sessions and symbols, which all arrays of a folder share.
AXES = ("dates", "symbols")
_ENTRY = {"sha256", "before", "dims", "adopted"}


@dataclass(frozen=True)
class Entered:
    """A file's content as its index describes it, and of an array its axes (`AXES`) and dims as entered."""

    content: bytes
    axes: Mapping[str, list[str]]
    dims: Mapping[str, str]


@contextmanager
def entered_path(
    path: Path, axes: Mapping[str, list[str]] | None = None, dims: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """As `atomic_path`, and the file is entered in its folder's index.

    Args:
        axes, dims: of an array. Entries of arrays on other axes are dropped: those files no longer fit
            what is there now, and loading them says to materialize them again.
    """
    place = partial(_put_in_place, folder=path.parent, axes=axes, dims=dims)
    with atomic_path(path, place) as temporary:
        yield temporary


def write_entered(path: Path, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes to `path` atomically and enter it in its folder's index."""
    with entered_path(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def read_entered(path: Path, folder: Path | None = None) -> Entered:
    """The content of a file, read once and verified; `folder` is where its index lies, if not beside it.

    Raises:
        DamagedError: the file is not the one that the index describes, or the index is damaged.
        NiftyFormerError: the file is not there, or cannot be read now.
    """
    folder = folder or path.parent
    try:
        return _verified(path, folder)
    except DamagedError:
        pass
    # Another process may have written between the reading of the file and that of the index.
    with _locked_to_read(folder):
        return _verified(path, folder)


def read_given(path: Path, most_bytes: int | None = None) -> bytes:
    """The content of a file that a person may have put there: verified if its folder's index knows it.

    Raises:
        DamagedError: it is in the index, and not the file that the index describes.
        OSError: it is not there, no regular file, larger than `most_bytes`, or cannot be read.
    """
    try:
        known = path.name in _read(path.parent).files
    except NiftyFormerError:
        known = False
    if known:
        return read_entered(path).content
    return path.read_bytes() if most_bytes is None else given.read_regular(path, most_bytes)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that was written by `write_entered`.

    Raises:
        NiftyFormerError: as `read_entered`, or it is no object.
    """
    content = read_entered(path).content
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(path, error) from error


def enter(folder: Path, files: Mapping[str, Mapping[str, str]], axes: Mapping[str, list[str]] | None = None) -> None:
    """Enter files just written (names relative to `folder`, with the dims of their arrays)."""
    with _locked(folder):
        known = _known(folder, axes)
        for name, dims in files.items():
            known.files[name] = {"sha256": file_sha256(folder / name), **({"dims": dict(dims)} if dims else {})}
        _write(folder, known)


def adopt(folder: Path, paths: Iterable[Path]) -> str:
    """Where no index tells what a folder's files should be, enter these as they are; say why, or nothing.

    They can be read then, and `is_adopted` remembers until they are written again that nothing told
    whether they are what was once written.
    """
    try:
        _read(folder)
        return ""
    except DamagedError:
        why = f"{INDEX_NAME} was damaged"
    except NiftyFormerError:
        why = f"there was no {INDEX_NAME} yet"
    with _locked(folder):
        known = _known(folder, None)
        known.files.update({path.name: {"sha256": file_sha256(path), "adopted": True} for path in paths})
        _write(folder, known)
    return why


def settle(folder: Path) -> None:
    """Decide the entries that a killed process left naming two files: for the one that is there."""
    if given.is_file(folder / INDEX_NAME):
        with _locked(folder), suppress(NiftyFormerError):
            _read(folder)
            _write(folder, _known(folder, None))


def is_adopted(path: Path) -> bool:
    """Was the file entered by `adopt`?"""
    try:
        return "adopted" in _read(path.parent).files.get(path.name, {})
    except NiftyFormerError:
        return False


def share(paths: Iterable[Path], source: Path, target: Path) -> None:
    """Put files that lie below `source` below `target` too, each with its entry where an index there has one.

    Both names are of one file on the disk where the system can do that: whoever writes replaces a file and
    never changes it, so neither is touched by what becomes of the other.

    Raises:
        NiftyFormerError: a file is gone, or cannot be written.
    """
    indexes: dict[Path, _Index] = {}
    for path in paths:
        place = target / path.relative_to(source)
        entered = None
        for folder in (path.parent, path.parent.parent):
            if folder.is_relative_to(source) and given.is_file(folder / INDEX_NAME):
                index = indexes.setdefault(folder, _read(folder))
                if (entry := index.files.get(path.relative_to(folder).as_posix())) is not None:
                    entered = partial(
                        _put_in_place,
                        folder=target / folder.relative_to(source),
                        # Of an array; what is on other axes there no longer fits.
                        axes=index.axes if "dims" in entry else None,
                        dims=entry.get("dims"),
                    )
                    break
        with atomic_path(place, entered or Path.replace) as temporary:
            try:
                os.link(path, temporary)
            except OSError:  # another disk, or one that knows no links
                shutil.copyfile(path, temporary)


def rename_entered(path: Path, target: Path) -> None:
    """Give a file another name in its folder, and its entry with it."""
    folder = path.parent
    with _locked(folder):
        known = _known(folder, None)
        if path.name in known.files:
            known.files[target.name] = known.files[path.name]
            _write(folder, known, also=target.name)
        path.replace(target)
        known.files.pop(path.name, None)
        _write(folder, known)


def entered_digests(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """The SHA-256 that the indexes have of files, and of all files in folders, by their paths below `root`."""
    wanted, found = set(paths), {}
    beside = {folder for path in wanted for folder in (path.parent, path.parent.parent)}
    within = {index.parent for path in wanted if not given.is_file(path) for index in path.rglob(INDEX_NAME)}
    for folder in sorted(folder for folder in beside | within if given.is_file(folder / INDEX_NAME)):
        for name, entry in _read(folder).files.items():
            file = folder / name
            if file in wanted or wanted & set(file.parents):
                found[file.relative_to(root).as_posix()] = entry["sha256"]
    return dict(sorted(found.items()))


def sha256(content: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content.

    Raises:
        NiftyFormerError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


@dataclass
class _Index:
    axes: dict[str, list[str]]
    files: dict[str, dict[str, Any]]


def _verified(path: Path, folder: Path) -> Entered:
    if not given.is_file(path):
        raise missing(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    place, name = folder / INDEX_NAME, path.relative_to(folder).as_posix()
    index = _read(folder) if given.is_file(place) else _Index({}, {})
    entry = index.files.get(name)
    if entry is None:
        raise DamagedError(
            f"{path} is not in {place}: it was made on other sessions or symbols, by an earlier version, or by "
            "something else. Materialize it again."
        )
    if sha256(content) not in (entry["sha256"], entry.get("before")):
        raise DamagedError(
            f"{path} is damaged: it is not the file that {place} describes, but was changed after it was written. "
            "Materialize it again."
        )
    return Entered(content, index.axes, entry.get("dims", {}))


def _put_in_place(
    temporary: Path,
    path: Path,
    folder: Path,
    axes: Mapping[str, list[str]] | None,
    dims: Mapping[str, str] | None,
) -> None:
    name = path.relative_to(folder).as_posix()
    entry: dict[str, Any] = {"sha256": file_sha256(temporary), **({"dims": dict(dims)} if dims else {})}
    with _locked(folder):
        known = _known(folder, axes)
        held = known.files.get(name, {}).get("sha256")
        if held is not None and held != entry["sha256"] and path.is_file():
            known.files[name] = {**entry, "before": held}
            _write(folder, known)
            temporary.replace(path)
            known.files[name] = entry
            _write(folder, known)
        else:
            known.files[name] = entry
            _write(folder, known, also=name)
            temporary.replace(path)


def _known(folder: Path, axes: Mapping[str, list[str]] | None) -> _Index:
    """The index as it is, without the arrays on other axes than these; an empty one if there is none to believe.

    Its lock is held, so an entry that names two files is of a process that was killed between them.
    """
    try:
        index = _read(folder)
    except NiftyFormerError:  # none yet, or damaged: it is written anew, and files not entered are refused
        index = _Index({}, {})
    for name, entry in index.files.items():
        if "before" in entry and (folder / name).is_file():
            found = file_sha256(folder / name)
            if found in (entry["sha256"], entry["before"]):
                index.files[name] = {key: entry[key] for key in entry if key != "before"} | {"sha256": found}
    if axes is None or axes == index.axes:
        return index
    return _Index(dict(axes), {name: entry for name, entry in index.files.items() if "dims" not in entry})


def _read(folder: Path) -> _Index:
    path = folder / INDEX_NAME
    try:
        content = given.read_given_json(path)
        unsealed = {key: value for key, value in content.items() if key != "seal"}
        # Without a seal are the indexes of earlier versions, which held arrays only.
        if content.keys() != {*AXES, "files"} and content["seal"] != _seal(unsealed):
            raise ValueError("its content does not fit its seal")
        files = {str(name): dict(entry) for name, entry in content["files"].items()}
        if any("sha256" not in entry or entry.keys() - _ENTRY for entry in files.values()):
            raise ValueError("an entry is none")
        return _Index({key: list(content[key]) for key in AXES if key in content}, files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, error) from error


def _write(folder: Path, index: _Index, also: str | None = None) -> None:
    """Write the index of the files that are there, and of `also`, which is about to be."""
    present = {name: entry for name, entry in index.files.items() if name == also or (folder / name).is_file()}
    content: dict[str, Any] = {**index.axes, "files": dict(sorted(present.items()))}
    text = json.dumps({**content, "seal": _seal(content)}, indent=1) + "\n"
    place = folder / INDEX_NAME
    remove_leftovers(place)  # of killed processes: whoever writes an index has its lock
    with suppress(OSError):
        if given.read_regular(place, len(text)) == text.encode():
            return
    write_text(place, text)


def _seal(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / f".{INDEX_NAME}.lock")
    try:
        lock.acquire()
    except OSError as error:
        raise NiftyFormerError(
            f"{lock.lock_file} could not be written ({error.strerror or error}): remove what is there, or make its "
            "folder writable."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _locked_to_read(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        with suppress(NiftyFormerError):  # where nobody may write, nobody does
            stack.enter_context(_locked(folder))
        yield

"""Which files of a folder may hold candles, and their content: unpacked, and text as UTF-8."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.names import INDEX, cleaned

ENDINGS = (".csv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
_KINDS = {".pq": ".parquet", ".jsonl": ".json", ".ndjson": ".json"}
_UNPACK = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}


@dataclass(frozen=True)
class Origin:
    """Where a table is: a file, or one in a ZIP."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}, {self.member}" if self.member else str(self.path)

    @property
    def file_name(self) -> str:
        """Without folders and compression."""
        name = PurePosixPath(self.member).name if self.member else self.path.name
        ending = Path(name).suffix.lower()
        return name[: -len(ending)] if ending in _UNPACK else name

    @property
    def stem(self) -> str:
        """What the file is called, percent signs undone."""
        return unquote(self.file_name.rpartition(".")[0])

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of the folders that it is in, a ZIP's among them, from the outermost."""
        outer = self.path.parent.parts
        return (*outer, self.path.stem, *PurePosixPath(self.member).parent.parts) if self.member else outer

    @property
    def kind(self) -> str:
        """The ending; one for all of a kind."""
        ending = Path(self.file_name).suffix.lower()
        return _KINDS.get(ending, ending)


@dataclass(frozen=True)
class Found:
    """The files of a folder that may hold candles, in order of their names, and what else is in it, in words."""

    origins: tuple[Origin, ...]
    others: tuple[str, ...]


def problem(where: object, what: str, advice: str = "Mend the file or remove it") -> NiftyFormerError:
    """The error for something wrong with a file."""
    return NiftyFormerError(f"{where} {what}. {advice}, then start again.")


def files_of(folder: Path) -> Found:
    """The files of a folder; with its subfolders if it has itself only texts, JSON, index lists and the NIFTY 50.

    Raises:
        NiftyFormerError: there is no such folder, or it or a ZIP cannot be read.
    """
    if not folder.is_dir():
        raise NiftyFormerError(f"{folder} is not a folder: give a folder of candles, as one SYMBOL.csv a stock.")
    try:
        top = sorted(folder.iterdir())
        origins, others = _origins(top)
        below = [path for path in top if path.is_dir() and not path.name.startswith(".")]
        if not any(map(_may_be_a_stock, origins)):
            return Found(*_origins(sorted(path for path in folder.rglob("*") if not _is_hidden(path, folder))))
        ignored = [path.name for path in below if any(Origin(p).kind in (*ENDINGS, ".zip") for p in path.rglob("*"))]
        return Found(origins, (*others, *(f"folder {name}" for name in ignored)))
    except OSError as error:
        raise problem(folder, f"cannot be read: {error.strerror or error}", "Check its permissions") from error


def _may_be_a_stock(origin: Origin) -> bool:
    return (
        origin.kind not in (".txt", ".json")
        and cleaned(origin.stem) != INDEX
        and not origin.stem.lower().startswith("ind_")
    )


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts)


def _origins(paths: Sequence[Path]) -> tuple[tuple[Origin, ...], tuple[str, ...]]:
    found: list[Origin] = []
    for path in paths:
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.lower() == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    members = [Origin(path, name) for name in sorted(archive.namelist()) if not name.endswith("/")]
            except zipfile.BadZipFile as error:
                raise problem(path, "is no ZIP file") from error
            found += [
                origin for origin in members if not origin.file_name.startswith(".") and "__MACOSX" not in origin.member
            ]
        else:
            found.append(Origin(path))
    origins = tuple(origin for origin in found if origin.kind in ENDINGS)
    return origins, counted(origin.file_name for origin in found if origin.kind not in ENDINGS)


def counted(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, and how often it is there."""
    return tuple(name if count == 1 else f"{name} ({count:,} times)" for name, count in Counter(names).items())


def read_bytes(origin: Origin) -> bytes:
    """The content of a file, unpacked; text in UTF-16, as Excel and Windows write it, as UTF-8.

    Raises:
        NiftyFormerError: it cannot be read.
    """
    try:
        if origin.member:
            data = _archive(origin.path, origin.path.stat().st_mtime_ns).read(origin.member)
        else:
            data = origin.path.read_bytes()
        unpack = _UNPACK.get(Path(origin.member or origin.path.name).suffix.lower())
        data = unpack(data) if unpack else data
    except RuntimeError as error:
        # Of ZIP files with a password.
        raise problem(origin, f"cannot be unpacked ({error})", "Unpack it yourself") from error
    except (zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
        raise problem(origin, f"cannot be unpacked ({error})") from error
    except OSError as error:
        if error.errno is None:
            raise problem(origin, f"cannot be unpacked ({error})") from error
        raise problem(origin, f"cannot be read: {error.strerror or error}", "Check its name and permissions") from error
    return data if origin.kind == ".parquet" else _as_utf8(data)


def _as_utf8(data: bytes) -> bytes:
    """Text in UTF-16 as UTF-8: it begins with a mark, or every other byte of its first letters is 0."""
    head = data[:8]
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    if not encoding and len(head) == 8:
        encoding = {(True, False): "utf-16-be", (False, True): "utf-16-le"}.get(
            (not any(head[::2]), not any(head[1::2])), ""
        )
    try:
        return data.decode(encoding).encode() if encoding else data
    except UnicodeDecodeError:
        return data


@lru_cache(maxsize=2)
def _archive(path: Path, changed_ns: int) -> zipfile.ZipFile:
    """An open ZIP: one with thousands of members takes long to open. `changed_ns` tells a newer one."""
    return zipfile.ZipFile(path)

"""Where an artifact came from: the settings, the code and the inputs that made it.

The record holds no times and no run ids, so that the same inputs give the same bytes; those are
Dagster's. Its fingerprint is the asset's data version.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError, damaged
from niftyformer_assets.store.given import is_file, read_given_json
from niftyformer_assets.store.index import entered_digests, file_sha256

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Provenance:
    """What made an artifact.

    settings: those that matter to it, as JSON values.
    code: the version of the code that made it.
    inputs: the name of each input and the fingerprint of its content.
    outputs: the SHA-256 of each file it consists of, by its path below the folder that holds the records'.
    made_from: the fingerprint of each input by its path from there, None for one that was not there.
    """

    asset: str
    settings: Mapping[str, Any]
    code: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str] = field(default_factory=dict)
    made_from: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """24 hex digits that change whenever a setting, the code or an input does."""
        deciding = {name: value for name, value in asdict(self).items() if name not in ("outputs", "made_from")}
        canonical = json.dumps(deciding, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:24]

    def write(self, folder: Path) -> None:
        """Keep the record as `{folder}/{asset}.json`."""
        content = {**asdict(self), "fingerprint": self.fingerprint}
        write_text(folder / f"{self.asset}.json", json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_provenance(folder: Path, asset: str) -> Provenance | None:
    """The record of an artifact, or None where there is none."""
    path = folder / f"{asset}.json"
    if not is_file(path):
        return None
    content = read_given_json(path)
    try:
        given = content.pop("fingerprint")
        record = Provenance(**content)
        _must_be_texts(record)
        if record.asset != asset or record.fingerprint != given:
            raise ValueError("it does not fit its fingerprint")
        return record
    except UNREADABLE as error:
        raise damaged(path, error) from error


def _must_be_texts(record: Provenance) -> None:
    """The fingerprint covers neither the outputs nor where the inputs lie.

    Raises:
        ValueError: they are no texts by texts that name files.
    """
    for name, digest in (*record.outputs.items(), *record.made_from.items()):
        if not name or "\0" in name or not isinstance(digest, str | None):
            raise ValueError(f"it names no file with {name!r:.40}")


def must_have_record(folder: Path, asset: str) -> Provenance:
    """The record of an artifact.

    Raises:
        NiftyFormerError: there is none, or it is damaged.
    """
    record = read_provenance(folder, asset)
    if record is None:
        raise NiftyFormerError(f"{folder.parent} has no {asset} with a record of its making: materialize {asset}.")
    return record


def must_be_as_recorded(folder: Path, record: Provenance, of: Collection[Path] | None = None) -> None:
    """Refuse an artifact whose files are not those that were there when its record was written.

    What a file holds is checked where it is read, against its index; here, that the index has not gone
    on without the record, as when a making was cut off, or another's files were put in place.

    Args:
        folder: of the records; the artifacts lie beside it.
        of: these of its files alone, all of which it must tell of.

    Raises:
        NiftyFormerError: the message names the file.
    """
    root, asset = folder.parent, record.asset
    if not record.outputs:
        raise NiftyFormerError(
            f"{folder / f'{asset}.json'} does not say which files {asset} consists of, as records of earlier versions: "
            f"materialize {asset} again."
        )
    names = record.outputs.keys() if of is None else {path.relative_to(root).as_posix() for path in of}
    now = entered_digests([root / name for name in names], root)
    for name in sorted(names):
        if now.get(name) != record.outputs.get(name, ""):
            raise NiftyFormerError(
                f"{root / name} is not the file that the record of {asset} describes: its making was cut off, or "
                f"another file was put in its place. Materialize {asset} again."
            )


def must_be_from_the_same(folder: Path, record: Provenance, of: Collection[Path] | None = None) -> None:
    """Refuse an artifact whose inputs are others than when it was made.

    Args:
        folder: of the records.
        of: of these inputs alone.

    Raises:
        NiftyFormerError: the message names the input.
    """
    if not record.made_from and record.inputs:
        raise NiftyFormerError(
            f"{folder / f'{record.asset}.json'} does not say where the inputs of {record.asset} lie, as records of "
            f"earlier versions: materialize {record.asset} again."
        )
    for name, before in record.made_from.items():
        path = folder.parent / name
        # As `resolve`, which does not take a link to itself.
        place = os.path.realpath(path)
        if of is not None and place not in {os.path.realpath(each) for each in of}:
            continue
        if (content_fingerprint([path]) if is_file(path) or path.exists() else None) != before:
            raise NiftyFormerError(f"{record.asset} was made from another {place}: materialize {record.asset} again.")


@cache
def code_version(*parts: str) -> str:
    """12 hex digits of the sources of our packages, or of single modules (`name.py`); any edit in them changes it.

    A module elsewhere may be given by its absolute path; where it lies makes no difference.
    """
    digest = hashlib.sha256()
    for part in sorted(parts):
        path = PACKAGE / part
        for source in [path] if path.suffix else sorted(path.rglob("*.py")):
            ours = source.is_relative_to(PACKAGE)
            digest.update((source.relative_to(PACKAGE).as_posix() if ours else source.name).encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def flat_settings(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `section.key` -> value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(
            flat_settings(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        )
    return flat


def fingerprints(paths: Sequence[Path]) -> dict[str, str]:
    """The content fingerprint of each file or folder, by its name.

    Where a name repeats, all go by their paths below the folder that holds them all.
    """
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        shared = os.path.commonpath(paths)
        names = [path.relative_to(shared).as_posix() for path in paths]
    return {name: content_fingerprint([path]) for name, path in zip(names, paths, strict=True)}


def content_fingerprint(paths: Iterable[Path]) -> str:
    """24 hex digits of the content of files; of a folder, of all files in it by name.

    Names that begin with a dot do not count: those are files that are just being written.

    Raises:
        NiftyFormerError: a path does not exist.
    """
    digest = hashlib.sha256()
    for path in paths:
        whole = is_file(path) or not path.is_dir()
        files = [path] if whole else sorted(p for p in path.rglob("[!.]*") if is_file(p))
        for file in files:
            if not is_file(file):
                raise NiftyFormerError(f"{file} does not exist: materialize the asset that writes it first.")
            digest.update(file.relative_to(path.parent).as_posix().encode())
            digest.update(file_sha256(file).encode())
    return digest.hexdigest()[:24]

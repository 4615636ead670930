"""Where an artifact came from: the settings, the code and the inputs that made it.

The record holds no times and no run ids, so that the same inputs give the same bytes; those are
Dagster's. Its fingerprint is the asset's data version.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from niftyformer_assets.store.arrays import sha256
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError, damaged

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Provenance:
    """What made an artifact.

    settings: those that matter to it, as JSON values.
    code: the version of the packages that made it (`code_version`).
    inputs: the name of each input and the fingerprint of its content.
    """

    asset: str
    settings: Mapping[str, Any]
    code: str
    inputs: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """24 hex digits that change whenever a setting, the code or an input does."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:24]

    def write(self, folder: Path) -> None:
        """Keep the record as `{folder}/{asset}.json`."""
        content = {**asdict(self), "fingerprint": self.fingerprint}
        write_text(folder / f"{self.asset}.json", json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_provenance(folder: Path, asset: str) -> Provenance | None:
    """The record of an artifact, or None where there is none."""
    path = folder / f"{asset}.json"
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Provenance(content["asset"], content["settings"], content["code"], content["inputs"])
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error


@cache
def code_version(*packages: str) -> str:
    """12 hex digits of the sources of our packages; any edit in them changes it."""
    digest = hashlib.sha256()
    for package in sorted(packages):
        for source in sorted((PACKAGE / package).rglob("*.py")):
            digest.update(source.relative_to(PACKAGE).as_posix().encode())
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
        files = sorted(p for p in path.rglob("[!.]*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if not file.is_file():
                raise NiftyFormerError(f"{file} does not exist: materialize the asset that writes it first.")
            digest.update(file.relative_to(path.parent).as_posix().encode())
            digest.update(sha256(file).encode())
    return digest.hexdigest()[:24]

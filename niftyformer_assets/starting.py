"""A project's folder laid down for an installed package: `niftyformer init`."""

from __future__ import annotations

from pathlib import Path

from niftyformer_assets.project import files_laid_down, laid_down_from
from niftyformer_assets.store.atomic import atomic_path
from niftyformer_assets.store.errors import NiftyFormerError


def lay_down(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy experiments, studies, reference tables and Dagster's settings to where they are not yet.

    Returns:
        What was laid down, and what was there already with another content and stays, both as paths below the folder.

    Raises:
        NiftyFormerError: the folder cannot be written.
    """
    source = laid_down_from()
    new, other = [], []
    try:
        for path in files_laid_down(source):
            target, content = folder / path, (source / path).read_bytes()
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with atomic_path(target) as written:
                    written.write_bytes(content)
                new.append(path)
            elif not target.is_file() or target.read_bytes() != content:
                other.append(path)
    except OSError as error:
        raise NiftyFormerError(f"{folder} cannot be written ({error.strerror}): name a folder that can") from None
    return new, other

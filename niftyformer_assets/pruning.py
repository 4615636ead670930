"""What lies in a workspace and is of no experiment or study any more, and its removal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from niftyformer_assets.experiments.files import experiments_of_files, studies_of
from niftyformer_assets.experiments.holders import holders_of
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.holding import held
from niftyformer_assets.store.provenance import read_provenance


@dataclass(frozen=True)
class Unused:
    """A folder or file that nobody uses.

    freed: bytes that its removal gives back; what others took over stays theirs.
    """

    path: Path
    why: str
    freed: int


def unused(settings: Settings) -> list[Unused]:
    """What no experiment and no study uses, in the order of the paths.

    Raises:
        NiftyFormerError: a file of an experiment or a study is wrong, so that nobody knows what it uses.
    """
    wrong: dict[str, str] = {}
    used = set(experiments_of_files(settings, wrong))
    studies = studies_of(settings, wrong)
    if wrong:
        raise NiftyFormerError(f"what is used is not known while a file is wrong: {next(iter(wrong.values()))}")
    workspace = settings.workspace
    found = [
        *(
            Unused(folder, "no file or study makes an experiment of this name", _freed(folder))
            for folder in _folders(workspace.root / "experiments")
            # Fewer candles than there were are no reason to forget what was trained.
            if folder.name not in used and not any(study.may_make(folder.name) for study in studies.values())
        ),
        *(
            Unused(folder, "there is no study of this name", _freed(folder))
            for folder in _folders(workspace.root / "studies")
            if folder.name not in studies
        ),
        *(
            Unused(note, "says where something lies that is gone", note.stat().st_size)
            for note in (workspace.root / "made").glob("*/*")
            if not _is_there(settings, note)
        ),
    ]
    return sorted(found, key=lambda each: each.path)


def remove(settings: Settings, given: list[Unused]) -> None:
    """Remove what `unused` has found.

    Raises:
        NiftyFormerError: another process works on an experiment among it.
    """
    for each in given:
        if not each.path.is_dir():
            each.path.unlink(missing_ok=True)
            continue
        lock = settings.workspace.experiment_lock(each.path.name)
        with held(lock, f"experiment {each.path.name} of workspace {settings.workspace.name}"):
            shutil.rmtree(each.path)


def _folders(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.glob("*")) if path.is_dir() and not path.is_symlink())


def _is_there(settings: Settings, note: Path) -> bool:
    """Does anybody that the note names still have what it is about?"""
    for holder in holders_of(note):
        with suppress(NiftyFormerError):  # of a record that is damaged
            record = read_provenance(settings.workspace.experiment(holder).provenance, note.parent.name)
            if record is not None and record.fingerprint == note.name:
                return True
    return False


def _freed(folder: Path) -> int:
    """Bytes of the files that have no other name."""
    stats = (path.stat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)

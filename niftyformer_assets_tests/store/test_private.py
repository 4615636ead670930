"""Nothing that another user put among the temporary files is used or followed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from niftyformer_assets.market.rate_limit import Pacer, pacer_of
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.private import open_own, private_temporary_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are those of POSIX")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's folder is to be; nothing is there yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp" / f"niftyformer-{os.getuid()}"


def test_it_is_made_once_for_this_user_alone(folder: Path) -> None:
    for _ in range(2):
        assert private_temporary_folder() == folder
        assert folder.stat().st_mode & 0o777 == 0o700
    pacer_of("key", "http://127.0.0.1:1").wait()
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir() if path.suffix != ".lock")


def linked(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")


def open_to(mode: int) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        folder.mkdir()
        folder.chmod(mode)

    return plant


def of_another_user(folder: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to another user")
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (linked, "is no folder"),
        (lambda folder: folder.symlink_to("/nowhere"), "could not be made"),
        (lambda folder: folder.write_text(""), "could not be made"),
        (open_to(0o777), "can be written by others"),
        (open_to(0o1777), "can be written by others"),
        (open_to(0o770), "can be written by others"),
        (of_another_user, "is another user's"),
    ],
)
def test_what_others_put_there_is_refused(folder: Path, plant: Callable[[Path], object], said: str) -> None:
    plant(folder)
    with pytest.raises(NiftyFormerError, match=said) as caught:
        pacer_of("key", "http://127.0.0.1:1")
    assert "TMPDIR" in str(caught.value) and "\n" not in str(caught.value)
    assert not list((folder.parent / "elsewhere").glob("*"))


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "dangling link", "pipe", "folder"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_pacer_writes_through_no_link(tmp_path: Path, kind: str, when: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "pace"
    victim.write_bytes(b"precious" * 10)

    def plant() -> None:
        path.unlink(missing_ok=True)
        if kind == "symbolic link":
            path.symlink_to(victim)
        elif kind == "hard link":
            path.hardlink_to(victim)
        elif kind == "dangling link":
            path.symlink_to(tmp_path / "new")
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()

    if when == "before":
        plant()
        with pytest.raises(NiftyFormerError, match="it paces requests; remove what is there"):
            Pacer(path)
    else:
        pacer = Pacer(path)
        plant()
        with pytest.raises(NiftyFormerError, match="it paces requests; remove what is there"):
            pacer.wait()
    assert victim.read_bytes() == b"precious" * 10
    assert not (tmp_path / "new").exists()


def test_an_ordinary_file_is_opened(tmp_path: Path) -> None:
    with os.fdopen(open_own(tmp_path / "file"), "r+b") as file:
        file.write(b"x")
    assert (tmp_path / "file").read_bytes() == b"x"

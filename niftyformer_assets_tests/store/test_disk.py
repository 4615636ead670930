"""What a disk or its rights refuse is one line, wherever it was met."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from niftyformer_assets.store.errors import NiftyFormerError, disk_or_one_line


def loop(folder: Path) -> None:
    (folder / "a").symlink_to(folder / "a")
    (folder / "a").read_text()


def file_for_a_folder(folder: Path) -> None:
    (folder / "a").write_text("")
    (folder / "a" / "b").mkdir()


def too_long(folder: Path) -> None:
    (folder / ("x" * 300)).write_text("")


@pytest.mark.parametrize(
    ("asks", "said"),
    [(loop, "leads to itself"), (file_for_a_folder, "where a folder should"), (too_long, "a shorter name")],
)
def test_a_file_that_cannot_be_is_named(tmp_path: Path, asks: object, said: str) -> None:
    with pytest.raises(NiftyFormerError, match=said) as found, disk_or_one_line():
        asks(tmp_path)  # type: ignore[operator]
    assert str(tmp_path) in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_while_a_file_is_written_is_said_without_it(code: int) -> None:
    with pytest.raises(NiftyFormerError, match=os.strerror(code)), disk_or_one_line():
        raise OSError(code, os.strerror(code))


@pytest.mark.parametrize(
    "error",
    [OSError("no number"), ConnectionRefusedError(errno.ECONNREFUSED, "refused"), PermissionError(13, "a port")],
)
def test_other_faults_keep_their_traceback(error: OSError) -> None:
    with pytest.raises(OSError) as found, disk_or_one_line():
        raise error
    assert found.value is error

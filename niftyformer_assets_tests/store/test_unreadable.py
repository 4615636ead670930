"""What nobody may look at, and what is no file, is refused in one line and holds nobody up, whoever reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pytest

from niftyformer_assets.experiments.holders import holders_of
from niftyformer_assets.market.login import find_token
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.portfolio.report.files import read_metrics
from niftyformer_assets.report_server import page_of
from niftyformer_assets.store import index
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import is_file
from niftyformer_assets.store.holding import held
from niftyformer_assets.store.provenance import (
    Provenance,
    content_fingerprint,
    must_be_from_the_same,
    must_have_record,
    read_provenance,
)
from niftyformer_assets.store.tables import read_given_parquet, read_notes, read_parquet, write_parquet

READERS: dict[str, Callable[[Path], object]] = {
    "read_entered": lambda folder: index.read_entered(folder / "metrics.json"),
    "read_json": lambda folder: index.read_json(folder / "metrics.json"),
    "read_metrics": read_metrics,
    "read_parquet": lambda folder: read_parquet(folder / "a.parquet"),
    "read_notes": lambda folder: read_notes(folder / "a.parquet"),
    "read_given_parquet": lambda folder: read_given_parquet(folder / "a.parquet"),
    "read_provenance": lambda folder: read_provenance(folder, "a"),
    "must_have_record": lambda folder: must_have_record(folder, "a"),
    "entered_digests": lambda folder: index.entered_digests([folder / "a.parquet"], folder),
    "settle": index.settle,
    "adopt": lambda folder: index.adopt(folder, [folder / "a.parquet"]),
    "enter": lambda folder: index.enter(folder, {"a.parquet": {}}),
    "share": lambda folder: index.share([folder / "a.parquet"], folder, folder.parent / "other"),
    "content_fingerprint": lambda folder: content_fingerprint([folder / "a.parquet"]),
    "file_sha256": lambda folder: index.file_sha256(folder / "a.parquet"),
    "find_token": lambda folder: find_token(folder / "a.json", datetime.now(timezone.utc), {}),
    "is_file": lambda folder: is_file(folder / "a.parquet"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "w"
    write_parquet(made / "a.parquet", pd.DataFrame({"a": [1.0]}))
    index.write_entered(made / "metrics.json", "{}")
    Provenance("a", {}, "c", {"a": "1"}, made_from={"w/a.parquet": "1"}).write(made)
    return made


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """For a user who may not look into the folder."""
    folder.chmod(0o700 if os.geteuid() == 0 else 0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_folder_that_is_another_users(folder: Path, read: Callable[[Path], object]) -> None:
    with closed(folder), pytest.raises(NiftyFormerError) as caught:
        read(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_pages_that_cannot_be_read_are_not_there(folder: Path) -> None:
    page = folder / "comparison.html"
    page.write_text("x")
    assert page_of(folder.parent, "comparison.html", "w") == page
    with closed(folder):
        assert page_of(folder.parent, "comparison.html", "w") is None
    page.unlink()
    page.symlink_to(page)
    assert page_of(folder.parent, "comparison.html", "w") is None


def plant_pipe(path: Path) -> None:
    os.mkfifo(path)


def plant_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def plant_loop(path: Path) -> None:
    path.symlink_to(path)


def plant_folder(path: Path) -> None:
    path.mkdir()
    (path / "in").write_text("x")


PLANTED = (plant_pipe, plant_endless, plant_loop, plant_folder)


@pytest.mark.parametrize("plant", PLANTED)
def test_what_lies_where_an_index_or_a_note_should_holds_nobody_up(folder: Path, plant: Callable[[Path], None]) -> None:
    (folder / index.INDEX_NAME).unlink()
    plant(folder / index.INDEX_NAME)
    if plant is plant_folder:
        with pytest.raises(NiftyFormerError, match=r"index\.json could not be written"):
            index.write_entered(folder / "metrics.json", "{}")
    else:
        index.write_entered(folder / "metrics.json", "{}")
        assert index.read_json(folder / "metrics.json") == {}
    plant(folder / "note")
    assert holders_of(folder / "note") == []


@pytest.mark.parametrize("plant", PLANTED)
def test_what_lies_where_a_lock_should_is_told(folder: Path, plant: Callable[[Path], None]) -> None:
    if plant is plant_pipe:
        return  # which locks as well as a file
    (folder / ".index.json.lock").unlink()
    plant(folder / ".index.json.lock")
    with pytest.raises(NiftyFormerError, match=r"\.index\.json\.lock could not be written"):
        index.settle(folder)
    pacer = Pacer(folder / "pace")
    plant(folder / "pace.lock")
    with pytest.raises(NiftyFormerError, match="pace could not be written"):
        pacer.wait()
    plant(folder / "a.lock")
    with pytest.raises(NiftyFormerError, match=r"a\.lock could not be written"), held(folder / "a.lock", "it"):
        pass


def test_a_link_to_itself_among_inputs(folder: Path) -> None:
    (folder / "a.parquet").unlink()
    plant_loop(folder / "a.parquet")
    with pytest.raises(NiftyFormerError, match="was made from another"):
        must_be_from_the_same(folder, must_have_record(folder, "a"))


WRONG = [None, True, 1, "x", [1], {"a": 1}, {"a": []}, {"a\0b": "0"}, {"": "0"}]


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("name", ["outputs", "made_from"])
def test_a_record_whose_files_are_no_texts_is_damaged(folder: Path, name: str, value: object) -> None:
    """The fingerprint covers neither."""
    path = folder / "a.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(NiftyFormerError, match=r"a\.json is damaged"):
        must_have_record(folder, "a")

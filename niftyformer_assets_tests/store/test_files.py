"""Atomic writes, tables, paths and provenance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from niftyformer_assets.settings import PROJECT
from niftyformer_assets.store.atomic import atomic_path, write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.provenance import (
    Provenance,
    code_version,
    content_fingerprint,
    fingerprints,
    read_provenance,
)
from niftyformer_assets.store.tables import read_given_parquet, read_notes, read_parquet, write_parquet
from niftyformer_assets.store.workspace import Workspace


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("new, but cut o")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_and_nothing_of_a_running_one(tmp_path: Path) -> None:
    path = tmp_path / "a[1].txt"
    code = (
        "import os, sys; from pathlib import Path; from niftyformer_assets.store.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], cwd=PROJECT, check=False)
    assert killed.returncode == -9
    (left,) = tmp_path.glob(".*.tmp")
    with atomic_path(path) as running:
        running.write_text("later")
        assert not left.exists()
        write_text(path, "new")
        assert running.exists() and path.read_text() == "new"
    assert path.read_text() == "later" and [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NiftyFormerError, match=r"file/a\.txt could not be written: .*Check that the folder"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_tables_keep_rows_types_and_notes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": pd.to_datetime(["2022-01-03"]), "close": [1.5]})
    write_parquet(tmp_path / "a.parquet", frame, {"reason": "why"})
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), frame)
    assert read_notes(tmp_path / "a.parquet") == {"reason": "why"}
    write_parquet(tmp_path / "b.parquet", frame, {"reason": "why"})
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_missing_and_damaged_tables_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NiftyFormerError, match=r"a\.parquet does not exist: materialize"):
        read_parquet(tmp_path / "a.parquet")
    write_entered(tmp_path / "a.parquet", b"PAR1 and then nothing")
    for read in (read_parquet, read_notes, read_given_parquet):
        with pytest.raises(NiftyFormerError, match=r"a\.parquet is damaged .*delete it"):
            read(tmp_path / "a.parquet")


@pytest.mark.parametrize("symbol", ["M&M", "BAJAJ-AUTO", "A/B", "NIFTY 50"])
def test_a_symbol_and_its_file_name_are_one_to_one(tmp_path: Path, symbol: str) -> None:
    workspace = Workspace(tmp_path, "demo")
    path = workspace.candles(symbol)
    assert path.parent == workspace.raw
    assert workspace.symbol_of(path) == symbol


def test_provenance_is_kept_and_its_fingerprint_follows_every_part(tmp_path: Path) -> None:
    record = Provenance("flow", {"wavelet": "sym2"}, code_version("dataset"), {"label.csv": "ab"})
    record.write(tmp_path)
    assert read_provenance(tmp_path, "flow") == record
    assert read_provenance(tmp_path, "trend") is None
    others = [
        Provenance("flow", {"wavelet": "haar"}, record.code, record.inputs),
        Provenance("flow", record.settings, "other", record.inputs),
        Provenance("flow", record.settings, record.code, {"label.csv": "cd"}),
    ]
    assert len({record.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_content_not_time_decides_on_a_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one")
    first = content_fingerprint([path])
    os.utime(path, (0, 0))
    assert content_fingerprint([path]) == first
    path.write_text("two")
    assert content_fingerprint([path]) != first
    with pytest.raises(NiftyFormerError, match=r"b\.txt does not exist"):
        content_fingerprint([tmp_path / "b.txt"])


def test_inputs_of_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    for experiment in ("a", "b"):
        write_text(tmp_path / experiment / "metrics.json", experiment)
    write_text(tmp_path / "labels.csv", "")
    both = [tmp_path / experiment / "metrics.json" for experiment in ("a", "b")]
    before = fingerprints(both)
    assert list(before) == ["a/metrics.json", "b/metrics.json"]
    write_text(both[0], "changed")
    assert fingerprints(both)["a/metrics.json"] != before["a/metrics.json"]
    assert list(fingerprints([both[0], tmp_path / "labels.csv"])) == ["metrics.json", "labels.csv"]


def test_a_file_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    write_text(tmp_path / "raw" / "AAA.parquet", "candles")
    before = content_fingerprint([tmp_path / "raw"])
    (tmp_path / "raw" / ".AAA.parquet.0123abcd.tmp").write_text("half")
    assert content_fingerprint([tmp_path / "raw"]) == before

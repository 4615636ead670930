"""Flipped, cut, exchanged, or killed while it was written: a file is what was written, or it is refused by name."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.factors.returns import read_returns, write_returns
from niftyformer_assets.store import index
from niftyformer_assets.store.arrays import Axes, load_arrays, save_arrays
from niftyformer_assets.store.errors import DamagedError, NiftyFormerError
from niftyformer_assets.store.index import (
    INDEX_NAME,
    _seal,
    enter,
    entered_digests,
    read_entered,
    read_json,
    rename_entered,
    settle,
    sha256,
    write_entered,
)
from niftyformer_assets.store.tables import read_notes, read_parquet, write_parquet
from niftyformer_assets_tests.damage import cuts, flips, same_json

AXES = Axes(np.array(["2022-01-03", "2022-01-04", "2022-01-05"]), ("A", "B&C"))


def table(folder: Path, scale: float) -> Path:
    frame = pd.DataFrame({"symbol": ["A", "B&C"] * 50, "close": scale * np.arange(100.0)})
    write_parquet(folder / "nav.parquet", frame, {"source": f"scale {scale}"})
    return folder / "nav.parquet"


def archive(folder: Path, scale: float) -> Path:
    save_arrays(folder / "flow.npz", {"result": scale * np.ones((3, 2))}, AXES, {"result": "TN"})
    return folder / "flow.npz"


def bare(folder: Path, scale: float) -> Path:
    save_arrays(folder / "corr_adj.npy", {"corr_adj": scale * np.eye(2)}, AXES, {"corr_adj": "NN"})
    return folder / "corr_adj.npy"


def label(folder: Path, scale: float) -> Path:
    write_returns(folder / "label.csv", scale * np.ones((3, 2)), AXES)
    return folder / "label.csv"


def figures(folder: Path, scale: float) -> Path:
    write_entered(folder / "metrics.json", json.dumps({"sharpe": scale}))
    return folder / "metrics.json"


def text(folder: Path, scale: float) -> Path:
    write_entered(folder / "selected_factors.txt", f"KMID\nMA{scale:.0f}\n")
    return folder / "selected_factors.txt"


KINDS: dict[str, tuple[Callable[[Path, float], Path], tuple[Callable[[Path], object], ...]]] = {
    "parquet": (table, (read_parquet, read_notes)),
    "npz": (archive, (load_arrays,)),
    "npy": (bare, (load_arrays,)),
    "csv": (label, (read_returns,)),
    "json": (figures, (read_json,)),
    "txt": (text, (read_entered,)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_flip_cut_and_swap_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    write, readers = KINDS[kind]
    path, other = write(tmp_path / "a", 5.0), write(tmp_path / "b", 7.0)
    content = path.read_bytes()
    for changed in (*flips(content, 60), *cuts(content, 10), other.read_bytes()):
        path.write_bytes(changed)
        for read in readers:
            with pytest.raises(DamagedError, match=re.escape(str(path))) as caught:
                read(path)
            assert "\n" not in str(caught.value)
    path.write_bytes(content)
    for read in readers:
        read(path)
    path.write_bytes(b"whatever")
    write(tmp_path / "a", 5.0)
    assert path.read_bytes() == content
    for read in readers:
        read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_index_is_refused_and_made_anew(tmp_path: Path, kind: str) -> None:
    write, readers = KINDS[kind]
    path = write(tmp_path, 5.0)
    place = tmp_path / INDEX_NAME
    content = place.read_bytes()
    for changed in (*flips(content, 80), *cuts(content, 10), b"[" * 5000, b"[]", b'{"files": 1}'):
        place.write_bytes(changed)
        if same_json(changed, content):
            continue
        for read in readers:
            with pytest.raises(DamagedError, match=re.escape(str(tmp_path))):
                read(path)
    write(tmp_path, 5.0)
    assert place.read_bytes() == content
    for read in readers:
        read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_nobody_entered_is_refused(tmp_path: Path, kind: str) -> None:
    write, readers = KINDS[kind]
    path = write(tmp_path, 5.0)
    (tmp_path / INDEX_NAME).unlink()
    for read in readers:
        with pytest.raises(DamagedError, match=rf"{path.name} is not in .*index\.json: it was made .*Materialize"):
            read(path)


class Killed(BaseException):
    """Ends everything at once, as a kill does."""


@pytest.mark.parametrize("kind", KINDS)
def test_killed_between_any_two_steps_the_old_or_the_new_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    write, readers = KINDS[kind]
    before, after = write(tmp_path / "old", 5.0).read_bytes(), write(tmp_path / "new", 7.0).read_bytes()
    clean, seen = (tmp_path / "new" / INDEX_NAME).read_bytes(), set()
    # The index with both, the file, the index with the new one.
    for step in range(3):
        path = write(tmp_path / f"killed {step}", 5.0)
        done = 0

        def counted(call: Callable[..., object], last: int = step) -> Callable[..., object]:
            def until(*arguments: object) -> object:
                nonlocal done
                if done == last:
                    raise Killed
                done += 1
                return call(*arguments)

            return until

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Path, "replace", counted(Path.replace))
            patch.setattr(index, "write_text", counted(index.write_text))
            write(path.parent, 7.0)
        assert path.read_bytes() in (before, after)
        seen.add(path.read_bytes())
        for read in readers:
            read(path)
        # What else it might be is refused, and the next writing leaves nothing of the kill.
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        for read in readers:
            with pytest.raises(DamagedError):
                read(path)
        path.write_bytes(content)
        for scale in (9.0, 7.0):
            write(path.parent, scale)
            for read in readers:
                read(path)
        assert path.read_bytes() == after and (path.parent / INDEX_NAME).read_bytes() == clean
    assert seen == {before, after}


def write_for_ever(folder: Path) -> None:
    while True:
        for scale in (5.0, 7.0):
            table(folder, scale)
            figures(folder, scale)


def test_killed_at_random_moments_everything_can_be_read(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    draw, readable = random.Random(1), 0
    for _ in range(8):
        process = context.Process(target=write_for_ever, args=(tmp_path,), daemon=True)
        process.start()
        deadline = time.monotonic() + 60
        while not (tmp_path / "metrics.json").is_file() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.join(draw.uniform(0.0, 0.3))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        read_parquet(tmp_path / "nav.parquet")
        readable += read_json(tmp_path / "metrics.json")["sharpe"] in (5.0, 7.0)
    assert readable == 8
    table(tmp_path, 5.0)
    assert not list(tmp_path.glob(f".{INDEX_NAME}.*.tmp"))


def test_readers_beside_a_writer_see_no_damage(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    table(tmp_path, 5.0)
    figures(tmp_path, 5.0)
    process = context.Process(target=write_for_ever, args=(tmp_path,), daemon=True)
    process.start()
    try:
        found = {
            read_json(tmp_path / "metrics.json")["sharpe"] for _ in range(2000) if read_notes(tmp_path / "nav.parquet")
        }
    finally:
        process.kill()
        process.join()
    assert found <= {5.0, 7.0}


def test_other_axes_leave_tables_and_drop_arrays(tmp_path: Path) -> None:
    figures(tmp_path, 5.0)
    path = archive(tmp_path, 5.0)
    other = Axes(AXES.dates, ("A", "C"))
    save_arrays(tmp_path / "corr_adj.npy", {"corr_adj": np.eye(2)}, other, {"corr_adj": "NN"})
    assert read_json(tmp_path / "metrics.json") == {"sharpe": 5.0}
    with pytest.raises(NiftyFormerError, match="was made on other sessions or symbols"):
        load_arrays(path)
    # Of a file on new axes the old content is not taken: nothing would tell which axes it is on.
    archive(tmp_path / "killed", 5.0)
    entry = json.loads((tmp_path / "killed" / INDEX_NAME).read_text())["files"]["flow.npz"]
    save_arrays(tmp_path / "killed" / "flow.npz", {"result": np.ones((3, 2))}, other, {"result": "TN"})
    now = json.loads((tmp_path / "killed" / INDEX_NAME).read_text())["files"]["flow.npz"]
    assert entry["sha256"] != now["sha256"] and "before" not in now


def test_the_digests_of_files_and_folders(tmp_path: Path) -> None:
    paths = [figures(tmp_path / "backtest", 5.0), table(tmp_path / "backtest", 5.0), text(tmp_path, 5.0)]
    (tmp_path / "factors").mkdir()
    (tmp_path / "factors" / "KMID.csv").write_text("date\n")
    enter(tmp_path, {"factors/KMID.csv": {"KMID": "TN"}})
    (tmp_path / "backtest" / "speed.csv").write_text("another each time\n")
    given = [tmp_path / "backtest", tmp_path / "factors", paths[2], tmp_path / "absent"]
    expected = ["backtest/metrics.json", "backtest/nav.parquet", "factors/KMID.csv", "selected_factors.txt"]
    assert list(entered_digests(given, tmp_path)) == expected
    assert entered_digests(given, tmp_path)["backtest/nav.parquet"] == index.file_sha256(paths[1])


def test_a_renamed_file_keeps_its_entry(tmp_path: Path) -> None:
    path = figures(tmp_path, 5.0)
    rename_entered(path, tmp_path / "aside.json")
    assert read_json(tmp_path / "aside.json") == {"sharpe": 5.0}
    assert list(json.loads((tmp_path / INDEX_NAME).read_text())["files"]) == ["aside.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    path = figures(tmp_path, 5.0)
    (tmp_path / f".{INDEX_NAME}.lock").unlink()
    tmp_path.chmod(0o500)
    try:
        assert read_json(path) == {"sharpe": 5.0}
        path.chmod(0o000)
        with pytest.raises(NiftyFormerError, match="cannot be read") as caught:
            read_json(path)
        assert not isinstance(caught.value, DamagedError)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("replaced", [True, False])
def test_an_entry_that_a_killed_process_left_is_decided_for_the_file_that_is_there(
    tmp_path: Path, replaced: bool
) -> None:
    path, whole = tmp_path / "a.txt", tmp_path / "whole"
    whole.mkdir()
    content = "new" if replaced else "old"
    write_entered(whole / "a.txt", content)
    write_entered(path, "old")
    killed = json.loads((tmp_path / INDEX_NAME).read_text())
    killed["files"]["a.txt"] = {"sha256": sha256(b"new"), "before": sha256(b"old")}
    del killed["seal"]
    (tmp_path / INDEX_NAME).write_text(json.dumps({**killed, "seal": _seal(killed)}))
    path.write_text(content)
    settle(tmp_path)
    assert (tmp_path / INDEX_NAME).read_bytes() == (whole / INDEX_NAME).read_bytes()
    assert read_entered(path).content == content.encode()

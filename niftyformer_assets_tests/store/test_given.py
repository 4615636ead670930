"""Whatever lies in the place of a file of ours is told in one line."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.store.arrays import INDEX_NAME, Axes, enter_in_index, load_arrays, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line, read_given_json, read_regular
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.tables import read_notes, read_parquet

DAMAGED_JSON = [
    b"",
    b"{",
    b"[]",
    b"1",
    b"null",
    b"\xff\xfe",
    b"\x00" * 100,
    b"[" * 100_000,
    b'{"a": ' * 100_000,
    b'{"a": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("content", DAMAGED_JSON, ids=lambda content: f"{content[:8]!r}x{len(content)}")
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(NiftyFormerError, match=r"a\.json is damaged") as caught:
        read_given_json(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_ends_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "large").write_bytes(b"x" * 101)
    for name in ("pipe", "folder", "dangling", "large"):
        with pytest.raises(OSError):
            read_regular(tmp_path / name, 100)
        with pytest.raises(NiftyFormerError, match=name):
            read_given_json(tmp_path / name)
    assert read_regular(tmp_path / "large", 101) == b"x" * 101


@pytest.mark.parametrize(
    "damage",
    [
        {"files": []},
        {"files": {"a.npz": 1}},
        {"files": {"a.npz": {"dims": {}}}},
        {"files": {"a.npz": {"sha256": 1, "dims": {}}}},
        {"files": {"a.npz": {"sha256": "x", "dims": []}}},
        {"dates": 1},
        {"dates": ["yesterday"]},
        {"symbols": 1},
        {"symbols": [[]] * 2},
    ],
    ids=str,
)
def test_an_index_with_something_else_in_it_is_named(tmp_path: Path, damage: dict) -> None:
    path = tmp_path / "a.npz"
    save_arrays(path, {"x": np.zeros((2, 2))}, Axes(np.array(["2024-01-01", "2024-01-02"]), ("A", "B")), {"x": "TN"})
    index = json.loads((tmp_path / INDEX_NAME).read_text())
    (tmp_path / INDEX_NAME).write_text(json.dumps(index | damage))
    with pytest.raises(NiftyFormerError, match=r"index\.json is damaged"):
        load_arrays(path)


def _header(shape: tuple[int, ...], length: int | None = None) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    content = stream.getvalue()
    if length is None:
        return content
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", length) + content[10:]


@pytest.mark.parametrize(
    "member",
    [_header((1 << 40, 1 << 10)), _header((1 << 62, 8)), _header((2, 2), 1 << 31), _header((2, 2), 3), b"", b"junk"],
    ids=["beyond-memory", "beyond-addresses", "long-header", "short-header", "empty", "junk"],
)
def test_an_array_whose_header_lies_is_named_even_with_its_hash(tmp_path: Path, member: bytes) -> None:
    path, axes = tmp_path / "a.npz", Axes(np.array(["2024-01-01", "2024-01-02"]), ("A", "B"))
    save_arrays(path, {"x": np.zeros((2, 2))}, axes, {"x": "TN"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y.npy", member)
    enter_in_index(tmp_path, axes, {path.name: {"x": "TN"}})
    with pytest.raises(NiftyFormerError, match=r"a\.npz is damaged") as caught:
        load_arrays(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1"])
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    write_entered(path, content)
    for read in (read_parquet, read_notes):
        with pytest.raises(NiftyFormerError, match=r"a\.parquet is damaged"):
            read(path)


def test_any_text_becomes_one_line_that_can_be_shown() -> None:
    assert in_one_line("a\n\tb \x1b[31m \udce9 ä") == "a b \\x1b[31m \\udce9 ä"

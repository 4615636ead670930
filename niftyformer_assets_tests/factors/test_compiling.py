from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from niftyformer_assets.factors.kernels import compiling
from niftyformer_assets.store.private import private_temporary_folder
from niftyformer_assets_tests.shared_data import ROOT

USE = """
from niftyformer_assets.factors.kernels import compiling
import numpy as np
from niftyformer_assets.factors.kernels.lags import lagged_ratio
x = np.ones((3, 2))
lagged_ratio(x, x, np.zeros((3, 2), np.int32), 1, 0, np.empty((3, 2), np.float32))
print(compiling.cache_folder())
print(sum(lagged_ratio.stats.cache_hits.values()))
"""


def in_a_new_process(**variables: str) -> tuple[Path, int]:
    """Use a kernel; return the folder of the compiled code, and how often it was found there."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", USE], cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=True
    )
    folder, hits = done.stdout.splitlines()
    return Path(folder), int(hits)


def test_the_second_process_finds_the_compiled_code(tmp_path: Path) -> None:
    folder, hits = in_a_new_process(NUMBA_CACHE_DIR=str(tmp_path))
    assert folder.parent == tmp_path
    assert hits == 0
    assert in_a_new_process(NUMBA_CACHE_DIR=str(tmp_path)) == (folder, 1)


def test_a_package_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the user's cache folder is used; if that cannot be written either, the temporary files are."""
    user = tmp_path / "cache"
    monkeypatch.setattr(compiling.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(user))
    monkeypatch.setattr(compiling, "_writable", lambda folder: folder == user)
    compiling.cache_folder.cache_clear()
    try:
        assert compiling.cache_folder().parent == user
        compiling.cache_folder.cache_clear()
        monkeypatch.setattr(compiling, "_writable", lambda folder: False)
        assert compiling.cache_folder().parent == private_temporary_folder()
    finally:
        compiling.cache_folder.cache_clear()


def test_writable_says_what_is(tmp_path: Path) -> None:
    assert compiling._writable(tmp_path / "new")
    (tmp_path / "file").write_text("")
    assert not compiling._writable(tmp_path / "file")

"""A wheel works outside of the checkout: `niftyformer init` lays down a folder, and all that is made lies there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from niftyformer_assets.project import LAID_DOWN, PROJECT, files_laid_down
from niftyformer_assets.starting import lay_down
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT

COMMAND = (sys.executable, "-c", "from niftyformer_assets.cli import app; app()")
# A market of 14 stocks, as `tiny_settings` has it.
TINY_MARKET = {
    "NIFTYFORMER_MADE_UP": '{"stocks": 14, "late_listings": 1, "listing_gap": 20}',
    "NIFTYFORMER_MADE_UP_START": "2021-11-01",
    "NIFTYFORMER_MADE_UP_END": "2023-01-20",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel, built of a copy of the sources, is installed into."""
    folder = tmp_path_factory.mktemp("package")
    sources = folder / "sources"
    left_out = shutil.ignore_patterns("__pycache__", "*.parquet", "*.npz")
    shutil.copytree(PROJECT / "niftyformer_assets", sources / "niftyformer_assets", ignore=left_out)
    for path in (*files_laid_down(PROJECT), "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        (sources / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, sources / path)
    # What a person drops in beside the committed tables is theirs.
    (sources / "data" / "reference" / "CF-CA-equities.csv").write_text("SYMBOL,SERIES,PURPOSE,EX-DATE\n")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(sources)], folder)
    wheel = next(folder.glob("*.whl"))
    _run([*pip, "install", "--no-deps", "--target", str(folder / "installed"), str(wheel)], folder)
    shutil.rmtree(sources)
    return folder / "installed"


def _run(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    usual = {key: value for key, value in os.environ.items() if not key.startswith(("NIFTYFORMER", "KITE"))}
    done = subprocess.run(
        words, cwd=folder, env=usual | environment, capture_output=True, text=True, check=False, timeout=540
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_wheel_holds_what_is_laid_down_and_nothing_of_a_persons_own(installed: Path) -> None:
    with zipfile.ZipFile(next(installed.parent.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    starter = {name.removeprefix("niftyformer_assets/starter/") for name in names if "/starter/" in name}
    assert starter == {path.as_posix() for path in files_laid_down(PROJECT)}
    assert not any("niftyformer_assets_tests" in name or "CF-CA" in name for name in names)


def test_the_whole_graph_is_made_in_a_folder_laid_down(installed: Path, tmp_path: Path) -> None:
    folder, elsewhere, place = tmp_path / "my work", tmp_path / "elsewhere", str(installed)
    elsewhere.mkdir()
    refused = subprocess.run(
        [*COMMAND, "run", "--experiment", "demo"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1 and "niftyformer init FOLDER" in refused.stderr.splitlines()[-1]
    assert not [*elsewhere.iterdir()]

    said = _run([*COMMAND, "init", str(folder)], tmp_path, PYTHONPATH=place).stdout
    assert f"cd '{folder}'" in said
    assert [*files_laid_down(folder)] == [*files_laid_down(PROJECT)]
    (folder / "data" / "experiments" / "tiny.yaml").write_text(
        TINY_EXPERIMENT.replace("model: {", "model: {name: ridge, ").replace("[ridge, ", "[")
    )
    before = {path for path in installed.rglob("*") if "__pycache__" not in path.parts}
    # From below the folder too.
    (folder / "notes").mkdir()
    _run([*COMMAND, "run", "--experiment", "tiny"], folder / "notes", PYTHONPATH=place, **TINY_MARKET)
    made = folder / "data" / "demo"
    assert (made / "experiments" / "tiny" / "backtest" / "report.html").is_file()
    assert (made / "comparison.html").is_file()
    home = _run([*COMMAND, "home"], folder, PYTHONPATH=place).stdout.strip()
    assert Path(home) == (folder / "storage" / "demo").resolve() and (Path(home) / "dagster.yaml").is_file()
    assert {path for path in installed.rglob("*") if "__pycache__" not in path.parts} == before
    assert not [*elsewhere.iterdir()] and not [*(folder / "notes").iterdir()]


def test_every_pattern_that_is_laid_down_finds_something() -> None:
    assert all([*PROJECT.glob(pattern)] for pattern in LAID_DOWN)


def test_what_is_there_stays(tmp_path: Path) -> None:
    new, other = lay_down(tmp_path / "work")
    assert new == [*files_laid_down(PROJECT)] and other == []
    demo, gone = tmp_path / "work" / "data" / "experiments" / "demo.yaml", tmp_path / "work" / "workspace.yaml"
    demo.write_text("mine: true\n")
    gone.unlink()
    new, other = lay_down(tmp_path / "work")
    assert [str(path) for path in new] == ["workspace.yaml"]
    assert [path.name for path in other] == ["demo.yaml"] and demo.read_text() == "mine: true\n"


def test_a_folder_that_cannot_be_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(NiftyFormerError, match=r"work cannot be written"):
        lay_down(tmp_path / "work")

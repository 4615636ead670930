"""A Dagster home that cannot be used ends in one line that says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from niftyformer_assets.defs.home import dagster_home, usable_home
from niftyformer_assets.defs.run import run_reference
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import tiny_settings

DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"garbage": b"garbage" * 1000, "cut": content[:5000]}[how])


def test_garbage_in_dagsters_databases_and_settings_is_one_line(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    home = settings.dagster_home
    with dagster_home(settings):
        pass
    shutil.copytree(home, tmp_path / "kept")
    attacks = [(file, how) for file in DATABASES for how in ("garbage", "cut", "folder")]
    attacks += [("dagster.yaml", "garbage"), ("dagster.yaml", "folder")]
    for file, how in attacks:
        shutil.rmtree(home)
        shutil.copytree(tmp_path / "kept", home)
        spoil(home / file, how)
        with pytest.raises(NiftyFormerError, match=r"Dagster's history in .*demo cannot be used") as caught:
            run_reference(settings)
        assert "\n" not in str(caught.value), (file, how)
        # What starts the web UI asks for the home first.
        with pytest.raises(NiftyFormerError, match=r"Dagster's history in .*demo cannot be used") as caught:
            usable_home(settings)
        assert "\n" not in str(caught.value), (file, how)


@pytest.mark.parametrize("name", ["history", "schedules"])
def test_a_history_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    settings = tiny_settings(tmp_path)
    settings.dagster_home.mkdir(parents=True)
    (settings.dagster_home / name).write_text("a file where a folder belongs")
    with pytest.raises(NiftyFormerError, match="cannot be used") as caught:
        run_reference(settings)
    assert "\n" not in str(caught.value)

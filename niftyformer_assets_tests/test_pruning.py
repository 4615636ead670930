"""What no experiment uses is listed, and removed when asked for; what is used, or not known, stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from niftyformer_assets.pruning import remove, unused
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.holding import held
from niftyformer_assets_tests.conftest import tiny_settings


def made(settings: Settings, name: str, content: str = "x" * 1000) -> Path:
    folder = settings.workspace.experiment(name)
    folder.provenance.mkdir(parents=True)
    (folder.provenance / "flow.json").write_text("{}")
    folder.flow.write_text(content)
    note = settings.workspace.made("flow", f"of-{name}")
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{name}\n")
    return folder.root


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = tiny_settings(tmp_path)
    settings.studies.mkdir()
    (settings.studies / "two.yaml").write_text("experiment: tiny\nseeds: 2\n")
    for name in ("tiny", "two", "two.seed2", "gone", "two.seed3"):
        made(settings, name)
    for study in ("two", "old"):
        settings.workspace.study(study).root.mkdir(parents=True)
    return settings


def test_what_is_of_no_experiment_or_study_is_listed_and_removed(settings: Settings) -> None:
    workspace = settings.workspace
    # One file of what is gone was taken over: removing it frees nothing of that.
    taken = workspace.experiment("tiny").corr_adj
    taken.hardlink_to(workspace.experiment("gone").flow)
    found = {each.path: each for each in unused(settings)}
    gone, extra = workspace.experiment("gone").root, workspace.experiment("two.seed3").root
    assert found.keys() == {gone, extra, workspace.study("old").root}
    assert found[extra].freed == 1002 and found[gone].freed == 2
    remove(settings, list(found.values()))
    assert not gone.exists() and not extra.exists() and taken.read_text() == "x" * 1000
    assert workspace.experiment("two.seed2").flow.is_file() and workspace.study("two").root.is_dir()
    # Now the notes of where it lay lead nowhere.
    left = unused(settings)
    assert {each.path.name for each in left} == {"of-gone", "of-two.seed3"}
    remove(settings, left)
    assert unused(settings) == [] and workspace.made("flow", "of-tiny").is_file()


def test_windows_that_the_candles_do_not_reach_any_more_are_not_unused(settings: Settings) -> None:
    (settings.studies / "wf.yaml").write_text("experiment: tiny\nwalk_forward: {first_test: 2022-11-01}\n")
    for name in ("wf.2022-11", "wf.2023-03"):
        made(settings, name)
    assert not any(each.path.name.startswith("wf") for each in unused(settings))
    (settings.studies / "wf.yaml").unlink()
    assert {"wf.2022-11", "wf.2023-03"} <= {each.path.name for each in unused(settings)}


def test_while_a_file_is_wrong_nothing_is_known_to_be_unused(settings: Settings) -> None:
    for path in (settings.experiments / "gone.yaml", settings.studies / "old.yaml"):
        path.write_text("market: [")
        with pytest.raises(NiftyFormerError, match="not known while a file is wrong"):
            unused(settings)
        path.unlink()


def test_what_another_process_works_on_stays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    found = unused(settings)
    with held(settings.workspace.experiment_lock("gone"), "experiment gone"):
        monkeypatch.setattr("niftyformer_assets.store.holding._HELD_BY_US", set())
        with pytest.raises(NiftyFormerError, match="experiment gone of workspace demo is in the hands of process"):
            remove(settings, found)
    assert settings.workspace.experiment("gone").root.is_dir()

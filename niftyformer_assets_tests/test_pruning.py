"""What no experiment uses is listed, and removed when asked for; what is used, or not known, stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from niftyformer_assets.experiments.holders import holders_of, remember
from niftyformer_assets.pruning import remove, unused
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.holding import held
from niftyformer_assets.store.provenance import Provenance, read_provenance
from niftyformer_assets_tests.conftest import tiny_settings


def made(settings: Settings, name: str, content: str = "x" * 1000) -> Path:
    folder = settings.workspace.experiment(name)
    record = Provenance("flow", {"of": name}, "", {})
    record.write(folder.provenance)
    folder.flow.write_text(content)
    remember(settings.workspace, record, name)
    return folder.root


def note_of(settings: Settings, name: str) -> Path:
    return settings.workspace.made("flow", Provenance("flow", {"of": name}, "", {}).fingerprint)


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
    record = (extra / "provenance" / "flow.json").stat().st_size
    assert found[extra].freed == 1000 + record
    assert found[gone].freed == (gone / "provenance" / "flow.json").stat().st_size
    remove(settings, list(found.values()))
    assert not gone.exists() and not extra.exists() and taken.read_text() == "x" * 1000
    assert workspace.experiment("two.seed2").flow.is_file() and workspace.study("two").root.is_dir()
    # Now the notes of where it lay lead nowhere.
    left = unused(settings)
    assert {each.path for each in left} == {note_of(settings, "gone"), note_of(settings, "two.seed3")}
    remove(settings, left)
    assert unused(settings) == [] and note_of(settings, "tiny").is_file()


def test_a_note_is_used_while_anybody_that_it_names_has_what_it_is_about(settings: Settings) -> None:
    workspace = settings.workspace
    theirs = read_provenance(workspace.experiment("gone").provenance, "flow")
    assert theirs is not None
    # Taken over by `tiny`, whose own has gone with it.
    theirs.write(workspace.experiment("tiny").provenance)
    remember(workspace, theirs, "tiny")
    remember(workspace, theirs, "tiny")
    assert holders_of(note_of(settings, "gone")) == ["gone", "tiny"]
    found = unused(settings)
    assert {note_of(settings, "tiny")} == {each.path for each in found if not each.path.is_dir()}
    remove(settings, found)
    assert {each.path for each in unused(settings)} == {note_of(settings, "two.seed3")}
    assert note_of(settings, "gone").is_file()


@pytest.mark.parametrize("windows", ["all", 3])
def test_what_the_file_of_a_study_makes_no_more_is_unused(settings: Settings, windows: object) -> None:
    walk = f"first_test: 2022-11-30, test_months: 2, windows: {windows}"
    path = settings.studies / "wf.yaml"
    path.write_text(
        f"experiment: tiny\nwalk_forward: {{{walk}}}\nseeds: 2\ngrid: {{factors.ic_threshold: [0.01, 0.02]}}\n"
    )
    used = ["wf.0.01.2022-11", "wf.0.01.2022-11.seed2", "wf.0.02.2023-03", "wf.0.02.2023-03.seed2"]
    others = [
        *("wf.0.03.2022-11", "wf.0.01.2022-11.seed3", "wf.0.01.2022-11.seed1", "wf.2022-11", "wf.0.01", "wf.0.0"),
        *("wf.0.01.2022-12", "wf.0.01.2022-09", "wf.0.01.2022-13", "wf.0.01.2022-11.more", "wf.0.01.2022-11.seed2.x"),
        *("wf.0.012022-11", "wf.extra.0.01.2022-11"),
    ]
    coming = "wf.0.01.2023-05"
    for name in [*used, *others, coming]:
        made(settings, name)
    listed = {each.path.name for each in unused(settings) if each.path.name.startswith("wf")}
    assert listed == {*others, *([coming] if windows == 3 else [])}
    # A seed, and a point, that the file had.
    path.write_text(f"experiment: tiny\nwalk_forward: {{{walk}}}\ngrid: {{factors.ic_threshold: [0.01]}}\n")
    listed = {each.path.name for each in unused(settings) if each.path.name.startswith("wf")}
    assert {used[1], used[2], used[3]} <= listed and used[0] not in listed


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

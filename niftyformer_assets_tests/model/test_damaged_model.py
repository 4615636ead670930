"""Weights are those of the training whose folder they lie in, or they are refused; a training gives the same bytes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.predict import predict
from niftyformer_assets.model.training import networks, train
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import INDEX_NAME, write_entered
from niftyformer_assets_tests.damage import cuts, flips, same_json
from niftyformer_assets_tests.model.each_epoch import EachEpoch

FILES = ("model.json", "best.pt", "last.pt", "metrics.csv", "trained.json", INDEX_NAME)


def with_training(dataset: Dataset, **changes: object) -> Dataset:
    return replace(dataset, settings=dataset.settings.with_training(**changes))


@pytest.fixture(scope="module")
def several(dataset: Dataset) -> Dataset:
    return with_training(dataset, seeds=3, max_epochs=1)


@pytest.fixture(scope="module")
def trained(several: Dataset, cpu: Device, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an ensemble, and beside it that of the same settings on other data."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    for name, data in (("ours", several), ("theirs", replace(several, factors=several.factors * 2))):
        for network, place in networks(data, folder / name):
            train(network, place, cpu)
    return folder


@pytest.fixture
def ours(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "ours", tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("seed", ["", "seed-43/"])
@pytest.mark.parametrize("name", ["model.json", "best.pt", "trained.json", INDEX_NAME])
def test_another_experiments_file_is_refused_by_name(
    trained: Path, ours: Path, several: Dataset, cpu: Device, seed: str, name: str
) -> None:
    shutil.copy(trained / "theirs" / seed / name, ours / seed / name)
    # A foreign index describes none of the files beside it; the first one read is named.
    named = r"(model\.json|best\.pt|trained\.json)" if name == INDEX_NAME else name.replace(".", r"\.")
    with pytest.raises(NiftyFormerError, match=rf"{seed}{named} is damaged"):
        predict(several, ours, cpu)


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        ("seed-43", "theirs/seed-43", "seed-43 are of different trainings: the factors of the training"),
        ("seed-43", "ours/seed-44", "seed-43 was fitted on something else .* seed was 44 and is 43"),
        ("seed-44", "ours/seed-43", "seed-44 was fitted on something else .* seed was 43 and is 44"),
    ],
)
def test_another_networks_whole_folder_is_refused(
    trained: Path, ours: Path, several: Dataset, cpu: Device, here: str, there: str, said: str
) -> None:
    shutil.rmtree(ours / here)
    shutil.copytree(trained / there, ours / here)
    with pytest.raises(NiftyFormerError, match=said):
        predict(several, ours, cpu)


def test_another_experiments_whole_folder_is_refused(trained: Path, several: Dataset, cpu: Device) -> None:
    """As of another window of a study, where all else may be the same."""
    split = several.split
    another = replace(several, split=replace(split, train=slice(split.train.start + 5, split.train.stop)))
    with pytest.raises(NiftyFormerError, match="fitted on something else than is there now: sessions changed: "):
        predict(another, trained / "ours", cpu)


def test_weights_entered_without_their_training_are_refused(ours: Path, several: Dataset, cpu: Device) -> None:
    """As after a kill between the weights of a new training and the word that it has ended."""
    write_entered(ours / "best.pt", (ours / "seed-43" / "best.pt").read_bytes())
    with pytest.raises(NiftyFormerError, match=r"best\.pt is damaged \(it is not the one that trained\.json names"):
        predict(several, ours, cpu)


def test_a_training_that_has_not_ended_does_not_predict(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    def cut(metrics: object) -> None:
        raise KeyboardInterrupt

    longer = with_training(dataset, max_epochs=3)
    with pytest.raises(KeyboardInterrupt):
        train(longer, tmp_path, cpu, [EachEpoch(cut)])
    assert ModelFolder(tmp_path).best.is_file()
    with pytest.raises(NiftyFormerError, match=r"has not ended, .*: start it again, and it goes on"):
        predict(longer, tmp_path, cpu)
    train(longer, tmp_path, cpu)
    predict(longer, tmp_path, cpu)


@pytest.mark.parametrize("name", FILES)
def test_every_flip_and_cut_is_refused_or_trained_again(ours: Path, several: Dataset, cpu: Device, name: str) -> None:
    path = ours / name
    content = path.read_bytes()
    for changed in (*flips(content, 12, seed=3), *cuts(content, 3, seed=3)):
        path.write_bytes(changed)
        if name in ("last.pt", "metrics.csv"):  # nothing that predicts reads these
            continue
        if same_json(changed, content):
            continue
        with pytest.raises(NiftyFormerError, match=r"is damaged|is not in"):
            predict(several, ours, cpu)
    path.write_bytes(content)
    predict(several, ours, cpu)


def test_the_same_training_gives_the_same_bytes(tmp_path: Path, dataset: Dataset, cpu: Device) -> None:
    """In one go, or interrupted; what differs each time lies beside."""
    longer = with_training(dataset, max_epochs=2)
    train(longer, tmp_path / "a", cpu)
    train(with_training(dataset, max_epochs=1), tmp_path / "b", cpu)
    train(longer, tmp_path / "b", cpu)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    varies = {"environment.json", "speed.csv", ".training.lock", f".{INDEX_NAME}.lock"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {*FILES, *varies}
    # Without what lies beside, a training goes on all the same.
    for name in ("environment.json", "speed.csv"):
        (tmp_path / "b" / name).write_text("{")
    notes = train(with_training(dataset, max_epochs=3), tmp_path / "b", cpu).notes
    assert any("Resumed without environment.json" in note for note in notes)

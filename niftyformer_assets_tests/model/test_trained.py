"""A trained thing: any of them is fitted into a folder, has a card, and predicts from it in another process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.model.baseline_predictions import baseline_predictions, remove_other_rivals
from niftyformer_assets.model.baseline_registry import Baseline, NetworkModel, registered
from niftyformer_assets.model.baseline_settings import BASELINES
from niftyformer_assets.model.checkpoint import ModelFolder, read_card
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.device import Device, choose_device
from niftyformer_assets.model.predict import expected_index
from niftyformer_assets.model.predictions import keys_of
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.trained import TrainedThing, Watch
from niftyformer_assets.model.trained_things import trained_thing
from niftyformer_assets.model.watch import Observer
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import read_json, write_entered
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.model.each_epoch import EachEpoch
from niftyformer_assets_tests.model.made_up import WIDTH, write_experiment

STOCKFORMER = "stockformer"
OTHERS = sorted(name for name in registered() if name != STOCKFORMER)
SMALL: dict[str, Any] = {
    "names": list(BASELINES),
    "epochs": 2,
    "patience": 1,
    "sequences_per_epoch": 200,
    "recurrent_width": 4,
    "recurrent_layers": 1,
    "trees": 5,
    "boosting_rounds": 5,
    "lightgbm_trees": 5,
    "lightgbm_rows_per_leaf": 10,
}


def cpu(_precision: str) -> Device:
    return choose_device("cpu", "float32")


def nobody(_precision: str) -> Device:
    raise AssertionError("a device was asked for")


def write(folder: Path, name: str, **changed: Any) -> ExperimentFolder:
    """An experiment of which `name` is the model."""
    write_experiment(folder, model={"name": name, "width": WIDTH}, training={"max_epochs": 1})
    files = ExperimentFolder(folder)
    change(files, baselines={**SMALL, **changed})
    return files


def change(files: ExperimentFolder, **sections: Any) -> None:
    write_entered(files.settings, json.dumps({**read_json(files.settings), **sections}))


def is_network(name: str) -> bool:
    return issubclass(registered()[name], NetworkModel)


def asked_by(name: str) -> Callable[[Any], Device]:
    """A device for a network, and for a blend, which may have some; nothing else asks for one."""
    return cpu if is_network(name) or name == "blend" else nobody


def fit(files: ExperimentFolder, *observers: Observer) -> list[str]:
    dataset, lines = load_dataset(files.root), []
    thing, watch = trained_thing(dataset.settings.model.name), Watch(lines.append, lambda _seed, _place: observers)
    thing.fit(dataset, files.model, asked_by(thing.name), watch, None)
    return lines


def predict(files: ExperimentFolder) -> pd.DataFrame:
    dataset = load_dataset(files.root)
    thing = trained_thing(dataset.settings.model.name)
    return thing.predict(dataset, files.model, asked_by(thing.name))


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Of a model's files, but those that are others each time."""
    varies = ("environment.json", "speed.csv")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in varies]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def rival(name: str, files: ExperimentFolder, lines: list[str] | None = None) -> pd.DataFrame:
    """What a baseline says that an experiment is compared with."""
    told: list[str] = [] if lines is None else lines

    def device(thing: TrainedThing) -> Callable[[Any], Device]:
        return asked_by(thing.name)

    table = baseline_predictions([name], partial(load_dataset, files.root), files.rival, device, told.append)
    assert (table["baseline"] == name).all()
    return table.drop(columns="baseline")


@pytest.mark.parametrize("name", OTHERS)
def test_every_baseline_can_be_the_model_and_says_what_it_says_as_a_rival(name: str, tmp_path: Path) -> None:
    files = write(tmp_path, name)
    fit(files)
    table = predict(files)
    dataset = load_dataset(files.root)
    assert pd.MultiIndex.from_frame(table[list(keys_of(dataset.settings.windows))]).equals(expected_index(dataset))
    change(files, model={"width": WIDTH, "layers": 1})
    lines: list[str] = []
    pd.testing.assert_frame_equal(table, rival(name, files, lines), check_exact=True)
    assert any(line.startswith(f"{name}: epoch 1 of 2") for line in lines) == is_network(name)


def test_the_stockformer_can_be_a_rival(tmp_path: Path) -> None:
    files = write(tmp_path, STOCKFORMER)
    fit(files)
    table = predict(files)
    change(files, model={"name": "ridge", "width": WIDTH, "layers": 1})
    fit(files)
    pd.testing.assert_frame_equal(table, rival(STOCKFORMER, files), check_exact=True)
    assert read_card(ModelFolder(files.model).card)["settings"]["model"] == {"name": "ridge"}
    assert read_card(ModelFolder(files.rival(STOCKFORMER)).card)["settings"]["model"]["name"] == STOCKFORMER


def test_rivals_that_are_none_any_more_leave_nothing(tmp_path: Path) -> None:
    files = write(tmp_path, "ridge")
    rival("lstm", files)
    rival("gru", files)
    remove_other_rivals(files, ("gru", "zero"))
    assert [folder.name for folder in files.rivals.iterdir()] == ["gru"]


@pytest.mark.parametrize("name", ["lstm", "gru", STOCKFORMER])
def test_a_network_that_was_interrupted_goes_on_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    def cut(_metrics: object) -> None:
        raise KeyboardInterrupt

    folders = {}
    for place in ("whole", "cut"):
        files = write(tmp_path / place, name)
        change(files, training={"max_epochs": 2, "precision": "float32"})
        if place == "cut":
            with pytest.raises(KeyboardInterrupt):
                fit(files, EachEpoch(cut))
            assert not ModelFolder(files.model).trained.is_file()
        lines = fit(files)
        assert not any("begins anew" in line for line in lines)
        folders[place] = bytes_of(files.model)
    assert folders["whole"] == folders["cut"]
    assert {"model.json", "best.pt", "last.pt", "metrics.csv", "trained.json"} <= set(folders["whole"])


@pytest.mark.parametrize("name", OTHERS)
def test_the_same_fit_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    files = write(tmp_path, name)
    fit(files)
    first = bytes_of(files.model)
    shutil.rmtree(files.model)
    fit(files)
    assert bytes_of(files.model) == first
    assert "model.json" in first
    card = read_card(ModelFolder(files.model).card)
    assert card["settings"]["model"] == {"name": name}
    if is_network(name):
        assert {"best.pt", "trained.json"} <= set(first) and "fitted_again" not in card
    elif name == "blend":
        assert {"parts/ridge/learned.npz", "parts/lightgbm/learned.npz"} <= set(first)
    else:
        model = registered()[name]
        assert issubclass(model, Baseline)
        assert ("learned.npz" in first) == model.storable == ("fitted_again" not in card)


@pytest.mark.parametrize("name", ["ridge", "gradient_boosting", "lstm", "momentum"])
def test_a_baseline_of_other_things_is_refused(name: str, tmp_path: Path) -> None:
    files = write(tmp_path / "mine", name)
    with pytest.raises(NiftyFormerError, match=r"model\.json does not exist"):
        predict(files)
    fit(files)
    own, value = {
        "ridge": ("ridge_penalty", 2.0),
        "gradient_boosting": ("boosting_rounds", 6),
        "lstm": ("recurrent_width", 5),
        "momentum": ("momentum_sessions", 3),
    }[name]
    change(files, baselines={**SMALL, own: value})
    with pytest.raises(NiftyFormerError, match=rf"baselines\.{own} was .* and is {value}"):
        predict(files)
    # The settings of those that are not the model do not decide.
    change(files, baselines={**SMALL, "names": ["zero"], "trees": 9, "reversal_sessions": 3}, training={"patience": 7})
    predict(files)
    change(files, seed=43)
    with pytest.raises(NiftyFormerError, match="seed was 42 and is 43"):
        predict(files)
    change(files, seed=42)
    more = write(tmp_path / "more", name)
    write_experiment(more.root, symbols=11, model={"name": name, "width": WIDTH})
    change(more, baselines=SMALL)
    shutil.copytree(files.model, more.model, dirs_exist_ok=True)
    with pytest.raises(NiftyFormerError, match="symbols changed"):
        predict(more)


def test_what_is_fitted_again_is_what_was_fitted(tmp_path: Path) -> None:
    files = write(tmp_path, "random_forest")
    fit(files)
    table = predict(files)
    # Sessions that follow change nothing; others to fit on do.
    write_experiment(files.root, sessions=160, model={"name": "random_forest", "width": WIDTH})
    change(files, baselines=SMALL)
    later = predict(files).merge(table, on=["date_made", "horizon", "symbol"], suffixes=("", "_before"))
    assert len(later) == len(table)
    np.testing.assert_array_equal(later["return"], later["return_before"])
    card = read_card(ModelFolder(files.model).card)
    write_entered(ModelFolder(files.model).card, json.dumps({**card, "fitted_again": "0" * 64}))
    with pytest.raises(NiftyFormerError, match=r"is another model than that of .*model\.json"):
        predict(files)
    fit(files)
    write_experiment(files.root, seed=4, model={"name": "random_forest", "width": WIDTH})
    change(files, baselines=SMALL)
    with pytest.raises(NiftyFormerError, match="the returns it is fitted on changed"):
        predict(files)


def test_what_was_learned_is_verified(tmp_path: Path) -> None:
    files = write(tmp_path / "one", "ridge")
    fit(files)
    learned = ModelFolder(files.model).learned
    with np.load(learned, allow_pickle=False) as file:
        assert set(file.files) == {"coefficients", "intercept", "mean", "slope", "deviation"}
    other = write(tmp_path / "other", "ridge", ridge_penalty=1.0)
    fit(other)
    write_entered(learned, ModelFolder(other.model).learned.read_bytes())
    with pytest.raises(NiftyFormerError, match=r"learned\.npz is damaged .*not the one that model\.json names"):
        predict(files)
    learned.write_bytes(learned.read_bytes()[:-7])
    with pytest.raises(NiftyFormerError, match=r"learned\.npz"):
        predict(files)


def test_one_folder_holds_one_model(tmp_path: Path) -> None:
    files = write(tmp_path, STOCKFORMER)
    fit(files)
    network = predict(files)
    (files.model / "seed-43").mkdir()
    change(files, model={"name": "ridge", "width": WIDTH})
    with pytest.raises(NiftyFormerError, match=r"is stockformer, and model\.name of the experiment is ridge"):
        predict(files)
    fit(files)
    assert {path.name for path in files.model.iterdir() if not path.name.startswith(".")} == {
        "index.json", "learned.npz", "model.json",
    }  # fmt: skip
    ridge = predict(files)
    assert not np.allclose(ridge["return"], network["return"])
    change(files, model={"width": WIDTH, "layers": 2})
    with pytest.raises(NiftyFormerError, match=r"is ridge, and model\.name of the experiment is stockformer"):
        predict(files)
    change(files, model={"name": "lstm", "width": WIDTH})
    with pytest.raises(NiftyFormerError, match=r"is ridge, and model\.name of the experiment is lstm"):
        predict(files)
    fit(files)
    assert not ModelFolder(files.model).learned.exists()
    assert not np.allclose(predict(files)["return"], network["return"])
    change(files, model={"width": WIDTH, "layers": 1})
    assert fit(files)[1] == "training of seed 42 begins anew: model.name was lstm and is stockformer"
    pd.testing.assert_frame_equal(predict(files), network)
    assert not ModelFolder(files.model).learned.exists()


def test_a_card_of_a_version_with_one_model_is_the_stockformers(tmp_path: Path) -> None:
    files = write(tmp_path, STOCKFORMER)
    fit(files)
    card = read_card(ModelFolder(files.model).card)
    del card["settings"]["model"]["name"]
    write_entered(ModelFolder(files.model).card, json.dumps(card))
    dataset = load_dataset(files.root)
    assert trained_thing(STOCKFORMER).changed_settings(dataset, files.model) == []
    assert len(predict(files))


def test_a_model_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no model 'xgboost': choose from stockformer, .*ridge"):
        replace(ModelSettings(), name="xgboost")

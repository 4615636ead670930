"""The folder of an experiment as the published Stockformer code loads it."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pywt

from niftyformer_assets.dataset.correlation import correlation_adjacency, save_adjacency
from niftyformer_assets.dataset.embed import graph_embedding
from niftyformer_assets.dataset.embedding import save_embedding
from niftyformer_assets.dataset.flow import flow, save_flow
from niftyformer_assets.dataset.published import PublishedTraining, write_stockformer_conf
from niftyformer_assets.dataset.settings import GraphSettings, WaveletSettings, WindowSettings
from niftyformer_assets.dataset.trend import save_trend, trend
from niftyformer_assets.market.split import Split
from niftyformer_assets.store.workspace import ExperimentFolder

from .made_up import SESSIONS, SPLIT, SYMBOLS, TRAIN, axes, returns

GRAPH = GraphSettings(walks=2, walk_length=10)
NAMES = ("BETA5", "KMID", "ROC20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ExperimentFolder:
    # Nothing of where the folder lies may get into the configuration file.
    made = ExperimentFolder(tmp_path_factory.mktemp("100% made up") / "mvp")
    save_flow(made.flow, flow(returns(), axes(), WindowSettings(), WaveletSettings()), axes())
    save_trend(made.trend_indicator, trend(returns()), axes())
    adjacency = correlation_adjacency(returns(), TRAIN, GRAPH)
    save_adjacency(made.corr_adj, adjacency, axes())
    save_embedding(made.graph_embeddings, graph_embedding(adjacency, GRAPH, 42).vectors, axes())
    made.factors.mkdir()
    for seed, name in enumerate(NAMES):
        frame = pd.DataFrame(np.nan_to_num(returns(seed=seed)), axes().dates.astype(str), list(axes().symbols))
        frame.to_csv(made.factors / f"{name}.csv")
    write_conf(made, SPLIT)
    return made


def write_conf(folder: ExperimentFolder, split: Split) -> None:
    training = PublishedTraining(
        width=128,
        layers=2,
        heads=1,
        batch_size=12,
        learning_rate=1e-3,
        max_epochs=100,
        patience=15,
        seed=42,
    )
    write_stockformer_conf(folder, split, WindowSettings(), WaveletSettings(), training)


def read_conf(folder: ExperimentFolder) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    assert parser.read(folder.stockformer_conf)
    return parser


def load(conf: configparser.ConfigParser, part: str) -> dict[str, np.ndarray]:
    """What the published data set does: whole arrays, a slice by ratios, then every window copied out."""
    traffic = np.load(conf["file"]["traffic"])["result"]
    indicator = np.load(conf["file"]["indicator"])["result"]
    folder = conf["file"]["alpha_360_folder"]
    read = [pd.read_csv(os.path.join(folder, name), index_col=0).to_numpy() for name in sorted(os.listdir(folder))]  # noqa: PTH118, PTH208
    bonus = np.concatenate([values[:, :, None] for values in read], axis=2)
    steps = traffic.shape[0]
    train = round(float(conf["data"]["train_ratio"]) * steps)
    test = round(float(conf["data"]["test_ratio"]) * steps)
    place = {"train": slice(None, train), "val": slice(train, steps - test), "test": slice(-test, None)}[part]
    before, after = int(conf["data"]["t1"]), int(conf["data"]["T2"])

    def instances(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = len(array) - before - after + 1
        inputs = np.stack([array[start : start + before] for start in range(count)])
        return inputs, np.stack([array[start + before : start + before + after] for start in range(count)])

    returned, label = instances(traffic[place])
    approximation, *details = pywt.wavedec(
        returned, conf["param"]["wave"], mode="zero", level=int(conf["param"]["level"]), axis=1
    )
    low = pywt.waverec(
        [approximation, *(np.zeros_like(d) for d in details)], conf["param"]["wave"], mode="zero", axis=1
    )
    return {
        "X": returned,
        "Y": label,
        "X_low": low,
        "indicator_Y": instances(indicator[place])[1],
        "bonus_X": instances(bonus[place])[0],
        "adjgat": np.load(conf["file"]["adjgat"]),
        "adj": np.load(conf["file"]["adj"]),
    }


def test_the_published_loader_reads_the_folder(folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.root)
    conf = read_conf(folder)
    parts = {"train": (SPLIT.train, 80), "val": (SPLIT.validation, 25), "test": (slice(105, SESSIONS), 35)}
    for part, (place, sessions) in parts.items():
        loaded = load(conf, part)
        samples = sessions - 21
        assert loaded["X"].shape == (samples, 20, SYMBOLS)
        assert loaded["Y"].shape == loaded["indicator_Y"].shape == (samples, 2, SYMBOLS)
        assert loaded["bonus_X"].shape == (samples, 20, SYMBOLS, len(NAMES))
        assert loaded["adjgat"].shape == (SYMBOLS, 128)
        assert loaded["adj"].shape == (SYMBOLS, SYMBOLS)
        for array in loaded.values():
            assert np.isfinite(array).all()
        np.testing.assert_array_equal(loaded["indicator_Y"], loaded["Y"] > 0)
        with np.load(folder.flow) as ours:
            first = place.start
            np.testing.assert_allclose(loaded["X_low"], ours["low_freq"][first : first + samples], rtol=0, atol=1e-12)


def test_the_configuration_is_the_same_wherever_the_folder_lies(folder: ExperimentFolder, tmp_path: Path) -> None:
    write_conf(ExperimentFolder(tmp_path), SPLIT)
    assert ExperimentFolder(tmp_path).stockformer_conf.read_bytes() == folder.stockformer_conf.read_bytes()


def test_the_plans_values(folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.root)
    conf = read_conf(folder)
    assert dict(conf["param"]) == {
        "layers": "2",
        "heads": "1",
        "dims": "128",
        "samples": "1",
        "wave": "sym2",
        "level": "1",
    }
    assert dict(conf["train"]) == {
        "cuda": "0",
        "max_epoch": "100",
        "batch_size": "12",
        "learning_rate": "0.001",
        "patience": "15",
        "seed": "42",
    }
    assert conf["data"]["dataset"] == "STOCK"
    assert "\nT1 = 20\nT2 = 2\n" in folder.stockformer_conf.read_text(encoding="utf-8")
    for key in ("traffic", "indicator", "adj", "adjgat", "alpha_360_folder"):
        assert Path(conf["file"][key]).exists()
    assert set(os.listdir(conf["file"]["alpha_360_folder"])) == {f"{name}.csv" for name in NAMES}  # noqa: PTH208


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((494, 82, 84, 0), None), ((495, 83, 82, 0), ("0.75", "0.126", "0.124")), ((1, 1, 1, 400), None)],
)
def test_ratios_give_the_experiments_sessions(
    tmp_path: Path, counts: tuple[int, ...], expected: tuple[str, ...] | None
) -> None:
    edges = np.cumsum([0, *counts]).tolist()
    split = Split(*(slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)))
    made = ExperimentFolder(tmp_path)
    write_conf(made, split)
    data = read_conf(made)["data"]
    assert round(float(data["train_ratio"]) * edges[-1]) == split.train.stop
    assert round(float(data["test_ratio"]) * edges[-1]) == edges[-1] - split.test.start
    if expected is not None:
        assert (data["train_ratio"], data["val_ratio"], data["test_ratio"]) == expected


def test_ratios_of_every_split_of_a_few_sessions(tmp_path: Path) -> None:
    for sessions in (3, 7, 61):
        for train in range(1, sessions - 1):
            split = Split(
                slice(0, train), slice(train, train + 1), slice(train + 1, sessions), slice(sessions, sessions)
            )
            write_conf(ExperimentFolder(tmp_path), split)
            assert round(float(read_conf(ExperimentFolder(tmp_path))["data"]["train_ratio"]) * sessions) == train

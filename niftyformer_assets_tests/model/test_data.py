"""What is loaded, how windows are gathered from it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from niftyformer_assets.factors.labels import ranks, zscores
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.calendar_features import calendar_features
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.store.arrays import load_arrays, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.model.made_up import FACTORS, SESSIONS, SYMBOLS, write_experiment


def test_windows_are_gathered_as_a_loop_would(experiment: Path, dataset: Dataset) -> None:
    data = DeviceData(dataset, torch.device("cpu"))
    made_on = [7, 30, 88]
    inputs, targets = data.inputs(torch.tensor(made_on)), data.targets(torch.tensor(made_on))
    flow, _ = load_arrays(ExperimentFolder(experiment).flow)
    for place, session in enumerate(made_on):
        window = slice(session - 7, session + 1)
        np.testing.assert_allclose(inputs.low[place], flow["low_freq"][session - 7], atol=1e-7)
        np.testing.assert_allclose(inputs.high[place], flow["high_freq"][session - 7], atol=1e-7)
        np.testing.assert_array_equal(inputs.trend[place], flow["result"][window] > 0)
        np.testing.assert_array_equal(inputs.factors_low[place], dataset.factors[window])
        np.testing.assert_array_equal(inputs.calendar[place], dataset.calendar[session - 7 : session + 3])
        enough = 2 * dataset.valid[window].sum(0) >= 8
        np.testing.assert_array_equal(inputs.present[place], dataset.valid[window] & enough)
        labels = np.where(dataset.valid, dataset.returns, np.nan)[session + 1 : session + 3]
        np.testing.assert_array_equal(targets.known[place], np.isfinite(labels) & enough)
        np.testing.assert_array_equal(targets.value[place], np.nan_to_num(labels))
        np.testing.assert_array_equal(targets.up[place], labels > 0)
        low = flow["low_matrix_output"] @ np.nan_to_num(labels)
        np.testing.assert_allclose(targets.value_low[place], low, atol=1e-7)
        both = np.isfinite(labels).all(0) & enough
        np.testing.assert_array_equal(targets.known_low[place], np.broadcast_to(both, labels.shape))


def test_factors_can_be_decomposed_too(tmp_path: Path) -> None:
    loaded = load_dataset(write_experiment(tmp_path, wavelet={"factors": True}))
    inputs = DeviceData(loaded, torch.device("cpu")).inputs(torch.tensor([40]))
    expected = np.einsum("ts,snf->tnf", loaded.low_matrix, loaded.factors[33:41])
    np.testing.assert_allclose(inputs.factors_low[0], expected, atol=1e-6)
    np.testing.assert_allclose(inputs.factors_high[0], loaded.factors[33:41] - expected, atol=1e-6)


@pytest.mark.parametrize("label", ["rank", "zscore"])
def test_the_label_is_a_setting_and_the_input_stays_the_return(tmp_path: Path, dataset: Dataset, label: str) -> None:
    loaded = load_dataset(write_experiment(tmp_path, windows={"label": label}))
    np.testing.assert_array_equal(loaded.returns, dataset.returns)
    returns = np.where(loaded.valid, loaded.returns.astype(np.float64), np.nan)
    expected = {"rank": ranks, "zscore": zscores}[label](returns)
    for place, horizon in enumerate((1, 2)):
        np.testing.assert_allclose(loaded.labels.array[:-horizon, place], expected[horizon:], atol=1e-6)
        assert np.isnan(loaded.labels.array[-horizon:, place]).all()


def test_later_sessions_change_neither_fingerprint_nor_training_windows(tmp_path: Path, dataset: Dataset) -> None:
    longer = load_dataset(write_experiment(tmp_path, sessions=SESSIONS + 30))
    assert longer.fingerprint() == dataset.fingerprint()
    assert len(longer.axes.dates) == SESSIONS + 30
    made_on = torch.tensor([50, 112])
    for one, other in zip(
        DeviceData(dataset, torch.device("cpu")).inputs(made_on),
        DeviceData(longer, torch.device("cpu")).inputs(made_on),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_missing_values_are_zero_wherever_they_were_garbage(tmp_path: Path, dataset: Dataset) -> None:
    files = ExperimentFolder(write_experiment(tmp_path))
    arrays, axes = load_arrays(files.neutralized_factors)
    arrays["result"][~arrays["valid"]] = np.inf
    save_arrays(files.neutralized_factors, arrays, axes, {"result": "TNF", "valid": "TNF", "names": "F"})
    arrays, axes = load_arrays(files.flow)
    arrays["result"][~dataset.valid] = np.nan
    save_arrays(
        files.flow,
        arrays,
        axes,
        {"result": "TN", "low_freq": "WLN", "high_freq": "WLN", "low_matrix": "LL", "low_matrix_output": "HH"},
    )
    loaded = load_dataset(tmp_path)
    assert loaded.fingerprint() == dataset.fingerprint()
    assert dataset.factors.shape == (SESSIONS, SYMBOLS, FACTORS)
    assert not dataset.factors[:50, 1].any()


def test_calendar_features_are_the_real_ones() -> None:
    dates = np.array(["2024-01-25", "2024-01-29", "2024-01-31", "2024-02-01", "2024-02-03"], dtype="datetime64[D]")
    # 2024-01-25 was a Thursday with 18 weekdays before it in its month; 2024-02-03 a Saturday.
    expected = [[3, 18], [0, 19], [2, 20], [3, 0], [4, 1]]
    assert calendar_features(dates, "calendar").tolist() == expected


def test_published_calendar_features_count_rows() -> None:
    features = calendar_features(np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]"), "published")
    assert features[0].tolist() == [2, 0]
    assert features[21].tolist() == [3, 0]
    assert features[62].tolist() == [4, 20]
    assert features[63].tolist() == [0, 0]
    assert features[210].tolist() == [0, 0]


def test_a_factor_that_is_not_finite_is_named(tmp_path: Path) -> None:
    files = ExperimentFolder(write_experiment(tmp_path))
    arrays, axes = load_arrays(files.neutralized_factors)
    arrays["result"][60, 2, 1] = np.nan
    save_arrays(files.neutralized_factors, arrays, axes, {"result": "TNF", "valid": "TNF", "names": "F"})
    with pytest.raises(NiftyFormerError, match=f"FACTOR1 of S02 on {axes.dates[60]}"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("model", {"widht": 8}, "model.widht is an unknown key"),
        ("model", {"width": 16}, "model.width"),
        ("training", {"batch_size": 0}, "batch_size"),
        ("split", {"test": ["2031-01-01", "2031-02-01"]}, "for test"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, section: str, value: dict, message: str) -> None:
    path = ExperimentFolder(write_experiment(tmp_path)).settings
    content = json.loads(path.read_text())
    content[section].update(value)
    write_entered(path, json.dumps(content))
    with pytest.raises(NiftyFormerError, match=message):
        load_dataset(tmp_path)


def test_absent_settings_and_arrays_are_named(tmp_path: Path) -> None:
    files = ExperimentFolder(write_experiment(tmp_path))
    content = json.loads(files.settings.read_text())
    del content["windows"]
    write_entered(files.settings, json.dumps(content))
    with pytest.raises(NiftyFormerError, match="windows is missing"):
        load_dataset(tmp_path)
    files.settings.write_text("{")
    with pytest.raises(NiftyFormerError, match="damaged"):
        load_dataset(tmp_path)
    files = ExperimentFolder(write_experiment(tmp_path))
    files.trend_indicator.unlink()
    with pytest.raises(NiftyFormerError, match=r"trend_indicator\.npz does not exist"):
        load_dataset(tmp_path)


def test_what_is_no_network_sees_the_arrays_as_they_are_in_the_files(tmp_path: Path) -> None:
    files = ExperimentFolder(write_experiment(tmp_path))
    inputs = load_dataset(tmp_path).inputs
    with np.load(files.flow) as flow, np.load(files.trend_indicator) as trend, np.load(files.neutralized_factors) as f:
        assert inputs.returns.dtype == np.float64
        np.testing.assert_array_equal(inputs.returns, flow["result"])
        np.testing.assert_array_equal(inputs.returns_valid, trend["valid"])
        np.testing.assert_array_equal(inputs.factors, np.nan_to_num(f["result"]))
        np.testing.assert_array_equal(inputs.factors_valid, f["valid"])
        assert not f["valid"].all() and inputs.factor_names == tuple(f["names"])
    files.trend_indicator.unlink()
    with pytest.raises(NiftyFormerError, match="trend_indicator"):
        load_dataset(tmp_path)


def test_the_graph_is_zero_where_none_is_asked_for(tmp_path: Path) -> None:
    files = ExperimentFolder(write_experiment(tmp_path, graph={"embedding": "none"}))
    files.graph_embeddings.unlink()
    assert not load_dataset(tmp_path).graph.any()

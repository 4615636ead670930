"""A further label is one row: with nothing else it is fitted, kept apart at the splits, predicted and measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.dataset.windows import samples
from niftyformer_assets.factors.labels import LABELS, RANK, Label, Unit, ahead
from niftyformer_assets.model import checks
from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.predict import expected_index, predict
from niftyformer_assets.model.published import write_last_step
from niftyformer_assets.model.training import train
from niftyformer_assets.portfolio.evidence.prediction_errors import prediction_errors, with_labels
from niftyformer_assets.portfolio.report.sections.results import predictions as section
from niftyformer_assets_tests.model.made_up import write_experiment
from niftyformer_assets_tests.model.models_on_arrays import forecast, predicted
from niftyformer_assets_tests.model.test_baselines import FAST, SPLIT, T, market
from niftyformer_assets_tests.portfolio.report_example import example

GAIN = Unit("gain", "gains of a holding", "basis points", 1e4, lambda values: values.astype(np.float64))


def held(returns: np.ndarray, horizon: int) -> np.ndarray:
    """The return from the close of the next session over `horizon` sessions."""
    return np.prod([1 + ahead(returns, 1 + step) for step in range(1, horizon + 1)], axis=0) - 1


def mixed(returns: np.ndarray, horizon: int) -> np.ndarray:
    """The rank of the next session's return and that of what is held from then on, added."""
    return RANK.put(ahead(returns, 1)) + RANK.put(held(returns, horizon))


OTHERS = {
    "held": Label("held", GAIN, lambda horizon: range(2, horizon + 2), held),
    "mixed": Label("mixed", RANK, lambda horizon: range(1, horizon + 2), mixed),
}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, label in OTHERS.items():
        monkeypatch.setitem(LABELS, name, label)
    yield


def made_up(name: str, planted: float = 0.0) -> BaselineInputs:
    """A market whose first factor moves the second session ahead, with three horizons of a label."""
    windows = WindowSettings(input_sessions=10, output_sessions=3, label=name)
    return replace(market(planted, horizon=2), windows=windows)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_fitted_on_lies_wholly_in_its_part(name: str) -> None:
    inputs = made_up(name)
    found = {"train": inputs.training, "validation": inputs.validation}
    for sample, made in enumerate(inputs.samples.made_on):
        for place, horizon in enumerate((1, 2, 3)):
            sessions = {made + step for step in OTHERS[name].sessions(horizon)}
            expected = OTHERS[name].unit.put(OTHERS[name].value(inputs.known_returns, horizon))[made]
            for part, labels in found.items():
                span: slice = getattr(SPLIT, part)
                within = sessions <= set(range(span.start, span.stop))
                wanted = np.where(inputs.covered[sample] & within, expected, np.nan)
                np.testing.assert_array_equal(labels[sample, :, place], wanted)
    for part, made_for in samples(SPLIT, inputs.windows).items():
        if len(made_for):
            assert set(made_for.parts(SPLIT).ravel()) == {part}


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_that_is_known_after_training_changes_a_fit(name: str) -> None:
    inputs = made_up(name, planted=0.5)
    after = np.arange(T)[:, None] >= SPLIT.train.stop
    other = replace(inputs, returns=np.where(after, -inputs.returns + 0.01, inputs.returns))
    ours, theirs = (forecast("ridge", each, FAST, seed=1) for each in (inputs, other))
    made_before = inputs.samples.made_on < SPLIT.train.stop
    np.testing.assert_array_equal(ours.value[made_before], theirs.value[made_before])
    np.testing.assert_array_equal(ours.p_up[made_before], theirs.p_up[made_before])
    # One session earlier it does, through the last label of training.
    sooner = replace(inputs, returns=np.where(np.arange(T)[:, None] >= SPLIT.train.stop - 1, 0.3, inputs.returns))
    assert not np.array_equal(forecast("ridge", sooner, FAST, seed=1).value[made_before], ours.value[made_before])


def test_it_is_predicted_and_measured_in_its_own_unit(tmp_path: Path) -> None:
    inputs = made_up("held", planted=1.0)
    table = predicted(("ridge", "reversal", "zero"), inputs, FAST, 1, tmp_path)
    assert "gain" in table and not {"return", "score"} & set(table.columns)
    dates = pd.Index(inputs.axes.dates)
    made, known = dates.get_indexer(pd.Index(table["date_made"])), dates.get_indexer(pd.Index(table["date_predicted"]))
    there = known >= 0
    np.testing.assert_array_equal((known - made)[there], 1 + table["horizon"].to_numpy()[there])
    np.testing.assert_array_equal(there, made + 1 + table["horizon"] < T)
    assert [SPLIT.part_of(session) for session in known[there]] == table["split"][there].tolist()

    joined = with_labels(table, inputs.labels, inputs.axes)
    errors = prediction_errors(joined).set_index(["baseline", "split", "horizon"])
    returns = inputs.known_returns
    for horizon in (1, 2, 3):
        gains = []
        for session in range(SPLIT.test.start - 1 - horizon, SPLIT.test.stop - 1 - horizon):
            gain = np.prod(1 + returns[session + 2 : session + 2 + horizon], axis=0) - 1
            gains.extend(gain[inputs.covered[session - inputs.samples.start]])
        expected = float(np.nanmean(np.abs(gains)))
        assert errors.loc[("zero", "test", horizon), "mae"] == pytest.approx(expected)
    # The factor moves the first session that is held, and so less and less of the whole.
    skill = [errors.loc[("ridge", "test", horizon), "rank_ic"] for horizon in (1, 2, 3)]
    assert skill[0] > skill[1] > skill[2] > 0.2

    shown = section(replace(example().evidence(portfolios=2), errors=errors.reset_index()), "held")
    text = " ".join(shown.text) + repr(shown.blocks)
    assert "MAE in basis points" in text and "MAE t+1 to t+4" in text
    assert f"{1e4 * errors.loc[('zero', 'test', 1), 'mae']:.4f}" in text
    assert "the session after the prediction" not in text


@pytest.mark.parametrize("name", OTHERS)
def test_the_network_is_trained_on_it_and_predicts_it(name: str, tmp_path: Path, cpu: Device) -> None:
    dataset = load_dataset(write_experiment(tmp_path / "data", windows={"label": name, "output_sessions": 3}))
    returns = np.where(dataset.valid, dataset.returns.astype(np.float64), np.nan)
    targets = DeviceData(dataset, torch.device("cpu")).targets(torch.tensor([60]))
    for place, horizon in enumerate((1, 2, 3)):
        expected = OTHERS[name].unit.put(OTHERS[name].value(returns, horizon))[60]
        np.testing.assert_array_equal(targets.known[0, place], np.isfinite(expected) & dataset.enough[60])
        np.testing.assert_allclose(targets.value[0, place], np.nan_to_num(expected), atol=1e-6)
    train(dataset, tmp_path / "model", cpu)
    table = predict(dataset, tmp_path / "model", cpu)
    assert checks.index_complete(table, expected_index(dataset)).passed
    assert OTHERS[name].unit.column in table
    found = checks.against_trivial(table, dataset.labels, dataset.axes).figures
    assert np.isfinite([found[f"mae_t{horizon}"] for horizon in (1, 2, 3)]).all()
    files = ModelFolder(tmp_path / "model")
    write_last_step(files, dataset, table)
    written = pd.read_csv(files.output / "regression_label_last_step.csv", index_col=0, parse_dates=True)
    last = OTHERS[name].unit.put(OTHERS[name].value(returns, 3))
    session = dataset.split.test.start
    np.testing.assert_allclose(written.iloc[0], last[session - 4], atol=1e-6)

"""Baselines see training labels only, line up with their sessions, and find what is planted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Run, baseline, registered, words_of
from niftyformer_assets.model.baseline_settings import BASELINES, BaselineSettings
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.step import TrainingStep
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.model.models_on_arrays import CPU, dataset_of, forecast, predicted, trained_forecast

T, N, F = 150, 24, 3
SPLIT = Split(slice(0, 100), slice(100, 120), slice(120, 140), slice(140, T))
FAST = BaselineSettings(
    epochs=4,
    patience=2,
    recurrent_width=8,
    recurrent_layers=1,
    perceptron_width=8,
    trees=20,
    boosting_rounds=20,
    ridge_penalty=1.0,
    lightgbm_trees=20,
    lightgbm_rows_per_leaf=20,
    lightgbm_factors=1.0,
    lightgbm_rate=0.1,
    lightgbm_l2=1.0,
)
NETWORKS = ("lstm", "gru", "perceptron")
FITTED = ("ridge", "gradient_boosting", "lightgbm", "random_forest", *NETWORKS)


def market(planted: float = 0.0, horizon: int = 1, label: str = "return") -> BaselineInputs:
    """Noise of 2% a session; factor 0 moves the return `horizon` sessions on by `planted` deviations."""
    rng = np.random.default_rng(7)
    factors = rng.standard_normal((T, N, F)).astype(np.float32)
    returns = 0.02 * rng.standard_normal((T, N))
    returns[horizon:] += 0.02 * planted * factors[:-horizon, :, 0]
    valid = rng.random((T, N)) > 0.03
    valid[:, 5] = False  # a stock without enough returns
    factors_valid = np.repeat(valid[..., None], F, axis=-1)
    return BaselineInputs(
        axes=Axes(np.busday_offset("2023-01-02", np.arange(T)), tuple(f"S{column:02d}" for column in range(N))),
        split=SPLIT,
        windows=WindowSettings(input_sessions=10, output_sessions=2, label=label),  # type: ignore[arg-type]
        factors=np.where(factors_valid, factors, 0),
        factors_valid=factors_valid,
        returns=np.where(valid, returns, 0),
        returns_valid=valid,
    )


def said(name: str, inputs: BaselineInputs, folder: Path, settings: BaselineSettings = FAST, seed: int = 1) -> Forecast:
    """The forecast of any baseline."""
    if name in NETWORKS:
        return trained_forecast(name, inputs, settings, seed, folder)
    return forecast(name, inputs, settings, seed)


def correlation_with_signal(inputs: BaselineInputs, value: np.ndarray) -> np.ndarray:
    """Of each horizon's forecast with the planted factor, over the sessions after training [T2]."""
    late = inputs.samples.made_on >= SPLIT.validation.start
    signal = inputs.factors[inputs.samples.made_on][late][..., 0]
    mask = inputs.covered[late]
    return np.array([np.corrcoef(signal[mask], value[late][..., h][mask])[0, 1] for h in range(value.shape[-1])])


@pytest.mark.parametrize("name", FITTED)
def test_a_planted_signal_is_found_at_its_horizon_and_only_there(name: str, tmp_path: Path) -> None:
    inputs = market(planted=1.0, horizon=2)
    settings = replace(FAST, epochs=25, recurrent_width=32)
    one, two = correlation_with_signal(inputs, said(name, inputs, tmp_path, settings).value)
    assert two > 0.6
    assert two > one + 0.3


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("label", ["return", "rank"])
def test_labels_after_training_change_nothing_that_is_fitted(name: str, label: str, tmp_path: Path) -> None:
    inputs = market(planted=0.5, label=label)
    # The recurrent networks may look at validation to stop early, so their labels change after it.
    first = SPLIT.test.start if name in NETWORKS else SPLIT.train.stop
    other = replace(inputs, returns=np.where(np.arange(T)[:, None] >= first, -inputs.returns + 0.01, inputs.returns))
    made_before = inputs.samples.made_on < first
    ours, theirs = (said(name, each, tmp_path / str(place)) for place, each in enumerate((inputs, other)))
    assert np.isfinite(ours.value[made_before][inputs.covered[made_before]]).all()
    np.testing.assert_array_equal(ours.value[made_before], theirs.value[made_before])
    np.testing.assert_array_equal(ours.p_up[made_before], theirs.p_up[made_before])


@pytest.mark.parametrize("name", sorted({*BASELINES, *FITTED}))
def test_later_sessions_do_not_change_earlier_predictions(name: str, tmp_path: Path) -> None:
    inputs = market(planted=0.5)
    cut = 130
    short = replace(
        inputs,
        axes=Axes(inputs.axes.dates[:cut], inputs.axes.symbols),
        split=replace(SPLIT, test=slice(120, cut), later=slice(cut, cut)),
        **{key: getattr(inputs, key)[:cut] for key in ("factors", "factors_valid", "returns", "returns_valid")},
    )
    whole, part = (said(name, each, tmp_path / str(place)) for place, each in enumerate((inputs, short)))
    made = short.samples.made_on >= SPLIT.validation.start
    assert np.isfinite(part.value[made][short.covered[made]]).all()
    np.testing.assert_array_equal(part.value, whole.value[: len(part.value)])
    np.testing.assert_array_equal(part.p_up, whole.p_up[: len(part.p_up)])


def test_the_table_says_when_and_for_when(tmp_path: Path) -> None:
    inputs = market()
    dates = inputs.axes.dates
    table = predicted(("ridge", "zero"), inputs, FAST, 1, tmp_path)
    assert list(table.columns) == [
        "date_made", "date_predicted", "horizon", "symbol", "split", "return", "p_up", "baseline",
    ]  # fmt: skip
    assert list(table["baseline"].unique()) == ["ridge", "zero"]
    place = {pd.Timestamp(day): session for session, day in enumerate(dates)}
    known = table[table["date_predicted"] <= pd.Timestamp(dates[-1])]
    ahead = known["date_predicted"].map(place) - known["date_made"].map(place)
    assert (ahead == known["horizon"]).all()
    parts = known["date_predicted"].map(place).map(SPLIT.part_of)
    assert (parts == known["split"]).all()
    assert set(table["split"]) == {"validation", "test", "later"}
    # What is made on the last session is for sessions still to come, and the first one lies in validation.
    assert table["date_made"].max() == pd.Timestamp(dates[-1])
    assert table["date_predicted"].min() == pd.Timestamp(dates[SPLIT.validation.start])
    assert not table.duplicated(["baseline", "date_made", "horizon", "symbol"]).any()
    assert not table[["return", "p_up"]].isna().any().any()
    assert "S05" not in set(table["symbol"])
    assert table["p_up"].between(0, 1).all()


def test_ranked_labels_are_called_scores(tmp_path: Path) -> None:
    table = predicted(("momentum",), market(label="rank"), FAST, 1, tmp_path)
    assert "score" in table
    assert "return" not in table
    spread = table[table["horizon"] == 2].groupby("date_made")["score"].std(ddof=0)
    np.testing.assert_allclose(spread, 1, rtol=1e-6)


def test_signals_are_the_mean_returns_they_look_back_on() -> None:
    inputs = market()
    settings = replace(FAST, reversal_sessions=3, momentum_sessions=7)
    sample, stock = 40, 2
    session = inputs.samples.made_on[sample]

    def mean_of_last(sessions: int) -> float:
        last = range(session - sessions + 1, session + 1)
        seen = [inputs.returns[s, stock] for s in last if inputs.returns_valid[s, stock]]
        return sum(seen) / len(seen)

    assert forecast("reversal", inputs, settings, 1).value[sample, stock, 0] == pytest.approx(-mean_of_last(3))
    assert forecast("momentum", inputs, settings, 1).value[sample, stock, 1] == pytest.approx(mean_of_last(7))


def test_constants_come_from_training() -> None:
    inputs = market()
    # Sample s sees sessions s..s+9; label h of it is session s+9+h. Stocks count where the window is covered.
    seen = np.array(
        [
            inputs.returns[s + 10, n]
            for s in range(len(inputs.samples))
            for n in range(N)
            if s + 10 < SPLIT.train.stop and inputs.covered[s, n] and inputs.returns_valid[s + 10, n]
        ]
    )
    majority = forecast("majority", inputs, FAST, 1)
    assert np.unique(majority.p_up[..., 0]) == pytest.approx((seen > 0).mean())
    assert np.unique(majority.value[..., 0]) == pytest.approx(np.median(seen))
    assert np.unique(forecast("equal_weight", inputs, FAST, 1).value[..., 0]) == pytest.approx(seen.mean())
    zero = forecast("zero", inputs, FAST, 1)
    assert not zero.value.any()
    assert (zero.p_up == 0.5).all()


def test_the_seed_and_nothing_else_decides(tmp_path: Path) -> None:
    inputs = market(planted=0.3)
    names = ("random", "random_forest", "gradient_boosting", "lstm")
    ours = predicted(names, inputs, FAST, 3, tmp_path / "ours")
    again = predicted(names[::-1], market(planted=0.3), FAST, 3, tmp_path / "again")
    order = ["baseline", "date_made", "horizon", "symbol"]
    pd.testing.assert_frame_equal(
        ours.sort_values(order, ignore_index=True), again.sort_values(order, ignore_index=True)
    )
    other = predicted(("random",), inputs, FAST, 4, tmp_path / "other")
    assert (other["return"].to_numpy() != ours.loc[ours["baseline"] == "random", "return"].to_numpy()).mean() > 0.99


def test_progress_is_told(tmp_path: Path) -> None:
    lines: list[str] = []
    predicted(("ridge", "zero"), market(), FAST, 1, tmp_path, lines.append)
    assert "ridge: done" in lines[0]
    assert "2 of 2" in lines[-1]


def test_nothing_to_fit_on_is_said(tmp_path: Path) -> None:
    inputs = market()
    blank = replace(inputs, returns_valid=np.where(np.arange(T)[:, None] < 100, False, inputs.returns_valid))
    for name in BASELINES:
        with pytest.raises(NiftyFormerError, match="train"):
            predicted((name,), blank, FAST, 1, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.name != ".training.lock" and path.is_file()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("ridge", "xgboost")}, "xgboost"),
        ({"names": ("ridge", "ridge")}, "distinct"),
        ({"epochs": 0}, "epochs"),
        ({"recurrent_width": 0}, "recurrent_width"),
        ({"ridge_penalty": -1.0}, "ridge_penalty"),
        ({"momentum_sessions": 0}, "momentum_sessions"),
    ],
)
def test_wrong_settings_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(FAST, **change)


def test_the_settings_load_no_torch() -> None:
    code = (
        "import sys, niftyformer_assets.artifacts, niftyformer_assets.model.data, niftyformer_assets.settings\n"
        "print('torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", ["ridge", "Ridge", "a b", ""])
def test_a_name_is_registered_once_and_is_a_name(name: str) -> None:
    registered()
    with pytest.raises(ValueError, match="no name for a baseline"):
        baseline(name)(registered()["zero"])


def test_experiments_that_do_not_name_a_new_baseline_stay_what_they_are() -> None:
    assert BaselineSettings().names == BASELINES
    assert set(BASELINES) <= set(registered())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_the_same_in_a_larger_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where stocks and channels are rounded up, and weights stay in the one tensor that is trained."""
    dataset, found = dataset_of(name, market(planted=0.5), FAST, seed=1), []
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)
    network = build_model(dataset)
    monkeypatch.setattr(torch.nn.RNNBase, "flatten_parameters", lambda _self: pytest.fail("weights were moved"))
    for multiple in (1, 16):
        with monkeypatch.context() as undone:
            undone.setattr(torch.nn.RNNBase, "flatten_parameters", lambda _self: None)
            step = TrainingStep(dataset, CPU, "plain", multiple)
        step.begin(dataset, network.state_dict())
        if multiple > 1:
            assert step.data.sizes[1:] == (32, 14)
            for array in (step.data.returns, step.data.labels, step.data.factors):
                array[:, N:] = 1e3
        for _ in step.epoch(made_on):
            pass
        found.append((step.recorded(), step.kept()()[0], step.inference(made_on)[0]))
    (record, state, value), (padded_record, padded_state, padded_value) = found
    assert torch.isfinite(record).all() and not record[:, [1, 3]].any()  # nothing is said of a low band
    torch.testing.assert_close(padded_record, record, rtol=1e-4, atol=1e-5)
    assert state.keys() == padded_state.keys() == network.state_dict().keys()
    for key, weight in state.items():
        torch.testing.assert_close(padded_state[key], weight, rtol=1e-3, atol=2e-4, msg=key)
    np.testing.assert_allclose(padded_value, value, atol=1e-4)


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_learned_predicts_by_itself(name: str, tmp_path: Path) -> None:
    inputs, run = market(planted=0.5), Run(seed=1)
    # Other labels of training would be another fit: a prediction must not look at them again.
    other = replace(inputs, returns=np.where(np.arange(T)[:, None] < 95, -3 * inputs.returns, inputs.returns))
    late = inputs.samples.made_on >= 120  # what the windows and signals look back on is the same
    if name in NETWORKS:
        ours = said(name, inputs, tmp_path)
        theirs = trained_forecast(name, other, FAST, 1, tmp_path, fit=False)
        np.testing.assert_array_equal(ours.value[late], theirs.value[late])
        np.testing.assert_array_equal(ours.p_up[late], theirs.p_up[late])
        return
    model = FAST.of(registered()[name])
    assert isinstance(model, Baseline)
    learned = model.fit(inputs, run)
    if model.storable:
        assert all(isinstance(value, np.ndarray) and value.dtype.kind in "fiu" for value in learned.values())
    else:
        assert name in ("gradient_boosting", "random_forest")
    ours, theirs = (model.predict(learned, each, run) for each in (inputs, other))
    np.testing.assert_allclose(ours.value[late], theirs.value[late], rtol=1e-9)
    np.testing.assert_allclose(ours.p_up[late], theirs.p_up[late], rtol=1e-9)


def test_what_reports_call_a_model_is_said_where_it_is_registered() -> None:
    assert {name: words_of(name) for name in ("lstm", "gradient_boosting", "random", "no_model")} == {
        "lstm": "LSTM",
        "gradient_boosting": "gradient boosting",
        "random": "random scores",
        "no_model": "no model",
    }


def test_a_penalty_by_row_is_the_same_shrinkage_for_any_number_of_rows() -> None:
    inputs = market(planted=0.5)
    rows = [int(np.isfinite(inputs.training[..., horizon]).sum()) for horizon in range(2)]
    by_row = forecast("ridge", inputs, replace(FAST, ridge_penalty_per_row=0.12), 1).value
    for horizon, count in enumerate(rows):
        same = forecast("ridge", inputs, replace(FAST, ridge_penalty=0.12 * count), 1).value
        np.testing.assert_array_equal(by_row[..., horizon], same[..., horizon])
    assert not np.array_equal(by_row, forecast("ridge", inputs, FAST, 1).value)


def test_lightgbm_draws_rows_and_factors_by_the_seed_alone() -> None:
    inputs = market(planted=0.5)
    settings = replace(FAST, lightgbm_factors=0.7)
    one, again, other = (forecast("lightgbm", inputs, settings, seed).value for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", ["ridge", "lightgbm", "gradient_boosting"])
def test_factors_that_are_ranks_are_not_ranked_again(name: str) -> None:
    inputs = market(planted=0.5)
    ranks = np.zeros(inputs.factors.shape, dtype=np.float32)
    ranks[inputs.samples.made_on] = inputs.made_on_ranks
    given = replace(inputs, factors=ranks, are_ranks=True)
    assert np.shares_memory(given.made_on_ranks, given.factors)
    np.testing.assert_array_equal(forecast(name, given, FAST, 1).value, forecast(name, inputs, FAST, 1).value)

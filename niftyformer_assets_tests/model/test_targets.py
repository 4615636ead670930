"""Labels by name: each has a head, is kept apart at the splits, and is predicted and measured in its own horizon."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from niftyformer_assets.dataset.settings import Target, WindowSettings
from niftyformer_assets.dataset.windows import samples
from niftyformer_assets.factors.labels import Label, Labels, NetOf, Outcomes, Span
from niftyformer_assets.model import checks
from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.network import Inputs
from niftyformer_assets.model.predict import expected_index, predict
from niftyformer_assets.model.predictions import traded
from niftyformer_assets.model.published import write_last_step
from niftyformer_assets.model.stockformer import Stockformer
from niftyformer_assets.model.training import train
from niftyformer_assets.portfolio.backtest.scores import scores_from_predictions
from niftyformer_assets.portfolio.evidence.prediction_errors import prediction_errors, with_labels
from niftyformer_assets.portfolio.report.sections.results import predictions as section
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import read_json, write_entered
from niftyformer_assets_tests.model.made_up import write_experiment
from niftyformer_assets_tests.model.models_on_arrays import forecast, predicted
from niftyformer_assets_tests.model.test_baselines import FAST, FITTED, NETWORKS, SPLIT, T, market, said
from niftyformer_assets_tests.portfolio.report_example import example

HELD = [{"name": "two", "of": [{"horizon": 2}]}, {"name": "one", "of": [{"horizon": 1}]}]
NET = [
    {"name": "r1", "of": [{"horizon": 1, "kind": "session"}]},
    {"name": "net_of_market", "of": [{"horizon": 3, "net_of": "market"}]},
    {"name": "net_of_sector", "of": [{"horizon": 1, "net_of": "sector"}]},
]
MIX = [
    {"name": "r2", "of": [{"horizon": 1}]},
    {"name": "mix", "of": [{"horizon": 1, "kind": "session"}, {"horizon": 1}, {"horizon": 5}]},
]
LONG = [{"name": "long", "of": [{"horizon": 15, "kind": "session"}]}, {"name": "held", "of": [{"horizon": 12}]}]
# The label, and what is predicted in it.
KINDS: dict[str, tuple[str, Sequence[dict[str, Any]]]] = {
    "held": ("return", HELD),
    "net": ("return", NET),
    "ranked_net": ("rank", NET),
    "mix": ("zscore", MIX),
    "long": ("rank", LONG),
}


def windows_of(kind: str) -> WindowSettings:
    label, targets = KINDS[kind]
    return WindowSettings(input_sessions=10, label=label, targets=tuple(targets))  # type: ignore[arg-type]


def made_up(kind: str, planted: float = 0.0) -> BaselineInputs:
    """A market whose first factor moves the second session ahead."""
    inputs, rng = market(planted, horizon=2), np.random.default_rng(11)
    stocks = len(inputs.axes.symbols)
    exposures = NetOf(
        np.nan_to_num(np.nanmean(inputs.known_returns, axis=1)),
        rng.normal(1, 0.3, size=(T, stocks)),
        np.tile(np.arange(stocks) % 3, (T, 1)),
    )
    return replace(inputs, windows=windows_of(kind), exposures=exposures)


def garbled_from(inputs: BaselineInputs, session: int) -> BaselineInputs:
    """Everything that labels are made of is another from a session on."""
    after, exposures = np.arange(T)[:, None] >= session, inputs.exposures
    assert exposures is not None
    return replace(
        inputs,
        returns=np.where(after, -inputs.returns + np.linspace(-0.2, 0.3, inputs.returns.shape[1]), inputs.returns),
        exposures=NetOf(
            np.where(after[:, 0], 0.1, exposures.market),
            np.where(after, -2.0, exposures.beta),
            np.where(after, 0, exposures.sector),
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_fitted_on_lies_wholly_in_its_part(kind: str) -> None:
    inputs = made_up(kind)
    found = {"train": inputs.training, "validation": inputs.validation}
    for place, label in enumerate(inputs.windows.labels):
        expected = label.values(Outcomes(inputs.known_returns, inputs.exposures))
        for sample, made in enumerate(inputs.samples.made_on):
            sessions = {made + step for span in label.of for step in span.sessions}
            for part, labels in found.items():
                span: slice = getattr(SPLIT, part)
                within = sessions <= set(range(span.start, span.stop))
                wanted = np.where(inputs.covered[sample] & within, expected[made], np.nan)
                np.testing.assert_array_equal(labels[sample, :, place], wanted)
        assert all(np.isfinite(labels[..., place]).any() for labels in found.values())
    for part, made_for in samples(SPLIT, inputs.windows).items():
        if len(made_for):
            assert set(made_for.parts(SPLIT).ravel()) == {part}


@pytest.mark.parametrize(
    ("name", "kind"), [*(("ridge", kind) for kind in KINDS), *((name, "mix") for name in FITTED if name != "ridge")]
)
def test_nothing_that_is_known_after_its_part_changes_a_fit(name: str, kind: str, tmp_path: Path) -> None:
    inputs = made_up(kind, planted=0.5)
    # The networks may look at validation to choose an epoch.
    end = SPLIT.test.start if name in NETWORKS else SPLIT.train.stop
    ours, theirs = (
        said(name, each, tmp_path / str(place)) for place, each in enumerate((inputs, garbled_from(inputs, end)))
    )
    made_before = inputs.samples.made_on < end
    np.testing.assert_array_equal(ours.value[made_before], theirs.value[made_before])
    np.testing.assert_array_equal(ours.p_up[made_before], theirs.p_up[made_before])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_known_on_the_last_session_of_training_does_change_it(kind: str) -> None:
    inputs = made_up(kind, planted=0.5)
    sooner = garbled_from(inputs, SPLIT.train.stop - 1)
    ours, theirs = (forecast("ridge", each, FAST, seed=1) for each in (inputs, sooner))
    made_before = inputs.samples.made_on < SPLIT.train.stop - 1
    # Each label, not one for all.
    for place in range(len(inputs.windows.labels)):
        assert not np.array_equal(ours.value[made_before][..., place], theirs.value[made_before][..., place])


@pytest.mark.parametrize("kind", ["net", "mix", "long"])
def test_nothing_that_is_known_after_validation_changes_the_stockformer(kind: str, tmp_path: Path, cpu: Device) -> None:
    label, targets = KINDS[kind]
    sections = {"windows": {"label": label, "targets": targets}, "training": {"max_epochs": 2}}
    dataset = load_dataset(write_experiment(tmp_path / "data", **sections))  # type: ignore[arg-type]
    end = dataset.split.test.start
    exposures = dataset.inputs.exposures
    later = np.arange(len(dataset.axes.dates)) >= end
    other = replace(
        dataset,
        returns=np.where(later[:, None], 0.1, dataset.returns).astype(np.float32),
        inputs=replace(
            dataset.inputs,
            exposures=exposures
            and NetOf(*(np.where(later if of.ndim == 1 else later[:, None], 1, of) for of in vars(exposures).values())),
        ),
    )
    assert dataset.fingerprint() == other.fingerprint()
    tables = []
    for place, each in enumerate((dataset, other)):
        train(each, tmp_path / str(place), cpu)
        tables.append((tmp_path / str(place) / "best.pt").read_bytes())
    assert tables[0] == tables[1]


def test_only_what_labels_are_net_of_decides_on_a_fit(tmp_path: Path) -> None:
    dataset = load_dataset(write_experiment(tmp_path / "net", windows={"targets": NET}))
    exposures = dataset.inputs.exposures
    assert exposures is not None
    for name, of in vars(exposures).items():
        changed = replace(exposures, **{name: of + 1})
        other = replace(dataset, inputs=replace(dataset.inputs, exposures=changed))
        assert other.fingerprint() != dataset.fingerprint()
        assert other.inputs.fingerprint() != dataset.inputs.fingerprint()
    plain = load_dataset(write_experiment(tmp_path / "plain", windows={"targets": HELD}))
    assert plain.inputs.exposures is None


def test_a_flow_without_what_labels_are_net_of_is_refused(tmp_path: Path) -> None:
    folder = write_experiment(tmp_path, windows={"targets": HELD})
    content = read_json(folder / "experiment.json")
    content["windows"]["targets"] = NET
    write_entered(folder / "experiment.json", json.dumps(content))
    with pytest.raises(
        NiftyFormerError, match=r"flow.npz lacks market, beta, sector.*net of the market and the sector"
    ):
        load_dataset(folder)


def test_they_are_predicted_and_measured_by_name(tmp_path: Path) -> None:
    inputs = made_up("held", planted=1.0)
    table = predicted(("ridge", "reversal", "zero"), inputs, FAST, 1, tmp_path)
    assert set(zip(table["target"], table["horizon"], table["traded"], strict=True)) == {
        ("two", 3, False),
        ("one", 2, True),
    }
    dates = pd.Index(inputs.axes.dates)
    made, known = dates.get_indexer(pd.Index(table["date_made"])), dates.get_indexer(pd.Index(table["date_predicted"]))
    there = known >= 0
    np.testing.assert_array_equal((known - made)[there], table["horizon"].to_numpy()[there])
    assert [SPLIT.part_of(session) for session in known[there]] == table["split"][there].tolist()
    # The last one is traded, whichever horizon it has, and what is left of a table says so too.
    assert set(traded(table)["target"]) == {"one"}
    assert traded(table[table["target"] == "two"]).empty
    ridge = table[table["baseline"] == "ridge"]
    scores = scores_from_predictions(ridge, inputs.axes)
    row = ridge[ridge["target"] == "one"].iloc[7]
    where = dates.get_loc(row["date_made"]), inputs.axes.symbols.index(row["symbol"])
    values = scores.values  # noqa: PD011
    assert values[where] == row["return"]
    # Not cut at the end of the test part: every session with a window has a score.
    assert np.isfinite(values[SPLIT.validation.start : SPLIT.test.stop]).any(axis=1).all()

    errors = prediction_errors(with_labels(table, inputs.labels, inputs.axes, SPLIT))
    by = errors.set_index(["baseline", "split", "target"])
    for name, held in (("one", 1), ("two", 2)):
        gains = []
        # Known in the test part, and made of its sessions alone.
        for session in range(SPLIT.test.start - 2, SPLIT.test.stop - 1 - held):
            gain = np.prod(1 + inputs.known_returns[session + 2 : session + 2 + held], axis=0) - 1
            gains.extend(gain[inputs.covered[session - inputs.samples.start]])
        assert by.loc[("zero", "test", name), "mae"] == pytest.approx(float(np.nanmean(np.abs(gains))))
    # The factor moves the first session that is held, and so less of both.
    assert by.loc[("ridge", "test", "one"), "rank_ic"] > by.loc[("ridge", "test", "two"), "rank_ic"] > 0.2
    shown = section(replace(example().evidence(portfolios=2), errors=errors), inputs.windows.labels)
    text = " ".join(shown.text) + repr(shown.blocks)
    assert "MAE two, t+1 to t+3" in text and "MAE one, t+2" in text and "MAE in percentage points" in text
    assert f"{100 * by.loc[('zero', 'test', 'one'), 'mae']:.4f}" in text
    assert "the session after the prediction" not in text and "below 1.5 points" not in text


def test_predictions_of_other_labels_are_refused(tmp_path: Path) -> None:
    held, sessions = made_up("held"), market()
    for ours, theirs in ((held, sessions), (sessions, held), (held, made_up("net"))):
        table = predicted(("reversal",), ours, FAST, 1, tmp_path)
        with pytest.raises(NiftyFormerError, match="which the experiment does not have"):
            with_labels(table, theirs.labels, theirs.axes)


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_has_a_head_for_each_on_both_paths(kind: str, tmp_path: Path, cpu: Device) -> None:
    label, targets = KINDS[kind]
    dataset = load_dataset(write_experiment(tmp_path / "data", windows={"label": label, "targets": targets}))
    returns = np.where(dataset.valid, dataset.returns.astype(np.float64), np.nan)
    data = DeviceData(dataset, torch.device("cpu"))
    # One place for each of a batch in which some stocks lack some label.
    found = data.targets(torch.arange(40, 75))
    expected = Labels.of(dataset.settings.windows.labels, Outcomes(returns, dataset.inputs.exposures)).array[40:75]
    known = np.isfinite(expected) & dataset.enough[40:75][:, None]
    np.testing.assert_array_equal(found.known, known)
    np.testing.assert_allclose(found.value, np.nan_to_num(expected), atol=1e-6)
    # The low path predicts the same, undecomposed: of each label where it is known, whatever the others are.
    np.testing.assert_array_equal(found.value_low, found.value)
    np.testing.assert_array_equal(found.known_low, known)
    assert (known != known.all(1, keepdims=True)).any()
    train(dataset, tmp_path / "model", cpu)
    table = predict(dataset, tmp_path / "model", cpu)
    assert checks.index_complete(table, expected_index(dataset)).passed
    figures = checks.against_trivial(table, dataset.labels, dataset.axes).figures
    assert np.isfinite([figures[f"mae_{target['name']}"] for target in targets]).all()
    assert checks.not_constant_across_stocks(table).passed
    assert set(checks.not_one_class(table).figures) == {f"share_up_{target['name']}" for target in targets}
    files = ModelFolder(tmp_path / "model")
    write_last_step(files, dataset, table)
    written = pd.read_csv(files.output / "regression_label_last_step.csv", index_col=0, parse_dates=True)
    last = dataset.settings.windows.labels[-1]
    values = last.values(Outcomes(returns, dataset.inputs.exposures))
    np.testing.assert_allclose(written.iloc[0], values[dataset.split.test.start - last.known_after], atol=1e-6)


def stockformer(dataset: Dataset) -> Stockformer:
    torch.manual_seed(0)
    network = dataset.settings.network.network(dataset.settings.windows, len(dataset.axes.symbols), 3)
    assert isinstance(network, Stockformer)
    return network.eval()


@pytest.mark.parametrize(("targets", "sees_the_others"), [(HELD, True), ((), False)], ids=["names", "sessions"])
def test_the_fusion_is_causal_over_sessions_only(
    targets: Sequence[dict[str, Any]], sees_the_others: bool, tmp_path: Path
) -> None:
    dataset = load_dataset(write_experiment(tmp_path, windows={"targets": targets}))
    network = stockformer(dataset)
    low, high = (torch.randn(2, 2, 5, network.width) for _ in range(2))
    later = high.clone()
    later[:, 1] += 1
    with torch.no_grad():
        first, changed = (network.fusion(low, each)[:, 0] for each in (high, later))
    assert torch.equal(first, changed) is not sees_the_others


def test_sessions_by_name_are_the_network_of_the_published_ones(tmp_path: Path) -> None:
    """It is what labels are that decides, not how they are given."""
    by_name = [{"name": f"session_{h}", "of": [{"horizon": h, "kind": "session"}]} for h in (1, 2)]
    named = load_dataset(write_experiment(tmp_path / "named", windows={"targets": by_name}))
    plain = load_dataset(write_experiment(tmp_path / "plain"))
    np.testing.assert_array_equal(named.labels.array, plain.labels.array)
    np.testing.assert_array_equal(named.low_matrix_output, plain.low_matrix_output)
    for one, other in zip(
        *(DeviceData(each, torch.device("cpu")).targets(torch.arange(30, 60)) for each in (named, plain)), strict=True
    ):
        assert torch.equal(one, other)
    seen: Inputs = DeviceData(plain, torch.device("cpu")).inputs(torch.arange(30, 34))
    with torch.no_grad():
        assert torch.equal(stockformer(named)(seen).value, stockformer(plain)(seen).value)
    # One of them alone, or another order, is no series.
    assert not WindowSettings(targets=tuple(Target(**each) for each in by_name[::-1])).over_sessions
    assert not WindowSettings(targets=(Target("second", (Span(2, "session"),)),)).over_sessions


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"targets": HELD + HELD[:1]}, "names of targets must be distinct"),
        ({"targets": HELD, "output_sessions": 3}, "output_sessions has no say"),
        ({"targets": MIX}, "target mix is a mixture.*set label to rank or zscore"),
        ({"targets": [{"name": "h5", "of": [{"horizon": 5}]}]}, "target h5: the return of a session is called so"),
        ({"targets": [{"name": "A b", "of": [{"horizon": 5}]}]}, "small letters"),
        ({"targets": [{"name": "none", "of": []}]}, "target none is of no return"),
        ({"targets": [{"name": "twice", "of": [{"horizon": 1}] * 2}], "label": "rank"}, "the same return twice"),
        ({"targets": [{"name": "far", "of": [{"horizon": 251}]}]}, "horizon must lie between 1 and 250"),
        ({"targets": [{"name": "odd", "of": [{"horizon": 1, "kind": "kept"}]}]}, "kind 'kept' is unknown"),
        ({"targets": [{"name": "odd", "of": [{"horizon": 1, "net_of": "tax"}]}]}, "net_of 'tax' is unknown"),
        ({"label": "median"}, "label 'median' is unknown: choose from return, rank, zscore"),
    ],
)
def test_what_cannot_be_predicted_is_refused(windows: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WindowSettings(**windows)


def test_a_label_that_is_too_long_for_its_part_is_said(tmp_path: Path) -> None:
    far = [{"name": "far", "of": [{"horizon": 60}]}]
    dataset = load_dataset(write_experiment(tmp_path, windows={"targets": far}))
    with pytest.raises(NiftyFormerError, match=r"the validation part has 25 sessions, too few .* and 61 out"):
        dataset.samples()


def test_a_label_says_its_own_step() -> None:
    assert [Label("x", windows_of("mix").unit, target.of).step for target in windows_of("mix").targets] == [
        "t+2",
        "t to t+6",
    ]

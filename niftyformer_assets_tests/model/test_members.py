"""Where each session has members of its own, a stock is learned from, ranked and predicted only while it is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.factors.labels import UNITS, Label, Outcomes, Span, ranks
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.predict import expected_index
from niftyformer_assets.store.arrays import load_arrays, save_arrays
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.model.models_on_arrays import forecast
from niftyformer_assets_tests.model.test_baselines import FAST, FITTED, T, market, said
from niftyformer_assets_tests.model.test_trained import fit, predict, write

DIMS = {
    "result": "TN", "low_freq": "WLN", "high_freq": "WLN", "low_matrix": "LL", "low_matrix_output": "HH",
    "member": "TN",
}  # fmt: skip


def members(stocks: int, sessions: int = T) -> np.ndarray:
    """All but three that come late, one of them after training, and two that leave."""
    member = np.ones((sessions, stocks), dtype=bool)
    member[: sessions // 3, 1] = member[: sessions // 2, 2] = member[: sessions * 3 // 4, 7] = False
    member[sessions // 3 :, 3] = member[sessions * 4 // 5 :, 4] = False
    return member


def test_labels_rank_the_members_of_the_session_they_are_made_on() -> None:
    returns = np.random.default_rng(1).normal(size=(20, 12))
    member = members(12, 20)
    label = Label("two", UNITS["rank"], (Span(2),))
    found = label.values(Outcomes(returns, member=member))
    plain = Label("two", UNITS["return"], (Span(2),)).values(Outcomes(returns))
    np.testing.assert_allclose(found, ranks(np.where(member, plain, np.nan)))
    assert np.isnan(found[~member]).all() and np.isfinite(found[:-3][member[:-3]]).all()


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("label", ["return", "rank"])
def test_those_who_are_no_members_change_nothing_for_those_who_are(name: str, label: str, tmp_path: Path) -> None:
    inputs = market(planted=0.5, label=label)
    member = members(len(inputs.axes.symbols))
    ours = replace(inputs, member=member)
    # On sessions that no window of a member reaches.
    alone = np.zeros_like(member)
    alone[: T * 3 // 4 - 20, 7] = alone[: T // 2 - 20, 2] = True
    other = replace(
        ours,
        returns=np.where(alone & inputs.returns_valid, 5 + 7 * inputs.returns, inputs.returns),
        factors=np.where(alone[..., None] & inputs.factors_valid, 9 - 3 * inputs.factors, inputs.factors),
    )
    one, two = (said(name, each, tmp_path / str(place)) for place, each in enumerate((ours, other)))
    covered = ours.covered
    assert not covered[~member[ours.samples.made_on]].any()
    assert np.isfinite(one.value[covered]).any()
    late = ours.samples.made_on >= ours.split.validation.start
    np.testing.assert_array_equal(one.value[late][covered[late]], two.value[late][covered[late]])


def test_members_change_what_is_learned() -> None:
    inputs = market(planted=0.5)
    ours = replace(inputs, member=members(len(inputs.axes.symbols)))
    one, two = (forecast("ridge", each, FAST, 1).value for each in (inputs, ours))
    assert not np.array_equal(one[ours.covered], two[ours.covered])
    assert ours.fingerprint().keys() - inputs.fingerprint().keys() == {"members"}


@pytest.mark.parametrize("name", ["ridge", "lightgbm", "blend", "stockformer", "momentum"])
def test_only_members_are_predicted(name: str, tmp_path: Path) -> None:
    files: ExperimentFolder = write(tmp_path, name)
    arrays, axes = load_arrays(files.flow)
    member = members(len(axes.symbols), len(axes.dates))
    save_arrays(files.flow, {**arrays, "member": member}, axes, DIMS)
    fit(files)
    table = predict(files)
    dataset = load_dataset(files.root)
    assert table.set_index(["date_made", "horizon", "symbol"]).index.equals(expected_index(dataset))
    session = np.searchsorted(axes.dates, table["date_made"].to_numpy().astype("datetime64[D]"))
    stock = np.searchsorted(np.array(axes.symbols), table["symbol"].to_numpy(dtype=str))
    assert member[session, stock].all()

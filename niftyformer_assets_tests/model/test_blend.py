"""A blend is the mean of the ranks of what it is made of, which is fitted as it is by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.artifacts import artifacts, deciding_settings
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.factors.labels import ranks
from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.data import RunSettings, load_dataset
from niftyformer_assets.model.predictions import traded
from niftyformer_assets.store.arrays import load_arrays, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import read_json
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.model.test_trained import change, fit, predict, rival, write

TARGETS = [
    {"name": "r1", "of": [{"horizon": 1, "kind": "session"}]},
    {"name": "mix", "of": [{"horizon": 1, "kind": "session"}, {"horizon": 1}]},
    {"name": "r2", "of": [{"horizon": 1}]},
]
BESIDE = "baseline_predictions"
OF = ("ridge.r2", "ridge.mix", "random_forest.r1")


def blend(folder: Path, of: tuple[str, ...] = OF, targets: bool = True, **settings: Any) -> ExperimentFolder:
    files = write(folder, "blend", blend_of=list(of), **settings)
    if targets:
        change(files, windows={"input_sessions": 8, "label": "rank", "targets": TARGETS})
    return files


def places(table: pd.DataFrame, value: str = "score") -> pd.DataFrame:
    """[sessions × symbols], ranked within the session."""
    wide = table.pivot_table(index="date_made", columns="symbol", values=value)
    return pd.DataFrame(ranks(wide.to_numpy()), wide.index, wide.columns)


def test_it_is_the_mean_of_the_ranks_of_its_parts_each_model_counting_alike(tmp_path: Path) -> None:
    files = blend(tmp_path)
    fit(files)
    table = predict(files)
    ridge, forest = (rival(name, files) for name in ("ridge", "random_forest"))
    parts = [places(rows[rows["target"] == name]) for rows, name in ((ridge, "r2"), (ridge, "mix"), (forest, "r1"))]
    sessions = parts[0].index.intersection(parts[1].index).intersection(parts[2].index)
    two, mix, one = (part.loc[sessions].to_numpy() for part in parts)
    expected = (ranks((two + mix) / 2) + one) / 2
    ours = places(traded(table)).loc[sessions]
    assert len(sessions) > 20
    np.testing.assert_allclose(ours, ranks(expected), atol=1e-9)
    # One score, in the order of which every label is told.
    for _, rows in table.groupby("target"):
        own = places(rows)
        both = own.index.intersection(sessions)
        np.testing.assert_array_equal(own.loc[both], ours.loc[both])
    assert table["p_up"].between(0, 1).all() and ((table["p_up"] > 0.5) == (table["score"] > 0)).all()


def test_a_name_alone_is_what_is_said_of_the_label_that_is_traded(tmp_path: Path) -> None:
    files = blend(tmp_path, ("ridge",), targets=False)
    fit(files)
    table = predict(files)
    alone = traded(rival("ridge", files))
    ours = traded(table)
    np.testing.assert_array_equal(places(ours, "return"), places(alone, "return"))


def test_one_of_networks_says_the_same_as_the_model_and_as_a_baseline(tmp_path: Path) -> None:
    files = blend(tmp_path, ("ridge", "lstm"), targets=False)
    fit(files)
    assert load_dataset(files.root).settings.networks == 1, "a mean of models is none of networks"
    pd.testing.assert_frame_equal(rival("blend", files), predict(files))


def test_what_is_known_after_validation_changes_nothing(tmp_path: Path) -> None:
    files, other = blend(tmp_path / "one"), blend(tmp_path / "other")
    fit(files)
    first = load_dataset(files.root).split.test.start
    arrays, axes = load_arrays(other.flow)
    arrays["result"][first:] = -arrays["result"][first:] + 0.01
    save_arrays(
        *(other.flow, arrays, axes),
        {"result": "TN", "low_freq": "WLN", "high_freq": "WLN", "low_matrix": "LL", "low_matrix_output": "HH"},
    )
    fit(other)
    tables = [predict(each) for each in (files, other)]
    before = tables[0]["date_made"].to_numpy() < axes.dates[first].astype("datetime64[ns]")
    assert before.any() and not before.all()
    pd.testing.assert_frame_equal(tables[0][before], tables[1][before], check_exact=True)


def test_a_blend_of_other_things_is_refused(tmp_path: Path) -> None:
    files = blend(tmp_path)
    fit(files)
    given = read_json(files.settings)["baselines"]
    for changed, said in (
        ({"ridge_penalty": 3.0}, r"baselines\.ridge_penalty was 1000\.0 and is 3\.0"),
        ({"blend_of": ["ridge.r2", "ridge.mix"]}, r"baselines\.blend_of was"),
    ):
        change(files, baselines={**given, **changed})
        with pytest.raises(NiftyFormerError, match=said):
            predict(files)
    change(files, baselines={**given, "boosting_rounds": 9})  # of no part
    predict(files)
    fit(files)
    change(files, baselines={**given, "blend_of": ["ridge.r2"]})
    fit(files)
    assert [path.name for path in (files.model / "parts").iterdir()] == ["ridge"]


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (("nobody",), "nobody is no model that can be blended"),
        (("blend",), "blend is no model that can be blended"),
        (("ridge", "ridge"), "names one twice"),
        (("ridge", "ridge.r2"), "names ridge alone and by a label"),
        ((), "names no model"),
    ],
)
def test_what_cannot_be_blended_is_refused(of: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        BaselineSettings(blend_of=of)


def test_a_label_that_the_experiment_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NiftyFormerError, match=r"blend_of: ridge\.r9 names no label of the experiment: it has r1, mix"):
        fit(blend(tmp_path, ("ridge.r9",)))


def experiment(**baselines: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "one",
            "market": "simulated",
            "sessions": {"start": "2022-01-01", "end": "2023-12-31", "ratio": [0.7, 0.15, 0.15]},
            "model": {"name": "blend"},
            "baselines": {"names": ["zero", "blend"], **baselines},
        }
    )


def test_the_settings_and_the_code_of_its_parts_decide_and_no_others() -> None:
    plain = experiment(blend_of=["ridge"])
    row = artifacts()["trained_model"]
    assert set(row.models(plain)) == {"blend", "ridge"}
    assert row.models(plain)["ridge"] == registered()["ridge"].code()
    for name, counts in (("ridge_penalty", True), ("trees", False), ("blend_of", True)):
        other = experiment(**{"blend_of": ["ridge"], name: ["lightgbm"] if name == "blend_of" else 7})
        of_both = [deciding_settings(each, "trained_model") for each in (plain, other)]
        assert (of_both[0] != of_both[1]) == counts, name
        assert (what_decides(plain.values()) != what_decides(other.values())) == counts, name
    of_rivals = [
        deciding_settings(
            each.model_copy(update={"model": plain.model.__class__(name="ridge")}), "baseline_predictions"
        )
        for each in (plain, experiment(blend_of=["lightgbm"], lightgbm_trees=7))
    ]
    assert of_rivals[0] != of_rivals[1]


def test_a_part_that_is_no_model_any_more_does_not_damage_what_was_recorded() -> None:
    values = experiment(blend_of=["ridge"]).values()
    values["baselines"]["blend_of"] = ["ridge", "gone.mix"]
    assert what_decides(values)["model.name"] == "blend"


@pytest.mark.parametrize("of", ["training", "baselines"])
def test_what_it_records_says_the_seeds_of_its_parts(tmp_path: Path, of: str) -> None:
    files = blend(tmp_path, ("stockformer", "random_forest"), targets=False)
    content = read_json(files.settings)
    without = RunSettings.read(content)
    content[of]["seed"] = 7
    settings = RunSettings.read(content)
    assert {part.model.name: part.seed for part in settings.parts} == {
        "stockformer": 7 if of == "training" else content["seed"],
        "random_forest": 7 if of == "baselines" else content["seed"],
    }
    again = RunSettings.read(settings.values())
    assert [part.seed for part in again.parts] == [part.seed for part in settings.parts]
    assert again.values() == settings.values() != without.values()

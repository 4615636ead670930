"""Points of a study: settings that go together, by name; and the study of the network that is made of them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import studies_of
from niftyformer_assets.experiments.reading import experiment_from
from niftyformer_assets.experiments.study_files import read_study_file
from niftyformer_assets.experiments.variants import what_decides, without_defaults
from niftyformer_assets.market.split import SplitByDate
from niftyformer_assets.settings import PROJECT
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import flat_settings
from niftyformer_assets_tests.experiments.test_study import WINDOWS, expand, settings_of, write

BOTH = {"small": {"model.width": 16, "graph.dimensions": 16}, "deep": {"model.layers": 4}, "as_set": {}}
SESSIONS = {
    "train": {"start": "2022-01-01", "end": "2022-08-31"},
    "validation": {"start": "2022-09-01", "end": "2022-10-31"},
    "test": {"start": "2022-11-01", "end": "2022-12-31"},
}


def changed(one: Experiment, other: Experiment) -> dict[str, Any]:
    """The settings of the second that the first has otherwise."""
    before, after = flat_settings(one.values()), flat_settings(other.values())
    return {name: value for name, value in after.items() if before.get(name) != value and name != "name"}


def test_each_is_a_point_with_its_own_settings(tmp_path: Path) -> None:
    study = expand(tmp_path, points=BOTH, set={"model.layers": 3}, walk_forward=WINDOWS | {"windows": 2}, seeds=2)
    names = list(study.experiments)
    assert names[:4] == ["wf.small.2021-01", "wf.small.2021-01.seed2", "wf.small.2021-05", "wf.small.2021-05.seed2"]
    assert len(names) == 12 and all(study.may_make(name) for name in names)
    assert not study.may_make("wf.2021-01") and not study.may_make("wf.wide.2021-01")
    small, deep, plain = (study.experiments[f"wf.{name}.2021-01"] for name in BOTH)
    assert changed(plain, small) == {"model.width": 16, "graph.dimensions": 16}
    # What `set` says holds where a point does not.
    assert plain.model.layers == 3 and changed(plain, deep) == {"model.layers": 4}
    assert "3 points: small, deep, as_set" in study.summary


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"points": {"Deep": {}}}, r"points: 'Deep' is no name"),
        ({"points": {"a.b": {}}}, r"points: 'a\.b' is no name"),
        ({"points": {"": {}}}, "points: '' is no name"),
        ({"points": {"deep": {"model.layer": 4}}}, r"wf\.deep: model\.layer: unknown key"),
        ({"points": {"deep": {"model.layers": 0}}}, r"wf\.deep: .*layers and heads must be at least 1"),
        ({"points": {"deep": {"sessions.train": 1}}}, r"sessions\.train is not for a study to set"),
        ({"points": {"deep": {"name": "x"}}}, "name is not for a study to set"),
        (
            {"points": BOTH, "grid": {"model.layers": [1, 2]}},
            "grid and points are both given",
        ),
        (
            {"points": {"a": {"model": {"layers": 2}}}, "set": {"model.width": 8}},
            r"model\.width is given twice, .*: once as part of model",
        ),
        ({"points": {"a": {"training.seed": 3}}, "seeds": 2}, r"training\.seed is what seeds varies"),
        ({"points": {f"v{n}": {} for n in range(1001)}, "seeds": 2}, "points and seeds make 2,002 points"),
        ({"points": {"a": {}, "b": {}}, "judge": "model"}, r"name one of model \(a\), model \(b\)"),
        ({"points": {"a": {"strategy.trade_at": "open"}, "b": {}}}, "strategy.trade_at is close and open"),
        (
            {
                "points": {"a": {"windows.label": "rank"}, "b": {}},
                "ensembles": {"mean": {"over": ["grid"]}},
            },
            "points differ in windows",
        ),
        (
            {"points": {"a": {"model.stock_attention": "none"}}},
            r"wf\.a: .*graph\.embedding struc2vec has no say where model\.stock_attention is none",
        ),
        (
            {"points": {"a": {"model.stock_attention": "plain", "graph.embedding": "spectral"}}},
            "graph.embedding spectral has no say where model.stock_attention is plain",
        ),
        ({"points": {"a": {"training.decay_steps": 5}}}, "decay_steps has no say where learning_rate_decay is"),
        ({"points": {"a": {"training.monitor": "loss"}}}, r"training\.monitor: .*'mae' or 'rank_ic'"),
    ],
)
def test_what_is_wrong_is_refused_naming_the_file_and_the_reason(
    tmp_path: Path, content: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NiftyFormerError, match=reason) as caught:
        expand(tmp_path, **content)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_one_point_that_is_wrong_leaves_other_studies(tmp_path: Path) -> None:
    write(tmp_path, points={"a": {"model.layer": 1}})
    write(tmp_path, "sound", points=BOTH)
    wrong: dict[str, str] = {}
    assert list(studies_of(settings_of(tmp_path), wrong)) == ["sound"] and list(wrong) == ["studies/wf"]


def test_a_record_of_before_a_setting_of_the_network_is_the_same_variant() -> None:
    content = {"name": "one", "market": "real", "sessions": SESSIONS, "overrides": {}}
    values = experiment_from(content).values()
    before = {name: dict(part) if isinstance(part, dict) else part for name, part in values.items()}
    for section, names in (
        ("model", ["stock_attention", "attention_dropout", "head_dropout", "input_dropout"]),
        ("training", ["weight_decay", "learning_rate_decay", "warmup_steps", "decay_steps", "ema_decay", "monitor"]),
        ("training", ["ranking_loss", "ranking_weight"]),
    ):
        for name in names:
            del before[section][name]
    assert without_defaults(before) == without_defaults(values) and what_decides(before) == what_decides(values)
    other = experiment_from(content | {"training": {"ema_decay": 0.9}}).values()
    assert what_decides(other) != what_decides(values)


def test_the_study_of_the_network_asks_for_each_setting_by_itself() -> None:
    """Planned on candles that reach past its years: none of its windows does."""
    folder = PROJECT / "data"
    study = read_study_file(folder / "studies" / "network_2015_2017.yaml", folder / "experiments", date(2019, 12, 31))
    points = list(study.settings.points)
    assert len(study.planned) == 3 * len(points) and study.settings.walk_forward is not None
    splits = [each.experiment.sessions for each in study.planned if each.point == "as_set"]
    assert all(isinstance(split, SplitByDate) for split in splits)
    assert [str(split.test) for split in splits] == [  # type: ignore[union-attr]
        str(type(split.test)(date(year, 1, 1), date(year, 12, 31)))  # type: ignore[union-attr, call-arg]
        for year, split in zip((2015, 2016, 2017), splits, strict=True)
    ]
    base, of = study.experiments["network_2015_2017.as_set.2015-01"], study.settings.points
    assert base.model.name == "stockformer" and "blend" in base.rivals and base.training.monitor == "rank_ic"
    assert base.factors.factor_set == "alpha158_nse93" and base.windows.label == "rank"
    for point in points:
        found = changed(base, study.experiments[f"network_2015_2017.{point}.2015-01"])
        assert found.keys() == of[point].keys(), point
        assert re.fullmatch(r"[a-z0-9_]+", point)
    varied = {name for values in of.values() for name in values}
    assert varied >= {
        *("training.weight_decay", "training.learning_rate_decay", "training.warmup_steps", "training.ema_decay"),
        *("training.monitor", "training.ranking_loss", "training.seeds", "model.stock_attention", "graph.embedding"),
        *("model.attention_dropout", "model.head_dropout", "model.input_dropout"),
        *("windows.targets", "windows.input_sessions", "factors.factor_set", "factors.ic_threshold"),
    }

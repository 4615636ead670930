"""A study's file: what it expands to, and what is refused by name before anything runs."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from niftyformer_assets.experiments.files import begin, experiments_of, find_experiment, find_study, studies_of
from niftyformer_assets.experiments.study import MOST_EXPERIMENTS, Study
from niftyformer_assets.experiments.study_files import _study_of, read_study_file
from niftyformer_assets.market.split import SplitByDate
from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets.settings import PROJECT, Settings, read_settings
from niftyformer_assets.store.errors import NiftyFormerError

BASE = """\
market: simulated
sessions:
  train: {start: 2022-01-01, end: 2022-08-31}
  validation: {start: 2022-09-01, end: 2022-10-31}
  test: {start: 2022-11-01, end: 2022-12-31}
baselines: {names: [ridge, momentum]}
"""
WINDOWS = {"first_test": "2021-01-01"}
LAST = date(2025, 8, 29)
GRID = {"model.layers": [1, 2]}


def write(folder: Path, name: str = "wf", **content: Any) -> Path:
    for place in ("experiments", "studies"):
        (folder / place).mkdir(exist_ok=True, parents=True)
    (folder / "experiments" / "base.yaml").write_text(BASE)
    path = folder / "studies" / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"experiment": "base"} | content, sort_keys=False))
    return path


def expand(folder: Path, last: date | None = LAST, **content: Any) -> Study:
    return read_study_file(write(folder, **content), folder / "experiments", last)


def settings_of(folder: Path) -> Settings:
    return read_settings(
        _env_file=None, experiments=folder / "experiments", data=folder / "data", workspace_name="demo"
    )


def parts(study: Study, name: str) -> list[str]:
    split = study.experiments[name].sessions
    assert isinstance(split, SplitByDate)
    return [f"{each.start} {each.end}" for each in (split.train, split.validation, split.test)]


def test_the_published_windows_are_as_many_as_the_candles_reach(tmp_path: Path) -> None:
    study = expand(tmp_path, walk_forward=WINDOWS)
    names = list(study.experiments)
    # 24, 4 and 4 months, step 4: with Kite's candles from 2018-09 these are 14, tests 2021-01 to 2025-08.
    assert len(names) == 14 and names == sorted(names)
    assert (names[0], names[-1]) == ("wf.2021-01", "wf.2025-05")
    assert parts(study, names[0]) == ["2018-09-01 2020-08-31", "2020-09-01 2020-12-31", "2021-01-01 2021-04-30"]
    assert parts(study, names[-1]) == ["2023-01-01 2024-12-31", "2025-01-01 2025-04-30", "2025-05-01 2025-08-31"]
    assert {experiment.universe.membership for experiment in study.experiments.values()} == {"training_end"}
    # A test part that is not over yet is no window; a weekend at its end is not waited for.
    assert len(expand(tmp_path, date(2025, 8, 28), walk_forward=WINDOWS).planned) == 13
    assert expand(tmp_path, None, walk_forward=WINDOWS).planned == ()
    assert len(expand(tmp_path, None, walk_forward=WINDOWS | {"windows": 3}).planned) == 3


def test_every_test_day_is_in_one_window_and_no_window_trains_on_it(tmp_path: Path) -> None:
    for given in ({"test_months": 1}, {"test_months": 6, "training": "expanding"}, {"first_test": "2021-01-31"}):
        study = expand(tmp_path, walk_forward=WINDOWS | given)
        splits = [experiment.sessions for experiment in study.experiments.values()]
        assert len(splits) > 5
        for split, following in zip(splits, splits[1:], strict=False):
            assert isinstance(split, SplitByDate) and isinstance(following, SplitByDate)
            assert (following.test.start - split.test.end).days == 1
            assert split.train.end < split.validation.start and split.validation.end < split.test.start
            expands = given.get("training") == "expanding"
            assert (following.train.start == split.train.start) == expands
            assert following.train.end > split.train.end


def test_names_say_point_window_and_seed_and_only_what_varies(tmp_path: Path) -> None:
    few = WINDOWS | {"windows": 2}
    assert list(expand(tmp_path, walk_forward=few, seeds=2).experiments) == [
        *("wf.2021-01", "wf.2021-01.seed2", "wf.2021-05", "wf.2021-05.seed2")
    ]
    assert list(expand(tmp_path, walk_forward=few, grid={"factors.ic_threshold": [0.01, 0.015]}).experiments) == [
        *("wf.0.01.2021-01", "wf.0.01.2021-05", "wf.0.015.2021-01", "wf.0.015.2021-05")
    ]
    both = {"model.width, graph.dimensions": [32, 64], "model.layers": [1]}
    study = expand(tmp_path, grid=both)
    assert list(study.experiments) == ["wf.width-32.layers-1", "wf.width-64.layers-1"]
    assert [experiment.graph.dimensions for experiment in study.experiments.values()] == [32, 64]
    words = expand(tmp_path, grid={"graph.embedding": ["struc2vec", "none"], "wavelet.factors": [True, False]})
    assert next(iter(words.experiments)) == "wf.embedding-struc2vec.factors-true"


def test_named_points_say_what_they_change_and_may_take_another_experiment(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "experiments" / "other.yaml").write_text(BASE + "seed: 9\nstrategy: {top_k: 4}\n")
    content = {
        "set": {"factors.ic_threshold": 0.01, "strategy.top_k": 20},
        "points": {"whole": {}, "wide": {"strategy.top_k": 30}, "published": {"experiment": "other"}},
    }
    study = expand(tmp_path, **content)
    assert list(study.experiments) == ["wf.whole", "wf.wide", "wf.published"]
    whole, wide, published = study.experiments.values()
    assert [each.strategy.top_k for each in (whole, wide, published)] == [20, 30, 20]
    assert {each.factors.ic_threshold for each in (whole, wide, published)} == {0.01}
    assert (whole.seed, published.seed) == (42, 9)
    assert study.may_make("wf.wide") and not study.may_make("wf.narrow")
    # What the other experiment's file says decides on the study too.
    before = study.values()
    (tmp_path / "experiments" / "other.yaml").write_text(BASE + "seed: 10\n")
    after = expand(tmp_path, **content).values()
    assert before != after and before["experiment"] == after["experiment"]


@pytest.mark.parametrize(
    ("model", "of", "sections"),
    [
        ("lightgbm", ["ridge"], {"baselines"}),
        ("lstm", ["ridge"], {"baselines"}),
        ("blend", ["ridge", "lightgbm"], {"baselines"}),
        ("blend", ["ridge", "stockformer", "random_forest"], {"training", "baselines"}),
    ],
)
def test_seeds_vary_what_the_model_draws_by(tmp_path: Path, model: str, of: list[str], sections: set[str]) -> None:
    given = {"model.name": model, "baselines.blend_of": of, "baselines.names": ["ridge", "zero"]}
    found = list(expand(tmp_path, seeds=3, set=given).experiments.values())
    for section in ("training", "baselines", "graph"):
        seeds = [each.seed_of(section) for each in found]  # type: ignore[arg-type]
        assert len(set(seeds)) == (3 if section in sections else 1), section


@pytest.mark.parametrize("model", ["ridge", "momentum", "blend"])
def test_seeds_of_a_model_that_draws_nothing_are_refused(tmp_path: Path, model: str) -> None:
    given = {"model.name": model, "baselines.blend_of": ["ridge"], "baselines.names": ["zero", "reversal"]}
    expand(tmp_path / "one", set=given)
    with pytest.raises(NiftyFormerError, match=f"seeds: {model} draws nothing"):
        expand(tmp_path / "two", seeds=2, set=given)


def test_seeds_vary_the_training_alone_and_never_meet(tmp_path: Path) -> None:
    study = expand(tmp_path, seeds=3, set={"training.seeds": 5, "seed": 7})
    experiments = list(study.experiments.values())
    assert [experiment.seed_of("training") for experiment in experiments] == [7, 12, 17]
    assert {experiment.seed_of("graph") for experiment in experiments} == {7}
    assert {experiment.seed_of("baselines") for experiment in experiments} == {7}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"experiment": "bsae"}, r"experiment: there is no .*bsae\.yaml: name one of base"),
        ({"experiment": "../experiments/base"}, r"experiment: there is no"),
        ({"grid": {"factors.ic_treshold": [0.01]}}, r"wf\.0\.01: factors\.ic_treshold: unknown key"),
        ({"grid": {"nothing": [1]}}, "nothing: unknown key"),
        ({"grid": {"factors.ic_threshold": []}}, r"grid\.factors\.ic_threshold has no values"),
        (
            {"grid": {"strategy.top_k": list(range(1, 101)), "factors.ic_threshold": [n / 1e4 for n in range(100)]}},
            "10,000 points, 2,000 are the most",
        ),
        ({"grid": {"strategy.top_k": list(range(1, 1001))}, "seeds": 3}, "3,000 points"),
        ({"grid": {"strategy.top_k": [5, 5]}}, r"wf\.5: two points of the grid have this name"),
        ({"grid": GRID, "points": {"one": {}}}, "grid and points are both given"),
        ({"points": {"One": {}}}, "points: 'One' is no name"),
        ({"points": {"a.b": {}}}, "is no name"),
        ({"points": {"one": {"factors.ic_treshold": 1}}}, r"wf\.one: factors\.ic_treshold: unknown key"),
        ({"points": {"one": {"experiment": "bsae"}}}, r"points\.one\.experiment: there is no .*name one of base"),
        ({"points": {"one": {"strategy": {"top_k": 5}, "strategy.top_k": 6}}}, "given twice"),
        ({"points": {"one": {"sessions.train": 1}}}, r"sessions\.train is not for a study to set"),
        ({"points": {"one": {"training.seed": 1}}, "seeds": 2}, r"training\.seed is what seeds varies"),
        ({"points": {f"p{n}": {} for n in range(1001)}, "seeds": 2}, "2,002 points"),
        ({"points": {"one": {}, "two": {"strategy.trade_at": "open"}}}, "close and open"),
        ({"against": "rigde"}, "against: 'rigde' is no contender of this study"),
        ({"against": "ridge", "judge": "ridge"}, "against: 'ridge' is whom the study judges"),
        ({"against": "zero", "set": {"baselines.names": ["zero", "ridge"]}}, "'zero' says the same of all stocks"),
        ({"grid": {"strategy.top_k": ["5"]}}, r"top_k must be a number of stocks, at least 1, or a share"),
        ({"grid": {"sessions.train": [1]}}, r"sessions\.train is not for a study to set"),
        ({"grid": {"training.seed": [1, 2]}, "seeds": 2}, r"training\.seed is what seeds varies"),
        ({"grid": {"strategy.top_k": [5]}, "set": {"strategy.top_k": 6}}, r"strategy\.top_k is given twice"),
        ({"set": {"seed.of": 1}}, "seed.* is no section|unknown key|valid"),
        ({"walk_forward": WINDOWS | {"step_months": 2}}, "the test windows overlap"),
        ({"walk_forward": WINDOWS | {"train_months": 0}}, r"walk_forward\.train_months: .*greater than or equal to 1"),
        ({"walk_forward": WINDOWS | {"windows": 0}}, "windows must lie between 1 and"),
        ({"walk_forward": {"first_test": "1020-01-01"}}, "first_test 1020-01-01 is not between"),
        ({"walk_forward": WINDOWS | {"windows": 900, "step_months": 120}}, "2100|out of range"),
        ({"walk_forward": WINDOWS | {"train_months": 1}, "set": {"windows.input_sessions": 40}}, "fewer than the 42"),
        (
            {"walk_forward": WINDOWS | {"training": "expanding"}, "set": {"universe.membership": "training_start"}},
            "training_start would keep the members of the first day for ever",
        ),
        ({"walk_forward": {}}, r"walk_forward\.first_test: Field required"),
        ({"seed": 3}, "seed: unknown key"),
        ({"ensembles": {"both": {"models": ["model", "rigde"]}}}, r"ensembles\.both: rigde is no baseline"),
        ({"ensembles": {"both": {"models": ["model", "model"]}}}, "named twice"),
        ({"ensembles": {"ridge": {"models": ["model", "ridge"]}}}, "has the name of a model"),
        ({"ensembles": {"all": {"over": ["seeds"]}}}, "over seeds, and the study has one"),
        ({"ensembles": {"all": {"over": ["grid"]}}}, "over the grid, and the study has one point"),
        ({"ensembles": {"all": {}}}, "has one part"),
        ({"ensembles": {"all": {"models": [], "over": ["seeds"]}}, "seeds": 2}, "over seeds, which are of model alone"),
        (
            {"ensembles": {"all": {"models": ["ridge"], "over": ["seeds"]}}, "seeds": 2},
            "over seeds, which are of model",
        ),
        ({"ensembles": {"model, seed 2": {"over": ["seeds"]}}, "seeds": 2}, "has the name of a model or of another"),
        ({"ensembles": {"equal weight, all stocks": {"models": ["model", "ridge"]}}}, "has the name of a model"),
        ({"grid": GRID, "ensembles": {"ridge (1)": {"over": ["grid"]}}}, r"ridge \(1\) has the name of a model"),
        (
            {"grid": GRID, "ensembles": {"a (1)": {"over": ["grid"]}, "a": {"models": ["model", "ridge"]}}},
            r"ensembles\.a has the name of a model or of another ensemble",
        ),
        *(
            ({"grid": {f"{setting}": values}, "ensembles": {"mean": {"over": ["grid"]}}}, f"points differ in {told}:")
            for setting, values, told in (
                ("universe.membership", ["training_end", "each_session"], "universe"),
                ("universe.most_traded", [100, 200], "universe"),
                ("universe.min_training_sessions", [50, 60], "universe"),
                ("universe", [{"index": "nifty50"}, {"index": "nifty500"}], "universe"),
                ("windows.output_sessions", [2, 5], "windows"),
                ("windows.label", ["return", "rank"], "windows"),
                ("windows", [{"label": "rank"}, {"label": "zscore"}], "windows"),
                ("windows", [{"targets": [{"name": "held", "of": [{"horizon": h}]}]} for h in (5, 20)], "windows"),
                ("strategy.top_k", [5, 10], "strategy"),
                ("costs.schedule", ["zerodha", "flat"], "costs"),
            )
        ),
        ({"grid": {"strategy.trade_at": ["open", "close"]}}, r"strategy\.trade_at is close and open in points of"),
        ({"grid": {"strategy": [{"trade_at": "open"}, {"top_k": 5}]}}, r"strategy\.trade_at is close and open"),
        (
            {"grid": {"strategy": [{"top_k": 5}]}, "set": {"strategy.trade_at": "open"}},
            "given twice, .* part of strategy",
        ),
        (
            {"grid": {"training.seed": [1, 2], "training": [{}]}},
            "given twice, in grid, points or set: once as part of training",
        ),
        ({"judge": "modle"}, r"judge: 'modle' is no contender of this study: name one of model, ridge, momentum$"),
        ({"judge": "lstm"}, "judge: 'lstm' is no contender"),
        ({"judge": "model, seed 2"}, "no contender"),
        ({"judge": "model, seed 3", "seeds": 2}, r"name one of model, model, seed 2, ridge"),
        ({"judge": "model", "grid": GRID}, r"name one of model \(1\), model \(2\), ridge \(1\)"),
        ({"judge": "both"}, "no contender"),
        (
            {"judge": "both (1)", "grid": GRID, "ensembles": {"both": {"over": ["grid"]}}},
            r"one of model \(1\), .*, both,",
        ),
        (
            {"judge": "both", "grid": GRID, "ensembles": {"both": {"models": ["model", "ridge"]}}},
            r"both \(1\), both \(2\)",
        ),
        ({"judge": "zero", "set": {"baselines.names": ["zero", "ridge"]}}, "'zero' says the same of all stocks"),
        (
            {"judge": "majority (2)", "grid": GRID, "set": {"baselines.names": ["majority"]}},
            "'majority .2.' says the same",
        ),
        ({"judge": "model", "set": {"model.name": "equal_weight"}}, "'model' says the same of all stocks"),
        (
            {
                "judge": "flat",
                "set": {"baselines.names": ["zero", "majority"]},
                "ensembles": {"flat": {"models": ["zero", "majority"]}},
            },
            "'flat' says the same of all stocks",
        ),
        (
            {"judge": "blend", "set": {"baselines.names": ["blend"], "baselines.blend_of": ["zero", "majority"]}},
            "'blend' says the same of all stocks",
        ),
        ({"judge": "model (99)", "grid": {"training.patience": list(range(1, 41))}}, r"model \(12\) and 108 more$"),
    ],
)
def test_what_is_wrong_is_refused_naming_the_file_and_the_reason(
    tmp_path: Path, content: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NiftyFormerError, match=reason) as caught:
        expand(tmp_path, **content)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    wrong: dict[str, str] = {}
    assert studies_of(settings_of(tmp_path), wrong) == {} and wrong.keys() <= {"studies/wf"}


def test_what_a_model_is_decides_whether_there_is_something_to_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what it is called: a constant that somebody adds is refused as those that come along."""
    mean = {"ensembles": {"mean": {"models": ["momentum", "zero"]}}, "set": {"baselines.names": ["momentum", "zero"]}}
    for judge in ("momentum", "mean"):
        assert expand(tmp_path, **mean, judge=judge).settings.judge == judge
    monkeypatch.setattr(registered()["momentum"], "tells_apart", False)
    _study_of.cache_clear()
    for judge in ("momentum", "mean"):
        with pytest.raises(NiftyFormerError, match=f"'{judge}' says the same of all stocks"):
            expand(tmp_path, **mean, judge=judge)
    _study_of.cache_clear()


@pytest.mark.parametrize(
    ("content", "judges"),
    [
        ({}, ["model", "ridge"]),
        ({"seeds": 2, "ensembles": {"mean": {"over": ["seeds"]}}}, ["model, seed 2", "mean"]),
        (
            {"grid": GRID, "ensembles": {"mean": {"over": ["grid"]}, "each": {"models": ["model", "ridge"]}}},
            ["model (2)", "ridge (2)", "mean", "each (1)"],
        ),
        ({"grid": {"strategy": [{"trade_at": "open", "top_k": 5}, {"trade_at": "open", "top_k": 6}]}}, []),
        ({"walk_forward": WINDOWS, "set": {"strategy.trade_at": "open"}}, ["momentum"]),
    ],
)
def test_whoever_takes_part_may_be_judged(tmp_path: Path, content: dict[str, Any], judges: list[str]) -> None:
    for judge in ["", *judges]:
        assert expand(tmp_path, **content, judge=judge).settings.judge == judge


def test_an_ensemble_is_of_the_baselines_that_the_study_sets(tmp_path: Path) -> None:
    names = {"set": {"baselines.names": ["reversal", "zero"]}}
    assert expand(tmp_path, **names, ensembles={"both": {"models": ["model", "reversal"]}}).planned
    with pytest.raises(NiftyFormerError, match=r"both: ridge is no baseline .* name model, or one of reversal, zero"):
        expand(tmp_path, **names, ensembles={"both": {"models": ["model", "ridge"]}})


def test_more_experiments_than_a_study_may_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NiftyFormerError, match=f"more than {MOST_EXPERIMENTS:,} experiments"):
        expand(tmp_path, walk_forward=WINDOWS, grid={"strategy.top_k": list(range(1, 200))})


def test_two_files_that_make_one_experiment_are_refused_by_both_names(tmp_path: Path) -> None:
    write(tmp_path, walk_forward=WINDOWS | {"windows": 2})
    (tmp_path / "experiments" / "wf.2021-05.yaml").write_text(BASE)
    wrong: dict[str, str] = {}
    assert studies_of(settings_of(tmp_path), wrong) == {}
    assert "wf.yaml and" in wrong["studies/wf"] and "wf.2021-05.yaml both make" in wrong["studies/wf"]
    with pytest.raises(NiftyFormerError, match="both make an experiment"):
        find_experiment(settings_of(tmp_path), "wf.2021-01")
    assert find_experiment(settings_of(tmp_path), "wf.2021-05").name == "wf.2021-05"


def test_two_studies_that_make_one_experiment_are_refused_by_both_names(tmp_path: Path) -> None:
    few = WINDOWS | {"windows": 1}
    for first, second, key in (
        (("ab", {"walk_forward": few}), ("ab.2021-01", {}), "ab.2021-01"),
        (("ab", {"seeds": 2}), ("ab.seed2", {"seeds": 3}), "ab.seed2"),
        (("ab", {"grid": GRID, "walk_forward": few}), ("ab.2", {"walk_forward": few}), "ab.2.2021-01"),
    ):
        folder = tmp_path / key
        folder.mkdir()
        for name, content in (first, second):
            write(folder, name, **content)
        wrong: dict[str, str] = {}
        # The first by name stands, and the other is refused.
        assert list(studies_of(settings_of(folder), wrong)) == [second[0]]
        assert "ab.yaml and" in wrong["studies/ab"]
        assert f"{second[0]}.yaml both make an experiment {key!r}: rename" in wrong["studies/ab"]
        with pytest.raises(NiftyFormerError, match="both make an experiment"):
            find_study(settings_of(folder), "ab")


def test_a_workspace_has_the_experiments_of_its_studies(tmp_path: Path) -> None:
    write(tmp_path, walk_forward=WINDOWS)
    write(tmp_path, "two", seeds=2)
    settings = settings_of(tmp_path)
    # Whoever makes everything does not mean the trainings of every study that lies there.
    assert list(experiments_of(settings)) == ["base"] and list(studies_of(settings)) == ["two", "wf"]
    for study in studies_of(settings).values():
        begin(settings, study)
    # Without a panel nobody knows how far candles reach.
    assert list(experiments_of(settings)) == ["base", "two", "two.seed2"]
    settings.workspace.market_panel.touch()
    (settings.workspace.root / "index.json").write_text(json.dumps({"dates": ["2018-09-03", "2021-09-01"]}))
    assert list(experiments_of(settings)) == ["base", "two", "two.seed2", "wf.2021-01", "wf.2021-05"]
    assert find_experiment(settings, "wf.2021-05").name == "wf.2021-05"
    assert find_study(settings, "wf").summary.startswith("wf, of base: 2 experiments; 2 windows, tests from 2021-01")
    with pytest.raises(NiftyFormerError, match=r"no study 'wff' .* choose one of two, wf, or write .*wff\.yaml"):
        find_study(settings, "wff")


def test_the_studies_that_come_with_the_project_are_understood() -> None:
    paths = sorted((PROJECT / "data" / "studies").glob("*.yaml"))
    page = (PROJECT / "docs" / "studies.md").read_text(encoding="utf-8")
    assert paths and {path.stem for path in paths} == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    for path in paths:
        study = read_study_file(path, PROJECT / "data" / "experiments", LAST)
        assert study.planned, path

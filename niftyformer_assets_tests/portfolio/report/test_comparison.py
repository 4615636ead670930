"""The comparison ranks what the reports left behind and says what is missing."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.comparison import COLUMNS, EXCESS, Comparison, model_comparison
from niftyformer_assets.portfolio.report.comparison_page import picture, sentences, write_comparison
from niftyformer_assets.portfolio.report.files import METRICS
from niftyformer_assets.portfolio.report.report import write_report
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.portfolio.report.test_report import read
from niftyformer_assets_tests.portfolio.report_example import Example, background, example


@pytest.fixture(scope="module")
def experiments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExperimentFolder]:
    """Reports made one after the other, each counting what was tried before it."""
    root = tmp_path_factory.mktemp("experiments")
    market = example()
    for name, skill, part in (("skilled", 1.0, "test"), ("lucky", 0.0, "test"), ("earlier", 0.0, "validation")):
        window = span(market, part)
        variants = tried(root / "tries").count(settings(name), *window)
        evidence = market.evidence(skill=skill, part=part, portfolios=100, variants=variants)
        write_report(root / name / "backtest", evidence, background(name), tearsheet=False)
        tried(root / "tries").remember(settings(name), *window)
    shutil.copytree(root / "lucky", root / "damaged")
    (root / "damaged" / "backtest" / "metrics.json").write_text("{", encoding="utf-8")
    return {name: ExperimentFolder(root / name) for name in ("lucky", "skilled", "earlier", "never run", "damaged")}


LAST = ("Settings side by side", "Without a report")


def settings(name: str) -> dict[str, str]:
    return {"name": name, "decides": name}


def tried(folder: Path) -> Tries:
    return Tries(folder, what_decides)


def span(market: Example, part: str) -> tuple[str, str]:
    dates = market.scope.axes.dates[getattr(market.scope.split, part)]
    return str(dates[0]), str(dates[-1])


def compared(experiments: dict[str, ExperimentFolder], *names: str, tries: Path | None = None) -> Comparison:
    root = experiments["lucky"].root.parent
    return model_comparison({name: experiments[name] for name in names or experiments}, tried(tries or root / "tries"))


def test_models_and_baselines_are_ranked(experiments: dict[str, ExperimentFolder]) -> None:
    comparison = compared(experiments)
    table = comparison.table
    assert list(table.columns) == list(COLUMNS)
    assert table.iloc[0]["experiment"] == "skilled"
    assert table.iloc[0]["name"] == "model"
    assert table.iloc[0]["verdict"] == "better than random"
    assert table[EXCESS].is_monotonic_decreasing
    assert list(table["rank"]) == list(range(1, len(table) + 1))
    assert (table.loc[table["name"].str.startswith("equal weight"), EXCESS] == 0).all()
    models = table[table["kind"] == "model"].set_index("experiment")
    assert models.loc["lucky", "verdict"] == "not distinguishable from random"
    assert models["mae_of_zero"].notna().all()
    assert (models[f"{EXCESS}_low"] < models[EXCESS]).all()


def test_a_report_of_an_earlier_version_is_compared(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    copy = ExperimentFolder(tmp_path / "lucky")
    shutil.copytree(experiments["lucky"].root, copy.root)
    content = json.loads((copy.backtest / METRICS).read_text(encoding="utf-8"))
    content["standing"] = {key.replace("baseline", "rival"): value for key, value in content["standing"].items()}
    assert "rival_excess" in content["standing"]
    write_entered(copy.backtest / METRICS, json.dumps(content))
    compared_now = model_comparison({"lucky": copy}, tried(experiments["lucky"].root.parent / "tries"))
    assert compared_now.standings == compared(experiments, "lucky").standings


def test_verdict_and_luck_are_those_of_the_reports(experiments: dict[str, ExperimentFolder]) -> None:
    table = compared(experiments).table
    models = table[table["kind"] == "model"].set_index("experiment")
    assert models["variants"].to_dict() == {"skilled": 1, "lucky": 2, "earlier": 1}
    for name in models.index:
        content = json.loads((experiments[name].backtest / "metrics.json").read_text(encoding="utf-8"))
        assert models.loc[name, "verdict"] == content["in_short"]
        assert models.loc[name, "deflated_sharpe"] == content["standing"]["deflated"]
        figures = pd.DataFrame(content["figures"]).set_index(["name", "metric"])["value"]
        for each in ("total_return", EXCESS, "sharpe", "p_total_return"):
            assert models.loc[name, each] == figures["model", each]


def test_a_report_that_counted_too_few_variants_is_to_be_made_again(experiments: dict[str, ExperimentFolder]) -> None:
    comparison = compared(experiments)
    table = comparison.table[comparison.table["kind"] == "model"].set_index("experiment")
    assert table["variants_now"].to_dict() == {"skilled": 2, "lucky": 2, "earlier": 1}
    assert comparison.outdated["experiment"].tolist() == ["skilled"]
    said = sentences(comparison)
    assert said[0] == "None of 3 models is better than random scores at the 95% level without reservations."
    assert any("outdated: skilled (counted 1, by now 2). Materialize backtest_report again" in each for each in said)


def test_a_report_of_an_earlier_version_is_named_to_be_made_again(
    experiments: dict[str, ExperimentFolder], tmp_path: Path
) -> None:
    shutil.copytree(experiments["lucky"].root, tmp_path / "earlier")
    path = tmp_path / "earlier" / "backtest" / "metrics.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    write_entered(path, json.dumps({"mood" if key == "outcome" else key: value for key, value in content.items()}))
    comparison = model_comparison({"earlier": ExperimentFolder(tmp_path / "earlier")}, tried(tmp_path / "tries"))
    assert comparison.table.empty
    assert "is of an earlier version: materialize backtest_report again" in comparison.without_report["earlier"]


def test_a_verdict_that_counted_all_stands(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    tried(tmp_path).remember(settings("skilled"), *span(example(), "test"))
    said = sentences(compared(experiments, "skilled", "earlier", tries=tmp_path))
    assert said[0] == "Better than random scores at the 95% level, without reservations: skilled, of 2 models."
    assert not any("outdated" in each for each in said)


def test_the_best_baseline_is_named_as_in_the_report(experiments: dict[str, ExperimentFolder]) -> None:
    content = json.loads((experiments["skilled"].backtest / "metrics.json").read_text(encoding="utf-8"))
    assert content["verdict"][2] in sentences(compared(experiments))
    assert content["verdict"][2].endswith("than the best baseline, random scores.")


def test_missing_and_damaged_reports_are_named(experiments: dict[str, ExperimentFolder]) -> None:
    comparison = compared(experiments)
    assert set(comparison.without_report) == {"never run", "damaged"}
    assert "materialize" in comparison.without_report["never run"]
    assert "damaged" in comparison.without_report["damaged"]
    assert sentences(comparison)[-1] == "Without a report: damaged, never run."


def test_the_page_and_the_table_are_written(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    comparison = compared(experiments)
    write_comparison(tmp_path / "comparison.csv", tmp_path / "comparison.html", comparison)
    again = pd.read_csv(io.BytesIO((tmp_path / "comparison.csv").read_bytes()))
    assert list(again.columns) == list(COLUMNS)
    np.testing.assert_allclose(again[EXCESS], comparison.table[EXCESS])
    reader = read((tmp_path / "comparison.html").read_text(encoding="utf-8"))
    assert reader.headings == ["Comparison of experiments", "Models", "Everything, ranked", *LAST]
    text = " ".join(reader.text)
    assert "None of 3 models is better than random scores at the 95% level without reservations." in text
    assert "over the window" in text
    assert "different windows" in text
    assert "No setting differs." in text
    assert picture(comparison).startswith(b"\x89PNG")


def test_settings_that_differ_stand_side_by_side(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    changed = {
        "lucky": {"windows": {"label": "rank", "input": 20}, "seed": 1, "baselines": ["ridge"]},
        "skilled": {"windows": {"label": "rank", "input": 40}, "seed": 1, "baselines": ["ridge", "gru"], "new": None},
        "earlier": {},  # a report of a time before settings were kept
    }
    for name, values in changed.items():
        shutil.copytree(experiments[name].root, tmp_path / name)
        path = tmp_path / name / "backtest" / "metrics.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["settings"] = {"name": name, "overrides": [name], **values} if values else {}
        write_entered(path, json.dumps(content))
    comparison = model_comparison(
        {name: ExperimentFolder(tmp_path / name) for name in changed}, tried(tmp_path / "tries")
    )
    table = comparison.differing()
    assert list(table.columns) == ["lucky", "skilled"]
    assert table.index.tolist() == ["windows.input", "baselines", "new"]
    write_comparison(tmp_path / "comparison.csv", tmp_path / "comparison.html", comparison)
    text = " ".join(read((tmp_path / "comparison.html").read_text(encoding="utf-8")).text)
    assert 'windows.input 20 40 baselines ["ridge"] ["ridge", "gru"] new – null' in text
    assert "windows.label" not in text
    assert "their reports are of an earlier version: earlier." in text


def test_one_experiment_is_enough(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    comparison = compared(experiments, "lucky")
    assert sentences(comparison)[0] == "lucky: not distinguishable from random."
    write_comparison(tmp_path / "comparison.csv", tmp_path / "comparison.html", comparison)


def test_none_is_said_to_be_none(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    comparison = compared(experiments, "never run")
    assert sentences(comparison)[0] == "No experiment has a report yet."
    write_comparison(tmp_path / "comparison.csv", tmp_path / "comparison.html", comparison)
    read((tmp_path / "comparison.html").read_text(encoding="utf-8"))
    assert list(pd.read_csv(tmp_path / "comparison.csv").columns) == list(COLUMNS)

"""The comparison ranks what the reports left behind and says what is missing."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.comparison import COLUMNS, EXCESS, model_comparison, write_comparison
from niftyformer_assets.portfolio.comparison_page import picture, sentences
from niftyformer_assets.portfolio.metrics import deflated_sharpe, sharpe
from niftyformer_assets.portfolio.report import write_report
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.portfolio.report_example import background, example
from niftyformer_assets_tests.portfolio.test_report import read


@pytest.fixture(scope="module")
def experiments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExperimentFolder]:
    root = tmp_path_factory.mktemp("experiments")
    market = example()
    for name, skill, part in (("skilled", 1.0, "test"), ("lucky", 0.0, "test"), ("earlier", 0.0, "validation")):
        evidence = market.evidence(skill=skill, part=part, portfolios=100)
        write_report(root / name / "backtest", evidence, background(name), tearsheet=False)
    shutil.copytree(root / "lucky", root / "damaged")
    (root / "damaged" / "backtest" / "metrics.json").write_text("{", encoding="utf-8")
    return {name: ExperimentFolder(root / name) for name in ("lucky", "skilled", "earlier", "never run", "damaged")}


def test_models_and_baselines_are_ranked(experiments: dict[str, ExperimentFolder]) -> None:
    comparison = model_comparison(experiments)
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


def test_only_models_on_overlapping_sessions_count_as_tried(experiments: dict[str, ExperimentFolder]) -> None:
    table = model_comparison(experiments).table
    models = table[table["kind"] == "model"].set_index("experiment")
    assert models["variants"].to_dict() == {"skilled": 2, "lucky": 2, "earlier": 1}
    nav = {name: read_parquet(experiments[name].backtest / "nav.parquet")["nav"] for name in ("skilled", "lucky")}
    returns = {name: (values / values.shift() - 1).dropna().to_numpy() for name, values in nav.items()}
    tried = [float(sharpe(each, 0.06)) for each in returns.values()]
    expected = deflated_sharpe(returns["skilled"], 0.06, tried)
    assert models.loc["skilled", "deflated_sharpe"] == pytest.approx(expected)


def test_missing_and_damaged_reports_are_named(experiments: dict[str, ExperimentFolder]) -> None:
    comparison = model_comparison(experiments)
    assert set(comparison.without_report) == {"never run", "damaged"}
    assert "materialize" in comparison.without_report["never run"]
    assert "damaged" in comparison.without_report["damaged"]
    assert sentences(comparison)[-1] == "Without a report: damaged, never run."


def test_the_page_and_the_table_are_written(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    comparison = model_comparison(experiments)
    write_comparison(tmp_path / "comparison.csv", tmp_path / "comparison.html", comparison)
    again = pd.read_csv(io.BytesIO((tmp_path / "comparison.csv").read_bytes()))
    assert list(again.columns) == list(COLUMNS)
    np.testing.assert_allclose(again[EXCESS], comparison.table[EXCESS])
    reader = read((tmp_path / "comparison.html").read_text(encoding="utf-8"))
    assert reader.headings == ["Comparison of experiments", "Models", "Everything, ranked", "Without a report"]
    text = " ".join(reader.text)
    assert "Better than random scores beyond doubt: skilled, of 3 models." in text
    assert "different windows" in text
    assert picture(comparison).startswith(b"\x89PNG")


def test_one_experiment_is_enough(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    comparison = model_comparison({"lucky": experiments["lucky"]})
    assert sentences(comparison)[0] == "lucky: not distinguishable from random."
    write_comparison(tmp_path / "comparison.csv", tmp_path / "comparison.html", comparison)


def test_none_is_said_to_be_none(experiments: dict[str, ExperimentFolder], tmp_path: Path) -> None:
    comparison = model_comparison({"never run": experiments["never run"]})
    assert sentences(comparison)[0] == "No experiment has a report yet."
    write_comparison(tmp_path / "comparison.csv", tmp_path / "comparison.html", comparison)
    read((tmp_path / "comparison.html").read_text(encoding="utf-8"))
    assert list(pd.read_csv(tmp_path / "comparison.csv").columns) == list(COLUMNS)

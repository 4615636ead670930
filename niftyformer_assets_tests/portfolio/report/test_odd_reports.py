"""One report of another version among many is left out of the comparison and the log, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.comparison import model_comparison
from niftyformer_assets.portfolio.report.experiment_log import experiment_log
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.workspace import ExperimentFolder

FIGURE = {"name": "model", "kind": "model", "metric": "sharpe", "value": 1.0, "low": 0.5, "high": 1.5, "t": 2.0}
METRICS: dict[str, Any] = {"outcome": "none", "verdict": ["So so."], "figures": [FIGURE], "standing": {}}
ODD: list[dict[str, Any]] = [
    {**METRICS, "figures": None},
    {**METRICS, "figures": "x"},
    {**METRICS, "figures": [1]},
    {**METRICS, "figures": [{}]},
    {**METRICS, "figures": [{**FIGURE, "value": "high"}]},
    {**METRICS, "figures": [{**FIGURE, "value": []}]},
    {**METRICS, "verdict": None},
    {**METRICS, "verdict": []},
]


def written(folder: Path, metrics: dict[str, Any], settings: dict[str, Any]) -> ExperimentFolder:
    made = ExperimentFolder(folder)
    write_entered(made.backtest / "metrics.json", json.dumps(metrics))
    write_entered(made.settings, json.dumps(settings))
    return made


@pytest.mark.parametrize("metrics", ODD, ids=lambda metrics: json.dumps(metrics)[:60])
def test_a_report_of_another_version(tmp_path: Path, metrics: dict[str, Any]) -> None:
    folders = {"good": written(tmp_path / "good", METRICS, {}), "odd": written(tmp_path / "odd", metrics, {})}
    log, left_out = experiment_log(folders, {}, {})
    assert log["experiment"].tolist() == ["good"] and log["sharpe"].tolist() == [1.0]
    assert left_out.keys() == {"odd"} and str(tmp_path / "odd") in left_out["odd"]


@pytest.mark.parametrize("split", [None, "x", [1], {"train": 1}, {"train": [1]}], ids=str)
def test_settings_of_another_version(tmp_path: Path, split: object) -> None:
    folders = {"odd": written(tmp_path / "odd", METRICS, {"split": split})}
    log, left_out = experiment_log(folders, {}, {})
    assert not len(log) and "is of another version" in left_out["odd"]


@pytest.mark.parametrize(
    "metrics", [*ODD, METRICS, {**METRICS, "standing": None}, {**METRICS, "standing": [1]}], ids=str
)
def test_they_are_not_compared_and_told(tmp_path: Path, metrics: dict[str, Any]) -> None:
    """Those without a standing, and what else a report holds now, among them."""
    found = model_comparison(
        {"odd": written(tmp_path / "odd", metrics, {})}, Tries(tmp_path / "tries", lambda values: values)
    )
    assert not len(found.table) and "metrics.json is" in found.without_report["odd"]

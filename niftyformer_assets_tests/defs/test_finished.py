"""A run after one that was cut off: what is finished is kept, and nothing that would come out otherwise."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs.finished import finished_artifacts
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.provenance import read_provenance
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, Graph, tiny_settings

EXPERIMENT = phases(artifacts())["experiment"]

# What is made again where one of them is: itself, and all that is made from it.
AFTER = {
    "ic_summary": {"ic_summary", "neutralized_factors"},
    "neutralized_factors": {"neutralized_factors"},
    "flow": {"flow"},
    "trend_indicator": {"trend_indicator"},
    "corr_adj": {"corr_adj", "graph_embeddings"},
    "graph_embeddings": {"graph_embeddings"},
    "trained_model": set(),
    "predictions": {"predictions"},
    "baseline_predictions": {"baseline_predictions"},
    "backtest_report": set(),
}
BEYOND = {
    # Not the graph, which is one of returns here, nor the baselines where the graph is, which none of them sees.
    "neutralized_factors": {"baseline_predictions"},
    "flow": {"baseline_predictions"},
    "trend_indicator": {"baseline_predictions"},
}


def made_again(asset: str) -> set[str]:
    again = {asset, "backtest_report"} | AFTER[asset]
    for one in list(again):
        again |= BEYOND.get(one, set())
    if again - {"predictions", "baseline_predictions", "backtest_report"}:
        again |= {"trained_model", "predictions"}
    return again


@pytest.fixture
def graph(untouched: Graph) -> Graph:
    return untouched


@pytest.fixture
def copy(graph: Graph, tmp_path: Path) -> Settings:
    """The workspace of the one run of everything, in a folder of its own."""
    shutil.copytree(graph.settings.data, tmp_path / "data")
    return tiny_settings(tmp_path)


def again(graph: Graph, settings: Settings) -> set[str]:
    """What a run would make again."""
    experiment, folder = find_experiment(settings, "tiny"), settings.workspace.experiment("tiny")
    return set(EXPERIMENT) - finished_artifacts(graph.instance, experiment, folder, EXPERIMENT)


@pytest.mark.parametrize("asset", EXPERIMENT)
def test_what_was_not_finished_is_made_again_with_what_is_made_from_it(
    graph: Graph, copy: Settings, asset: str
) -> None:
    assert again(graph, copy) == set()
    (copy.workspace.experiment("tiny").provenance / f"{asset}.json").unlink()
    assert again(graph, copy) == made_again(asset)


@pytest.mark.parametrize(
    ("line", "by", "asset"),
    [
        ("ic_threshold: 0.05", "ic_threshold: 0.06", "ic_summary"),
        ("threshold: 0.2", "threshold: 0.3", "corr_adj"),
        ("max_epochs: 2", "max_epochs: 3", "trained_model"),
        ("random]", "random, momentum]", "baseline_predictions"),
        ("top_k: 3", "top_k: 4", "backtest_report"),
    ],
)
def test_what_a_setting_decides_on_is_made_again(graph: Graph, copy: Settings, line: str, by: str, asset: str) -> None:
    assert line in TINY_EXPERIMENT
    (copy.experiments / "tiny.yaml").write_text(TINY_EXPERIMENT.replace(line, by))
    assert again(graph, copy) == made_again(asset)


def test_other_inputs_files_code_or_variants_tried_are_noticed(graph: Graph, copy: Settings) -> None:
    folder = copy.workspace.experiment("tiny")
    tried = copy.workspace.tries / "another.json"
    tried.write_text("{}")
    assert again(graph, copy) == {"backtest_report"}
    tried.unlink()
    proxy = copy.workspace.size_proxy
    before = proxy.read_bytes()
    proxy.unlink()
    assert again(graph, copy) == made_again("ic_summary")
    proxy.write_bytes(before)
    assert again(graph, copy) == set()
    record = read_provenance(folder.provenance, "trend_indicator")
    assert record is not None
    # Another code that made it; and a record that Dagster was not told of, as after a kill between the two.
    dataclasses.replace(record, code="0" * 12).write(folder.provenance)
    assert again(graph, copy) == made_again("trend_indicator")
    record.write(folder.provenance)
    index = folder.root / "index.json"
    index.write_text(index.read_text().replace(json.loads(index.read_text())["files"]["flow.npz"]["sha256"], "0" * 64))
    assert "flow" in again(graph, copy)


def test_a_record_without_the_places_of_its_inputs_is_not_trusted(graph: Graph, copy: Settings) -> None:
    folder = copy.workspace.experiment("tiny")
    record = read_provenance(folder.provenance, "predictions")
    assert record is not None
    dataclasses.replace(record, made_from={}).write(folder.provenance)
    assert again(graph, copy) == made_again("predictions")


def test_what_dagster_was_not_told_of_is_made_again(graph: Graph, copy: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as other:
        assert again(dataclasses.replace(graph, instance=other), copy) == set(EXPERIMENT)

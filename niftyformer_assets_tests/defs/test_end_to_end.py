"""The whole graph on a tiny made-up market: what it leaves behind, and what it tells Dagster."""

from __future__ import annotations

import configparser
import json
import re
import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import torch

from niftyformer_assets.artifacts import artifacts
from niftyformer_assets.defs import build
from niftyformer_assets.defs.checks import _sound_factors
from niftyformer_assets.defs.resources import GpuResource
from niftyformer_assets.factors.panel_file import write_factor_panel
from niftyformer_assets.factors.panel_reading import read_factor_panel
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.market.panel import load_panel
from niftyformer_assets.model.checkpoint import read_checkpoint
from niftyformer_assets.store.provenance import read_provenance
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings

SYMBOLS = 14


@pytest.fixture(scope="module")
def folder(graph: Graph) -> ExperimentFolder:
    return graph.settings.workspace.experiment("tiny")


def latest(graph: Graph, key: dg.AssetKey) -> dg.AssetMaterialization:
    event = graph.instance.get_latest_materialization_event(key)
    assert event is not None, key
    assert event.asset_materialization is not None
    return event.asset_materialization


def test_every_asset_shows_rows_and_a_picture_or_table_and_has_a_data_version(graph: Graph) -> None:
    for key in graph.definitions.resolve_asset_graph().materializable_asset_keys:
        if artifacts()[key.to_user_string()].scope == "study":
            continue  # of which there is none here; see test_studies.py
        made = latest(graph, key)
        assert "dagster/row_count" in made.metadata, key
        texts = [str(value.value) for value in made.metadata.values() if isinstance(value, dg.MarkdownMetadataValue)]
        assert any("data:image/png;base64," in text or "| --- |" in text for text in texts), key
        assert (made.tags or {}).get("dagster/data_version"), key


def test_every_factor_panel_is_checked(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    text = (settings.experiments / "tiny.yaml").read_text()
    for name in ("alpha360", "own"):
        given = text.replace("factors: {", f"factors: {{factor_set: {name}, ")
        (settings.experiments / f"{name}.yaml").write_text(given)
    graph = build(settings).resolve_asset_graph()
    checked = {key.asset_key.to_user_string() for key in graph.asset_check_keys if key.name == "sound_factors"}
    assert checked == {"alpha158_panel", "alpha360_panel", "own_panel"}


def test_factors_that_are_infinite_implausible_constant_or_missing_are_found(graph: Graph, tmp_path: Path) -> None:
    shutil.copytree(graph.settings.data, tmp_path / "data")
    settings = graph.settings.model_copy(update={"data": tmp_path / "data"})
    sound = _sound_factors("alpha158")(settings=settings)
    path, chosen = settings.workspace.factor_panel("alpha158"), FACTOR_SETS["alpha158"]
    panel = load_panel(settings.workspace.market_panel)
    factors = dict(zip(chosen.names, read_factor_panel(path, panel.axes, chosen.names), strict=True))
    factors["KMID"][70, 0], factors["MA5"][:], factors["STD5"][:] = np.inf, 1.0, np.nan
    factors["VMA5"][70, 0] = 1e18
    write_factor_panel(path, np.stack(list(factors.values())), chosen, panel)
    found = _sound_factors("alpha158")(settings=settings)
    assert not found.passed and found.severity is dg.AssetCheckSeverity.ERROR
    planted_kinds = (("KMID", "infinite"), ("VMA5", "implausible"), ("MA5", "constant"), ("STD5", "often missing"))
    for planted, kind in planted_kinds:
        assert f"| {planted} |" in str(found.metadata[kind].value)
        assert f"| {planted} |" not in str(sound.metadata[kind].value)


def test_each_artifact_of_an_experiment_has_its_provenance(graph: Graph, folder: ExperimentFolder) -> None:
    made = {path.stem for path in folder.provenance.glob("*.json")}
    assert len(made) == 10
    for asset in made:
        record = read_provenance(folder.provenance, asset)
        assert record is not None
        assert record.fingerprint == (latest(graph, dg.AssetKey(asset)).tags or {})["dagster/data_version"]


def test_the_folder_is_read_as_the_published_code_reads_it(
    folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.root)
    conf = configparser.ConfigParser()
    conf.read(folder.stockformer_conf)
    returns = np.load(conf["file"]["traffic"])["result"]
    trend = np.load(conf["file"]["indicator"])["result"]
    factors = [pd.read_csv(path, index_col=0).to_numpy() for path in Path(conf["file"]["alpha_360_folder"]).iterdir()]
    sessions, symbols = returns.shape
    assert trend.shape == (sessions, symbols)
    assert {factor.shape for factor in factors} == {(sessions, symbols)}
    assert np.load(conf["file"]["adj"]).shape == (symbols, symbols)
    assert np.load(conf["file"]["adjgat"]).shape == (symbols, 8)
    assert np.isfinite(returns).all()
    assert all(np.isfinite(factor).all() for factor in factors)
    shares = [float(conf["data"][name]) for name in ("train_ratio", "val_ratio", "test_ratio")]
    assert sum(shares) == pytest.approx(1, abs=0.01)


def test_the_report_and_the_comparison_are_there(graph: Graph, folder: ExperimentFolder) -> None:
    metrics = json.loads((folder.backtest / "metrics.json").read_text())
    report = (folder.backtest / "report.html").read_text()
    assert metrics["verdict"][0] in report
    assert "http://" not in report.replace("http://www.w3.org", "")
    comparison = pd.read_csv(graph.settings.workspace.comparison_csv)
    assert {"model", "ridge", "reversal"} <= set(comparison["name"])


def test_the_same_inputs_give_the_same_bytes(graph: Graph) -> None:
    workspace = graph.settings.workspace
    paths = [workspace.market_panel, workspace.returns, workspace.size_proxy, workspace.factor_panel("alpha158")]
    before = {path: path.read_bytes() for path in paths}
    assert graph.run("panels").success
    for path, content in before.items():
        assert path.read_bytes() == content, path.name


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_training_without_a_gpu_is_refused_in_one_line(graph: Graph, folder: ExperimentFolder) -> None:
    weights = (folder.model / "best.pt").read_bytes()
    definitions = build(graph.settings, {"gpu": GpuResource(cpu_allowed=False)})
    result = definitions.resolve_job_def("experiment").execute_in_process(
        instance=graph.instance,
        partition_key="tiny",
        asset_selection=[dg.AssetKey("trained_model")],
        raise_on_error=False,
    )
    assert not result.success
    assert "no GPU to train on" in failure_of(result)
    assert "NIFTYFORMER_CPU_ALLOWED=true" in failure_of(result)
    assert (folder.model / "best.pt").read_bytes() == weights


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
def test_a_damaged_model_is_trained_again(graph: Graph, folder: ExperimentFolder, name: str) -> None:
    path = folder.model / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    result = (
        build(graph.settings)
        .resolve_job_def("experiment")
        .execute_in_process(
            instance=graph.instance, partition_key="tiny", asset_selection=[dg.AssetKey("trained_model")]
        )
    )
    assert result.success
    assert path.read_bytes() != content[: len(content) // 2]
    assert len(read_checkpoint(path)) > 1


# An artifact, an edit of the experiment's file, and what is said when only that artifact is made again.
EDITS = [
    ("trained_model", " threshold: 0.2", " threshold: 0.1", r"corr_adj of tiny .* graph\.threshold 0\.2 "),
    ("trained_model", "ic_threshold: 0.05", "ic_threshold: 0.04", r"neutralized_factors .* factors\.ic_threshold"),
    ("neutralized_factors", "ic_threshold: 0.05", "ic_threshold: 0.04", r"ic_summary of tiny .* 0\.05 .* has 0\.04"),
    ("graph_embeddings", "min_overlap: 20", "min_overlap: 30", r"corr_adj of tiny .* graph\.min_overlap 20 "),
    (
        "predictions",
        "max_epochs: 2",
        "max_epochs: 9",
        r"training\.max_epochs was 2 and is 9\. Materialize trained_model",
    ),
    # Else all before the dataset's validation would count as training, its test sessions too.
    (
        "baseline_predictions",
        "start: 2022-01-01",
        "start: 2022-03-01",
        r"flow of tiny .* sessions\.train\.start 2022-01",
    ),
    ("backtest_report", "label: rank", "label: return", r"predictions of tiny was made with windows\.label rank "),
    ("backtest_report", "layers: 1", "layers: 2", r"predictions of tiny was made with model\.layers 1 "),
    ("backtest_report", "start: 2022-11-16", "start: 2022-11-20", r"predictions of tiny .* sessions\.test\.start"),
    ("backtest_report", "[ridge, ", "[", r"baseline_predictions of tiny was made with baselines\.names"),
]


# Refused as the experiment opens, whatever is to be made.
UNFILLABLE = [
    (
        "ic_summary",
        "top_k: 3",
        "top_k: 15",
        r"experiment tiny: strategy\.top_k is 15, but the universe has 1[34] stocks",
    ),
    ("backtest_report", "top_k: 3", "top_k: 3, capital: 5", r"experiment tiny: strategy\.capital of ₹5\.00 .* or more"),
]


@pytest.mark.parametrize(("asset", "before", "now", "said"), [*EDITS, *UNFILLABLE])
def test_settings_that_do_not_fit_are_refused_by_name(
    graph: Graph, asset: str, before: str, now: str, said: str
) -> None:
    path = graph.settings.experiments / "tiny.yaml"
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, now))
    try:
        result = (
            build(graph.settings)
            .resolve_job_def("experiment")
            .execute_in_process(
                instance=graph.instance,
                partition_key="tiny",
                asset_selection=[dg.AssetKey(asset)],
                raise_on_error=False,
            )
        )
        assert not result.success
        assert re.search(said, failure_of(result))
    finally:
        path.write_text(text)


def test_a_baseline_is_the_model_that_is_traded(graph: Graph, folder: ExperimentFolder, tmp_path: Path) -> None:
    path = graph.settings.experiments / "tiny.yaml"
    text = path.read_text()
    tries = graph.settings.workspace.tries
    for kept in (folder.root, tries):
        shutil.copytree(kept, tmp_path / kept.name)

    def make(*assets: str) -> dg.ExecuteInProcessResult:
        # A baseline asks for no GPU.
        job = build(graph.settings, {"gpu": GpuResource(cpu_allowed=False)}).resolve_job_def("experiment")
        return job.execute_in_process(
            instance=graph.instance,
            partition_key="tiny",
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            raise_on_error=False,
        )

    try:
        path.write_text(text.replace("model: {", "model: {name: ridge, "))
        refused = make("predictions")
        assert "model.name of the experiment is ridge" in failure_of(refused)
        assert make("trained_model", "predictions", "baseline_predictions", "backtest_report").success
        card = json.loads((folder.model / "model.json").read_text())
        assert card["settings"]["baselines"] == {"ridge_penalty": 1000.0, "ridge_penalty_per_row": None}
        assert not (folder.model / "best.pt").exists() and (folder.model / "learned.npz").exists()
        rivals = pd.read_parquet(folder.baseline_predictions)
        assert "ridge" not in set(rivals["baseline"]) and "reversal" in set(rivals["baseline"])
        before = pd.read_parquet(tmp_path / folder.root.name / "baseline_predictions.parquet")
        as_rival = before[before["baseline"] == "ridge"].drop(columns="baseline").reset_index(drop=True)
        pd.testing.assert_frame_equal(pd.read_parquet(folder.predictions), as_rival, check_exact=True)
        record = read_provenance(folder.provenance, "trained_model")
        assert record is not None and "training" not in record.settings
        assert set(record.inputs) == {"flow.npz", "trend_indicator.npz", "neutralized_factors.npz"}
        # Settings of models that are not chosen do not decide, its own do.
        path.write_text(path.read_text().replace("max_epochs: 2", "max_epochs: 9").replace("layers: 1", "layers: 2"))
        assert make("predictions").success
        path.write_text(path.read_text().replace("baselines:\n", "baselines:\n  ridge_penalty: 5\n"))
        assert "baselines.ridge_penalty was 1000.0 and is 5" in failure_of(make("predictions"))
    finally:
        path.write_text(text)
        for kept in (folder.root, tries):
            shutil.rmtree(kept)
            shutil.copytree(tmp_path / kept.name, kept)


def test_a_report_counts_every_variant_ever_reported_on_its_sessions(graph: Graph, folder: ExperimentFolder) -> None:
    path = graph.settings.experiments / "tiny.yaml"
    made = [*folder.backtest.iterdir(), folder.provenance / "backtest_report.json"]
    text, backtest = path.read_text(), {file: file.read_bytes() for file in made if file.is_file()}
    tried = []
    try:
        for top_k in (4, 3):
            path.write_text(text.replace("top_k: 3", f"top_k: {top_k}"))
            job = build(graph.settings).resolve_job_def("experiment")
            result = job.execute_in_process(
                instance=graph.instance, partition_key="tiny", asset_selection=[dg.AssetKey("backtest_report")]
            )
            assert result.success
            tried.append(json.loads((folder.backtest / "metrics.json").read_text())["standing"]["variants"])
    finally:
        path.write_text(text)
        for file, content in backtest.items():
            file.write_bytes(content)
    assert tried == [2, 2]
    assert len(list(graph.settings.workspace.tries.glob("*.json"))) == 2


def test_the_log_says_what_each_experiment_was_and_took(graph: Graph) -> None:
    log = pd.read_csv(graph.settings.workspace.experiment_log_csv, keep_default_na=False)
    (row,) = log.to_dict("records")
    assert (row["experiment"], row["study"], row["model"], row["taken_over"]) == ("tiny", "", "stockformer", 0)
    assert "training.max_epochs=2" in row["differs"] and "sessions.train" not in row["differs"]
    assert float(row["seconds"]) > 0 and row["device"] and row["train"].startswith("2022-") and row["verdict"]
    assert "tiny" in graph.settings.workspace.experiment_log_html.read_text()

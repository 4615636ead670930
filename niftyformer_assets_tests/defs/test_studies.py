"""A study through Dagster: windows made, joined, judged, and what is missing is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.run_study import run_study
from niftyformer_assets.experiments.contenders import contenders_of
from niftyformer_assets.experiments.files import begin, experiments_of, find_study
from niftyformer_assets.model.predictions import by_model, read_predictions
from niftyformer_assets.store.arrays import load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import read_provenance
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings

STUDY = """\
experiment: tiny
set: {baselines.names: [ridge, momentum, random], training.max_epochs: 1}
walk_forward: {first_test: 2022-09-01, train_months: 5, validation_months: 1, test_months: 1, windows: all}
ensembles:
  both: {models: [model, ridge]}
"""

LAST_WINDOW = "first_test: 2022-11-01, train_months: 5, validation_months: 1, test_months: 1"

FAILING = """\
experiment: tiny
set: {baselines.names: [ridge, random], training.max_epochs: 1}
grid: {factors.ic_threshold: [0.0, 0.99]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A workspace whose study has two windows made and one that is not."""
    settings = tiny_settings(tmp_path_factory.mktemp("study"), until=date(2022, 12, 2))
    settings.studies.mkdir()
    (settings.studies / "wf.yaml").write_text(STUDY)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Graph(settings, build(settings), instance)
        assert not find_study(settings, "wf").planned, "there are no candles yet"
        for job in ("reference", "candles", "panels"):
            result = made.run(job)
            assert result.success, failure_of(result)
        begin(settings, find_study(settings, "wf"))
        assert list(find_study(settings, "wf").experiments) == ["wf.2022-09", "wf.2022-10", "wf.2022-11"]
        made = Graph(settings, build(settings), instance)
        for window in ("wf.2022-09", "wf.2022-10"):
            result = made.run("experiment", window)
            assert result.success, failure_of(result)
        result = made.run("study", "wf")
        assert result.success, failure_of(result)
        yield made


def test_the_windows_are_joined_as_their_predictions_say(made: Graph) -> None:
    workspace = made.settings.workspace
    table = read_parquet(workspace.study("wf").predictions)
    assert set(table["series"]) == {"model", "ridge", "momentum", "random", "both"}
    assert set(table["window"]) == {"2022-09", "2022-10"}
    assert (table["date_made"].dt.strftime("%Y-%m") == table["window"]).all(), "each makes the scores of its own test"
    for window in ("2022-09", "2022-10"):
        folder = workspace.experiment(f"wf.{window}")
        for name, frame in [
            ("model", read_predictions(folder.predictions)),
            *by_model(read_predictions(folder.baseline_predictions)),
        ]:
            made_then = frame[(frame["horizon"] == 2) & (frame["date_made"].dt.strftime("%Y-%m") == window)]
            column = "score" if "score" in frame else "return"
            expected = made_then.set_index(["date_made", "symbol"])[column].sort_index()
            joined = table[(table["series"] == name) & (table["window"] == window)].dropna(subset=["score"])
            found = joined.set_index(["date_made", "symbol"])["score"].sort_index()
            assert found.index.equals(expected.index) and np.array_equal(found, expected), (name, window)


def test_the_report_speaks_of_all_windows_and_names_the_missing_one(made: Graph) -> None:
    folder = made.settings.workspace.study("wf").report
    content = json.loads((folder / "study.json").read_text())
    assert "wf.2022-11" in json.dumps(content)
    page = (folder / "study.html").read_text()
    assert "wf.2022-11" in page and "both" in page
    nav = read_parquet(folder / "nav.parquet")
    _, axes = load_arrays(made.settings.workspace.market_panel)
    sessions = axes.dates[(axes.dates >= np.datetime64("2022-09-01")) & (axes.dates <= np.datetime64("2022-10-31"))]
    of_model = nav[nav["name"] == "both"]
    assert np.array_equal(of_model["session"].to_numpy().astype("datetime64[D]"), sessions)


def test_both_assets_show_rows_and_a_picture_or_table_and_have_a_data_version(made: Graph) -> None:
    for name in ("study_predictions", "study_report"):
        event = made.instance.get_latest_materialization_event(dg.AssetKey(name))
        assert event is not None and event.asset_materialization is not None
        said = event.asset_materialization
        assert "dagster/row_count" in said.metadata and (said.tags or {}).get("dagster/data_version")
        texts = [str(value.value) for value in said.metadata.values() if isinstance(value, dg.MarkdownMetadataValue)]
        assert any("data:image/png;base64," in text or "| --- |" in text for text in texts), name


def test_scores_of_another_setting_are_refused_by_the_report(made: Graph) -> None:
    path = made.settings.studies / "wf.yaml"
    path.write_text(STUDY.replace("model, ridge", "ridge, momentum"))
    try:
        result = made.definitions.resolve_job_def("study").execute_in_process(
            instance=made.instance,
            partition_key="wf",
            asset_selection=[dg.AssetKey("study_report")],
            raise_on_error=False,
        )
    finally:
        path.write_text(STUDY)
    assert not result.success
    assert (
        "study_predictions of wf was made with study.ensembles.both.models ['model', 'ridge'] (the study has "
        "['ridge', 'momentum']): materialize it again"
    ) in failure_of(result)


def test_a_window_that_was_made_otherwise_is_left_out_by_name(made: Graph) -> None:
    settings = made.settings
    folder = settings.workspace.experiment("wf.2022-10")
    record = read_provenance(folder.provenance, "predictions")
    assert record is not None
    try:
        replace(record, settings={**record.settings, "seed": 7}).write(folder.provenance)
        result = made.run("study", "wf")
        assert result.success, failure_of(result)
        assert set(read_parquet(settings.workspace.study("wf").predictions)["window"]) == {"2022-09"}
        content = json.loads((settings.workspace.study("wf").report / "study.json").read_text())
        assert content["missing"] == ["wf.2022-10", "wf.2022-11"]
    finally:
        record.write(folder.provenance)
        assert made.run("study", "wf").success


def test_a_point_whose_first_seed_is_missing_has_its_baselines_beside_another_seed(made: Graph) -> None:
    study = find_study(made.settings, "wf")
    study = replace(study, settings=study.settings.model_copy(update={"seeds": 2}))
    planned = [replace(each, seed=2) for each in study.planned[:2]]
    contenders = contenders_of(study, made.settings.workspace, planned)
    assert [(each.name, each.kind) for each in contenders] == [
        ("model, seed 2", "seed"),
        *((name, "baseline") for name in ("ridge", "momentum", "random")),
        ("both", "ensemble"),
    ]
    assert all(each.scores.names == ("2022-09", "2022-10") for each in contenders)


def test_lineage_says_which_experiments_a_study_is_made_of(made: Graph) -> None:
    graph = made.definitions.resolve_asset_graph()
    node = graph.get(dg.AssetKey("study_predictions"))
    mapping = node.partition_mappings[dg.AssetKey("predictions")]
    above = graph.get(dg.AssetKey("predictions")).partitions_def
    assert above is not None and node.partitions_def is not None
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        node.partitions_def.subset_with_partition_keys(["wf"]), node.partitions_def, above
    )
    assert set(found.partitions_subset.get_partition_keys()) == {"wf.2022-09", "wf.2022-10", "wf.2022-11"}


def test_a_study_without_predictions_says_what_to_do(made: Graph) -> None:
    settings = made.settings
    (settings.studies / "none.yaml").write_text(f"experiment: tiny\nseeds: 2\nwalk_forward: {{{LAST_WINDOW}}}\n")
    try:
        assert "none" not in experiments_of(settings), "whoever makes everything does not mean a study"
        result = Graph(settings, build(settings), made.instance).run("study", "none")
        assert {"none.2022-11", "none.2022-11.seed2"} <= experiments_of(settings).keys()
    finally:
        (settings.studies / "none.yaml").unlink()
    assert not result.success
    said = failure_of(result)
    assert "no experiment of study none has predictions: run niftyformer study none, or backfill its 2 exp" in said


def test_a_study_past_the_candles_is_refused_in_the_ui_too(made: Graph) -> None:
    settings = made.settings
    path = settings.studies / "late.yaml"
    path.write_text(f"experiment: tiny\nwalk_forward: {{{LAST_WINDOW}, windows: 2}}\n")
    said = "late.2022-12 trains from 2022-06-01 and is tested from 2022-12-01 to 2022-12-31, and candles reach from"
    try:
        assert said in failure_of(Graph(settings, build(settings), made.instance).run("study", "late"))
        assert "late.2022-11" not in experiments_of(settings)
        # Nor does one whose file was changed when it had begun go on.
        begin(settings, find_study(settings, "late"))
        assert said in failure_of(Graph(settings, build(settings), made.instance).run("experiment", "late.2022-11"))
        assert not settings.workspace.experiment("late.2022-11").root.exists()
    finally:
        path.unlink()


def test_a_study_from_the_terminal_goes_on_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = tiny_settings(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    settings.studies.mkdir()
    (settings.studies / "strict.yaml").write_text(FAILING)
    with pytest.raises(NiftyFormerError, match=r"1 experiment of 2 failed, strict\.0\.99 with: ic_summary: no factor"):
        run_study(settings, "strict")
    said = capfd.readouterr().out
    assert "[1/2] strict.0.0" in said and "[2/2] strict.0.99: failed: ic_summary" in said
    content = json.loads((settings.workspace.study("strict").report / "study.json").read_text())
    assert content["missing"] == ["strict.0.99"]
    # Again: what is finished is kept, whole.
    (settings.studies / "strict.yaml").write_text(FAILING.replace("0.99", "0.001"))
    run_study(settings, "strict", parallel=2)
    said = capfd.readouterr().out
    assert "strict.0.0: was finished" in said and "strict.0.001" in said
    content = json.loads((settings.workspace.study("strict").report / "study.json").read_text())
    assert content["missing"] == [] and content["verdict"][0] in said


def test_a_study_past_the_candles_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_settings(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    settings.studies.mkdir()
    windows = "first_test: 2022-03-01, train_months: 6, validation_months: 1, test_months: 1, windows: 2"
    (settings.studies / "early.yaml").write_text(f"experiment: tiny\nwalk_forward: {{{windows}}}\n")
    with pytest.raises(
        NiftyFormerError, match=r"early\.2022-03 trains from 2021-08-01 .* candles reach from 2021-11-01"
    ):
        run_study(settings, "early")
    assert not settings.workspace.experiment("early.2022-03").root.exists()

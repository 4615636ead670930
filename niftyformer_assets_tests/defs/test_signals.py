"""The daily signal as an asset: the backtest day by day, refused where something is wrong, asked for by new panels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.artifacts import phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.automation.sensors import request_signal
from niftyformer_assets.defs.partitions import read_partitions
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.experiments.opened import OpenedExperiment, open_experiment
from niftyformer_assets.experiments.signal import decide_now, look
from niftyformer_assets.market.scope import scope
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.model.checkpoint import ModelFolder, read_card
from niftyformer_assets.model.predictions import read_predictions
from niftyformer_assets.portfolio.signals.decision import COLUMNS
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import Axes, load_arrays, save_arrays
from niftyformer_assets.store.index import entered_digests
from niftyformer_assets.store.provenance import must_have_record
from niftyformer_assets.store.tables import read_notes, read_parquet, write_parquet
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings


def as_if_given(workspace: Workspace) -> None:
    """Record the signals that are there as those that daily_signals gave."""
    record = must_have_record(workspace.provenance, "daily_signals")
    replace(record, outputs=entered_digests([workspace.signals], workspace.root)).write(workspace.provenance)


def opened_until(opened: OpenedExperiment, stop: int) -> OpenedExperiment:
    """As it was at the close of the experiment's session `stop` - 1."""
    rows = opened.scope.rows.start + stop
    axes = Axes(opened.panel_axes.dates[:rows], opened.panel_axes.symbols)
    panel = {name: array[:rows] for name, array in opened.panel.items()}
    of = opened.experiment
    part = scope(panel["close"], axes, load_universe(opened.workspace.universe), of.sessions, of.universe)
    return OpenedExperiment(of, opened.workspace, opened.folder, panel, axes, part)


def test_day_by_day_it_gives_the_backtests_orders(graph: Graph) -> None:
    """Of the report that the graph wrote: holdings after each session, and who was bought and sold in the next."""
    opened = open_experiment(graph.settings.workspace, find_experiment(graph.settings, "tiny"))
    predictions = read_predictions(opened.folder.predictions)
    holdings = read_parquet(opened.folder.backtest / "holdings.parquet")
    orders = read_parquet(opened.folder.backtest / "trades.parquet")
    test, dates, compared = opened.scope.split.test, opened.axes.dates, 0
    for stop in range(test.start + 1, test.stop):
        so_far = predictions[pd.to_datetime(predictions["date_made"]) <= pd.Timestamp(dates[stop - 1])]
        decision = decide_now(opened_until(opened, stop), so_far)
        assert (decision.session, decision.trades_on) == (dates[stop - 1], dates[stop])
        there = holdings[pd.to_datetime(holdings["session"]) == pd.Timestamp(dates[stop - 1])]
        held = {name: shares for name, shares in zip(there["symbol"], there["shares"], strict=True) if shares}
        of = decision.table.set_index("symbol")["held"]
        assert of[of > 0].to_dict() == held
        ahead = orders[pd.to_datetime(orders["session"]) == pd.Timestamp(dates[stop])]
        # Who is weighed anew, and by how much, hangs on prices that nobody knows yet.
        changes, said = (
            {*zip(of["symbol"], of["side"], of["reason"], strict=True)}
            for of in (
                each[(each["reason"] != "rebalance") & (each["shares"] > 0)] for each in (ahead, decision.orders)
            )
        )
        assert said == changes
        compared += len(changes)
    assert compared > 5


def test_what_is_written(graph: Graph) -> None:
    workspace = graph.settings.workspace
    (path,) = workspace.signals.glob("*.parquet")
    assert path == workspace.signal("2023-01-20")
    table, made_of = read_parquet(path), json.loads(read_notes(path)["made_of"])
    assert tuple(table.columns) == COLUMNS and len(table) == 14
    assert (made_of["experiment"], made_of["trades_on"]) == ("tiny", "2023-01-23")
    assert made_of["trained"]["train"] == "2022-01-03 to 2022-09-30" and len(made_of["looked_at"]) == 6


@pytest.fixture
def settings(graph: Graph, tmp_path: Path) -> Settings:
    """A copy of everything that was made, to spoil."""
    shutil.copytree(graph.settings.data, tmp_path / "data")
    return graph.settings.model_copy(update={"data": tmp_path / "data"})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def signal(settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """The asset alone, as somebody materializes it."""
    job = build(settings).resolve_job_def("signal")
    return job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("daily_signals")], raise_on_error=False
    )


def no_candle(settings: Settings, symbols: Sequence[int]) -> None:
    path = settings.workspace.market_panel
    panel, axes = load_arrays(path)
    for name in ("open", "high", "low", "close", "volume"):
        panel[name][-1, list(symbols)] = np.nan
    save_arrays(path, panel, axes, dict.fromkeys(panel, "TN"))


def test_without_its_checks_there_is_no_signal_and_yesterdays_stays(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    path = settings.workspace.signal("2023-01-20")
    before = path.read_bytes()
    result = signal(settings.model_copy(update={"signal_max_age_days": 111}), instance)
    said = failure_of(result)
    assert said.startswith("no signal for 2023-01-20: the model learned from sessions up to 2022-09-30, 112 days")
    assert "\n" not in said
    assert [*settings.workspace.signals.glob("*.parquet")] == [path] and path.read_bytes() == before
    assert signal(settings.model_copy(update={"signal_max_age_days": 112}), instance).success


def test_predictions_of_older_candles_of_the_same_session_give_no_signal(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    no_candle(settings, [0])
    said = failure_of(signal(settings, instance))
    assert said.startswith("no signal: neutralized_factors was made from another") and "market_panel.npz" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "set NIFTYFORMER_SIGNAL_EXPERIMENT to its name"),
        ("absent", "there is no experiment 'absent'"),
        ("fresh", "fresh has no predictions with a record of its making"),
    ],
)
def test_an_experiment_that_cannot_give_one_is_named(
    given: str | None, said: str, settings: Settings, instance: dg.DagsterInstance
) -> None:
    text = (settings.experiments / "tiny.yaml").read_text()
    fresh = settings.experiments / "fresh.yaml"
    fresh.write_text(text)
    try:
        told = failure_of(signal(settings.model_copy(update={"signal_experiment": given}), instance))
    finally:
        fresh.unlink()
    assert said in told and "\n" not in told


def test_each_look_sees_what_the_artifacts_hold(settings: Settings) -> None:
    """The newest session's candles, the card's symbols, the factors and the predictions, each spoilt in its file."""
    workspace = settings.workspace

    card = read_card(ModelFolder(workspace.experiment("tiny").model).card)

    def failing(**other: object) -> list[int]:
        opened = open_experiment(workspace, find_experiment(settings, "tiny"))
        predictions = read_predictions(opened.folder.predictions)
        found = look(opened, predictions, {**card, **other}, 366)
        return [place for place, finding in enumerate(found) if not finding.passed]

    assert failing() == []
    assert failing(symbols=["OTHER"]) == [1]
    folder = workspace.experiment("tiny")
    embedding, axes = load_arrays(folder.graph_embeddings)
    changed = {name: array * 1.001 for name, array in embedding.items()}
    save_arrays(folder.graph_embeddings, changed, axes, dict.fromkeys(changed, "ND"))
    assert failing() == [2]
    save_arrays(folder.graph_embeddings, embedding, axes, dict.fromkeys(changed, "ND"))
    factors, axes = load_arrays(folder.neutralized_factors)
    factors["result"][-1] *= 100
    dims = {"result": "TNF", "valid": "TNF", "names": "F"}
    save_arrays(folder.neutralized_factors, factors, axes, dims)
    assert failing() == [3]
    predictions = read_predictions(folder.predictions)
    column = "score" if "score" in predictions else "return"
    newest = predictions["date_made"] == predictions["date_made"].max()
    write_parquet(folder.predictions, predictions.assign(**{column: predictions[column].where(~newest, 0.5)}))
    assert failing() == [3, 5]
    write_parquet(folder.predictions, predictions[~newest])
    assert failing() == [3, 5]
    no_candle(settings, [0, 1, 2])
    assert failing() == [0, 3, 5]


def test_the_signal_before_is_compared_with_and_a_damaged_one_is_passed_over(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    workspace = settings.workspace
    table = read_parquet(workspace.signal("2023-01-20"))
    write_parquet(workspace.signal("2023-01-18"), table.assign(target_weight=0.125, rank=3))
    write_parquet(workspace.signal("2023-01-19"), table)
    workspace.signal("2023-01-19").write_bytes(b"PAR1")
    assert signal(settings, instance).success
    now = read_parquet(workspace.signal("2023-01-20"))
    assert set(now["weight_before"]) == {0.125} and set(now["rank_before"]) == {3}
    event = instance.get_latest_materialization_event(dg.AssetKey("daily_signals"))
    assert event is not None and event.asset_materialization is not None
    assert "2023-01-19.parquet" in str(event.asset_materialization.metadata["warnings"].value)
    assert "Against the signal of 2023-01-18" in str(event.asset_materialization.metadata["in_words"].value)


def test_new_panels_ask_for_one_run_each_and_not_before_all_are_made(graph: Graph) -> None:
    partitions = read_partitions(graph.settings)
    request = request_signal(graph.instance, partitions)
    assert isinstance(request, dg.RunRequest) and request.partition_key == "tiny"
    assert request == request_signal(graph.instance, partitions)
    panels = phases(partitions.artifacts)["panels"]
    with dg.DagsterInstance.ephemeral() as instance:

        def made(name: str, version: str, **of: str) -> None:
            inputs = {f"dagster/input_data_version/{above}": each for above, each in of.items()}
            tags = {"dagster/data_version": version, **inputs}
            instance.report_runless_asset_event(dg.AssetMaterialization(name, tags=tags))

        def asked() -> str:
            found = request_signal(instance, partitions)
            return found.run_key or "" if isinstance(found, dg.RunRequest) else f"not: {found.skip_message}"

        assert asked().startswith("not: ")
        for name in panels:
            made(name, "1", data_quality_report="1", market_panel="1", returns="1")
        first = asked()
        assert first.startswith("tiny-")
        made("market_panel", "2", data_quality_report="1")
        assert "has not been made from the newest market_panel" in asked()
        for name in panels:
            if name not in ("market_panel", "data_quality_report"):
                assert asked().startswith("not: ")
                made(name, "2", data_quality_report="1", market_panel="2", returns="2")
        assert asked().startswith("tiny-") and asked() != first


def test_without_an_experiment_in_use_nothing_is_asked_for(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path, signal_experiment=None)
    assert read_partitions(settings).in_use == "tiny"  # the only one
    shutil.copy(settings.experiments / "tiny.yaml", settings.experiments / "other.yaml")
    found = request_signal(instance, read_partitions(settings))
    assert isinstance(found, dg.SkipReason) and "NIFTYFORMER_SIGNAL_EXPERIMENT" in str(found.skip_message)
    assert build(settings).resolve_job_def("signal")

"""The watch as an asset: of the signals that the model in use gave, beside its test sessions; it stops nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.experiments.opened import open_experiment
from niftyformer_assets.experiments.signal import decide_now
from niftyformer_assets.experiments.watch import signals_of
from niftyformer_assets.model.predictions import read_predictions
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_notes, read_parquet, write_parquet
from niftyformer_assets_tests.conftest import Graph, failure_of
from niftyformer_assets_tests.defs.test_signals import as_if_given, opened_until

WATCH = dg.AssetKey("model_watch")


@pytest.fixture
def settings(graph: Graph, tmp_path: Path) -> Settings:
    shutil.copytree(graph.settings.data, tmp_path / "data")
    return graph.settings.model_copy(update={"data": tmp_path / "data"})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def watch(settings: Settings, instance: dg.DagsterInstance) -> tuple[dict[str, object], dg.AssetCheckEvaluation]:
    job = build(settings).resolve_job_def("signal")
    result = job.execute_in_process(instance=instance, asset_selection=[WATCH], raise_on_error=False)
    assert result.success, failure_of(result)
    event = instance.get_latest_materialization_event(WATCH)
    assert event is not None and event.asset_materialization is not None
    (checked,) = result.get_asset_check_evaluations()
    return {name: of.value for name, of in event.asset_materialization.metadata.items()}, checked


def give_signals(settings: Settings) -> list[str]:
    """Those of all sessions after the test, as they would have been given day by day."""
    opened = open_experiment(settings.workspace, find_experiment(settings, "tiny"))
    predictions = read_predictions(opened.folder.predictions)
    dates, days = opened.axes.dates, []
    for stop in range(opened.scope.split.test.stop + 1, len(dates) + 1):
        so_far = predictions[pd.to_datetime(predictions["date_made"]) <= pd.Timestamp(dates[stop - 1])]
        decision = decide_now(opened_until(opened, stop), so_far)
        made_of = {"experiment": "tiny", "model_fingerprint": "m1"}
        write_parquet(
            settings.workspace.signal(days_ := str(decision.session)), decision.table, {"made_of": json.dumps(made_of)}
        )
        days.append(days_)
    as_if_given(settings.workspace)
    return days


def test_the_graphs_first_signal_is_not_judged_yet(graph: Graph) -> None:
    event = graph.instance.get_latest_materialization_event(WATCH)
    assert event is not None and event.asset_materialization is not None
    told = event.asset_materialization.metadata
    assert told["signals"].value == 1 and "rank IC is not judged yet" in str(told["in_words"].value)
    assert told["sessions_since_training"].value == 77
    drifted = read_parquet(graph.settings.workspace.model_drift)
    assert len(drifted) > 5 and drifted["psi"].notna().all()


def test_signals_are_beside_the_test_sessions_and_what_is_not_theirs_is_warned_of(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    days = give_signals(settings)
    told, checked = watch(settings, instance)
    rows = read_parquet(settings.workspace.model_watch)
    of_hits = rows[rows["figure"] == "hit_rate"]
    # What the last two sessions' scores earn is not known yet.
    assert of_hits["session"].dt.strftime("%Y-%m-%d").tolist() == days[:-2] and len(days) > 10
    assert of_hits["mean"].iloc[-1] == pytest.approx(of_hits["value"].mean())
    assert (rows["low"] < rows["high"]).all() and len(set(of_hits["backtest_low"])) == 1
    of_ic = rows[rows["figure"] == "rank_ic"]
    assert 10 <= len(of_ic) <= len(of_hits) and of_ic["value"].abs().max() < 1
    assert "data:image/png" in str(told["figures"]) and told["signals"] == len(days)
    assert not rows["outside"].any()

    drifted = read_parquet(settings.workspace.model_drift)
    assert told["factors_drifted"] == drifted["drifted"].sum() and "turnover is not" not in str(checked.description)

    for day in days:
        path = settings.workspace.signal(day)
        said, notes = read_parquet(path), read_notes(path)
        write_parquet(path, said.assign(order_value=said["order_value"] + said["close"].max() * 1e4), notes)
    as_if_given(settings.workspace)
    told, checked = watch(settings, instance)
    assert not checked.passed and checked.severity == dg.AssetCheckSeverity.WARN and not checked.blocking
    assert "turnover is not the backtest's" in str(checked.description) == str(told["in_words"])
    rows = read_parquet(settings.workspace.model_watch)
    assert rows.loc[rows["figure"] == "turnover", "outside"].iloc[-1]


def test_only_the_model_in_use_is_judged(settings: Settings) -> None:
    workspace = settings.workspace
    (path,) = workspace.signals.glob("*.parquet")
    said = read_parquet(path)
    for day, of, model in (("2023-01-11", "tiny", "m0"), ("2023-01-12", "other", "m1"), ("2023-01-13", "tiny", "m1")):
        write_parquet(
            workspace.signal(day), said, {"made_of": json.dumps({"experiment": of, "model_fingerprint": model})}
        )
    with pytest.raises(NiftyFormerError, match="is not the file that the record of daily_signals describes"):
        signals_of(workspace, "tiny")
    path.unlink()
    as_if_given(workspace)
    assert list(signals_of(workspace, "tiny")) == ["2023-01-13"]
    assert list(signals_of(workspace, "other")) == ["2023-01-12"] and signals_of(workspace, "none") == {}
    assert np.isfinite(said["close"]).any()

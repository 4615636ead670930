"""Whatever turns red says why on its own page."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings
from niftyformer_assets_tests.defs.conftest import Live

EXPERIMENT = phases(artifacts())["experiment"]


def reasons(instance: dg.DagsterInstance, asset: str) -> dict[str | None, str]:
    """What the page of each partition of an asset says last."""
    records = instance.fetch_observations(dg.AssetKey(asset), limit=1000, ascending=True).records
    found = [record.asset_observation for record in records]
    return {event.partition: str(event.metadata["reason"].value) for event in found if event is not None}


def test_symbols_that_fail_each_say_their_own_reason(live: Live) -> None:
    live.log_in()
    live.exchange.faults = Faults(failing_symbols=("DEMO002", "DEMO004"))
    assert not live.graph.run("candles").success
    said = reasons(live.graph.instance, "raw_ohlcv")
    green = live.graph.instance.get_materialized_partitions(dg.AssetKey("raw_ohlcv"))
    assert len(green) == 5 - len(said) and not green & {*said}
    assert "DEMO004" in said and all("Kite is in trouble" in reason for reason in said.values())


def test_a_run_that_fails_as_a_whole_is_told_by_all_its_partitions(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = tiny_settings(tmp_path, workspace_name="replay", replay=tmp_path / "nothing there")
    (settings.workspace.raw).mkdir(parents=True)
    for symbol in ("AAA", "BBB", "CCC"):
        settings.workspace.candles(symbol).touch()
    graph = Graph(settings, build(settings), instance)
    result = graph.run("candles", symbols=("AAA", "BBB"))
    assert reasons(instance, "raw_ohlcv") == dict.fromkeys(("AAA", "BBB"), failure_of(result))
    assert "nothing there" in failure_of(result)


def test_what_could_not_be_made_of_it_says_so_too(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path)
    graph = Graph(settings, build(settings), instance)
    result = graph.run("experiment", "tiny")
    assert not result.success
    own = {event.step_key for event in result.all_events if event.is_step_failure}
    for asset in EXPERIMENT:
        (said,) = reasons(instance, asset).items()
        assert said[0] == "tiny" and "materialize" in said[1], asset
        assert (asset in own) != ("which it is made from, failed: " in said[1]), asset
    assert not reasons(instance, "model_comparison")


def test_what_no_person_can_mend_is_told_as_well(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_settings(tmp_path)
    # A folder in place of the file: an error of the system's, with its traceback in the log.
    settings.workspace.sector_dummies.mkdir(parents=True)
    graph = Graph(settings, build(settings), instance)
    result = graph.run("reference")
    assert not result.success
    assert [*reasons(instance, "sector_dummies")] == [None]
    assert reasons(instance, "universe") == {}

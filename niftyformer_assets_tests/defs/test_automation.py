"""What follows new candles by itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.settings import Settings
from niftyformer_assets_tests.conftest import Graph, tiny_settings
from niftyformer_assets_tests.defs.conftest import FEW

PANELS = phases(artifacts())["panels"]


class Automation:
    """The automation sensor's ticks, and the runs that they request."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._cursor: Any = None
        self.tick()

    def tick(self) -> list[str]:
        """What is requested now."""
        found = dg.evaluate_automation_conditions(
            defs=self._graph.definitions, instance=self._graph.instance, cursor=self._cursor
        )
        self._cursor = found.cursor
        return sorted(entry.key.to_user_string() for entry in found.results if found.get_num_requested(entry.key))

    def run(self, assets: list[str]) -> dg.ExecuteInProcessResult:
        return self._job(assets).execute_in_process(instance=self._graph.instance, raise_on_error=False)

    def start(self, assets: list[str]) -> dg.DagsterRun:
        """A run that goes on and on."""
        job = self._job(assets)
        return self._graph.instance.create_run_for_job(
            job, asset_selection=job.asset_selection, status=dg.DagsterRunStatus.STARTED
        )

    def _job(self, assets: list[str]) -> dg.JobDefinition:
        job = self._graph.definitions.resolve_implicit_global_asset_job_def()
        return job.get_subset(asset_selection={dg.AssetKey(name) for name in assets})


def with_faults(graph: Graph, faults: Faults) -> Graph:
    source = CandleSource(graph.settings, faults=faults, backoff_s=0.01)
    return replace(graph, definitions=build(graph.settings, {"candle_source": source}))


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_new_candles_refresh_everything_up_to_the_factor_panels_and_no_experiment(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = tiny_settings(tmp_path, made_up=FEW)
    good = Graph(settings, build(settings), instance)
    automation = Automation(good)
    assert automation.run(["universe"]).success
    assert automation.tick() == []  # without a candle there is nothing to refresh

    assert not with_faults(good, Faults(failing_symbols=("DEMO005",))).run("candles").success
    requested = automation.tick()
    assert requested == sorted(PANELS)
    assert automation.run(requested).success
    # The second attempt comes while that is under way, as far as the next tick knows.
    assert "DEMO005" not in labelled(settings)
    assert good.run("candles", symbols=("DEMO005",)).success
    ticks = []
    while requested := automation.tick():
        ticks.append(requested)
        assert automation.run(requested).success
    assert set().union(*ticks) == set(PANELS)
    assert len(ticks) <= 2
    assert "DEMO005" in labelled(settings)


def labelled(settings: Settings) -> list[str]:
    return settings.workspace.returns.read_text().partition("\n")[0].split(",")


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_nothing_follows_a_report_that_stops_the_graph(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path, made_up=FEW)
    graph = Graph(settings, build(settings), instance)
    automation = Automation(graph)
    assert automation.run(["universe"]).success
    # With so many sessions missing no symbol can be used.
    assert with_faults(graph, Faults(missing_candles=0.4)).run("candles").success
    requested = automation.tick()
    assert requested == sorted(PANELS)
    assert not automation.run(requested).success
    assert not settings.workspace.market_panel.exists()
    assert automation.tick() == []

    # Nor where the report comes first because a panel is still being made.
    making = automation.start(["market_panel"])
    assert with_faults(graph, Faults(missing_candles=0.4)).run("candles").success
    assert automation.tick() == ["data_quality_report"]
    assert not automation.run(["data_quality_report"]).success
    instance.report_run_canceled(making)
    assert automation.tick() == []

    # Good candles mend it.
    shutil.rmtree(settings.workspace.raw)
    assert graph.run("candles").success
    requested = automation.tick()
    assert requested == sorted(PANELS)
    assert automation.run(requested).success

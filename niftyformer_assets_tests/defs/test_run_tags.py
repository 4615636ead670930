"""The tags of a run are the same whichever way it was started."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.run import run_reference
from niftyformer_assets.defs.run_tags import EXPERIMENT, PHASE, WORKSPACE
from niftyformer_assets_tests.conftest import Graph, tiny_settings

PHASES = phases(artifacts())

OURS = (EXPERIMENT, PHASE, WORKSPACE)
# The job of Dagster's own by which the web UI materializes chosen assets.
BUTTON = "__ASSET_JOB"


def tags(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return {name: value for name, value in run.tags.items() if name in OURS}


def pressed(graph: Graph, assets: tuple[str, ...], **given: object) -> dict[str, str]:
    """The tags of a run as the button of the web UI makes it."""
    job = graph.definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=graph.instance,
        asset_selection=[dg.AssetKey(asset) for asset in assets],
        raise_on_error=False,
        **given,  # type: ignore[arg-type]
    )
    return tags(graph.instance, result.run_id)


def test_every_job_and_the_same_assets_by_the_button_are_tagged_alike(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = tiny_settings(tmp_path)
    graph = Graph(settings, build(settings), instance)
    # Nothing is at hand for most of them: a run that fails is looked for most of all.
    for phase, assets in PHASES.items():
        experiment = "tiny" if phase == "experiment" else None
        symbols = {"symbols": ("DEMO001", "DEMO001")} if phase == "candles" else {}
        by_job = tags(instance, graph.run(phase, experiment, **symbols).run_id)
        wanted = {WORKSPACE: "demo", PHASE: phase} | ({EXPERIMENT: "tiny"} if experiment else {})
        assert by_job == wanted
        partition = "DEMO001" if phase == "candles" else experiment
        assert pressed(graph, assets[:1], partition_key=partition) == wanted


def test_a_run_of_several_phases_names_them_in_their_order(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path)
    text = (settings.experiments / "tiny.yaml").read_text()
    (settings.experiments / "own.yaml").write_text(text.replace("factors: {", "factors: {factor_set: alpha158_own, "))
    graph = Graph(settings, build(settings), instance)
    found = pressed(graph, ("alpha158_own_panel", "sector_dummies"))
    assert found == {WORKSPACE: "demo", PHASE: "reference, panels"}


def test_the_terminal_tags_its_runs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tiny_settings(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    run_reference(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        (run,) = instance.get_runs()
        assert tags(instance, run.run_id) == {WORKSPACE: "demo", PHASE: "reference"}

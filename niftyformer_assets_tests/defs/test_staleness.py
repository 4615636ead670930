"""An edited setting makes stale what it decides on, and nothing else; also through what joins experiments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.experiment_settings import observe_settings
from niftyformer_assets_tests.conftest import Graph, tiny_settings

COMPARISON = (*phases(artifacts())["comparison"], *phases(artifacts())["signal"])
EXPERIMENT = phases(artifacts())["experiment"]

DATASET = {"flow", "trend_indicator", "corr_adj", "graph_embeddings", "neutralized_factors"}
SELECTION = {"ic_summary", "neutralized_factors"}
MODEL = {"trained_model", "predictions"}
# `paper_account` follows signals: an edit changes no row of it, and the next signal is what makes it stale.
JUDGED = {"backtest_report", "model_comparison", "experiment_log", "daily_signals", "model_watch"}


def stale(graph: Graph, definitions: dg.Definitions | None = None, experiment: str = "tiny") -> set[str]:
    """The assets from the experiments on that are stale."""
    asset_graph = (definitions or graph.definitions).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(graph.instance, asset_graph, LoadingContextForTest(graph.instance))
    found = set()
    for asset in asset_graph.materializable_asset_keys:
        name = asset.to_user_string()
        partition = experiment if asset_graph.get(asset).is_partitioned else None
        if name in (*EXPERIMENT, *COMPARISON) and resolver.get_status(asset, partition) == StaleStatus.STALE:
            found.add(name)
    return found


@pytest.fixture
def graph(untouched: Graph) -> Graph:
    return untouched


@pytest.fixture
def edited(graph: Graph) -> Iterator[Path]:
    """The file of the experiment; what was in it is put back, and Dagster is told."""
    path = graph.settings.experiments / "tiny.yaml"
    before = path.read_text()
    yield path
    path.write_text(before)
    observe_settings(graph.instance, graph.settings)
    assert not stale(graph)


@pytest.mark.parametrize(
    ("old", "new", "decided"),
    [
        ("top_k: 3", "top_k: 4", JUDGED),
        ("strategy:", "costs: {slippage_bps: 7}\nstrategy:", JUDGED),
        ("max_epochs: 2", "max_epochs: 3", MODEL | JUDGED),
        ("names: [ridge, ", "names: [", {"baseline_predictions"} | JUDGED),
        ("walks: 2", "walks: 3", {"corr_adj", "graph_embeddings"} | MODEL | JUDGED),
        ("ic_threshold: 0.05", "ic_threshold: 0.06", SELECTION | MODEL | {"baseline_predictions"} | JUDGED),
        ("end: 2022-12-31", "end: 2022-12-30", SELECTION | DATASET | MODEL | {"baseline_predictions"} | JUDGED),
        ("layers: 1", "layers: 1, name: reversal", MODEL | {"baseline_predictions"} | JUDGED),
        ("layers: 1", "layers: 1, name: momentum", MODEL | JUDGED),
        ("top_k: 3", "top_k: 3 # the same", set()),
    ],
)
def test_an_edit_makes_stale_what_it_decides_on(graph: Graph, edited: Path, old: str, new: str, decided: set) -> None:
    assert not stale(graph)
    text = edited.read_text()
    assert old in text
    edited.write_text(text.replace(old, new))
    observe_settings(graph.instance, graph.settings)
    assert stale(graph) == decided


def test_what_is_observed_once_is_not_observed_again(graph: Graph) -> None:
    def count() -> int:
        return len(graph.instance.fetch_observations(dg.AssetKey("experiment_settings"), limit=1000).records)

    before = count()
    observe_settings(graph.instance, graph.settings)
    assert before == count() > 0


def test_two_experiments_and_what_joins_them(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """The mapping that a study needs: from experiments to the one partition that pools them."""
    settings = tiny_settings(tmp_path)
    text = (settings.experiments / "tiny.yaml").read_text()
    (settings.experiments / "other.yaml").write_text(text)
    definitions = build(settings)
    keys = ["other", "tiny"]
    made = dg.AssetKey("trend_indicator")

    @dg.asset(
        partitions_def=dg.StaticPartitionsDefinition(["pooled", "of one"]),
        deps=[
            dg.AssetDep(
                made, partition_mapping=dg.StaticPartitionMapping({"other": ["pooled"], "tiny": ["pooled", "of one"]})
            )
        ],
    )
    def study() -> None: ...

    together = dg.Definitions.merge(definitions, dg.Definitions(assets=[study]))
    graph = Graph(settings, together, instance)
    assert together.resolve_asset_graph().get(made).partitions_def == dg.StaticPartitionsDefinition(keys)
    for phase in ("reference", "candles", "panels"):
        assert graph.run(phase).success
    job = together.resolve_implicit_global_asset_job_def()

    def make(asset: dg.AssetKey, partition: str) -> None:
        assert job.execute_in_process(instance=instance, asset_selection=[asset], partition_key=partition).success

    def joined() -> dict[str, StaleStatus]:
        asset_graph = together.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(instance, asset_graph, LoadingContextForTest(instance))
        return {partition: resolver.get_status(study.key, partition) for partition in ("pooled", "of one")}

    for experiment in keys:
        make(made, experiment)
    make(study.key, "pooled")
    make(study.key, "of one")
    fresh, old = StaleStatus.FRESH, StaleStatus.STALE
    assert joined() == {"pooled": fresh, "of one": fresh}
    (settings.experiments / "other.yaml").write_text(text.replace("end: 2022-12-31", "end: 2022-12-30"))
    observe_settings(instance, settings)
    assert "trend_indicator" in stale(graph, experiment="other")
    assert "trend_indicator" not in stale(graph, experiment="tiny")
    # What joins them is stale once it joins something else.
    make(made, "other")
    assert joined() == {"pooled": old, "of one": fresh}

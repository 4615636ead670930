"""The shape of the graph, what importing it loads, and what it says where nothing is at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.settings import PROJECT, read_settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import tiny_settings

SNAPSHOT = Path(__file__).with_name("graph.json")


def shape_of(definitions: dg.Definitions) -> dict[str, Any]:
    graph = definitions.resolve_asset_graph()
    shape = {}
    for key in sorted(graph.get_all_asset_keys(), key=lambda key: key.to_user_string()):
        node = graph.get(key)
        keys = node.partitions_def.get_partition_keys() if node.partitions_def else []
        kinds = {("tiny",): "experiment", ("tiny/flow",): "setting"}
        kind = "" if not keys else kinds.get(tuple(key for key in keys if key in ("tiny", "tiny/flow")), "symbol")
        shape[key.to_user_string()] = {
            "group": node.group_name,
            "partitioned by": kind,
            "pools": sorted(node.pools or []),
            "from": sorted(parent.to_user_string() for parent in node.parent_keys),
        }
    return shape


def test_keys_groups_partitions_and_dependencies_are_as_recorded(tmp_path: Path) -> None:
    """After a change that was meant, write `shape_of` into graph.json anew."""
    shape = shape_of(build(tiny_settings(tmp_path)))
    assert shape == json.loads(SNAPSHOT.read_text())


def test_every_asset_says_what_it_is_and_belongs_to_somebody(tmp_path: Path) -> None:
    graph = build(tiny_settings(tmp_path)).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description and len(node.description) > 80, key
        assert node.owners and node.kinds and (node.code_version or node.is_external), key


def test_the_jobs_hold_every_asset_once(tmp_path: Path) -> None:
    together = [name for names in phases(artifacts()).values() for name in names]
    graph = build(tiny_settings(tmp_path)).resolve_asset_graph()
    assert sorted(together) == sorted(key.to_user_string() for key in graph.materializable_asset_keys)


def test_an_experiment_on_own_factors_brings_their_panel(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    text = (settings.experiments / "tiny.yaml").read_text()
    (settings.experiments / "own.yaml").write_text(text.replace("factors: {", "factors: {factor_set: alpha158_own, "))
    definitions = build(settings)
    graph = definitions.resolve_asset_graph()
    assert dg.AssetKey("alpha158_own_panel") in graph.get(dg.AssetKey("ic_summary")).parent_keys
    panels = definitions.resolve_job_def("panels").asset_layer.executable_asset_keys
    assert dg.AssetKey("alpha158_own_panel") in panels


@pytest.mark.parametrize("asset", ["trained_model", "predictions"])
def test_what_runs_the_network_asks_for_the_gpu(asset: str, tmp_path: Path) -> None:
    graph = build(tiny_settings(tmp_path)).resolve_asset_graph()
    node = graph.get(dg.AssetKey(asset))
    assert node.pools == {"gpu"}
    tags = node.assets_def.op.tags  # type: ignore[attr-defined]
    assert tags["dagster-celery/queue"] == "gpu"
    assert "nvidia.com/gpu" in json.dumps(tags["dagster-k8s/config"])


def test_only_a_gpu_makes_trainings_wait_for_each_other(tmp_path: Path) -> None:
    graph = build(tiny_settings(tmp_path), one_training=False).resolve_asset_graph()
    assert not any(graph.get(key).pools for key in graph.executable_asset_keys)


def test_importing_the_definitions_loads_nothing_heavy() -> None:
    code = (
        "import sys, niftyformer_assets.definitions\n"
        "print([name for name in ('torch', 'kiteconnect', 'matplotlib', 'numba', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_with_no_list_at_hand_the_definitions_load_and_say_what_to_do(tmp_path: Path) -> None:
    settings = read_settings(
        _env_file=None, workspace_name="nifty200", data=tmp_path / "data", storage=tmp_path / "storage"
    )
    definitions = build(settings)
    dg.Definitions.validate_loadable(definitions)
    node = definitions.resolve_asset_graph().get(dg.AssetKey("raw_ohlcv"))
    assert node.partitions_def is not None
    assert node.partitions_def.get_partition_keys() == []
    assert "niftyformer universe" in (node.description or "")


def test_a_list_dropped_into_the_folder_gives_symbols(tmp_path: Path) -> None:
    settings = read_settings(
        _env_file=None, workspace_name="nifty200", data=tmp_path / "data", storage=tmp_path / "storage"
    )
    folder = settings.data / "reference" / "index_lists"
    folder.mkdir(parents=True)
    for day, symbol in (("2023-01-01", "TATAMOTORS"), ("2024-01-01", "M&M")):
        (folder / f"ind_nifty200list_{day}.csv").write_text(
            "Company Name,Industry,Symbol,Series,ISIN Code\n"
            f"Some Ltd.,Automobile and Auto Components,{symbol},EQ,INE0{day[2:4]}A01010\n"
        )
    node = build(settings).resolve_asset_graph().get(dg.AssetKey("raw_ohlcv"))
    assert node.partitions_def is not None
    # All members of all lists, each under its latest name.
    assert node.partitions_def.get_partition_keys() == ["M&M", "TMPV"]


def test_a_wrong_experiment_file_stops_nothing_else_and_is_told(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    (settings.experiments / "wrong.yaml").write_text("market: simulated\ntrainnig: {}\n")
    (settings.experiments / "typing.yaml").write_text("market: [simu")
    graph = build(settings).resolve_asset_graph()
    node = graph.get(dg.AssetKey("ic_summary"))
    assert node.partitions_def is not None and node.partitions_def.get_partition_keys() == ["tiny"]
    for asset in ("ic_summary", "model_comparison"):
        description = graph.get(dg.AssetKey(asset)).description or ""
        assert "trainnig: unknown key" in description and "typing.yaml is not readable as YAML" in description
    for name, reason in (("wrong", "trainnig: unknown key"), ("typing", "not readable")):
        with pytest.raises(NiftyFormerError, match=reason):
            find_experiment(settings, name)
    assert find_experiment(settings, "tiny").name == "tiny"

"""Every file that the graph leaves behind, flipped, cut or exchanged, against everything that reads it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.made_with import must_be_made_with
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.experiments.folder_files import update_settings
from niftyformer_assets.experiments.opened import open_experiment
from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.factors.panel_reading import read_factor_panel
from niftyformer_assets.factors.selection import read_selected
from niftyformer_assets.market.benchmark import load_benchmark
from niftyformer_assets.market.candle_files import read_candle_file
from niftyformer_assets.market.membership_files import read_lists
from niftyformer_assets.market.panel import load_panel
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.model.checkpoint import STATE, ModelFolder, read_best, read_card, read_checkpoint
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.comparison import model_comparison
from niftyformer_assets.portfolio.report.experiment_log import experiment_log
from niftyformer_assets.portfolio.report.files import read_metrics
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import INDEX_NAME, write_entered
from niftyformer_assets.store.provenance import read_provenance
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets_tests.conftest import Graph, failure_of
from niftyformer_assets_tests.damage import cuts, flips, same_json

Reader = Callable[[Settings], object]


def opened(settings: Settings):
    return open_experiment(settings.workspace, find_experiment(settings, "tiny"))


def dataset(settings: Settings) -> object:
    return load_dataset(settings.workspace.experiment("tiny").root)


def model(settings: Settings) -> ModelFolder:
    return ModelFolder(settings.workspace.experiment("tiny").model)


def of_table(name: str) -> Reader:
    return lambda settings: read_parquet(settings.workspace.experiment("tiny").root / name)


def recorded(asset: str) -> Reader:
    def read(settings: Settings) -> None:
        must_be_made_with(find_experiment(settings, "tiny"), settings.workspace.experiment("tiny"), [asset])

    return read


def factors(settings: Settings) -> object:
    axes = load_panel(settings.workspace.market_panel).axes
    return read_factor_panel(settings.workspace.factor_panel("alpha158"), axes, ["KMID", "MA5"])


def compared(settings: Settings) -> None:
    """The comparison goes on without a report that it cannot believe, and says why."""
    workspace = settings.workspace
    found = model_comparison({"tiny": workspace.experiment("tiny")}, Tries(workspace.tries, what_decides))
    if found.without_report:
        raise NiftyFormerError(found.without_report["tiny"])


def logged(settings: Settings) -> None:
    """The log goes on without a report that it cannot believe, and says why."""
    table, left_out = experiment_log({"tiny": settings.workspace.experiment("tiny")}, {}, {})
    assert len(table) == 1 - len(left_out)
    if left_out:
        raise NiftyFormerError(left_out["tiny"])


# A file of the workspace and what reads it.
READERS: list[tuple[str, Reader]] = [
    ("index_lists/*.csv", lambda settings: read_lists([settings.workspace.index_lists])),
    ("universe.parquet", lambda settings: load_universe(settings.workspace.universe)),
    ("universe.parquet", opened),
    ("sector_dummies.parquet", lambda settings: opened(settings).sectors_in_force()),
    ("raw/DEMO001.parquet", lambda settings: read_candle_file(settings.workspace.candles("DEMO001"))),
    ("benchmark_index.parquet", lambda settings: load_benchmark(settings.workspace.benchmark_index)),
    ("data_quality_report.parquet", lambda settings: read_parquet(settings.workspace.data_quality_report)),
    ("market_panel.npz", lambda settings: load_panel(settings.workspace.market_panel)),
    ("market_panel.npz", opened),
    ("size_proxy.parquet", lambda settings: opened(settings).log_size()),
    ("label.csv", lambda settings: opened(settings).returns()),
    ("alpha158.parquet", factors),
    ("tries/*.json", lambda settings: Tries(settings.workspace.tries, what_decides).on("2022-01-01", "2023-01-01")),
    ("experiments/tiny/selected_factors.txt", lambda s: read_selected(s.workspace.experiment("tiny").selected_factors)),
    *((f"experiments/tiny/{name}", dataset) for name in ("experiment.json", "flow.npz", "trend_indicator.npz")),
    *((f"experiments/tiny/{name}", dataset) for name in ("neutralized_factors.npz", "128_corr_struc2vec_adjgat.npy")),
    (
        "experiments/tiny/experiment.json",
        lambda s: update_settings(s.workspace.experiment("tiny"), find_experiment(s, "tiny")),
    ),
    ("experiments/tiny/corr_adj.npy", lambda settings: load_arrays(settings.workspace.experiment("tiny").corr_adj)),
    ("experiments/tiny/model/best.pt", lambda settings: read_best(model(settings))),
    ("experiments/tiny/model/trained.json", lambda settings: read_best(model(settings))),
    ("experiments/tiny/model/last.pt", lambda settings: read_checkpoint(model(settings).last, STATE)),
    ("experiments/tiny/model/model.json", lambda settings: read_card(model(settings).card)),
    ("experiments/tiny/predictions.parquet", of_table("predictions.parquet")),
    ("experiments/tiny/baseline_predictions.parquet", of_table("baseline_predictions.parquet")),
    *(
        (f"experiments/tiny/backtest/{name}.parquet", of_table(f"backtest/{name}.parquet"))
        for name in ("nav", "trades", "holdings")
    ),
    (
        "experiments/tiny/backtest/metrics.json",
        lambda settings: read_metrics(settings.workspace.experiment("tiny").backtest),
    ),
    ("experiments/tiny/backtest/metrics.json", compared),
    ("experiments/tiny/backtest/metrics.json", logged),
    ("experiments/tiny/experiment.json", logged),
    ("experiments/tiny/provenance/trained_model.json", logged),
    ("signals/*.parquet", lambda settings: read_parquet(next(settings.workspace.signals.glob("*.parquet")))),
    *((f"experiments/tiny/provenance/{asset}.json", recorded(asset)) for asset in ("flow", "predictions", "corr_adj")),
]


@pytest.fixture(scope="module")
def settings(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Those of a copy of the graph's workspace, which may be damaged."""
    data = tmp_path_factory.mktemp("damaged") / "data"
    shutil.copytree(graph.settings.data, data)
    return graph.settings.model_copy(update={"data": data})


@pytest.fixture
def restored(settings: Settings) -> Iterator[None]:
    """Afterwards every file is as it was."""
    root = settings.workspace.root
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    yield
    for path in [path for path in root.rglob("*") if path.is_file() and path not in before]:
        path.unlink()
    for path, content in before.items():
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "read"), READERS, ids=[f"{number}-{file}" for number, (file, _) in enumerate(READERS)]
)
def test_every_flip_cut_and_swap_is_refused_by_name(
    settings: Settings, restored: None, file: str, read: Reader
) -> None:
    (path, *_) = settings.workspace.root.glob(file)
    content = path.read_bytes()
    read(settings)
    path.write_bytes(content)
    for changed in (*flips(content, 6, seed=7), *cuts(content, 3, seed=7), another(path)):
        path.write_bytes(changed)
        if path.suffix == ".json" and same_json(changed, content):
            continue
        with pytest.raises(NiftyFormerError, match=re.escape(path.name)) as caught:
            read(settings)
        assert "\n" not in str(caught.value)


def another(path: Path) -> bytes:
    """A sound file of the same kind with other values."""
    place = path.with_name(f"other{path.suffix}")
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
        column = next(name for name in frame if frame[name].dtype.kind == "f" or name in ("symbol", "verdict"))
        frame[column] = frame[column].iloc[::-1].to_numpy()
        frame.iloc[:-1].to_parquet(place)
    elif path.suffix == ".npz":
        with np.load(path) as file:
            arrays = dict(file)
        name = next(iter(arrays))
        np.savez(place, **{**arrays, name: arrays[name][::-1]})
    elif path.suffix == ".npy":
        np.save(place, np.load(path) * 2)
    else:
        return path.read_bytes().replace(b"2022", b"2021").replace(b"0.", b"1.") + b" "
    content = place.read_bytes()
    place.unlink()
    return content


def run(settings: Settings, *assets: str) -> dg.ExecuteInProcessResult:
    job = "comparison" if assets == ("model_comparison",) else "experiment"
    with dg.DagsterInstance.ephemeral() as instance:
        return (
            build(settings)
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                partition_key="tiny" if job == "experiment" else None,
                asset_selection=[dg.AssetKey(asset) for asset in assets],
                raise_on_error=False,
            )
        )


@pytest.mark.parametrize(
    ("file", "reader"),
    [
        ("predictions.parquet", "backtest_report"),
        ("baseline_predictions.parquet", "backtest_report"),
        ("model/best.pt", "predictions"),
        ("selected_factors.txt", "neutralized_factors"),
    ],
)
def test_what_is_damaged_stops_the_assets_that_read_it(
    settings: Settings, restored: None, file: str, reader: str
) -> None:
    path = settings.workspace.experiment("tiny").root / file
    *_, changed = flips(path.read_bytes(), 1)
    path.write_bytes(changed)
    result = run(settings, reader)
    assert not result.success and path.name in failure_of(result)
    assert path.read_bytes() == changed


@pytest.mark.parametrize(
    ("file", "asset", "reader"),
    [
        ("predictions.parquet", "predictions", "backtest_report"),
        ("baseline_predictions.parquet", "baseline_predictions", "backtest_report"),
        ("flow.npz", "flow", "baseline_predictions"),
        ("selected_factors.txt", "ic_summary", "neutralized_factors"),
        ("backtest/metrics.json", "backtest_report", "model_comparison"),
    ],
)
def test_a_kill_between_a_file_and_its_record_is_noticed(
    settings: Settings, restored: None, file: str, asset: str, reader: str
) -> None:
    """As does another experiment's file with its index: the record is that of another file."""
    folder = settings.workspace.experiment("tiny")
    record = (folder.provenance / f"{asset}.json").read_bytes()
    write_entered(folder.root / file, (folder.root / file).read_bytes() + b"\n")
    result = run(settings, reader)
    assert (folder.provenance / f"{asset}.json").read_bytes() == record
    said = rf"{Path(file).name} is not the file that the record of {asset} describes: .*Materialize {asset} again"
    if reader == "model_comparison":
        (told,) = result.get_asset_materialization_events()
        assert re.search(said, str(told.materialization.metadata["without_report"].value))
    else:
        assert not result.success and re.search(said, failure_of(result))


def test_a_report_of_another_experiment_is_not_compared(settings: Settings, restored: None) -> None:
    """As where its folder and its record were copied."""
    folder = settings.workspace.experiment("tiny")
    record = read_provenance(folder.provenance, "backtest_report")
    assert record is not None
    replace(record, settings={**record.settings, "name": "another"}).write(folder.provenance)
    (told,) = run(settings, "model_comparison").get_asset_materialization_events()
    without = str(told.materialization.metadata["without_report"].value)
    assert "is that of another: materialize backtest_report of tiny" in without


def test_records_of_earlier_versions_are_refused(settings: Settings, restored: None) -> None:
    folder = settings.workspace.experiment("tiny")
    path = folder.provenance / "predictions.json"
    content = json.loads(path.read_text())
    del content["outputs"]
    path.write_text(json.dumps(content))
    assert read_provenance(folder.provenance, "predictions") is not None
    with pytest.raises(NiftyFormerError, match="does not say which files predictions consists of"):
        recorded("predictions")(settings)


def test_a_workspace_of_an_earlier_version_is_made_again(settings: Settings, restored: None) -> None:
    """Without hashes nothing is read, in one line each; what was made is made again, and the candles are kept."""
    workspace = settings.workspace
    for place in workspace.root.rglob(INDEX_NAME):
        place.unlink()
    before = {path: path.read_bytes() for path in workspace.raw.glob("*.parquet")}
    for _, read in READERS:
        try:
            read(settings)
        except NiftyFormerError as error:
            assert "\n" not in str(error)
    with dg.DagsterInstance.ephemeral() as instance:
        graph = Graph(settings, build(settings), instance)
        for job in ("reference", "candles", "panels"):
            result = graph.run(job)
            assert result.success, failure_of(result)
    assert {path: path.read_bytes() for path in workspace.raw.glob("*.parquet")} == before
    opened(settings).returns()
    factors(settings)


# What differs each time, and no reader takes figures from.
VARIES = ("environment.json", "speed.csv", "notes.json", "experiments.csv", "experiments.html")


def artifacts(root: Path) -> dict[Path, bytes]:
    """Of a workspace, without what is only for one process, one time or one person to look at."""
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
        and path.name not in VARIES
        and not path.name.startswith(".")
        and not {"tensorboard", "locks", "tries", "damaged"} & set(path.parts)
    }


def test_all_damaged_at_once_is_made_again_with_the_same_bytes(
    graph: Graph, settings: Settings, restored: None
) -> None:
    """In another folder, from the candles on, with other threads."""
    import torch

    root, expected = settings.workspace.root, artifacts(graph.settings.workspace.root)
    for name in expected:
        # Without their index nothing tells what the candles should be: then Kite's are compared, and that is noted.
        # No run makes the ledger of the paper account again: it is refused until a person brings a copy back.
        if name.parts[0] != "index_lists" and name.as_posix() not in (
            *("source.txt", "raw/index.json", "paper_account.jsonl"),
        ):
            *_, changed = flips((root / name).read_bytes(), 1, seed=len(str(name)))
            (root / name).write_bytes(changed)
    shutil.rmtree(settings.workspace.tries)
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            again = Graph(settings, build(settings), instance)
            for job in ("reference", "candles", "panels", "experiment", "comparison", "signal"):
                result = again.run(job, "tiny" if job in ("experiment", "signal") else None)
                assert result.success, failure_of(result)
    finally:
        torch.set_num_threads(threads)
    now = artifacts(root)
    assert len(now) > 100
    assert sorted({name for name, _ in now.items() ^ expected.items()}) == []

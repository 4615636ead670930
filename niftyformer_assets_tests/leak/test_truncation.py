"""No look-ahead: cut the candles off at a session, materialize again, and every value up to it is the same.

The made-up market keeps its history when it is longer, so a shorter one is the same candles cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.factors.returns import read_returns
from niftyformer_assets.store.arrays import load_arrays
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings

# In the middle of the test window: training and validation are complete on both sides.
CUT = date(2022, 12, 15)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    settings = tiny_settings(tmp_path_factory.mktemp("cut"), until=CUT)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Graph(settings, build(settings), instance)
        for job, experiment in (("reference", None), ("candles", None), ("panels", None), ("experiment", "tiny")):
            result = made.run(job, experiment)
            assert result.success, f"{job}: " + failure_of(result)
        yield made


@pytest.fixture(scope="module")
def whole(graph: Graph) -> Workspace:
    return graph.settings.workspace


@pytest.fixture(scope="module")
def part(cut: Graph) -> Workspace:
    return cut.settings.workspace


def up_to_cut(frame: pd.DataFrame, column: str = "date") -> pd.DataFrame:
    return frame[pd.to_datetime(frame[column]) <= pd.Timestamp(CUT)].reset_index(drop=True)


def assert_same_rows(whole: np.ndarray, part: np.ndarray) -> None:
    assert len(part) < len(whole)
    np.testing.assert_array_equal(whole[: len(part)], part)


def test_universe_and_sectors(whole: Workspace, part: Workspace) -> None:
    pd.testing.assert_frame_equal(
        read_parquet(whole.universe).drop(columns=["member_from", "lists_from"]),
        read_parquet(part.universe).drop(columns=["member_from", "lists_from"]),
    )
    pd.testing.assert_frame_equal(read_parquet(whole.sector_dummies), read_parquet(part.sector_dummies))


def test_candles_and_benchmark(whole: Workspace, part: Workspace) -> None:
    paths = sorted(part.raw.glob("*.parquet"))
    assert len(paths) == 14
    for path in paths:
        pd.testing.assert_frame_equal(up_to_cut(read_parquet(whole.raw / path.name)), read_parquet(path))
    pd.testing.assert_frame_equal(up_to_cut(read_parquet(whole.benchmark_index)), read_parquet(part.benchmark_index))


def test_quarantine(whole: Workspace, part: Workspace) -> None:
    columns = ["symbol", "verdict", "quarantined", "segments", "suspects"]
    pd.testing.assert_frame_equal(
        read_parquet(whole.data_quality_report)[columns], read_parquet(part.data_quality_report)[columns]
    )


def test_market_panel(whole: Workspace, part: Workspace) -> None:
    long, long_axes = load_arrays(whole.market_panel)
    short, short_axes = load_arrays(part.market_panel)
    assert short_axes.symbols == long_axes.symbols
    for name, array in short.items():
        assert_same_rows(long[name], array)


def test_size_proxy(whole: Workspace, part: Workspace) -> None:
    pd.testing.assert_frame_equal(up_to_cut(read_parquet(whole.size_proxy)), read_parquet(part.size_proxy))


def test_labels(whole: Workspace, part: Workspace) -> None:
    assert_same_rows(read_returns(whole.returns)[0], read_returns(part.returns)[0])


def test_factor_panels(whole: Workspace, part: Workspace) -> None:
    long, short = (read_parquet(workspace.factor_panel("alpha158")) for workspace in (whole, part))
    assert len(short.columns) == 160
    assert len(short) < len(long)
    pd.testing.assert_frame_equal(up_to_cut(long), short)


def test_selection_and_neutralised_factors(whole: Workspace, part: Workspace) -> None:
    long, short = whole.experiment("tiny"), part.experiment("tiny")
    assert long.selected_factors.read_text() == short.selected_factors.read_text()
    summaries = [pd.read_csv(folder.ic_summary, index_col=0) for folder in (long, short)]
    used = [column for column in summaries[0] if not column.endswith("test_not_used")]
    pd.testing.assert_frame_equal(summaries[0][used], summaries[1][used])
    arrays = [load_arrays(folder.neutralized_factors)[0] for folder in (long, short)]
    for name in ("result", "valid"):
        assert_same_rows(arrays[0][name], arrays[1][name])


def test_what_the_model_sees(whole: Workspace, part: Workspace) -> None:
    long, short = whole.experiment("tiny"), part.experiment("tiny")
    for name, keys in (("flow", ("result", "low_freq", "high_freq")), ("trend_indicator", ("result", "valid"))):
        a, _ = load_arrays(getattr(long, name))
        b, _ = load_arrays(getattr(short, name))
        for key in keys:
            assert_same_rows(a[key], b[key])
    for name in ("corr_adj", "graph_embeddings"):
        np.testing.assert_array_equal(np.load(getattr(long, name)), np.load(getattr(short, name)))


@pytest.mark.parametrize("name", ["predictions", "baseline_predictions"])
def test_predictions(whole: Workspace, part: Workspace, name: str) -> None:
    keys = ["date_made", "horizon", "symbol", *(["baseline"] if name == "baseline_predictions" else [])]
    long, short = (read_parquet(getattr(workspace.experiment("tiny"), name)) for workspace in (whole, part))
    both = short.merge(long, on=keys, suffixes=("", "_whole"), how="left")
    assert len(both) == len(short)
    assert both["date_made"].max() == pd.Timestamp(CUT)
    for column in ("date_predicted", "score", "p_up"):
        pd.testing.assert_series_equal(both[column], both[f"{column}_whole"], check_names=False)


def test_backtest(whole: Workspace, part: Workspace) -> None:
    for name in ("nav", "trades"):
        long, short = (
            read_parquet(workspace.experiment("tiny").backtest / f"{name}.parquet") for workspace in (whole, part)
        )
        column = "session" if "session" in short else "date"
        assert len(short)
        pd.testing.assert_frame_equal(up_to_cut(long, column)[short.columns], short)

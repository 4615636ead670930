"""What stands beside the strategy: an index that covers the test window, and of others a line that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs.bodies.portfolio.reports import index_levels
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.experiments.opened import open_experiment
from niftyformer_assets.market.benchmark import load_benchmark, save_benchmark
from niftyformer_assets.portfolio.evidence.benchmarks import hold_indices
from niftyformer_assets.portfolio.evidence.gather import MarketRecord
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.conftest import Graph


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (slice(None), ""),
        (slice(None, -40), "NIFTY 50 (with dividends) is left out: its values cover"),
        (slice(-20, None), "NIFTY 50 (with dividends) is left out: its values cover"),
        (slice(0, 0), "NIFTY 50 (with dividends) is left out: it has no value."),
    ],
)
def test_a_total_return_index_that_ends_elsewhere(graph: Graph, tmp_path: Path, known: slice, said: str) -> None:
    opened = open_experiment(graph.settings.workspace, find_experiment(graph.settings, "tiny"))
    frame, _ = load_benchmark(opened.workspace.benchmark_index)
    levels = pd.Series(np.nan, index=frame.index)
    levels.iloc[known] = 1.4 * frame["close"].iloc[known]
    workspace = Workspace(tmp_path, "demo")
    save_benchmark(workspace.benchmark_index, frame.assign(total_return=levels), "a file")
    settings = graph.settings.model_copy(update={"total_return": tmp_path / "tri.csv", "data": tmp_path})
    indices = index_levels(settings)
    market = MarketRecord(opened.panel, opened.scope).of_part("test")
    held, notes = hold_indices(indices, market.axes, 1.0, "close")
    assert list(held) == ["NIFTY 50 (price)", *([] if said else ["NIFTY 50 (with dividends)"])]
    assert len(notes) == bool(said)
    assert all(note.startswith(said) for note in notes)

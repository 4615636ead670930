"""How long the dataset takes: windows and bands, correlation graph, struc2vec stage by stage.

    python benchmarks/bench_dataset.py

Made-up returns of the size of the NIFTY-200 (660 sessions, 191 symbols) with a market and sector
factors; the correlation graph at the default threshold. Times are wall times, after one call that is not
counted (compiled code is loaded from its cache then), and beside them the median of the processor time,
which says how much of the wall time is other processes' doing. `of target` below 1 is within. Memory is
the process's peak, imports included.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from niftyformer_assets.dataset.correlation import correlation_adjacency
from niftyformer_assets.dataset.embed import graph_embedding
from niftyformer_assets.dataset.embedding import Embedding
from niftyformer_assets.dataset.graph import correlation_graph, graph_statistics
from niftyformer_assets.dataset.information import information
from niftyformer_assets.dataset.settings import GraphSettings, WaveletSettings, WindowSettings
from niftyformer_assets.dataset.wavelet import bands, low_matrices
from niftyformer_assets.dataset.windows import inference_samples
from niftyformer_assets.factors.labels import ranks
from niftyformer_assets.market.split import Split
from niftyformer_assets.store.arrays import Axes

TRAIN = slice(0, 494)


def made_up_returns(sessions: int, symbols: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    market, sectors = rng.normal(size=(sessions, 1)), rng.normal(size=(sessions, 12))
    noise = rng.normal(size=(sessions, symbols)) * rng.uniform(0.6, 3.0, symbols)
    returns = 0.01 * (0.8 * market + 0.6 * sectors[:, np.arange(symbols) % 12] + noise)
    returns[rng.random(returns.shape) < 0.01] = np.nan
    return returns


@dataclass(frozen=True)
class Times:
    """Seconds of some calls: on the wall, and of the processor where it was measured."""

    wall: list[float]
    processor: list[float] = field(default_factory=list)


def row(name: str, times: Times, target_seconds: float | None) -> None:
    middle = statistics.median(times.wall)
    processor = f"{statistics.median(times.processor):9.4f}" if times.processor else f"{'':9}"
    allowed = f"{target_seconds:9.3f} {middle / target_seconds:9.2f}" if target_seconds else ""
    print(f"{name:<40} {middle:9.4f} {min(times.wall):9.4f} {max(times.wall):9.4f} {processor} {allowed}", flush=True)


def timed(call: Callable[[], object], repeats: int) -> Times:
    call()
    times = Times([])
    for _ in range(repeats):
        started, started_processor = time.perf_counter(), time.process_time()
        call()
        times.wall.append(time.perf_counter() - started)
        times.processor.append(time.process_time() - started_processor)
    return times


def bench_embedding(symbols: int, repeats: int, target_seconds: float, stages_seconds: float | None) -> None:
    adjacency = correlation_adjacency(made_up_returns(660, symbols), TRAIN, GraphSettings())
    made: list[Embedding] = []
    seconds = timed(lambda: made.append(graph_embedding(adjacency, GraphSettings(), 42)), repeats)
    edges = np.count_nonzero(adjacency) // 2
    row(f"struc2vec {symbols} nodes, {edges} edges", seconds, target_seconds)
    for stage in made[0].seconds:
        row(f"  {stage}", Times([embedding.seconds[stage] for embedding in made[1:]]), None)
    others = [sum(s for name, s in embedding.seconds.items() if name != "word2vec") for embedding in made[1:]]
    row("  all but word2vec", Times(others), stages_seconds)


def main() -> None:
    returns = made_up_returns(660, 191)
    dense = np.nan_to_num(returns)
    matrix, _ = low_matrices(WindowSettings(), WaveletSettings())
    dates = np.busday_offset("2022-01-03", np.arange(660), roll="forward")
    axes = Axes(dates, tuple(f"S{number:03d}" for number in range(191)))
    sectors = {symbol: f"sector {place % 12}" for place, symbol in enumerate(axes.symbols)}
    split = Split(TRAIN, slice(494, 576), slice(576, 660), slice(660, 660))
    valid = np.isfinite(returns)

    def windows_and_bands() -> None:
        made = inference_samples(660, WindowSettings())
        made.inputs(dense)
        made.enough_returns(valid)
        made.parts(split)
        bands(dense, matrix)

    print(f"{'':40} {'median s':>9} {'min s':>9} {'max s':>9} {'cpu s':>9} {'target s':>9} {'of target':>9}")
    row("windows and bands, 660 × 191", timed(windows_and_bands, 15), 0.05)
    row("labels as ranks, 660 × 191", timed(lambda: ranks(returns), 5), None)
    for source, repeats in (("returns", 15), ("rolling_returns", 5)):
        settings = GraphSettings(source=source)  # type: ignore[arg-type]
        graph_seconds = timed(lambda s=settings: correlation_adjacency(returns, TRAIN, s), repeats)  # type: ignore[misc]
        row(f"correlations, {source}", graph_seconds, 0.2 if source == "returns" else None)
    adjacency = correlation_adjacency(returns, TRAIN, GraphSettings())

    def networkx_graph() -> None:
        graph_statistics(correlation_graph(adjacency, axes.symbols, sectors))

    row("networkx graph and its statistics", timed(networkx_graph, 5), None)
    bench_embedding(185, 5, 4.5, 1.0)
    bench_embedding(500, 2, 20.0, None)
    vectors = graph_embedding(adjacency, GraphSettings(embedding="spectral"), 42).vectors
    spectral_seconds = timed(lambda: graph_embedding(adjacency, GraphSettings(embedding="spectral"), 42), 5)
    row("spectral 191 nodes", spectral_seconds, None)
    row("check of information", timed(lambda: information(vectors, adjacency, list(sectors.values()), 42), 3), None)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(f"peak memory {peak:.0f} MB (target 500 MB: {peak / 500:.2f})")


if __name__ == "__main__":
    main()

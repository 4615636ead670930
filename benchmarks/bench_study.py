"""How long the evidence of a study takes, and its peak memory. Run: python benchmarks/bench_study.py"""

from __future__ import annotations

import resource
import time

import numpy as np
import pandas as pd

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.market.split import Split
from niftyformer_assets.portfolio.evidence.joined import Window, join_scores
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.evidence.pooled.gather import gather_pooled
from niftyformer_assets.portfolio.evidence.pooled.record import StudyRecord
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes

WINDOWS, SESSIONS, STOCKS, MODELS = 14, 84, 200, 12
BEFORE, LISTED = 600, 300
SECONDS, GIB = 30, 2


def main() -> None:
    rng = np.random.default_rng(0)
    T = BEFORE + WINDOWS * SESSIONS + 40
    axes = Axes(np.busday_offset("2018-01-01", np.arange(T)), tuple(f"S{column:03d}" for column in range(LISTED)))
    close = np.exp(rng.uniform(4, 8, LISTED) + np.cumsum(rng.normal(0.0004, 0.02, (T, LISTED)), axis=0))
    panel = {"open": close * 0.999, "high": close * 1.01, "low": close * 0.99, "close": close}
    panel |= {"volume": np.full(close.shape, 1e6), "segment": np.zeros(close.shape, dtype=np.int32)}
    index = pd.Series(close.mean(axis=1), index=pd.DatetimeIndex(axes.dates))
    sectors = np.tile(np.array([f"sector {column % 20}" for column in range(LISTED)]), (T, 1))
    universes = [np.sort(rng.choice(LISTED, STOCKS, replace=False)) for _ in range(WINDOWS)]

    started = time.perf_counter()
    contenders = []
    for model in range(MODELS):
        windows = [window(axes, universe, number, rng) for number, universe in enumerate(universes)]
        kind = "model" if model < MODELS // 2 else "baseline"
        joined = join_scores(axes, windows)
        contenders.append(Contender(f"{kind} {model}", kind, joined, StrategySettings(), CostSettings()))  # type: ignore[arg-type]
    joining = time.perf_counter() - started
    started = time.perf_counter()
    evidence = gather_pooled(
        StudyRecord(panel, axes, {"NIFTY 50 (price)": index}, sectors, np.log(close)),
        contenders,
        main="model 0",
        variants=MODELS,
    )
    tables = evidence.standing, evidence.figures, evidence.nav, evidence.paired, evidence.seeds
    gathering = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{WINDOWS} windows of {SESSIONS} sessions x {STOCKS} stocks x {MODELS} models ({len(tables[1])} figures)")
    print(f"making and joining the scores {joining:6.1f} s")
    print(f"evidence                      {gathering:6.1f} s of {SECONDS}")
    print(f"peak memory                   {peak:6.2f} GiB of {GIB}")


def window(axes: Axes, universe: np.ndarray, number: int, rng: np.random.Generator) -> Window:
    """One experiment's predictions of its test part, and some of its validation part."""
    first = BEFORE + number * SESSIONS
    rows = slice(first - 500, min(first + SESSIONS + 30, len(axes.dates)))
    symbols = tuple(axes.symbols[column] for column in universe)
    T = rows.stop - rows.start
    split = Split(slice(0, 420), slice(420, 500), slice(500, 500 + SESSIONS), slice(500 + SESSIONS, T))
    scope = Scope(
        Axes(axes.dates[rows], symbols), split, np.ones((T, len(symbols)), dtype=bool), {}, "", rows, universe
    )
    frames = []
    for horizon in (1, 2):
        made, stock = np.nonzero(np.ones((T - 420 - horizon, len(symbols)), dtype=bool))
        made += 420
        frames.append(
            pd.DataFrame(
                {
                    "date_made": scope.axes.dates[made],
                    "date_predicted": scope.axes.dates[made + horizon],
                    "horizon": np.int32(horizon),
                    "symbol": np.array(symbols)[stock],
                    "split": "test",
                    "return": rng.normal(size=len(made)),
                    "p_up": 0.5,
                }
            )
        )
    days = axes.dates[[first, first + SESSIONS - 1]].tolist()
    return Window(f"wf.{number:02d}", scope, pd.concat(frames, ignore_index=True), *days)


if __name__ == "__main__":
    main()

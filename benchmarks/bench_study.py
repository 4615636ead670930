"""How long a study takes beside its trainings, and its peak memory.

Run: python benchmarks/bench_study.py, or with --grid, which adds minutes: 20 points that differ in top-k alone, on the
made-up market.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.experiments.files import experiments_of
from niftyformer_assets.market.scope import Scope
from niftyformer_assets.market.split import Split
from niftyformer_assets.portfolio.evidence.joined import Window, join_scores
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.evidence.pooled.gather import gather_pooled
from niftyformer_assets.portfolio.evidence.pooled.record import StudyRecord
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.settings import PROJECT, Settings, read_settings
from niftyformer_assets.store.arrays import Axes

# 25 windows, 10 points of the grid and 2 seeds.
PLANNED = """
experiment: demo
set: {universe.membership: each_session}
walk_forward: {first_test: 2018-01-01, windows: 25, train_months: 12}
grid: {strategy.top_k: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}
seeds: 2
"""
GRID = "experiment: demo\ngrid: {strategy.top_k: [%s]}\n"
POINTS, SECONDS_A_POINT, OVERHEAD = 20, 8, 5
WINDOWS, SESSIONS, STOCKS, MODELS = 14, 84, 200, 12
BEFORE, LISTED = 600, 300
SECONDS, GIB = 30, 2


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        planning(Path(folder))
    if "--grid" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            grid(Path(folder))
    evidence()


def planning(folder: Path) -> None:
    """500 experiments of one file, and the definitions that have them as partitions."""
    started = time.perf_counter()
    import dagster  # noqa: F401

    importing = time.perf_counter() - started
    settings = _settings(folder, PLANNED)
    settings.workspace.study("study").root.mkdir(parents=True)
    started = time.perf_counter()
    planned = len(experiments_of(settings))
    plan = time.perf_counter() - started
    from niftyformer_assets.defs import build

    started = time.perf_counter()
    build(settings).resolve_asset_graph()
    defining = time.perf_counter() - started
    print(f"planning {planned} experiments      {plan:6.2f} s of 2")
    print(f"definitions with their keys   {defining:6.2f} s, import dagster {importing:.2f} s (at most twice that)")


def grid(folder: Path) -> None:
    """Points that share one training: what one more takes, and how much of it is not the making of its artifacts."""
    took, made = {}, {}
    for points in (1, POINTS):
        settings = _settings(folder, GRID % ", ".join(str(1 + point) for point in range(points)))
        environment = os.environ | {
            "NIFTYFORMER_EXPERIMENTS": str(settings.experiments),
            "NIFTYFORMER_DATA": str(settings.data),
            "NIFTYFORMER_STORAGE": str(settings.storage),
        }
        command = [str(Path(sys.executable).with_name("niftyformer")), "study", "study", "--workspace", "demo"]
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        took[points] = time.perf_counter() - started
        made[points] = seconds_of_making(settings)
    # The second study finds the first one's point made.
    more, own = took[POINTS] / (POINTS - 1), (made[POINTS] - made[1]) / (POINTS - 1)
    of = POINTS * SECONDS_A_POINT
    print(f"a study of one point          {took[1]:6.1f} s, with the market and a training")
    print(f"{POINTS} points that share it        {took[POINTS]:6.1f} s of {of}, the report on them included")
    print(f"one more of them              {more:6.1f} s, of it the making of what is its own {own:.1f} s")
    print(f"overhead of an experiment     {more - own:6.1f} s of {OVERHEAD}, its share of the study's report included")


def seconds_of_making(settings: Settings) -> float:
    """What the experiments of a workspace noted that their artifacts took, all told."""
    notes = (settings.data / "demo" / "experiments").glob("*/notes.json")
    return sum(each.get("seconds", 0.0) for path in notes for each in json.loads(path.read_text()).values())


def _settings(folder: Path, study: str) -> Settings:
    """Of a workspace with one experiment and one study."""
    for name in ("experiments", "studies"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "experiments" / "demo.yaml").write_text((PROJECT / "data" / "experiments" / "demo.yaml").read_text())
    (folder / "studies" / "study.yaml").write_text(study)
    return read_settings(
        _env_file=None,
        experiments=folder / "experiments",
        data=folder / "data",
        storage=folder / "storage",
        workspace_name="demo",
    )


def evidence() -> None:
    """The scores of many windows and models joined and judged."""
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
    gathered = gather_pooled(
        StudyRecord(panel, axes, {"NIFTY 50 (price)": index}, sectors, np.log(close)),
        contenders,
        main="model 0",
        variants=MODELS,
    )
    tables = gathered.standing, gathered.figures, gathered.nav, gathered.paired, gathered.seeds
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

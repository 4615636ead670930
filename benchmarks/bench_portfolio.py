"""How long a backtest and its null take. Run: python benchmarks/bench_portfolio.py"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.deciles import information_coefficients, realised_returns
from niftyformer_assets.portfolio.evidence.metrics_table import summary
from niftyformer_assets.portfolio.evidence.null import permutation_null
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes

COSTS = CostSettings()


def made_up_market(T: int, N: int) -> tuple[Market, Scores]:
    """Random walks, and scores that change as slowly as a model's."""
    rng = np.random.default_rng(0)
    close = np.exp(rng.uniform(4, 9, N) + np.cumsum(rng.normal(0.0004, 0.02, (T, N)), axis=0))
    opening = close * np.exp(rng.normal(0, 0.005, (T, N)))
    axes = Axes(np.datetime64("2021-01-01") + np.arange(T), tuple(f"S{column:03d}" for column in range(N)))
    market = Market(
        axes=axes,
        open=opening,
        high=np.maximum(opening, close) * 1.01,
        low=np.minimum(opening, close) * 0.99,
        close=close,
        volume=np.full((T, N), 1e6),
        member=np.ones((T, N), dtype=bool),
        segment=np.zeros((T, N), dtype=np.int32),
    )
    noise = rng.normal(size=(T, N))
    for t in range(1, T):
        noise[t] = 0.9 * noise[t - 1] + 0.44 * noise[t]
    return market, Scores(axes, noise)


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def main() -> None:
    start = time.perf_counter()
    small = made_up_market(30, 12)
    run_backtest(small[1], small[0], StrategySettings(), COSTS)
    print(f"{os.cpu_count()} processors; first call (compiled, or loaded from numba's cache): ", end="")
    print(f"{time.perf_counter() - start:.1f} s\n")
    long_market, long_scores = made_up_market(2200, 191)
    market, scores = made_up_market(500, 190)
    rows: list[tuple[str, float, Callable[[], object], int]] = []
    for name in ("topk_equal_weight", "topk_dropout"):
        strategy = StrategySettings(name=name)  # type: ignore[arg-type]
        rows.append(
            (
                f"{name}: 191 stocks x 2200 sessions, full accounting",
                0.3,
                lambda strategy=strategy: run_backtest(long_scores, long_market, strategy, COSTS).trades,  # type: ignore[misc]
                7,
            )
        )
    for name in ("topk_equal_weight", "topk_dropout"):
        strategy = StrategySettings(name=name)  # type: ignore[arg-type]
        rows.append(
            (
                f"{name}: 1000 null portfolios, 190 stocks x 500 sessions",
                10.0,
                lambda strategy=strategy: permutation_null(scores, market, strategy, COSTS),  # type: ignore[misc]
                3,
            )
        )
    result = run_backtest(scores, market, StrategySettings(), COSTS)
    null = permutation_null(scores, market, StrategySettings(), COSTS)
    coefficients = information_coefficients(scores, realised_returns(market, "close"))
    rows.append(
        (
            "table of figures with bootstrap intervals, 500 sessions",
            10.0,
            lambda: summary(result, null.band()[1], null.band()[1], coefficients, null),
            5,
        )
    )
    print(f"{'':62}{'median s':>10}{'min':>8}{'max':>8}{'limit':>8}{'of limit':>10}")
    for name, limit, work, repeats in rows:
        taken = seconds(work, repeats)
        middle = median(taken)
        print(f"{name:62}{middle:10.3f}{min(taken):8.3f}{max(taken):8.3f}{limit:8.1f}{middle / limit:10.0%}")


if __name__ == "__main__":
    main()

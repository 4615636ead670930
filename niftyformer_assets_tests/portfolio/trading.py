"""What tests of the backtest share: a few scores traded on a small market, without costs unless told."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings

FREE = CostSettings(schedule="flat", flat_bps=0)
PLAN = StrategySettings()
DROPOUT = StrategySettings(name="topk_dropout")


def trade(
    market: Market, scores: np.ndarray, strategy: StrategySettings = PLAN, costs: CostSettings = FREE
) -> BacktestResult:
    return run_backtest(Scores(market.axes, np.asarray(scores, dtype=float)), market, strategy, costs)


def always(T: int, row: list[float]) -> np.ndarray:
    return np.tile(np.array(row, dtype=float), (T, 1))


def names(result: BacktestResult, t: int) -> set[int]:
    return set(np.flatnonzero(result.holdings[t]).tolist())

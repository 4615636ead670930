"""What a strategy stands beside: the whole universe at equal weights, and an index bought and held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest import BacktestResult, Market, run_backtest
from niftyformer_assets.portfolio.scores import Scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

# The universe is bought with this many times the strategy's capital: with ten lakh rupees over 200
# stocks, the price of one share and the charge for each scrip sold would decide, not the stocks.
UNIVERSE_CAPITAL = 1000


def equal_weight_universe(
    market: Market, strategy: StrategySettings, costs: CostSettings, rebalance_every: int = 20
) -> BacktestResult:
    """Hold every member at equal weight, restored every `rebalance_every` sessions, with the same costs.

    It starts with UNIVERSE_CAPITAL times the strategy's capital, so compare returns, not rupees; for
    the same reason it pays no slippage by share of volume.
    """
    everything = replace(
        strategy,
        name="equal_weight",
        top_k=market.axes.shape[1],
        n_drop=0,
        rebalance_every=rebalance_every,
        capital=strategy.capital * UNIVERSE_CAPITAL,
    )
    alike = Scores(market.axes, np.where(market.has_candle & market.member, 0.0, np.nan))
    return run_backtest(alike, market, everything, replace(costs, slippage_volume_bps=0.0))


def buy_and_hold(levels: pd.Series, axes: Axes, capital: float, trade_at: str) -> np.ndarray:
    """An index bought when the strategies first can, and held, without costs.

    Args:
        trade_at: `close`: at the close of the second session, where the first scores trade; `open`: at
            the close before it, as an index by date has no level at the open.
        levels: the index by date; dates that are no sessions are left out, a session it lacks has
            the level of the last date before it (a price index misses some special sessions).

    Returns:
        float [T], rupees; `capital` until it is bought.

    Raises:
        NiftyFormerError: the index does not reach back to the first session, ends more than 5
            sessions before the last one, or has a level that is not above 0.
    """
    known = levels.dropna().sort_index()
    dates = pd.DatetimeIndex(known.index).to_numpy().astype("datetime64[D]")
    place = np.searchsorted(dates, axes.dates, side="right") - 1
    covered = len(dates) > 0 and place[0] >= 0
    if not covered or dates[-1] < axes.dates[max(len(axes.dates) - 6, 0)]:
        span = f"{dates[0]} to {dates[-1]}" if len(dates) else "nothing"
        raise NiftyFormerError(
            f"the benchmark index covers {span}, the backtest {axes.dates[0]} to {axes.dates[-1]}: "
            "materialize benchmark_index again."
        )
    level = known.to_numpy(dtype=float)[place]
    if not (level > 0).all():
        raise NiftyFormerError(
            f"the benchmark index is {level.min()} on {axes.dates[int(level.argmin())]}, which is no index level: "
            "materialize benchmark_index again."
        )
    bought = min(int(trade_at == "close"), len(level) - 1)
    level[:bought] = level[bought]
    return capital * level / level[0]

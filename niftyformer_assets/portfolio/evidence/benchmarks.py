"""What a strategy stands beside: the whole universe at equal weights, and an index bought and held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted

# The universe is bought with this many times the strategy's capital: with ten lakh rupees over 200
# stocks, the price of one share and the charge for each scrip sold would decide, not the stocks.
UNIVERSE_CAPITAL = 1000
# How many sessions in a row an index may lack.
MAX_STALE = 5


def equal_weight_universe(
    market: Market, strategy: StrategySettings, costs: CostSettings, rebalance_every: int = 20
) -> BacktestResult:
    """Hold every member at equal weight, restored every `rebalance_every` sessions, with the same costs.

    It starts with UNIVERSE_CAPITAL times the strategy's capital, so compare returns, not rupees; for
    the same reason it pays no slippage by share of volume, and its orders have no cap.
    """
    everything = StrategySettings(
        **{
            **asdict(strategy),
            "name": "equal_weight",
            "top_k": market.axes.shape[1],
            "rebalance_every": rebalance_every,
            "capital": strategy.capital * UNIVERSE_CAPITAL,
            "volume_cap": 0.0,
            "books": 1,
        }
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
        NiftyFormerError: the index does not reach back to the first session, lacks more than
            MAX_STALE sessions in a row, at its end or elsewhere, or has a level that is not above 0.
    """
    known = levels.dropna().sort_index()
    dates, place = _last_dates(known, axes)
    if len(dates) == 0:
        raise NiftyFormerError("it has no value")
    if place[0] < 0 or dates[-1] < axes.dates[max(len(axes.dates) - 1 - MAX_STALE, 0)]:
        raise NiftyFormerError(
            f"its values cover {dates[0]} to {dates[-1]}, the backtest is {axes.dates[0]} to {axes.dates[-1]}"
        )
    # Of each session, how many have passed since the one whose level stands in for it; before the first one
    # weekdays count, for want of a calendar.
    held, first = dates[place], axes.dates[0]
    stale = np.arange(len(axes.dates)) - np.searchsorted(axes.dates, held, side="right") + 1
    stale += np.maximum(np.busday_count(np.minimum(held, first), first) - 1, 0)
    if (hole := stale > MAX_STALE).any():
        t = int(hole.argmax())
        raise NiftyFormerError(f"it has no value between {held[t]} and {axes.dates[t]}")
    level = known.to_numpy(dtype=float)[place]
    if not (level > 0).all():
        raise NiftyFormerError(f"it is {level.min()} on {axes.dates[int(level.argmin())]}, which is no index level")
    bought = min(int(trade_at == "close"), len(level) - 1)
    level[:bought] = level[bought]
    return capital * level / level[0]


def hold_indices(
    indices: Mapping[str, pd.Series], axes: Axes, capital: float, trade_at: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Each index bought and held; one that does not cover the sessions is left out.

    Returns:
        name -> rupees [T], and sentences about what was left out or is not of its own session.
    """
    held, notes = {}, []
    for name, levels in indices.items():
        try:
            held[name] = buy_and_hold(levels, axes, capital, trade_at)
        except NiftyFormerError as error:
            notes.append(
                f"{name} is left out: {error}. Where it comes from a file (NIFTYFORMER_BENCHMARK, "
                "NIFTYFORMER_TOTAL_RETURN), complete that; then materialize benchmark_index again."
            )
            continue
        dates, place = _last_dates(levels.dropna().sort_index(), axes)
        if (lacking := int((dates[place] != axes.dates).sum())) > 0:
            last = axes.dates[dates[place] != axes.dates][-1]
            notes.append(
                f"{name} has no value on {lacking} of {counted(len(axes.dates), 'session')}, the last of them "
                f"{last}: the value "
                "before stands in."
            )
    return held, tuple(notes)


def _last_dates(known: pd.Series, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """The index's dates, and for each session the place of the last one up to it, -1 before the first."""
    dates = pd.DatetimeIndex(known.index).to_numpy().astype("datetime64[D]")
    return dates, np.searchsorted(dates, axes.dates, side="right") - 1

"""What is watched, of each session whose scores have earned: rank IC, hit rate and turnover, live and in the backtest.

Both by the same formulas. Shapes: T sessions, N symbols.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.deciles import information_coefficients, realised_returns

FIGURES = ("rank_ic", "hit_rate", "turnover")


def figures_of(scores: Scores, p_up: np.ndarray, turnover: np.ndarray, market: Market, trade_at: str) -> pd.DataFrame:
    """A row a session: session, and FIGURES; NaN where there is none.

    rank_ic: of scores and the return of the first session that they could earn. hit_rate: the share of stocks that did
    in it what `p_up` said. turnover: of the orders that the scores led to, one-sided, of the account's worth.

    Args:
        p_up: float [T, N], NaN where there is none.
        turnover: float [T], by the session of the score.
    """
    earned = realised_returns(market, trade_at)
    both = np.isfinite(p_up) & np.isfinite(earned) & np.isfinite(scores.values)
    hits = (both & ((p_up > 0.5) == (earned > 0))).sum(axis=1)
    with np.errstate(invalid="ignore"):
        rate = np.where(both.any(axis=1), hits / both.sum(axis=1), np.nan)
    rank_ic = information_coefficients(scores, earned)["rank_ic"].to_numpy()
    sessions = market.axes.dates.astype("datetime64[s]")
    return pd.DataFrame({"session": sessions, "rank_ic": rank_ic, "hit_rate": rate, "turnover": turnover})


def turnover_of(result: BacktestResult) -> np.ndarray:
    """float [T], by the session of the score; NaN while the books are filled for the first time, and on the last."""
    turnover = np.append(result.turnover[1:], np.nan)
    scored = np.flatnonzero(np.isin(result.dates, result.orders["decided"].to_numpy().astype("datetime64[D]")))
    first = int(scored[0]) if len(scored) else len(turnover)
    turnover[: first + max(result.strategy.starts) + 1] = np.nan
    return turnover


def turnover_of_signal(table: pd.DataFrame) -> float:
    """The same of the orders of one signal (`signals.decision.COLUMNS`); 0 where nothing is held or ordered."""
    held = table[table["target_weight"] > 0]
    if not len(held):
        return 0.0
    # Each says so; the largest with the smallest error.
    place = int(held["target_weight"].to_numpy().argmax())
    shares, close, weight = (float(held[name].iloc[place]) for name in ("target_shares", "close", "target_weight"))
    return float(table["order_value"].abs().sum()) / 2 / (shares * close / weight)

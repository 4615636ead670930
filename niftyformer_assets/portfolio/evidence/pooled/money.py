"""What joined scores earn: one continuous equity curve each, what explains it, and how much money it bears.

Shapes: T sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from niftyformer_assets.factors.newey_west import bartlett_sum, newey_west_lags
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.returns import YEAR, session_rate
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.joined import JoinedScores
from niftyformer_assets.portfolio.evidence.metrics_table import performance
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings

# Rupees: ten lakh, a crore, ten crores.
CAPITALS = (1e6, 1e7, 1e8)
# The share of the traded volume that an order may fill where the strategy has no cap of its own.
CAP = 0.05


@dataclass(frozen=True)
class MarketModel:
    """Returns above the risk-free rate as alpha + beta x those of an index, by least squares.

    alpha: a year; alpha_t, beta_t: by Newey and West (of beta against 0); r2: share of the variance explained.
    NaN without variation.
    """

    alpha: float
    alpha_t: float
    beta: float
    beta_t: float
    r2: float


def market_model(returns: np.ndarray, index: np.ndarray, risk_free_rate: float) -> MarketModel:
    """Alpha and beta of session returns [n] to those of an index [n]; the rate is a year's."""
    rate, n = session_rate(risk_free_rate), len(returns)
    y, x = returns - rate, index - rate
    if n < 3 or np.ptp(x) < 1e-12:
        return MarketModel(*(float("nan"),) * 5)
    design = np.column_stack([np.ones(n), x])
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ (design.T @ y)
    residual = y - design @ fitted
    moments = design * residual[:, None]
    middle = bartlett_sum(lambda lag: moments[lag:].T @ moments[: n - lag], newey_west_lags(n, 1), n)
    variance = np.diag(inverse @ middle @ inverse)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(variance > 0, fitted / np.sqrt(np.where(variance > 0, variance, 1.0)), np.nan)
    total = ((y - y.mean()) ** 2).sum()
    r2 = 1 - (residual**2).sum() / total if total > 0 else float("nan")
    return MarketModel(float(fitted[0] * YEAR), float(t[0]), float(fitted[1]), float(t[1]), float(r2))


def trade(
    joined: JoinedScores,
    market: Market,
    strategy: StrategySettings,
    costs: CostSettings,
    seed: int,
    exposures: Exposures | None = None,
) -> BacktestResult:
    """Trade joined scores once, from the first session through the last one that has a window.

    Holdings carry over from one window to the next; one that is outside the next one's universe is sold at its first
    fill. On sessions without a window nothing trades, and what is held is kept.

    Args:
        market: `joined.joined_market` of scores in the same universe.
        exposures: on axes that have those of the scores, where the strategy takes some out.
    """
    own = replace(market, outside=joined.outside).rows(slice(joined.sessions))
    return run_backtest(joined.ranked(exposures, strategy), own, strategy, costs, seed)


def capacity(
    joined: JoinedScores,
    market: Market,
    strategy: StrategySettings,
    costs: CostSettings,
    seed: int,
    capitals: Sequence[float] = CAPITALS,
    exposures: Exposures | None = None,
) -> pd.DataFrame:
    """The same scores with more money, orders capped at a share of what is traded.

    Returns:
        capital, volume_cap, total_return, annual_return, sharpe, max_drawdown, turnover (a year), cost (share of
        the capital), exposure (mean invested share), lapsed (share of the value ordered that the cap left unfilled).
    """
    cap = strategy.volume_cap or CAP
    rows = []
    for capital in capitals:
        result = trade(joined, market, replace(strategy, capital=capital, volume_cap=cap), costs, seed, exposures)
        figures = performance(result.nav, result.strategy)
        rows.append(
            {
                "capital": capital,
                "volume_cap": cap,
                **{name: figures[name] for name in ("total_return", "annual_return", "sharpe", "max_drawdown")},
                "turnover": float(result.turnover[1:].mean() * YEAR),
                "cost": float(result.trades["cost"].sum() / capital),
                "exposure": float(result.exposure[1:].mean()),
                "lapsed": _lapsed(result),
            }
        )
    return pd.DataFrame(rows)


def _lapsed(result: BacktestResult) -> float:
    """Share of the rupees ordered that volume left unfilled, at the prices known at each order's session."""
    orders = result.orders[result.orders["ordered"] > 0]
    if orders.empty:
        return float("nan")
    row = np.searchsorted(result.dates, orders["session"].to_numpy().astype("datetime64[D]"))
    column = pd.Index(result.market.axes.symbols).get_indexer(pd.Index(orders["symbol"]))
    price = result.market.mark[row, column] / 100
    over = (orders["status"] == "over_volume").to_numpy()
    missing = np.where(over, orders["ordered"] - orders["shares"], 0)
    ordered = float((orders["ordered"].to_numpy() * price).sum())
    return float((missing * price).sum() / ordered) if ordered else float("nan")


def by_part(result: BacktestResult, parts: np.ndarray) -> dict[str, tuple[float, float, float, int]]:
    """Of each part of the sessions: return, Sharpe ratio, mean exposure, and sessions that could earn.

    Args:
        parts: str [T], such as the year of each session.
    """
    n, rate = len(result.returns), result.strategy.risk_free_rate
    earning = parts[len(parts) - n :]
    told = {}
    for part in np.unique(parts):
        own = result.returns[earning == part]
        told[str(part)] = (
            float(metrics.total_return(own)) if len(own) else float("nan"),
            float(metrics.sharpe(own, rate)),
            float(result.exposure[parts == part].mean()),
            len(own),
        )
    return told


def by_parts(
    names: Sequence[str], results: Mapping[str, BacktestResult], parts: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """`by_part` of every contender for each division: name, breakdown, group, return, sharpe, exposure, sessions."""
    rows = [
        (name, breakdown, part, *figures)
        for name in names
        for breakdown, sessions in parts.items()
        for part, figures in by_part(results[name], sessions).items()
    ]
    return pd.DataFrame(rows, columns=["name", "breakdown", "group", "return", "sharpe", "exposure", "sessions"])

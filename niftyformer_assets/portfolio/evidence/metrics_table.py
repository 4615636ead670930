"""The table of a backtest's figures, each with its uncertainty and the number of sessions behind it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.returns import session_returns
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.bootstrap import interval
from niftyformer_assets.portfolio.evidence.null import Null
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.words import counted

COLUMNS = ("value", "low", "high", "t", "sessions", "unit", "note")


class Spread(NamedTuple):
    """The uncertainty of a figure: its 95% interval by stationary bootstrap, and its t statistic."""

    low: float
    high: float
    t: float


# Rupees by which the steps of a curve in whole paise may differ without it moving.
ROUNDING = 0.03
NO_SPREAD = Spread(np.nan, np.nan, np.nan)


def performance(nav: np.ndarray, strategy: StrategySettings) -> dict[str, float]:
    """Figures that an equity curve alone gives, by the names of `summary`; for strategies and benchmarks alike.

    Args:
        nav: float [T], rupees, above 0. A curve that moves by no more than the rounding to a paisa
            has no ratio to its deviation.
        strategy: when it trades, and the risk-free rate.
    """
    returns = session_returns(nav, strategy.trade_at)
    annual, deepest = metrics.annual_return(returns), metrics.drawdown(nav).min()
    moves = len(returns) > 0 and np.ptp(returns) * nav.max() > ROUNDING
    rate = strategy.risk_free_rate
    return {
        "total_return": float(nav[-1] / nav[0] - 1),
        "annual_return": float(annual),
        "volatility": float(metrics.volatility(returns)),
        "sharpe": float(metrics.sharpe(returns, rate)) if moves else np.nan,
        "sortino": float(metrics.sortino(returns, rate)) if moves else np.nan,
        "max_drawdown": float(deepest),
        "calmar": float(metrics.calmar(annual, deepest)),
        "daily_win_rate": float(metrics.win_rate(returns)),
    }


def sharpe_spread(returns: np.ndarray, rate: float, seed: int = 0) -> Spread:
    """Of the Sharpe ratio."""
    low, high = interval(lambda drawn: metrics.sharpe(drawn, rate), returns, seed=seed)
    return Spread(low, high, metrics.sharpe_t(returns, rate))


def excess(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> tuple[float, Spread]:
    """`metrics.excess_return` of two series on the same sessions.

    Both are resampled together, so that what they share is no uncertainty of their difference.
    """
    low, high = interval(metrics.excess_return, ours, theirs, seed=seed)
    return float(metrics.excess_return(ours, theirs)), Spread(low, high, metrics.excess_t(ours, theirs))


def excess_note(over: str, sessions: int) -> str:
    """What an excess is, for the table."""
    if metrics.excess_span(sessions) == "year":
        return f"annual return less that of {over}"
    return f"return of the window, less than a year, less that of {over}"


def summary(
    result: BacktestResult,
    benchmark: np.ndarray | None = None,
    equal_weight: np.ndarray | None = None,
    coefficients: pd.DataFrame | None = None,
    null: Null | None = None,
    variants: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """All figures of one backtest.

    Args:
        benchmark, equal_weight: net asset values [T] on the sessions of the result.
        coefficients: of `deciles.information_coefficients`.
        null: of `null.permutation_null`.
        variants: how many were tried, this one included, for the deflated Sharpe ratio.

    Returns:
        Index `metric`; columns value, low and high (95% stationary bootstrap; NaN where none is
        given), t, sessions (how many the figure rests on), unit (share, ratio, rupees, probability,
        correlation), note. Shares of 1, not percent.
    """
    rate = result.strategy.risk_free_rate
    returns = result.returns
    n = len(returns)
    rows: list[tuple[str, float, float, float, float, int, str, str]] = []

    def add(
        name: str,
        value: float,
        unit: str,
        note: str,
        spread: Spread = NO_SPREAD,
        sessions: int = n,
    ) -> None:
        rows.append((name, float(value), *spread, sessions, unit, note))

    figures = performance(result.nav, result.strategy)
    add("total_return", figures["total_return"], "share", "compounded over the period")
    short = "" if n >= metrics.YEAR else f", an extrapolation of {n}"
    add("annual_return", figures["annual_return"], "share", f"geometric, 252 sessions a year{short}")
    add("volatility", figures["volatility"], "share", "annualised standard deviation of session returns")
    add(
        "sharpe",
        figures["sharpe"],
        "ratio",
        f"annualised, risk-free rate {rate:.1%} a year",
        sharpe_spread(returns, rate, seed) if np.isfinite(figures["sharpe"]) else NO_SPREAD,
    )
    add("sortino", figures["sortino"], "ratio", "as Sharpe, over downside deviation")
    add("max_drawdown", figures["max_drawdown"], "share", "from the starting capital or a later peak")
    add("calmar", figures["calmar"], "ratio", "annual return over maximum drawdown")
    add("daily_win_rate", figures["daily_win_rate"], "share", "sessions with a return above 0")
    closed = result.round_trips.dropna(subset="closed")
    won = float((closed["profit"] > 0).mean()) if len(closed) else np.nan
    add("trade_win_rate", won, "share", f"of {counted(len(closed), 'closed position')}, after costs")
    add(
        "turnover",
        result.turnover[1:].mean() * metrics.YEAR,
        "share",
        "one-sided, a year, of the previous session's value",
        sessions=len(result.nav) - 1,
    )
    add("cost", result.trades["cost"].sum(), "rupees", "all charges paid, slippage apart")
    add("slippage", result.trades["slippage"].sum(), "rupees", "already in the prices paid and received")
    note = "invested share of the value at the close, mean"
    add("exposure", result.exposure[1:].mean(), "share", note, sessions=len(result.nav) - 1)

    for name, curve, words in (
        ("excess_return", benchmark, "the benchmark"),
        ("excess_return_equal_weight", equal_weight, "the equal-weight universe"),
    ):
        if curve is not None:
            theirs = session_returns(curve, result.strategy.trade_at)
            value, spread = excess(returns, theirs, seed)
            add(name, value, "share", excess_note(words, n), spread)

    if coefficients is not None:
        for name in ("ic", "rank_ic"):
            values = coefficients[name].dropna().to_numpy()
            mean = values.mean() if len(values) else np.nan
            note = "score against the return from the fill to one session later, mean over sessions"
            low, high = interval(lambda drawn: drawn.mean(axis=-1), values, seed=seed)
            add(name, mean, "correlation", note, Spread(low, high, metrics.mean_t(values)), len(values))

    deflated = metrics.deflated_sharpe(returns, rate, (), variants) if np.isfinite(figures["sharpe"]) else np.nan
    add("deflated_sharpe", deflated, "probability", f"that the true Sharpe ratio beats the luck of {variants} tried")
    if null is not None:
        place = null.place(result)
        for name in ("sharpe", "total_return"):
            note = f"of doing as well with the scores' symbols permuted, {counted(len(null.nav), 'portfolio')}"
            add(f"p_{name}", place[name].p, "probability", note)

    return pd.DataFrame(rows, columns=["metric", *COLUMNS]).set_index("metric")

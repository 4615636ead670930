"""The table of a backtest's figures, each with its uncertainty and the number of sessions behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio import metrics
from niftyformer_assets.portfolio.backtest import BacktestResult
from niftyformer_assets.portfolio.bootstrap import Interval, interval
from niftyformer_assets.portfolio.null import Null

COLUMNS = ("value", "low", "high", "t", "sessions", "unit", "note")
_NO_INTERVAL = Interval(np.nan, np.nan)


def performance(nav: np.ndarray, risk_free_rate: float) -> dict[str, float]:
    """Figures that an equity curve alone gives, by the names of `summary`; for benchmarks and null portfolios.

    Args:
        nav: float [T], above 0.
        risk_free_rate: a year.
    """
    returns = nav[1:] / nav[:-1] - 1
    return {
        "total_return": float(metrics.total_return(returns)),
        "annual_return": float(metrics.annual_return(returns)),
        "volatility": float(metrics.volatility(returns)),
        "sharpe": float(metrics.sharpe(returns, risk_free_rate)),
        "sortino": float(metrics.sortino(returns, risk_free_rate)),
        "max_drawdown": float(metrics.max_drawdown(returns)),
        "calmar": float(metrics.calmar(returns)),
        "daily_win_rate": float(metrics.win_rate(returns)),
    }


def summary(
    result: BacktestResult,
    benchmark: np.ndarray | None = None,
    equal_weight: np.ndarray | None = None,
    coefficients: pd.DataFrame | None = None,
    null: Null | None = None,
    tried: Sequence[float] = (),
    count: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """All figures of one backtest.

    Args:
        benchmark, equal_weight: net asset values [T] on the sessions of the result.
        coefficients: of `deciles.information_coefficients`.
        null: of `null.permutation_null`.
        tried, count: annualised Sharpe ratios of all variants tried, this one among them, and how
            many they were, for the deflated Sharpe ratio.

    Returns:
        Index `metric`; columns value, low and high (95% stationary bootstrap; NaN where none is
        given), t, sessions (how many the figure rests on), unit (share, ratio, rupees, probability,
        correlation), note. Shares of 1, not percent.
    """
    rate = result.strategy.risk_free_rate
    returns = result.returns
    n = len(returns)
    rows: list[tuple[str, float, Interval, float, int, str, str]] = []

    def add(
        name: str,
        value: float,
        unit: str,
        note: str,
        spread: Interval = _NO_INTERVAL,
        t: float = np.nan,
        sessions: int = n,
    ) -> None:
        rows.append((name, float(value), spread, t, sessions, unit, note))

    figures = performance(result.nav, rate)
    add("total_return", figures["total_return"], "share", "compounded over the period")
    add("annual_return", figures["annual_return"], "share", "geometric, 252 sessions a year")
    add("volatility", figures["volatility"], "share", "annualised standard deviation of session returns")
    add(
        "sharpe",
        figures["sharpe"],
        "ratio",
        f"annualised, risk-free rate {rate:.1%} a year",
        interval(_with_rate(metrics.sharpe, rate), returns, seed=seed),
        metrics.sharpe_t(returns, rate),
    )
    add("sortino", figures["sortino"], "ratio", "as Sharpe, over downside deviation")
    add("max_drawdown", figures["max_drawdown"], "share", "from the starting capital or a later peak")
    add("calmar", figures["calmar"], "ratio", "annual return over maximum drawdown")
    add("daily_win_rate", figures["daily_win_rate"], "share", "sessions with a return above 0")
    closed = result.round_trips.dropna(subset="closed")
    won = float((closed["profit"] > 0).mean()) if len(closed) else np.nan
    add("trade_win_rate", won, "share", f"of {len(closed)} closed positions, after costs")
    add(
        "turnover",
        result.turnover[1:].mean() * metrics.YEAR,
        "share",
        "one-sided, a year, of the previous session's value",
    )
    add("cost", result.trades["cost"].sum(), "rupees", "all charges paid, slippage apart")
    add("slippage", result.trades["slippage"].sum(), "rupees", "already in the prices paid and received")
    add("exposure", result.exposure[1:].mean(), "share", "invested share of the value at the close, mean")

    for name, curve, words in (
        ("excess_return", benchmark, "the benchmark"),
        ("excess_return_equal_weight", equal_weight, "the equal-weight universe"),
    ):
        if curve is not None:
            excess = returns - (curve[1:] / curve[:-1] - 1)
            spread = interval(_annual_mean, excess, seed=seed)
            note = f"mean session return above {words}, times 252"
            add(name, float(_annual_mean(excess)), "share", note, spread, metrics.mean_t(excess))

    if coefficients is not None:
        for name in ("ic", "rank_ic"):
            values = coefficients[name].dropna().to_numpy()
            mean = values.mean() if len(values) else np.nan
            note = "score against the return from the fill to one session later, mean over sessions"
            spread = interval(lambda drawn: drawn.mean(axis=-1), values, seed=seed)
            add(name, mean, "correlation", note, spread, metrics.mean_t(values), len(values))

    variants = max(count, len(tried), 1)
    deflated = metrics.deflated_sharpe(returns, rate, tried, count)
    add("deflated_sharpe", deflated, "probability", f"that the true Sharpe ratio beats the luck of {variants} tried")
    if null is not None:
        place = null.place(result)
        for name in ("sharpe", "total_return"):
            note = f"of doing as well with the scores' symbols permuted, {len(null.nav)} portfolios"
            add(f"p_{name}", place[name].p, "probability", note)

    table = pd.DataFrame(
        [(name, value, *spread, t, sessions, unit, note) for name, value, spread, t, sessions, unit, note in rows],
        columns=["metric", *COLUMNS],
    )
    return table.set_index("metric")


def _with_rate(statistic: Callable[[np.ndarray, float], np.ndarray], rate: float) -> Callable[..., np.ndarray]:
    return lambda returns: statistic(returns, rate)


def _annual_mean(returns: np.ndarray) -> np.ndarray:
    return returns.mean(axis=-1) * metrics.YEAR

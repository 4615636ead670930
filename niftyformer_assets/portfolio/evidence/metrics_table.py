"""The table of a backtest's figures, each with its uncertainty and the number of sessions behind it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.returns import YEAR, session_returns
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.bootstrap import interval
from niftyformer_assets.portfolio.evidence.null import Null
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.words import counted

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


def sharpe_spread(returns: np.ndarray, rate: float) -> Spread:
    """Of the Sharpe ratio."""
    low, high = interval(lambda drawn: metrics.sharpe(drawn, rate), returns)
    return Spread(low, high, metrics.sharpe_t(returns, rate))


def excess(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, Spread]:
    """`metrics.excess_return` of two series on the same sessions.

    Both are resampled together, so that what they share is no uncertainty of their difference.
    """
    low, high = interval(metrics.excess_return, ours, theirs)
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
    rows = [
        *_of_curve(result),
        *_of_trading(result),
        *_of_excess(result, {"excess_return": benchmark, "excess_return_equal_weight": equal_weight}),
        *([] if coefficients is None else _of_scores(coefficients)),
        *_of_luck(result, null, variants),
    ]
    return pd.DataFrame(rows, columns=["metric", *COLUMNS]).set_index("metric")


def index_summary(nav: np.ndarray, equal_weight: BacktestResult) -> pd.DataFrame:
    """The figures of `summary` that an index bought and held has, beside the equal-weight universe.

    Args:
        nav: float [T], rupees, on the sessions of `equal_weight`.
    """
    strategy = equal_weight.strategy
    returns = session_returns(nav, strategy.trade_at)
    over_equal, apart = excess(returns, equal_weight.returns)
    values = performance(nav, strategy) | {"excess_return_equal_weight": over_equal}
    spread = {"excess_return_equal_weight": apart}
    if math.isfinite(values["sharpe"]):
        spread["sharpe"] = sharpe_spread(returns, strategy.risk_free_rate)
    rows = [
        (metric, value, *spread.get(metric, NO_SPREAD), len(returns), "", "an index, without costs")
        for metric, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["metric", *COLUMNS]).set_index("metric")


class _Row(NamedTuple):
    """A row of `summary`: the metric, then COLUMNS."""

    metric: str
    value: float
    low: float
    high: float
    t: float
    sessions: int
    unit: str
    note: str


def _row(metric: str, value: float, unit: str, note: str, sessions: int, spread: Spread = NO_SPREAD) -> _Row:
    return _Row(metric, float(value), *spread, sessions, unit, note)


def _of_curve(result: BacktestResult) -> list[_Row]:
    """What the equity curve alone gives."""
    returns, rate = result.returns, result.strategy.risk_free_rate
    n, figures = len(returns), performance(result.nav, result.strategy)
    short = "" if n >= YEAR else f", an extrapolation of {n}"
    known = np.isfinite(figures["sharpe"])
    spreads = {"sharpe": sharpe_spread(returns, rate) if known else NO_SPREAD}
    described = {
        "total_return": ("share", "compounded over the period"),
        "annual_return": ("share", f"geometric, {YEAR} sessions a year{short}"),
        "volatility": ("share", "annualised standard deviation of session returns"),
        "sharpe": ("ratio", f"annualised, risk-free rate {rate:.1%} a year"),
        "sortino": ("ratio", "as Sharpe, over downside deviation"),
        "max_drawdown": ("share", "from the starting capital or a later peak"),
        "calmar": ("ratio", "annual return over maximum drawdown"),
        "daily_win_rate": ("share", "sessions with a return above 0"),
    }
    return [
        _row(metric, figures[metric], unit, note, n, spreads.get(metric, NO_SPREAD))
        for metric, (unit, note) in described.items()
    ]


def _of_trading(result: BacktestResult) -> list[_Row]:
    """What was traded, what it cost, and how much was invested."""
    n, after_first = len(result.returns), len(result.nav) - 1
    closed = result.round_trips.dropna(subset="closed")
    won = float((closed["profit"] > 0).mean()) if len(closed) else np.nan
    turnover, exposure = result.turnover[1:].mean() * YEAR, result.exposure[1:].mean()
    cost, slippage = (result.trades[column].sum() for column in ("cost", "slippage"))
    return [
        _row("trade_win_rate", won, "share", f"of {counted(len(closed), 'closed position')}, after costs", n),
        _row("turnover", turnover, "share", "one-sided, a year, of the previous session's value", after_first),
        _row("cost", cost, "rupees", "all charges paid, slippage apart", n),
        _row("slippage", slippage, "rupees", "already in the prices paid and received", n),
        _row("exposure", exposure, "share", "invested share of the value at the close, mean", after_first),
    ]


def _of_excess(result: BacktestResult, curves: dict[str, np.ndarray | None]) -> list[_Row]:
    """What it earned above each net asset value that is given."""
    names = {"excess_return": "the benchmark", "excess_return_equal_weight": "the equal-weight universe"}
    rows = []
    for metric, curve in curves.items():
        if curve is not None:
            value, spread = excess(result.returns, session_returns(curve, result.strategy.trade_at))
            n = len(result.returns)
            rows.append(_row(metric, value, "share", excess_note(names[metric], n), n, spread))
    return rows


def _of_scores(coefficients: pd.DataFrame) -> list[_Row]:
    """What the scores were worth, whatever was traded on them."""
    note = "score against the return from the fill to one session later, mean over sessions"
    rows = []
    for metric in ("ic", "rank_ic"):
        values = coefficients[metric].dropna().to_numpy()
        mean = values.mean() if len(values) else np.nan
        low, high = interval(lambda drawn: drawn.mean(axis=-1), values)
        spread = Spread(low, high, metrics.mean_t(values))
        rows.append(_row(metric, mean, "correlation", note, len(values), spread))
    return rows


def _of_luck(result: BacktestResult, null: Null | None, variants: int) -> list[_Row]:
    """How probable it is that luck did not do it."""
    returns, rate = result.returns, result.strategy.risk_free_rate
    known = np.isfinite(performance(result.nav, result.strategy)["sharpe"])
    deflated = metrics.deflated_sharpe(returns, rate, (), variants) if known else np.nan
    note = f"that the true Sharpe ratio beats the luck of {counted(variants, 'variant')} tried"
    rows = [_row("deflated_sharpe", deflated, "probability", note, len(returns))]
    if null is not None:
        place = null.place(result)
        note = f"of doing as well with the scores' symbols permuted, {counted(len(null.nav), 'portfolio')}"
        rows += [
            _row(f"p_{name}", place[name].p, "probability", note, len(returns)) for name in ("sharpe", "total_return")
        ]
    return rows

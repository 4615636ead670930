"""Performance of a series of returns.

Every function takes simple returns of consecutive sessions along the last axis, float [..., n],
finite (an equity curve of T sessions has n = T - 1 of them), and gives float [...]. A year has 252
sessions. NaN is the answer where a figure is not defined: fewer than two returns for a deviation,
no variation for a ratio. Where definitions agree they equal empyrical's.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.returns import YEAR, session_rate

_EULER = 0.577_215_664_901_532_9


def total_return(returns: np.ndarray) -> np.ndarray:
    """Compounded over all sessions."""
    return np.prod(1 + returns, axis=-1) - 1


def annual_return(returns: np.ndarray) -> np.ndarray:
    """Geometric: the constant yearly return that ends at the same value."""
    n = returns.shape[-1]
    if n == 0:
        return np.full(returns.shape[:-1], np.nan)
    return np.prod(1 + returns, axis=-1) ** (YEAR / n) - 1


def excess_span(sessions: int) -> str:
    """What `excess_return` is over: "year" from 252 sessions on, "window" below."""
    return "year" if sessions >= YEAR else "window"


def excess_return(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """How much more one series earned than another: their annual returns apart, over less than a year their returns."""
    n = ours.shape[-1]
    power = YEAR / n if n >= YEAR else 1.0
    return np.prod(1 + ours, axis=-1) ** power - np.prod(1 + theirs, axis=-1) ** power


def excess_t(ours: np.ndarray, theirs: np.ndarray) -> float:
    """t statistic of `excess_return`: of the mean difference of log returns, which has its sign."""
    apart = np.log1p(ours) - np.log1p(theirs)
    return mean_t(np.where(np.abs(apart) < 1e-12, 0.0, apart))


def volatility(returns: np.ndarray) -> np.ndarray:
    """Annualised standard deviation (n - 1 in the denominator)."""
    return _deviation(returns) * np.sqrt(YEAR)


def sharpe(returns: np.ndarray, risk_free_rate: float = 0.0) -> np.ndarray:
    """Annualised mean excess return over its standard deviation (Sharpe 1994).

    Args:
        risk_free_rate: a year; converted geometrically to a session.
    """
    return _ratio(_mean(returns) - session_rate(risk_free_rate), _deviation(returns)) * np.sqrt(YEAR)


def sortino(returns: np.ndarray, risk_free_rate: float = 0.0) -> np.ndarray:
    """As `sharpe`, over the root mean square of the returns below the risk-free rate."""
    excess = returns - session_rate(risk_free_rate)
    if returns.shape[-1] < 2:
        return np.full(returns.shape[:-1], np.nan)
    downside = np.sqrt(np.mean(np.minimum(excess, 0) ** 2, axis=-1))
    return _ratio(_mean(excess), downside) * np.sqrt(YEAR)


def drawdown(nav: np.ndarray) -> np.ndarray:
    """Float [..., T]: fall of a net asset value below its highest so far, the starting capital included; 0 or less."""
    return nav / np.maximum.accumulate(nav, axis=-1) - 1


def calmar(annual: np.ndarray, deepest: np.ndarray) -> np.ndarray:
    """Annual return over the size of the maximum drawdown; NaN without one."""
    return _ratio(annual, -deepest)


def win_rate(returns: np.ndarray) -> np.ndarray:
    """Share of sessions with a return above 0; a session at exactly 0 counts as one that is not."""
    if returns.shape[-1] == 0:
        return np.full(returns.shape[:-1], np.nan)
    return (returns > 0).mean(axis=-1)


def mean_t(values: np.ndarray) -> float:
    """t statistic of a mean against 0, values taken as independent; NaN below two values or without variation."""
    values = values[np.isfinite(values)]
    return float(_ratio(_mean(values), _deviation(values)) * np.sqrt(len(values)))


def sharpe_t(returns: np.ndarray, risk_free_rate: float = 0.0) -> float:
    """t statistic of one Sharpe ratio, its standard error allowing for skewness and kurtosis (Mertens 2002)."""
    per_session = float(sharpe(returns, risk_free_rate)) / np.sqrt(YEAR)
    return float(per_session / np.sqrt(_sharpe_variance(returns, per_session) / len(returns)))


def deflated_sharpe(returns: np.ndarray, risk_free_rate: float, tried: Sequence[float], count: int = 0) -> float:
    """Probability that the true Sharpe ratio is above what the best of the tried variants shows by luck.

    Bailey and López de Prado (2014), The Deflated Sharpe Ratio. Below 0.95 the result does not
    stand at 5% once the search is accounted for.

    Args:
        returns: of the chosen variant, [n].
        tried: annualised Sharpe ratios of all variants tried, the chosen one among them. Their
            variance says how much a search can find; with fewer than two, it is that of one
            estimate without skill, 1/n.
        count: how many were tried, if more than are listed.
    """
    n = len(returns)
    observed = float(sharpe(returns, risk_free_rate)) / np.sqrt(YEAR)
    known = np.asarray(tried, dtype=float)
    known = known[np.isfinite(known)] / np.sqrt(YEAR)
    variance = float(known.var(ddof=1)) if len(known) > 1 else 1 / n
    variants = max(count, len(known), 1)
    by_luck = 0.0
    if variants > 1:
        normal = NormalDist().inv_cdf
        by_luck = np.sqrt(variance) * (
            (1 - _EULER) * normal(1 - 1 / variants) + _EULER * normal(1 - 1 / (variants * np.e))
        )
    score = (observed - by_luck) * np.sqrt((n - 1) / _sharpe_variance(returns, observed))
    return float("nan") if np.isnan(score) else NormalDist().cdf(float(score))


def monthly_returns(nav: np.ndarray, dates: np.ndarray) -> pd.DataFrame:
    """Compounded return of each calendar month.

    Args:
        nav: [T] at datetime64[D] [T]; the first session only gives the starting value.

    Returns:
        One row a year, columns 1 to 12 (NaN where no session) and `year`.
    """
    month = dates[1:].astype("datetime64[M]")
    growth = pd.Series(nav[1:] / nav[:-1]).groupby(month).prod()
    index = pd.DatetimeIndex(growth.index)
    table = pd.DataFrame({"year": index.year, "month": index.month, "growth": growth.to_numpy()})
    wide = table.pivot_table(index="year", columns="month", values="growth").reindex(columns=range(1, 13)) - 1
    wide["year"] = table.groupby("year")["growth"].prod() - 1
    return wide.rename_axis(columns=None)


def _sharpe_variance(returns: np.ndarray, per_session: float) -> float:
    """n times the variance of an estimated Sharpe ratio of one session."""
    deviation = returns.std()
    if deviation == 0 or len(returns) < 2:
        return float("nan")
    centred = (returns - returns.mean()) / deviation
    skewness, kurtosis = float((centred**3).mean()), float((centred**4).mean())
    return 1 - skewness * per_session + (kurtosis - 1) / 4 * per_session**2


def _mean(values: np.ndarray) -> np.ndarray:
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    return values.mean(axis=-1)


def _deviation(values: np.ndarray) -> np.ndarray:
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    return values.std(axis=-1, ddof=1)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where there is nothing to divide by (a deviation of rounding errors counts as none)."""
    nothing = ~(below > 1e-15)
    return np.where(nothing, np.nan, above / np.where(nothing, 1.0, below))

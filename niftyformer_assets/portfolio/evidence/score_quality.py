"""What scores are worth over longer horizons and among which stocks, and how fast they change.

The returns of a horizon are known only when it is over, so all this looks back; nothing here chooses
anything. Windows of neighbouring sessions overlap, hence t statistics by Newey and West.

Shapes: T sessions, N symbols.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from niftyformer_assets.factors.average_ranks import average_ranks
from niftyformer_assets.factors.ic import rank_ic_by_group, statistics
from niftyformer_assets.factors.newey_west import newey_west_lags
from niftyformer_assets.factors.settings import MIN_STOCKS
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.deciles import (
    above_all,
    bucket_returns,
    information_coefficients,
    realised_returns,
    untradable_returns,
)
from niftyformer_assets.store.arrays import Axes

HORIZONS = (1, 2, 5, 10, 20)
FIFTHS = 5
# Series of overlapping windows are taken to depend on each other over so many horizons: with the one that theory asks
# for, series of nothing pass for something in 11% to 20% of cases at 5%, with two in 6% to 11%.
DEPENDENCE = 2
# Below so many windows that do not overlap no t statistic is given: not even that would do.
MIN_WINDOWS = 5
SIZES = ("large third", "middle third", "small third")
NO_SIZE = "size not known"


def by_horizon(scores: Scores, market: Market, trade_at: str) -> pd.DataFrame:
    """Rank IC, and what the best and the worst fifth earned, over each horizon from the first possible fill.

    The first row is the step from the close of t to that of t+1, for which a score made at the close
    of t is too late: `earnable` is False there.

    Returns:
        horizon (sessions held), earnable, sessions (with a coefficient; those whose horizon ends after
        the last session have none), windows (of them that do not overlap), rank_ic; top and bottom (mean
        return of the fifth over the horizon, above that of all stocks with a score, a share) and spread
        (top less bottom); rank_ic_t, top_t, bottom_t and spread_t (Newey and West; NaN below
        MIN_WINDOWS); t_needed (`critical_t`).
    """
    steps = [(1, False, untradable_returns(market))]
    steps += [(horizon, True, realised_returns(market, trade_at, horizon)) for horizon in HORIZONS]
    rows = []
    for horizon, earnable, realised in steps:
        last = max(len(realised) - (horizon + 1 if earnable else 1), 0)
        coefficient = information_coefficients(scores, realised)["rank_ic"].to_numpy()
        fifths, _ = bucket_returns(scores, above_all(scores, realised), FIFTHS)
        series = np.stack([coefficient, fifths[:, -1], fifths[:, 0], fifths[:, -1] - fifths[:, 0]])[:, :last]
        told = statistics(series, DEPENDENCE * horizon)
        windows = int(told["sessions"][0]) // horizon
        t = told["t_nw"] if windows >= MIN_WINDOWS else np.full(len(series), np.nan)
        row: dict[str, float] = {
            "horizon": horizon,
            "earnable": earnable,
            "sessions": int(told["sessions"][0]),
            "windows": windows,
            "t_needed": critical_t(last, horizon) if windows >= MIN_WINDOWS else math.nan,
        }
        for place, name in enumerate(("rank_ic", "top", "bottom", "spread")):
            row |= {name: float(told["mean"][place]), f"{name}_t": float(t[place])}
        rows.append(row)
    return pd.DataFrame(rows)


def critical_t(sessions: int, horizon: int) -> float:
    """The |t| of `by_horizon` that a mean which is in truth zero exceeds in 5% of cases.

    It grows with the share of lags among the sessions: Kiefer and Vogelsang (2005), A new asymptotic
    theory for heteroskedasticity-autocorrelation robust tests, table 1, the Bartlett kernel.
    """
    share = min((newey_west_lags(sessions, DEPENDENCE * horizon) + 1) / sessions, 1.0)
    return float(1.96 + 2.9694 * share + 0.4160 * share**2 - 0.5324 * share**3)


def persistence(scores: Scores, market: Market) -> pd.DataFrame:
    """How much of the order of the stocks is left after some sessions, and how much of the outer fifths is replaced.

    Looked at are the scores that could trade, of members, that of the last session not among them.

    Returns:
        horizon, sessions (pairs), autocorrelation (rank correlation across stocks of the scores of a
        session with those `horizon` sessions later, mean over sessions), top_replaced and
        bottom_replaced (share of the fifth that is another one by then).
    """
    values = np.where(market.member, scores.values, np.nan)[:-1]
    made = Scores(Axes(scores.axes.dates[:-1], scores.axes.symbols), values)
    bottom, top = outer_fifths(values)
    rows = []
    for horizon in HORIZONS:
        later = np.full(values.shape, np.nan)
        later[: max(len(values) - horizon, 0)] = values[horizon:]
        correlation = information_coefficients(made, later)["rank_ic"]
        rows.append(
            {
                "horizon": horizon,
                "sessions": int(correlation.notna().sum()),
                "autocorrelation": float(correlation.mean()),
                "top_replaced": _replaced(top, horizon),
                "bottom_replaced": _replaced(bottom, horizon),
            }
        )
    return pd.DataFrame(rows)


def outer_fifths(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [T, N] of the worst and the best fifth by score, each session's summing to 1.

    As in `bucket_returns`, stocks of one score share the places that they take together, and sessions
    with fewer than MIN_STOCKS stocks, or with one score for all, are NaN.

    Args:
        values: scores [T, N]; a stock without one has weight 0.
    """
    known = np.isfinite(values)
    count = known.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(np.where(known, values, np.nan))
    first = frame.rank(axis=1, method="min").to_numpy() - 1
    end = frame.rank(axis=1, method="max").to_numpy()
    low = -(-count // FIFTHS)
    high = -(-count * (FIFTHS - 1) // FIFTHS)
    said = (count >= MIN_STOCKS) & ((end - first) < count).any(axis=1, keepdims=True, where=known)
    with np.errstate(invalid="ignore", divide="ignore"):
        worst = np.maximum(np.minimum(end, low) - first, 0) / (end - first) / low
        best = np.maximum(end - np.maximum(first, high), 0) / (end - first) / (count - high)
    worst, best = (np.where(said, np.where(known, weight, 0.0), np.nan) for weight in (worst, best))
    return worst, best


def _replaced(weights: np.ndarray, horizon: int) -> float:
    return _mean(_sum(np.abs(weights[horizon:] - weights[:-horizon])) / 2)


def _sum(values: np.ndarray) -> np.ndarray:
    """Of each session, in order of size: the order of columns does not even change a rounding error."""
    return np.ascontiguousarray(np.sort(values, axis=1)).sum(axis=1)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def by_group(scores: Scores, realised: np.ndarray, groups: np.ndarray) -> pd.DataFrame:
    """Among which stocks the scores were right: a row a group, in the order of their names.

    Args:
        realised: of `realised_returns`. groups: str [T, N], the group of each stock at each session.

    Returns:
        group, stocks (with a score and a return, mean of a session), rank_ic (inside the group, on
        sessions with at least MIN_STOCKS_OF_GROUP of its stocks) with rank_ic_t and sessions, share
        (of all stocks), top_share (of the best fifth), contribution (of the group's stocks in the best fifth
        to what that earned in a session above all stocks, a share; the contributions add up to it) and
        contribution_t. The t statistics are those of Newey and West.
    """
    both = np.isfinite(scores.values) & np.isfinite(realised)
    _, top = outer_fifths(np.where(both, scores.values, np.nan))
    earned = np.nan_to_num(above_all(scores, realised))
    rows = []
    for group, coefficient in rank_ic_by_group(scores.values, realised, groups).items():
        inside = both & (groups == group)
        weight = np.where(inside | np.isnan(top), top, 0.0)
        part = _sum(weight * earned)
        told = statistics(np.stack([coefficient, part])[:, : max(len(part) - 2, 0)], 1)
        rows.append(
            {
                "group": group,
                "stocks": float(inside.sum() / both.any(axis=1).sum()),
                "rank_ic": float(told["mean"][0]),
                "rank_ic_t": float(told["t_nw"][0]),
                "sessions": int(told["sessions"][0]),
                "share": float(inside.sum() / both.sum()),
                "top_share": _mean(_sum(weight)),
                "contribution": float(told["mean"][1]),
                "contribution_t": float(told["t_nw"][1]),
            }
        )
    columns = ["group", "stocks", "rank_ic", "rank_ic_t", "sessions", "share", "top_share"]
    return pd.DataFrame(rows, columns=[*columns, "contribution", "contribution_t"])


def size_thirds(log_size: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The third of the stocks by size that each is in, str [T, N]; equal sizes share a third.

    Args:
        log_size: [T, N], NaN where not known. among: bool [T, N], the stocks that are ranked.
    """
    size = np.where(among, log_size, np.nan)
    known = np.isfinite(size)
    place = (average_ranks(size) - 0.5) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    third = np.minimum((3 * np.nan_to_num(place)).astype(int), 2)
    return np.where(known, np.array(SIZES)[2 - third], NO_SIZE)

"""Do better scores earn more? Information coefficients, and returns by decile of the score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.factors.settings import MIN_STOCKS
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.metrics import mean_t


def realised_returns(market: Market, trade_at: str, horizon: int = 1) -> np.ndarray:
    """What a score made at session t can earn in `horizon` sessions: bought at t+1, sold at t+1+horizon.

    Args:
        trade_at: "open" or "close", as the strategy trades.

    Returns:
        float [T, N]; NaN where the stock is not traded on the session of either, across a broken
        adjustment, where it is no member at t and so is not bought, and on the last 1 + horizon sessions.
    """
    price = market.trade_price(trade_at)
    earned = np.full(price.shape, np.nan)
    if (known := len(price) - 1 - horizon) > 0:
        breaks = np.cumsum(market.broken, axis=0)
        whole = breaks[1 + horizon :] == breaks[1 : 1 + known]
        earned[:known] = np.where(whole, price[1 + horizon :] / price[1 : 1 + known] - 1, np.nan)
    earned[~market.member] = np.nan
    return earned


def untradable_returns(market: Market) -> np.ndarray:
    """The return from the close of t to the close of t+1, which a score made at that close is too late for.

    It stands beside `realised_returns`, and is missing where that is, because models are often
    judged by it. float [T, N].
    """
    close = np.where(market.has_candle, market.close, np.nan)
    earned = np.full(close.shape, np.nan)
    earned[:-1] = close[1:] / close[:-1] - 1
    earned[:-1][market.broken[1:]] = np.nan
    earned[~market.member] = np.nan
    return earned


def above_all(scores: Scores, realised: np.ndarray) -> np.ndarray:
    """Realised returns [T, N] less their mean over the stocks that have a score and a return; NaN for the others.

    Without the market's own swings, uncertainty is that of the stocks' differences.
    """
    both = np.isfinite(scores.values) & np.isfinite(realised)
    count = both.sum(axis=1, keepdims=True)
    # Sorted, so that the order of columns does not even change a rounding error.
    total = np.sort(np.where(both, realised, 0), axis=1).sum(axis=1, keepdims=True)
    return np.where(both, realised - total / np.maximum(count, 1), np.nan)


def information_coefficients(scores: Scores, realised: np.ndarray) -> pd.DataFrame:
    """Correlation across stocks of score and realised return, at each session.

    Returns:
        One row a session: session, ic (Pearson), rank_ic (Spearman), stocks (with both a score and
        a return). The coefficients are NaN below MIN_STOCKS stocks or where one side does not vary.
    """
    stocks = (np.isfinite(scores.values) & np.isfinite(realised)).sum(axis=1)
    return pd.DataFrame(
        {
            "session": scores.axes.dates.astype("datetime64[s]"),
            "ic": plain_ic(scores.values, realised),
            "rank_ic": rank_ic(scores.values, realised),
            "stocks": stocks,
        }
    )


def plain_ic(values: np.ndarray, realised: np.ndarray) -> np.ndarray:
    """Pearson's correlation across stocks of scores and returns [T, N] at each session.

    float [T]; NaN below MIN_STOCKS stocks with both, or where one side does not vary.
    """
    score, earned = _in_order(values, realised)
    enough = np.isfinite(score).sum(axis=1) >= MIN_STOCKS
    return np.where(enough, _correlation(score, earned), np.nan)


def bucket_returns(scores: Scores, realised: np.ndarray, buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean realised return of each bucket of the score at each session, the lowest scores first.

    At each session the stocks with both are ranked and cut into equal buckets. Stocks of one score
    share their places: each place counts with the mean return of all of them.

    Returns:
        float [T, buckets], NaN on sessions with fewer stocks than MIN_STOCKS, or than buckets, and
        where all scores are equal; int [buckets], how many places each bucket had, all told.
    """
    score, earned = _in_order(scores.values, realised)
    count = np.isfinite(score).sum(axis=1)
    varies = score[np.arange(len(score)), np.maximum(count - 1, 0)] > score[:, 0]
    enough = (count >= max(MIN_STOCKS, buckets)) & varies
    score, earned, count = score[enough], _mean_of_equals(score[enough], earned[enough]), count[enough]
    bucket = np.where(np.isfinite(score), np.arange(score.shape[1]) * buckets // count[:, None], -1)
    means = np.full((len(enough), buckets), np.nan)
    stocks = np.zeros(buckets, dtype=np.int64)
    for b in range(buckets):
        inside = bucket == b
        means[enough, b] = np.where(inside, earned, 0.0).sum(axis=1) / inside.sum(axis=1)
        stocks[b] = inside.sum()
    return means, stocks


def decile_returns(scores: Scores, realised: np.ndarray, buckets: int = 10) -> pd.DataFrame:
    """`bucket_returns` averaged over sessions, so that every session counts alike; bucket 1 has the lowest scores.

    Returns:
        bucket, mean (a session), standard_error (over sessions), t, sessions, stocks (places, all
        told).
    """
    means, stocks = bucket_returns(scores, realised, buckets)
    means = means[np.isfinite(means[:, 0])]
    n = len(means)
    mean = means.mean(axis=0) if n else np.full(buckets, np.nan)
    error = means.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(buckets, np.nan)
    return pd.DataFrame(
        {
            "bucket": np.arange(1, buckets + 1),
            "mean": mean,
            "standard_error": error,
            "t": [mean_t(means[:, b]) for b in range(buckets)],
            "sessions": n,
            "stocks": stocks,
        }
    )


def _in_order(values: np.ndarray, realised: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score and return [T, N] of the stocks that have both, each session's by score and then return; NaN behind.

    Which column a stock had is gone, so it cannot decide anything.
    """
    both = np.isfinite(values) & np.isfinite(realised)
    score, earned = np.where(both, values, np.nan), np.where(both, realised, np.nan)
    order = np.lexsort((earned, score), axis=1)
    return np.take_along_axis(score, order, axis=1), np.take_along_axis(earned, order, axis=1)


def _mean_of_equals(score: np.ndarray, earned: np.ndarray) -> np.ndarray:
    """Float [T, N]: of each stock the mean return of all that have its score in the session."""
    new = np.ones(score.shape, dtype=bool)
    new[:, 1:] = score[:, 1:] != score[:, :-1]
    group = np.cumsum(new.ravel()) - 1
    sums = np.bincount(group, weights=np.nan_to_num(earned).ravel())
    return (sums / np.bincount(group))[group].reshape(score.shape) if score.size else earned


def _correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each row, over the columns where both are given; NaN without variation."""
    given = np.isfinite(x)
    count = np.maximum(given.sum(axis=1, keepdims=True), 1)

    def centred(values: np.ndarray) -> np.ndarray:
        """Deviations from the mean, the largest of them 1."""
        values = np.where(given, values, 0.0)
        apart = np.where(given, values - values.sum(axis=1, keepdims=True) / count, 0.0)
        largest = np.abs(apart).max(axis=1, keepdims=True)
        # A constant row keeps rounding errors of about 1e-16 of its size.
        varies = largest > 1e-12 * np.abs(values).max(axis=1, keepdims=True)
        return np.divide(apart, largest, out=np.zeros(apart.shape), where=varies)

    x, y = centred(x), centred(y)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.divide((x * y).sum(axis=1), size, out=np.full(len(x), np.nan), where=size > 0)

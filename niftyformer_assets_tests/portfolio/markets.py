"""Small markets for the tests of the backtest: random ones with every kind of trouble, and plain ones by hand."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.portfolio.backtest.market import Market, median_traded_value
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.store.arrays import Axes


def axes(T: int, N: int, start: str = "2023-01-02") -> Axes:
    return Axes(np.datetime64(start) + np.arange(T), tuple(f"S{column:03d}" for column in range(N)))


def plain_market(close: np.ndarray, start: str = "2023-01-02", **changed: np.ndarray) -> Market:
    """A market that trades freely at these closes [T, N]; opens equal the closes before unless given."""
    close = np.asarray(close, dtype=float)
    opening = changed.pop("open", np.vstack([close[:1], close[:-1]]))
    arrays = {
        "open": opening,
        "high": np.fmax(opening, close) + 1.0,
        "low": np.fmin(opening, close) * 0.5,
        "close": close,
        "volume": np.where(np.isfinite(close), 1e6, np.nan),
        "member": np.ones(close.shape, dtype=bool),
        "segment": np.zeros(close.shape, dtype=np.int32),
    }
    return Market(axes=axes(*close.shape, start), **{**arrays, **changed})


def random_market(seed: int, T: int, N: int, trouble: float = 0.05, start: str = "2023-03-20") -> Market:
    """Random walks, some dear, some worth paise; gaps, locks, no volume, late listings, delistings, broken
    adjustments, members that come and go, each at the rate `trouble`."""
    rng = np.random.default_rng(seed)
    walk = np.exp(np.cumsum(rng.normal(0, 0.03, (T, N)), axis=0))
    close = rng.choice([0.5, 20.0, 300.0, 2500.0, 90_000.0], N) * walk
    opening = close * np.exp(rng.normal(0, 0.01, (T, N)))
    high, low = np.maximum(opening, close) * 1.01, np.minimum(opening, close) * 0.99
    volume = np.round(np.exp(rng.normal(11, 2, (T, N))))
    segment = np.cumsum(rng.random((T, N)) < trouble / 5, axis=0).astype(np.int32)
    factor = np.exp(rng.normal(0, 0.7, (T, N)))
    for t in range(1, T):
        moved = segment[t] != segment[t - 1]
        for array in (opening, high, low, close):
            array[t:] *= np.where(moved, factor[t], 1.0)
    locked = rng.random((T, N)) < trouble
    for array in (opening, high, low):
        array[locked] = close[locked]
    volume[rng.random((T, N)) < trouble] = 0
    session = np.arange(T)[:, None]
    gone = rng.random((T, N)) < trouble
    gone |= session < np.where(rng.random(N) < 2 * trouble, rng.integers(0, T, N), 0)
    gone |= session >= np.where(rng.random(N) < 2 * trouble, rng.integers(1, T + 1, N), T)
    arrays = {"open": opening, "high": high, "low": low, "close": close, "volume": volume}
    for array in arrays.values():
        array[gone] = np.nan
    segment[gone] = -1
    change = rng.integers(0, T, N)
    member = (rng.random(N) < 0.5) ^ (session < change) | (rng.random(N) > 2 * trouble)
    median = median_traded_value(close, volume)
    return Market(axes=axes(T, N, start), member=member, segment=segment, traded_value=median, **arrays)


def random_walk_scores(seed: int, market: Market, trouble: float = 0.05) -> Scores:
    """Scores that change slowly, so that names are kept; some are missing, on some sessions all."""
    rng = np.random.default_rng(seed + 1)
    T, N = market.axes.shape
    values = rng.normal(size=N) + 0.3 * np.cumsum(rng.normal(size=(T, N)), axis=0)
    values[rng.random((T, N)) < trouble] = np.nan
    values[rng.random(T) < trouble] = np.nan
    return Scores(market.axes, values)


def random_scores(axes: Axes, seed: int) -> Scores:
    """Scores drawn anew each session: they turn over far more than those of a model."""
    return Scores(axes, np.random.default_rng(seed).random(axes.shape))

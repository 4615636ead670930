"""What the 93 factors are made of: daily series of each stock, and windows over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from niftyformer_assets.factors.kernels.trailing import trailing_maximum, trailing_moments, trailing_products
from niftyformer_assets.factors.returns import daily_returns
from niftyformer_assets.market.panel import Panel

BETA_WINDOW = 250


def present(x: np.ndarray) -> np.ndarray:
    """x with NaN for ±inf."""
    return np.where(np.isfinite(x), x, np.nan)


class Windows:
    """Statistics over the last sessions of a stock's stretch, from session `first` on; half of a window must be there.

    Every method takes float64 [T, N] and gives [T - first, N].
    """

    def __init__(self, segment: np.ndarray, first: int) -> None:
        self.segment, self.first = segment, first

    def _empty(self, count: int) -> np.ndarray:
        return np.empty((count, len(self.segment) - self.first, self.segment.shape[1]))

    def _moments(self, x: np.ndarray, window: int) -> np.ndarray:
        moments = self._empty(4)
        trailing_moments(x, self.segment, window, self.first, *moments)
        moments[:, moments[0] < window / 2] = np.nan
        return moments

    def sum(self, x: np.ndarray, window: int) -> np.ndarray:
        count, mean, _squares, _cubes = self._moments(x, window)
        return count * mean

    def mean(self, x: np.ndarray, window: int) -> np.ndarray:
        return self._moments(x, window)[1]

    def variance(self, x: np.ndarray, window: int) -> np.ndarray:
        """With ddof 1."""
        count, _mean, squares, _cubes = self._moments(x, window)
        return squares / (count - 1)

    def std(self, x: np.ndarray, window: int) -> np.ndarray:
        return np.sqrt(self.variance(x, window))

    def skewness(self, x: np.ndarray, window: int) -> np.ndarray:
        count, _mean, squares, cubes = self._moments(x, window)
        return (cubes / count) / (squares / count) ** 1.5

    def _products(self, x: np.ndarray, y: np.ndarray, window: int, least: float) -> np.ndarray:
        products = self._empty(4)
        trailing_products(x, y, self.segment, window, self.first, *products)
        products[:, products[0] < least] = np.nan
        return products

    def beta(self, x: np.ndarray, market: np.ndarray, window: int, least: float | None = None) -> np.ndarray:
        """Slope of x on the market; `least`: how many sessions must be there instead of half."""
        least = window / 2 if least is None else least
        _count, _squares, market_squares, products = self._products(x, market, window, least)
        return products / market_squares

    def correlation(self, x: np.ndarray, y: np.ndarray, window: int) -> np.ndarray:
        _count, x_squares, y_squares, products = self._products(x, y, window, window / 2)
        return products / np.sqrt(x_squares * y_squares)

    def _maximum(self, x: np.ndarray, window: int) -> np.ndarray:
        found = self._empty(3)
        trailing_maximum(x, self.segment, window, self.first, *found)
        found[:, found[0] < window / 2] = np.nan
        return found

    def maximum(self, x: np.ndarray, window: int) -> np.ndarray:
        return self._maximum(x, window)[1]

    def minimum(self, x: np.ndarray, window: int) -> np.ndarray:
        return -self.maximum(-x, window)

    def sessions_since_maximum(self, x: np.ndarray, window: int) -> np.ndarray:
        return self._maximum(x, window)[2]

    def lagged(self, x: np.ndarray, lag: int) -> np.ndarray:
        """x so many sessions ago, in the same stretch."""
        return before(x, self.segment, lag)[self.first :]


def before(x: np.ndarray, segment: np.ndarray, lag: int) -> np.ndarray:
    """x [T, N] `lag` sessions before each session, NaN where that is in another stretch."""
    result = np.full(x.shape, np.nan)
    if lag < len(x):
        same = segment[lag:] == segment[: len(x) - lag]
        result[lag:] = np.where(same, x[: len(x) - lag], np.nan)
    return result


@dataclass(frozen=True, eq=False)
class Series:
    """Daily series [T, N] of a panel, and windows over them that end on session `first` or later.

    market: mean of the returns of the stocks that have candles on the session and on the one before; the same in every
    column. night, day: ln(O / C′) and ln(C / O). log_value: ln(C V), missing without volume.
    """

    panel: Panel
    first: int

    @cached_property
    def over(self) -> Windows:
        return Windows(self.panel.segment, self.first)

    @cached_property
    def returns(self) -> np.ndarray:
        return daily_returns(self.panel.close, self.panel.segment)

    @cached_property
    def market(self) -> np.ndarray:
        known = np.isfinite(self.returns)
        total = np.where(known, self.returns, 0.0)
        # From left to right, whatever else is computed at once.
        mean = np.cumsum(total, axis=1)[:, -1:] / known.sum(axis=1, keepdims=True)
        return np.ascontiguousarray(np.broadcast_to(mean, self.returns.shape))

    @cached_property
    def residual(self) -> np.ndarray:
        """return − beta · market, with the beta of the 250 sessions that end with the return's own."""
        beta = Windows(self.panel.segment, 0).beta(self.returns, self.market, BETA_WINDOW)
        return present(self.returns - beta * self.market)

    @cached_property
    def night(self) -> np.ndarray:
        return present(np.log(self.panel.open / before(self.panel.close, self.panel.segment, 1)))

    @cached_property
    def day(self) -> np.ndarray:
        return present(np.log(self.panel.close / self.panel.open))

    @cached_property
    def value(self) -> np.ndarray:
        return self.panel.close * self.panel.volume

    @cached_property
    def log_value(self) -> np.ndarray:
        return present(np.log(self.value))

    @cached_property
    def shock(self) -> np.ndarray:
        """Turnover shock: ln(C V) less its mean over 20 sessions."""
        return self.log_value - Windows(self.panel.segment, 0).mean(self.log_value, 20)

"""The market that is traded: prices of the period, with what holdings are valued at and orders fill at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class Market:
    """Prices of the traded period: T sessions, N symbols.

    open, high, low, close, volume: float [T, N], rupees (adjusted) and shares; NaN = no candle.
    member: bool [T, N]; only members at the session of the score are bought.
    segment: int [T, N]; another number than at the stock's last candle is a broken adjustment.
    """

    axes: Axes
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    member: np.ndarray
    segment: np.ndarray

    def __post_init__(self) -> None:
        for name in (*_PRICES, "volume", "member", "segment"):
            if (shape := getattr(self, name).shape) != self.axes.shape:
                raise ValueError(f"{name} of shape {shape} does not fit {self.axes.shape} sessions and symbols")
        for name in _PRICES:
            if (getattr(self, name) < 0).any():
                raise ValueError(f"{name} holds a price below 0")

    def rows(self, sessions: slice) -> Market:
        """The same market on a part of its sessions."""
        arrays = {name: getattr(self, name)[sessions] for name in (*_PRICES, "volume", "member", "segment")}
        return Market(axes=Axes(self.axes.dates[sessions], self.axes.symbols), **arrays)

    def columns(self, order: np.ndarray) -> Market:
        """The same market with its symbols in another order."""
        arrays = {name: getattr(self, name)[:, order] for name in (*_PRICES, "volume", "member", "segment")}
        axes = Axes(self.axes.dates, tuple(self.axes.symbols[column] for column in order))
        return Market(axes=axes, **arrays)

    @cached_property
    def has_candle(self) -> np.ndarray:
        """bool [T, N]."""
        return to_paise(self.close) > 0

    @cached_property
    def broken(self) -> np.ndarray:
        """bool [T, N], the first candle after a broken adjustment."""
        last = last_known(self.has_candle)
        before = np.vstack([np.full((1, last.shape[1]), -1), last[:-1]])
        columns = np.arange(last.shape[1])
        return self.has_candle & (before >= 0) & (self.segment != self.segment[before, columns])

    @cached_property
    def mark(self) -> np.ndarray:
        """int64 [T, N], the last known close in paise, which holdings are valued at; 0 before the first."""
        last = last_known(self.has_candle)
        close = to_paise(self.close)[last, np.arange(last.shape[1])]
        return np.where(last >= 0, close, 0)

    def trade_price(self, trade_at: str) -> np.ndarray:
        """float [T, N], the price at which orders fill, rupees; NaN where the stock is not traded."""
        price = self.open if trade_at == "open" else self.close
        tradable = (to_paise(price) > 0) & (self.volume > 0) & (self.high != self.low)
        return np.where(tradable, price, np.nan)


def cut_market(panel: Mapping[str, np.ndarray], scope: Scope, first: np.datetime64, last: np.datetime64) -> Market:
    """The market of an experiment from the session of its first score through its last session.

    Args:
        panel: open, high, low, close, volume, segment [T', N'] as market_panel.npz holds them.
        first, last: dates, both included.

    Raises:
        NiftyFormerError: the experiment has no sessions between them.
    """
    start, stop = np.searchsorted(scope.axes.dates, [first, last + np.timedelta64(1, "D")])
    if start >= stop:
        raise NiftyFormerError(
            f"no session between {first} and {last}: the experiment has "
            f"{scope.axes.dates[0]} to {scope.axes.dates[-1]}."
        )
    arrays = {name: scope.cut(panel[name])[start:stop] for name in (*_PRICES, "volume", "segment")}
    axes = Axes(scope.axes.dates[start:stop], scope.axes.symbols)
    return Market(axes=axes, member=scope.member[start:stop], **arrays)


def name_order(axes: Axes) -> np.ndarray:
    """int [N], the columns in the order of their symbols' names: the engine's, whatever order a caller has."""
    return np.argsort(np.array(axes.symbols))


def require_sessions(market: Market) -> None:
    """Refuse a market in which no score could be traded."""
    if len(market.axes.dates) < 2:
        raise NiftyFormerError(
            f"a backtest needs at least 2 sessions, one to decide and one to trade; there are {len(market.axes.dates)}."
        )


def to_paise(rupees: np.ndarray) -> np.ndarray:
    """int64, rounded; 0 where missing."""
    return np.rint(np.where(np.isfinite(rupees), rupees, 0.0) * 100).astype(np.int64)


def last_known(present: np.ndarray) -> np.ndarray:
    """int [T, N], the last session up to t where `present` held; -1 before the first."""
    session = np.arange(len(present))[:, None]
    return np.maximum.accumulate(np.where(present, session, -1), axis=0)

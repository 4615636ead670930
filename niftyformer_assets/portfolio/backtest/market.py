"""The market that is traded: prices of the period, with what holdings are valued at and orders fill at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

_PRICES = ("open", "high", "low", "close")
_ARRAYS = (*_PRICES, "volume", "member", "segment")
_OPTIONAL = ("traded_value", "outside")
# Sessions over which the traded value that caps orders is taken.
TRADED_VALUE_SESSIONS = 60


@dataclass(frozen=True, eq=False)
class Market:
    """Prices of the traded period: T sessions, N symbols.

    open, high, low, close, volume: float [T, N], rupees (adjusted) and shares; NaN = no candle.
    member: bool [T, N]; only members at the session of the score are bought.
    segment: int [T, N]; another number than at the stock's last candle is a broken adjustment.
    traded_value: float [T, N], `median_traded_value` up to each session, rupees; needed by `volume_cap` only.
    outside: bool [T, N]; a holding that is outside the universe of this session's scores is sold in the
        next session, whatever the strategy says. None = nowhere: scores of one universe.
    """

    axes: Axes
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    member: np.ndarray
    segment: np.ndarray
    traded_value: np.ndarray | None = None
    outside: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            if (shape := array.shape) != self.axes.shape:
                raise ValueError(f"{name} of shape {shape} does not fit {self.axes.shape} sessions and symbols")
        for name in _PRICES:
            if (getattr(self, name) < 0).any():
                raise ValueError(f"{name} holds a price below 0")

    def rows(self, sessions: slice) -> Market:
        """The same market on a part of its sessions."""
        arrays = {name: array[sessions] for name, array in self.arrays().items()}
        return Market(axes=Axes(self.axes.dates[sessions], self.axes.symbols), **arrays)

    def columns(self, order: np.ndarray) -> Market:
        """The same market with its symbols in another order."""
        arrays = {name: array[:, order] for name, array in self.arrays().items()}
        axes = Axes(self.axes.dates, tuple(self.axes.symbols[column] for column in order))
        return Market(axes=axes, **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        """Those that are there, by name."""
        given = {name: getattr(self, name) for name in (*_ARRAYS, *_OPTIONAL)}
        return {name: array for name, array in given.items() if array is not None}

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
    place = slice(scope.rows.start + start, scope.rows.start + stop)
    axes = Axes(scope.axes.dates[start:stop], scope.axes.symbols)
    return Market(axes=axes, member=scope.member[start:stop], **panel_part(panel, place, scope.columns))


def panel_part(panel: Mapping[str, np.ndarray], rows: slice, columns: np.ndarray) -> dict[str, np.ndarray]:
    """Prices, volume, segment and traded_value of a market on a part of the panel, whose rows before it count."""
    arrays = {name: panel[name][rows][:, columns] for name in (*_PRICES, "volume", "segment")}
    early = slice(max(rows.start - TRADED_VALUE_SESSIONS + 1, 0), rows.stop)
    median = median_traded_value(panel["close"][early][:, columns], panel["volume"][early][:, columns])
    return arrays | {"traded_value": median[rows.start - early.start :]}


def median_traded_value(close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """float [T, N], rupees: median of close x volume over the TRADED_VALUE_SESSIONS sessions up to each.

    A session without a candle counts as one without trade; near the start those at hand count.
    """
    value = pd.DataFrame(np.nan_to_num(close * volume))
    return value.rolling(TRADED_VALUE_SESSIONS, min_periods=1).median().to_numpy()


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

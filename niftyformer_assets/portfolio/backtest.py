"""The backtest: scores and a market in; equity, holdings and every order out.

Session t of every array is a session of `Market.axes`. A score made at the close of session t is
traded at session t+1, at its open or close (a setting), and earns from there. Session 0 is where
the first score is made: nothing trades there, and its net asset value is the starting capital. The
scores of the last session trade nowhere.

What happens when

- a stock has no price, no volume or is locked (high = low): its orders of that session stay
  unfilled and lapse; it is valued at its last close. A blocked sale keeps its place, so there are
  never more than top_k holdings.
- a stock has had no candle for `delisted_after` sessions: it is sold at its last close, costs
  included, and marked; while that lasts nothing of it is bought.
- one share costs more than a place (equity / top_k): the order counts as unaffordable, and the
  next best name is taken. If the price rose past it only at the fill, the place stays empty.
- there are fewer names than top_k: each gets the share of one place; the rest stays cash.
- scores are equal: lots are drawn, anew each session (`ties.lots`).
- a session has no score at all: nothing trades on it, and the strategy's schedule waits.
- a holding loses its score or its membership: it counts as the worst, is not topped up, and
  leaves when the strategy next drops a name.
- a sale would cost more than it brings in and the cash at hand: it is not made.
- a holding meets a broken adjustment (a new segment): before that session's trades it is exchanged
  into shares worth the same at its open, and the fraction of a share is paid in cash.
- dates before the cost schedule: its earliest rates, and a note.

Prices are rounded to the paisa, whatever decimals adjustment left them with. They are adjusted for
splits, so no split occurs. Orders of one kind fill in the order of their symbols' names, so the order
of columns decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.portfolio.costs import rates, schedule_notes
from niftyformer_assets.portfolio.metrics import session_returns
from niftyformer_assets.portfolio.scores import Scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.portfolio.ties import lots
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


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """Everything that happened.

    nav: float [T], rupees at the close of each session; nav[0] is the starting capital.
    cash: float [T], rupees, never negative. At each session and to the paisa, nav is cash plus
        holdings at `Market.mark`.
    interest: float [T], rupees that cash earned by `cash_yield`, paid at the close: of the third
        session at the earliest, for what lay in cash at the close before.
    holdings: int64 [T, N], shares at the close.
    orders: one row an order, filled or not: session, decided (the session of the score), symbol,
        side (buy, sell), reason (enter, rebalance, drop, delisted), status (filled, short_of_cash,
        no_price, locked, no_volume, unaffordable, no_place, proceeds_below_costs), ordered (shares
        wanted; 0 where not even sized), shares (filled), price, value (shares x price), slippage
        (rupees, already in price), one column for each of COST_ITEMS, cost (their sum). Rupees.
    marks: what is not an order and a person should know: session, symbol, kind (stale_price,
        delisted, broken_adjustment, no_score), detail, cash (rupees paid for the fraction of a
        share at a broken adjustment, else 0).
    notes: sentences for the report, such as costs before the schedule's first date.
    """

    market: Market
    strategy: StrategySettings
    costs: CostSettings
    nav: np.ndarray
    cash: np.ndarray
    interest: np.ndarray
    holdings: np.ndarray
    orders: pd.DataFrame
    marks: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def dates(self) -> np.ndarray:
        """datetime64[D] [T]."""
        return self.market.axes.dates

    @cached_property
    def returns(self) -> np.ndarray:
        """`session_returns`: float [T-1] where trading is at the open, [T-2] at the close."""
        return session_returns(self.nav, self.strategy.trade_at)

    @property
    def earning_dates(self) -> np.ndarray:
        """datetime64[D], the sessions of `returns`."""
        return self.dates[len(self.dates) - len(self.returns) :]

    @cached_property
    def trades(self) -> pd.DataFrame:
        """The filled rows of `orders`."""
        return self.orders[self.orders["shares"] > 0].reset_index(drop=True)

    @cached_property
    def unfilled(self) -> pd.DataFrame:
        """The rows of `orders` that got no share; their status says why."""
        return self.orders[self.orders["shares"] == 0].reset_index(drop=True)

    @cached_property
    def exposure(self) -> np.ndarray:
        """float [T], the invested share of net asset value at the close."""
        return 1 - self.cash / self.nav

    @cached_property
    def turnover(self) -> np.ndarray:
        """float [T], one-sided: half of what was bought and sold, over the previous net asset value."""
        traded = self.by_session("value")
        return np.concatenate([[0.0], traded[1:] / 2 / self.nav[:-1]])

    def by_session(self, column: str) -> np.ndarray:
        """float [T], the sum of a rupee column of `trades` at each session."""
        session = np.searchsorted(self.dates, self.trades["session"].to_numpy().astype("datetime64[D]"))
        return np.bincount(session, weights=self.trades[column].to_numpy(dtype=float), minlength=len(self.dates))

    @cached_property
    def weights(self) -> np.ndarray:
        """float [T, N], share of each holding in net asset value at the close."""
        return self.holdings * self.market.mark / 100 / self.nav[:, None]

    @cached_property
    def round_trips(self) -> pd.DataFrame:
        """One row a position, from its first buy until no share is left.

        Columns: symbol, opened, closed (NaT while open), sessions held, bought, sold (with what a
        broken adjustment paid), cost, worth (of an open position at the end), profit (sold + worth
        - bought - cost), return (profit / bought). Rupees.
        """
        held = self.holdings > 0
        T, N = held.shape
        edge = np.zeros((1, N), dtype=bool)
        column, opened = np.nonzero((held & ~np.vstack([edge, held[:-1]])).T)
        end = np.nonzero((np.vstack([edge, held]) & ~np.vstack([held, edge])).T)[1]
        still_open = end == T
        end = np.minimum(end, T - 1)
        sums = {}
        for name, table in self._flows().items():
            total = np.vstack([np.zeros((1, N)), table.cumsum(axis=0)])
            sums[name] = total[end + 1, column] - total[opened, column]
        worth = np.where(still_open, self.holdings[-1, column] * self.market.mark[-1, column] / 100, 0.0)
        # Sums of rupees: to the paisa, so that no rounding error makes a gain of nothing.
        profit = np.round(sums["sold"] + worth - sums["bought"] - sums["cost"], 2)
        dates = self.dates.astype("datetime64[s]")
        return pd.DataFrame(
            {
                "symbol": np.array(self.market.axes.symbols, dtype=object)[column],
                "opened": dates[opened],
                "closed": np.where(still_open, np.datetime64("NaT", "D"), dates[end]),
                "sessions": end - opened,
                **sums,
                "worth": worth,
                "profit": profit,
                "return": profit / sums["bought"],
            }
        )

    def _flows(self) -> dict[str, np.ndarray]:
        """Rupees bought, sold and paid in costs, each [T, N]."""
        flows = {name: np.zeros(self.holdings.shape) for name in ("bought", "sold", "cost")}
        row, column = self._place(self.trades)
        value = self.trades["value"].to_numpy(dtype=float)
        buy = (self.trades["side"] == "buy").to_numpy()
        np.add.at(flows["bought"], (row[buy], column[buy]), value[buy])
        np.add.at(flows["sold"], (row[~buy], column[~buy]), value[~buy])
        np.add.at(flows["cost"], (row, column), self.trades["cost"].to_numpy(dtype=float))
        paid = self.marks[self.marks["kind"] == "broken_adjustment"]
        np.add.at(flows["sold"], self._place(paid), paid["cash"].to_numpy(dtype=float))
        return flows

    def _place(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        row = np.searchsorted(self.dates, table["session"].to_numpy().astype("datetime64[D]"))
        return row, pd.Index(self.market.axes.symbols).get_indexer(pd.Index(table["symbol"]))


def run_backtest(
    scores: Scores, market: Market, strategy: StrategySettings, costs: CostSettings, seed: int = 0
) -> BacktestResult:
    """Trade `scores` on `market`.

    Args:
        seed: of the lots drawn among equal scores.

    Raises:
        NiftyFormerError: scores and market are on different axes, or there are fewer than 2 sessions.
    """
    from niftyformer_assets.portfolio import backtest_engine, backtest_records

    scores.require_axes(market.axes)
    require_sessions(market)
    by_name = name_order(market.axes)
    named, scored = market.columns(by_name), scores.columns(by_name)
    nav, cash, interest, held, orders = backtest_engine.simulate(
        backtest_records.tape(named, strategy),
        backtest_records.ranking(scored.values, lots(named.axes, seed)),
        backtest_records.rules(strategy),
        rates(market.axes.dates, costs),
        round(strategy.capital * 100),
        True,
    )
    holdings = np.empty_like(held)
    holdings[:, by_name] = held
    table = backtest_records.order_table(orders, named.axes)
    return BacktestResult(
        market=market,
        strategy=strategy,
        costs=costs,
        nav=nav / 100,
        cash=cash / 100,
        interest=interest / 100,
        holdings=holdings,
        orders=table,
        marks=backtest_records.mark_table(scores, market, holdings, table),
        notes=schedule_notes(market.axes.dates, costs),
    )


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

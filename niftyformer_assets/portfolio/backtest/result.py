"""What came of a backtest: equity, holdings and every order, and the figures that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.returns import session_returns
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings


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
        side (buy, sell), reason and status (`layout.REASONS`, `layout.STATUSES`), ordered (shares
        wanted; 0 where not even sized), shares (filled), price, value (shares x price), slippage
        (rupees, already in price), one column for each of COST_ITEMS, cost (their sum). Rupees.
    marks: what is not an order and a person should know: session, symbol, kind (stale_price,
        delisted, broken_adjustment, no_score), detail, cash (rupees paid for the fraction of a
        share at a broken adjustment, else 0).
    notes: sentences for the report, such as costs before the schedule's first date.
    parts: the same of each book where there are several, whose sum this is.
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
    parts: tuple[BacktestResult, ...] = ()

    @property
    def books(self) -> tuple[BacktestResult, ...]:
        """Each book; where there is one, this."""
        return self.parts or (self,)

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

    @cached_property
    def places(self) -> np.ndarray:
        """int64 [T], how many names each book may hold by the scores of each session."""
        return self.strategy.places(self.market.member.sum(axis=1))

    @cached_property
    def place(self) -> np.ndarray:
        """int64 [T], paise: what one of them may cost by the value at each close; of one book."""
        return np.rint(self.nav * 100).astype(np.int64) // self.places

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

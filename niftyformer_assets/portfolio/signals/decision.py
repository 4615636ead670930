"""What is to be held after the next session: the backtest of all sessions so far, carried on by one.

The account is that of the backtest: it begins with the scores that trade first in the test window, and goes on through
the sessions after. The next session has no prices yet. Its orders are those that the same engine would fill at the last
closes; what a stock that did not trade on the last session costs is not known, and it is taken not to trade.

Shapes: T sessions so far, N symbols.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from niftyformer_assets.model.predictions import traded, value_column
from niftyformer_assets.portfolio.backtest.daily import Account, go_on, open_account
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.ties import lots
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.words import counted

# What a signal says of each stock that has a score, is held, or is ordered.
COLUMNS = (
    *("symbol", "rank", "rank_before", "score", "ranked_score", "p_up", "member", "close", "held", "order"),
    *("order_shares", "reason", "status", "order_value", "cost", "target_shares", "target_weight", "weight_before"),
)


@dataclass(frozen=True, eq=False)
class Decision:
    """What was decided at the close of a session.

    table: a row a stock, in the order of `rank`, with COLUMNS. rank: among the members with a score, 1 the best; score:
        the model's, higher is better; ranked_score: as the strategy ranks it; p_up: probability; close: the last one,
        rupees; held: shares before; order: `buy`, `sell` or nothing; order_shares, order_value, cost (rupees): what the
        engine would fill at the close; reason, status: as in `BacktestResult.orders`; target_shares: held after;
        target_weight: their share of `worth`. rank_before, weight_before: rank and target weight of the signal before.
        Missing where there is none.
    account: after the close of the session. orders: of the session that comes, as `BacktestResult.orders`.
    worth: rupees at the last closes, `cash` among them, after the orders and what they cost.
    """

    session: np.datetime64
    trades_on: np.datetime64
    table: pd.DataFrame
    account: Account
    orders: pd.DataFrame
    worth: float
    cash: float

    @property
    def held(self) -> pd.DataFrame:
        """The rows of what is to be held."""
        return self.table[self.table["target_shares"] > 0]

    @property
    def turnover(self) -> float:
        """What is bought and sold as a share of what the account is worth, one-sided."""
        return float(self.orders["value"].sum()) / 2 / self.worth

    def against(self, before: pd.DataFrame) -> Decision:
        """The same beside the table of the signal before: what was its rank, and its target weight."""
        known = before.set_index("symbol")
        return replace(
            self,
            table=self.table.assign(
                rank_before=self.table["symbol"].map(known["rank"]).astype("Int64"),
                weight_before=self.table["symbol"].map(known["target_weight"]).astype(float),
            ),
        )


def decide(
    predictions: pd.DataFrame,
    scores: Scores,
    market: Market,
    trades_on: np.datetime64,
    strategy: StrategySettings,
    costs: CostSettings,
    seed: int = 0,
) -> Decision:
    """Decide at the close of the last session of a market.

    Args:
        predictions: the model's, of which those of the last session are shown.
        scores: as the strategy ranks them (`scoring.predictions_to_trade`), on the sessions of `market`.
        market: from the session whose scores trade first.
        trades_on: the session that comes.
        seed: of the lots among equal scores, as in the backtest.
    """
    account, _ = go_on(scores, market, open_account(strategy, market.axes.symbols), strategy, costs, seed)
    after, orders = go_on(scores, with_a_session_at_the_close(market, trades_on), account, strategy, costs, seed)
    by_name = np.argsort(np.array(market.axes.symbols))
    held, target = (np.empty(len(by_name), dtype=np.int64) for _ in range(2))
    for shares, books in ((held, account.books), (target, after.books)):
        shares[by_name] = np.sum([book.shares for book in books], axis=0)
    close, cash = market.mark[-1] / 100, sum(book.cash for book in after.books) / 100
    worth = cash + float((target * close).sum())
    ranked = scores.values[-1]  # noqa: PD011
    rows = traded(predictions)
    rows = rows[pd.to_datetime(rows["date_made"]) == pd.Timestamp(market.axes.dates[-1])].set_index("symbol")
    said = rows.reindex(list(market.axes.symbols))
    table = pd.DataFrame(
        {
            "symbol": np.array(market.axes.symbols, dtype=object),
            "rank": pd.array(_ranks(ranked, market, seed), dtype="Int64"),
            "rank_before": pd.array([pd.NA] * len(ranked), dtype="Int64"),
            "score": said[value_column(predictions)].to_numpy(dtype=float),
            "ranked_score": ranked,
            "p_up": said["p_up"].to_numpy(dtype=float),
            "member": market.member[-1],
            "close": np.where(close > 0, close, np.nan),
            "held": held,
            "target_shares": target,
            "target_weight": target * close / worth,
            "weight_before": np.full(len(ranked), np.nan),
        }
    )
    table = table.merge(_by_symbol(orders), on="symbol", how="left")
    for name, none in (("order", ""), ("reason", ""), ("status", ""), ("order_shares", 0), ("order_value", 0.0)):
        table[name] = table[name].fillna(none)
    table = table.astype({"order_shares": np.int64}).fillna({"cost": 0.0})
    shown = np.isfinite(table["ranked_score"]) | (table["held"] > 0) | (table["order"] != "")
    table = table.loc[shown, list(COLUMNS)].sort_values(["rank", "symbol"], ignore_index=True)
    return Decision(market.axes.dates[-1], trades_on, table, account, orders, worth, cash)


def in_words(decision: Decision, before: str | None) -> str:
    """What is to be done, and what that changes, in a few sentences."""
    bought, sold = (
        decision.table.loc[decision.table["order_shares"] * sign > 0, "symbol"].tolist() for sign in (1, -1)
    )
    said = [
        f"At the close of {decision.session}, for {decision.trades_on}: hold {counted(len(decision.held), 'stock')}; "
        f"buy {', '.join(bought) or 'nothing'}; sell {', '.join(sold) or 'nothing'}."
    ]
    if before is None:
        said.append("There is no signal before it to compare with.")
    else:
        now, then = decision.table["target_weight"] > 0, decision.table["weight_before"].fillna(0) > 0
        new, gone = decision.table.loc[now & ~then, "symbol"], decision.table.loc[then & ~now, "symbol"]
        said.append(
            f"Against the signal of {before}: {', '.join(new) or 'nothing'} new, {', '.join(gone) or 'nothing'} gone."
        )
    return " ".join(said)


def with_a_session_at_the_close(market: Market, day: np.datetime64) -> Market:
    """A market with one session more, in which whatever traded on its last one trades at that close."""
    close = np.where(market.has_candle[-1] & (market.volume[-1] > 0), market.close[-1], np.nan)
    volume = market.volume[-1]
    if market.traded_value is not None:  # what is usual, and not what the last session was
        volume = np.fmax(np.divide(market.traded_value[-1], close), 1.0)
    more = {
        **dict.fromkeys(("open", "low", "close"), close),
        # Any price above, for a stock whose high is its low is locked.
        "high": close + 0.01,
        "volume": volume,
    }
    rows = {name: array[-1] for name, array in market.arrays().items()} | more
    arrays = {name: np.vstack([array, rows[name]]) for name, array in market.arrays().items()}
    dates = np.append(market.axes.dates, day.astype("datetime64[D]"))
    return Market(axes=Axes(dates, market.axes.symbols), **arrays)


def _ranks(scores: np.ndarray, market: Market, seed: int) -> list[int | None]:
    """The place of each stock among the members with a score, 1 the best, equal scores by lot as in the engine."""
    among = np.isfinite(scores) & market.member[-1]
    order = np.lexsort((lots(market.axes, seed)[-1], -scores))
    place = {int(stock): number for number, stock in enumerate((j for j in order if among[j]), 1)}
    return [place.get(stock) for stock in range(len(scores))]


def _by_symbol(orders: pd.DataFrame) -> pd.DataFrame:
    """The orders of a session with a row a stock: those of several books together, bought less sold."""
    sign = orders["side"].map({"buy": 1, "sell": -1}).astype(np.int64)
    net = orders.assign(net=sign * orders["shares"], net_value=sign * orders["value"])

    def told(values: pd.Series) -> str:
        return ", ".join(dict.fromkeys(map(str, values)))

    found = net.groupby("symbol", sort=True, as_index=False).agg(
        order_shares=("net", "sum"),
        order_value=("net_value", "sum"),
        cost=("cost", "sum"),
        order=("side", told),
        reason=("reason", told),
        status=("status", told),
    )
    found["symbol"] = found["symbol"].astype(object)
    return found

"""Between people's arrays and tables and the engine's integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest import layout
from niftyformer_assets.portfolio.backtest.costs import COST_ITEMS
from niftyformer_assets.portfolio.backtest.market import Market, last_known, to_paise
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.returns import session_rate
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.strategy_registry import Places, places, registered
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

UNLIMITED = np.iinfo(np.int64).max


def tape(market: Market, strategy: StrategySettings) -> layout.Tape:
    """The market in paise, with what blocks trading and what happens to holdings.

    Raises:
        NiftyFormerError: orders are to be capped, and the market has no traded value.
    """
    at_open = strategy.trade_at == "open"
    price = to_paise(market.open if at_open else market.close)
    price = np.where(market.has_candle, price, 0)
    bridge = bridge_price(market)
    # At the open, the session's close is not known yet.
    known = np.vstack([np.zeros((1, price.shape[1]), dtype=np.int64), market.mark[:-1]]) if at_open else market.mark
    known = np.where(bridge > 0, bridge, known)
    block = np.select(
        [price == 0, ~(market.volume > 0), market.high == market.low],
        [layout.NO_PRICE, layout.NO_VOLUME, layout.LOCKED],
        0,
    )
    session = np.arange(len(price))[:, None]
    now = np.where(price > 0, price, known)
    outside = np.zeros(now.shape, dtype=np.bool_) if market.outside is None else market.outside
    return layout.Tape(
        now=np.ascontiguousarray(now),
        block=np.ascontiguousarray(block.astype(np.int64)),
        mark=np.ascontiguousarray(market.mark),
        absent=np.ascontiguousarray(session - last_known(market.has_candle)),
        bridge=np.ascontiguousarray(bridge),
        volume=np.ascontiguousarray(np.nan_to_num(market.volume)),
        member=np.ascontiguousarray(market.member, dtype=np.bool_),
        outside=np.ascontiguousarray(outside, dtype=np.bool_),
        limit=_limit(market, now, strategy.volume_cap),
    )


def _limit(market: Market, now: np.ndarray, cap: float) -> np.ndarray:
    """int64 [T, N], the most shares of one order that fill in the session; `StrategySettings.volume_cap`."""
    if cap == 0:
        return np.full(now.shape, UNLIMITED)
    if market.traded_value is None:
        raise NiftyFormerError("strategy.volume_cap caps orders, but this market has no traded value: cut it again.")
    known = np.vstack([np.zeros((1, now.shape[1])), market.traded_value[:-1]])
    by_value = np.divide(cap * 100 * known, now, out=np.zeros(now.shape), where=now > 0)
    return np.floor(np.minimum(by_value, cap * np.nan_to_num(market.volume))).astype(np.int64)


def bridge_price(market: Market) -> np.ndarray:
    """int64 [T, N], paise: where a holding is carried over a broken adjustment, the price it is carried at; else 0."""
    opening = to_paise(market.open)
    return np.where(market.broken, np.where(opening > 0, opening, market.mark), 0)


def ranking(scores: np.ndarray, lots: np.ndarray) -> layout.Ranking:
    """Scores [T, N] as ranks, best first; equal scores, and stocks without one, in the order of their `ties.lots`."""
    order = np.lexsort((lots, -scores), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(scores.shape[1]), scores.shape), axis=1)
    straight = np.arange(scores.shape[1])
    return layout.Ranking(order, rank, np.isfinite(scores).sum(axis=1), straight, straight)


def rules(strategy: StrategySettings, market: Market) -> layout.Rules:
    """The settings of the strategy as the engine reads them."""
    members = market.member.sum(axis=1)

    def as_numbers(kind: Any, value: Any) -> Any:
        return places(value, members) if kind == Places else kind(value)

    return layout.Rules(
        strategy=list(registered()).index(strategy.name),
        delisted_after=strategy.delisted_after,
        cash_rate=session_rate(strategy.cash_yield),
        top_k=strategy.places(members),
        **{
            name: as_numbers(kind, getattr(strategy, name))
            for each in registered().values()
            for name, kind in each.kinds().items()
        },
    )


def openings(strategy: StrategySettings, stocks: int) -> list[layout.Opening]:
    """Each book of an account before its first session."""
    none = np.zeros(stocks, dtype=np.int64)
    both = zip(strategy.starts, strategy.capitals, strict=True)
    return [layout.Opening(0, -start, capital, none, none) for start, capital in both]


def together(parts: Sequence[BacktestResult], strategy: StrategySettings) -> BacktestResult:
    """The account that several books make up."""

    def total(name: str) -> np.ndarray:
        return np.sum([np.rint(getattr(part, name) * 100).astype(np.int64) for part in parts], axis=0) / 100

    orders = pd.concat([part.orders for part in parts], ignore_index=True)
    marks = pd.concat([part.marks for part in parts], ignore_index=True)
    again = marks.duplicated(["session", "symbol", "kind"]) & (marks["kind"] != "broken_adjustment")
    return replace(
        parts[0],
        strategy=strategy,
        nav=total("nav"),
        cash=total("cash"),
        interest=total("interest"),
        holdings=np.sum([part.holdings for part in parts], axis=0),
        orders=orders.sort_values("session", kind="stable", ignore_index=True),
        marks=marks[~again].sort_values(["session", "kind", "symbol"], kind="stable", ignore_index=True),
        parts=tuple(parts),
    )


def order_table(rows: np.ndarray, axes: Axes) -> pd.DataFrame:
    """`BacktestResult.orders` from the engine's rows."""
    fields = {name: rows[:, column] for column, name in enumerate((*layout.ORDER_FIELDS, *COST_ITEMS))}
    dates = axes.dates.astype("datetime64[s]")
    items = {item: fields[item] / 100 for item in COST_ITEMS}
    return pd.DataFrame(
        {
            "session": dates[fields["session"]],
            "decided": dates[fields["decided"]],
            "symbol": np.array(axes.symbols, dtype=object)[fields["column"]],
            "side": np.array(layout.SIDES, dtype=object)[fields["side"]],
            "reason": np.array(layout.REASONS, dtype=object)[fields["reason"]],
            "status": np.array(layout.STATUSES, dtype=object)[fields["status"]],
            "ordered": fields["ordered"],
            "shares": fields["shares"],
            "price": fields["price"] / 100,
            "value": fields["shares"] * fields["price"] / 100,
            "slippage": fields["shares"] * np.abs(fields["price"] - fields["reference"]) / 100,
            **items,
            "cost": rows[:, len(layout.ORDER_FIELDS) :].sum(axis=1) / 100,
        }
    )


def mark_table(scores: Scores, market: Market, holdings: np.ndarray, orders: pd.DataFrame) -> pd.DataFrame:
    """`BacktestResult.marks`."""
    dates = market.axes.dates.astype("datetime64[s]")
    has_score = np.isfinite(scores.values).any(axis=1)
    symbols = np.array(market.axes.symbols, dtype=object)
    last = dates[np.maximum(last_known(market.has_candle), 0)]
    rows: list[tuple[object, object, str, str, float]] = [
        (dates[t], symbols[j], "stale_price", f"no candle; valued at its close of {str(last[t, j])[:10]}", 0.0)
        for t, j in zip(*np.nonzero((holdings > 0) & ~market.has_candle), strict=True)
    ]
    place = {session: t for t, session in enumerate(dates)}
    for row in orders[orders["reason"] == "delisted"].itertuples():
        t, j = (
            place[pd.Timestamp(str(row.session)).to_datetime64().astype("datetime64[s]")],
            market.axes.symbols.index(str(row.symbol)),
        )
        outcome = "sold" if row.shares else "worth less than its sale would cost, so kept,"
        detail = f"no candle since {str(last[t, j])[:10]}: {outcome} at its last close"
        rows.append((row.session, row.symbol, "delisted", detail, 0.0))
    price = bridge_price(market)
    for t, j in zip(*np.nonzero((holdings[:-1] > 0) & (price[1:] > 0)), strict=True):
        after, paid = divmod(int(holdings[t, j] * market.mark[t, j]), int(price[t + 1, j]))
        real = int(price[t + 1, j]) / int(market.mark[t, j]) - 1
        shares = int(holdings[t, j])
        of = "share" if shares == 1 else "shares"
        detail = f"{shares} {of} carried over as {after} of the same value; a real move would be {real:+.1%}"
        rows.append((dates[t + 1], symbols[j], "broken_adjustment", detail, paid / 100))
    # The scores of the last session trade nowhere, so their absence changes nothing.
    rows.extend(
        (dates[t], "", "no_score", "no stock has a score, so nothing trades the session after", 0.0)
        for t in np.flatnonzero(~has_score[:-1])
    )
    table = pd.DataFrame(rows, columns=["session", "symbol", "kind", "detail", "cash"])
    table["session"] = table["session"].astype("datetime64[s]")
    table["cash"] = table["cash"].astype(float)
    return table.sort_values(["session", "kind", "symbol"], ignore_index=True)

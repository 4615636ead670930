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
- an order is over `volume_cap`, if one is set: what is over lapses, and waits for the strategy's next order.
- a holding is outside the universe of the session's scores (`Market.outside`, where scores of several
  universes are joined): it is sold in the next session, or in the first one that lets it.
- a holding loses its score or its membership: it counts as the worst, is not topped up, and
  leaves when the strategy next drops a name.
- a sale would cost more than it brings in and the cash at hand: it is not made.
- a holding meets a broken adjustment (a new segment): before that session's trades it is exchanged
  into shares worth the same at its open, and the fraction of a share is paid in cash.
- dates before the cost schedule: its earliest rates, and a note.

With several `books` each is a portfolio of its own, begun on another session, and the account is their sum. They
decide on different sessions, so hardly an order of one meets one of another; where they do (a delisting, a drop), each
pays its own charges, which is never less than those of the net order.

Prices are rounded to the paisa, whatever decimals adjustment left them with. They are adjusted for
splits, so no split occurs. Orders of one kind fill in the order of their symbols' names, so the order
of columns decides nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from niftyformer_assets.portfolio.backtest import engine, records
from niftyformer_assets.portfolio.backtest.costs import rates, schedule_notes
from niftyformer_assets.portfolio.backtest.market import Market, name_order, require_sessions
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.ties import lots
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings


def run_backtest(
    scores: Scores, market: Market, strategy: StrategySettings, costs: CostSettings, seed: int = 0
) -> BacktestResult:
    """Trade `scores` on `market`.

    Args:
        seed: of the lots drawn among equal scores.

    Raises:
        NiftyFormerError: scores and market are on different axes, or there are fewer than 2 sessions.
    """
    scores.require_axes(market.axes)
    require_sessions(market)
    by_name = name_order(market.axes)
    named, scored = market.columns(by_name), scores.columns(by_name)
    tape, ranking = records.tape(named, strategy), records.ranking(scored.values, lots(named.axes, seed))
    rules, charged = records.rules(strategy, named), rates(market.axes.dates, costs)
    parts = []
    for opening in records.openings(strategy, len(by_name)):
        nav, cash, interest, held, orders, _ = engine.simulate(tape, ranking, rules, charged, opening, True)
        holdings = np.empty_like(held)
        holdings[:, by_name] = held
        table = records.order_table(orders, named.axes)
        parts.append(
            BacktestResult(
                market=market,
                strategy=replace(strategy, books=1, capital=opening.cash / 100),
                costs=costs,
                nav=nav / 100,
                cash=cash / 100,
                interest=interest / 100,
                holdings=holdings,
                orders=table,
                marks=records.mark_table(scores, market, holdings, table),
                notes=schedule_notes(market.axes.dates, costs),
            )
        )
    return parts[0] if len(parts) == 1 else records.together(parts, strategy)

"""A signal is the backtest carried on by a session: its account, its orders, and nothing of what comes later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.strategy_registry import registered
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.portfolio.signals.decision import COLUMNS, Decision, decide, with_a_session_at_the_close
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets_tests.portfolio.markets import random_market, random_walk_scores

COSTS = CostSettings(slippage_bps=3)
T, N = 40, 13


def predictions(scores: Scores) -> pd.DataFrame:
    t, j = np.nonzero(np.isfinite(scores.values))
    made = scores.axes.dates[t].astype("datetime64[ns]")
    return pd.DataFrame(
        {
            "date_made": made,
            "date_predicted": made + np.timedelta64(2, "D"),
            "horizon": 2,
            "symbol": np.array(scores.axes.symbols)[j],
            "split": "later",
            "return": scores.values[t, j],  # noqa: PD011
            "p_up": 0.5,
        }
    )


def cut(scores: Scores, sessions: int) -> Scores:
    return Scores(Axes(scores.axes.dates[:sessions], scores.axes.symbols), scores.values[:sessions])  # noqa: PD011


def strategy_of(name: str, **more: object) -> StrategySettings:
    books = min(2, registered()[name]().decides_every)
    return StrategySettings(name=name, top_k=4, books=books, **more)


@pytest.mark.parametrize("more", [{"trade_at": "open"}, {"trade_at": "close", "volume_cap": 0.1}])
@pytest.mark.parametrize("name", registered())
def test_each_day_the_account_is_the_backtests_and_so_are_the_orders(name: str, more: dict) -> None:
    """The orders to the paisa, where the next session does trade at the last closes."""
    market = random_market(3, T=T, N=N)
    scores, strategy = random_walk_scores(3, market), strategy_of(name, **more)
    by_name = np.argsort(market.axes.symbols)
    whole, said = predictions(scores), 0
    real = run_backtest(scores, market, strategy, COSTS, seed=2)
    for t in range(4, T - 1):
        so_far, day = market.rows(slice(t + 1)), market.axes.dates[t + 1]
        decision = decide(
            whole[whole["date_made"] <= pd.Timestamp(market.axes.dates[t])],
            cut(scores, t + 1),
            *(so_far, day, strategy, COSTS, 2),
        )
        books = decision.account.books
        np.testing.assert_array_equal(sum(book.shares for book in books), real.holdings[t, by_name])
        assert sum(book.cash for book in books) == round(real.cash[t] * 100)
        ahead = with_a_session_at_the_close(so_far, day)
        values = np.vstack([scores.values[: t + 1], np.full((1, N), np.nan)])  # noqa: PD011
        expected = run_backtest(Scores(ahead.axes, values), ahead, strategy, COSTS, seed=2)
        orders = expected.orders[expected.orders["session"] == pd.Timestamp(day)]
        pd.testing.assert_frame_equal(decision.orders, orders.reset_index(drop=True), check_dtype=False)
        after = dict(zip(market.axes.symbols, expected.holdings[-1], strict=True))
        target = dict(zip(decision.table["symbol"], decision.table["target_shares"], strict=True))
        assert {name: shares for name, shares in after.items() if shares} == {
            name: shares for name, shares in target.items() if shares
        }
        assert decision.worth == pytest.approx(expected.nav[-1]) and decision.cash == pytest.approx(expected.cash[-1])
        of = decision.table
        np.testing.assert_array_equal(of["held"] + of["order_shares"], of["target_shares"])
        assert of["target_weight"].sum() + decision.cash / decision.worth == pytest.approx(1)
        said += len(orders)
    assert said > 10


def decided(t: int, strategy: StrategySettings, later: float = 1.0) -> Decision:
    """At the close of session t, of a market whose candles after it are multiplied."""
    market = random_market(8, T=T, N=N, trouble=0.0)
    scores = random_walk_scores(8, market)
    values = scores.values  # noqa: PD011
    scores = Scores(market.axes, np.vstack([values[: t + 1], later * values[t + 1 :]]))
    arrays = {name: np.vstack([getattr(market, name)[: t + 1], later * getattr(market, name)[t + 1 :]])
              for name in ("open", "high", "low", "close", "volume", "traded_value")}  # fmt: skip
    market = replace(market, **arrays)
    return decide(
        predictions(scores), cut(scores, t + 1), market.rows(slice(t + 1)), market.axes.dates[t + 1], strategy, COSTS
    )


def test_a_later_candle_changes_no_earlier_signal() -> None:
    strategy = strategy_of("topk_dropout")
    one, other = decided(25, strategy), decided(25, strategy, later=1.7)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert len(one.orders)


def test_ranks_are_among_members_and_equal_scores_go_by_the_engines_lot() -> None:
    market = random_market(8, T=T, N=N, trouble=0.0)
    member = market.member.copy()
    member[:, :3] = False
    market = replace(market, member=member)
    scores = Scores(market.axes, np.zeros(market.axes.shape))
    strategy = StrategySettings(top_k=4, rebalance_every=1, drop_every=1)
    day = market.axes.dates[-1] + np.timedelta64(1, "D")
    decision = decide(predictions(scores), scores, market, day, strategy, COSTS, seed=4)
    assert tuple(decision.table.columns) == COLUMNS
    assert decision.table["rank"].dropna().tolist() == list(range(1, N - 2))
    assert set(decision.table.loc[decision.table["rank"].isna(), "symbol"]) == {"S000", "S001", "S002"}
    free = decision.table[(decision.table["held"] == 0) & decision.table["rank"].notna()]
    bought = decision.orders.loc[decision.orders["reason"] == "enter", "symbol"]
    assert len(bought) == 1 and bought.tolist() == free["symbol"].head(1).tolist()


def test_what_does_not_trade_is_not_taken_to_trade() -> None:
    market = random_market(8, T=T, N=N, trouble=0.0)
    arrays = {name: getattr(market, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for array in arrays.values():
        array[-1, 2] = np.nan
    market = replace(market, **arrays)
    scores = Scores(market.axes, np.tile(np.where(np.arange(N) == 2, 9.0, np.arange(N) / N), (T, 1)))
    day = market.axes.dates[-1] + np.timedelta64(1, "D")
    held = decide(predictions(scores), scores, market, day, strategy_of("topk_buffer"), COSTS)
    row = held.table.set_index("symbol").loc["S002"]
    assert row["rank"] == 1 and row["order_shares"] == 0 and row["target_shares"] == row["held"] > 0


def test_the_change_is_against_the_signal_before() -> None:
    before, now = decided(24, strategy_of("topk_dropout")), decided(25, strategy_of("topk_dropout"))
    assert now.table["weight_before"].isna().all()
    beside = now.against(before.table).table.set_index("symbol")
    then = before.table.set_index("symbol")
    assert beside.loc[then.index, "weight_before"].tolist() == then["target_weight"].tolist()
    assert beside.loc[then.index, "rank_before"].tolist() == then["rank"].tolist()
    assert (beside["rank"] != beside["rank_before"]).any()

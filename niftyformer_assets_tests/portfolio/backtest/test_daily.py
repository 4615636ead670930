"""Several books are the sum of portfolios begun on different sessions; and day by day is what the backtest did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.daily import go_on, intentions, open_account
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.scoring import Exposures, scores_to_trade
from niftyformer_assets.portfolio.backtest.strategy_registry import registered
from niftyformer_assets.portfolio.backtest.taxes import realised_gains
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets_tests.portfolio.backtest.test_slow_backtest import assert_books_balance
from niftyformer_assets_tests.portfolio.markets import plain_market, random_market, random_walk_scores

COSTS = CostSettings()
STAGGERED = StrategySettings(name="topk_buffer", top_k=3, keep_within=6, books=5)


def test_books_start_evenly_apart_with_equal_parts_of_the_capital() -> None:
    assert STAGGERED.starts == (0, 1, 2, 3, 4)
    assert StrategySettings(books=2, rebalance_every=5).starts == (0, 2)
    odd = StrategySettings(books=3, capital=100.01)
    assert odd.capitals == (3334, 3334, 3333)
    assert StrategySettings(name="topk_dropout").starts == (0,)


@pytest.mark.parametrize("name", ["topk_equal_weight", "topk_buffer", "equal_weight"])
def test_the_account_is_the_sum_of_its_books(name: str) -> None:
    """Each book beside a backtest of its own whose first scores are taken away."""
    market = random_market(3, T=60, N=15)
    scores = random_walk_scores(3, market)
    strategy = replace(STAGGERED, name=name, books=2, rebalance_every=4)
    whole = run_backtest(scores, market, strategy, CostSettings())
    alone = []
    scored = np.flatnonzero(np.isfinite(scores.values).any(axis=1))
    for book, start in enumerate(strategy.starts):
        values = scores.values.copy()  # noqa: PD011
        values[scored[:start]] = np.nan
        own = replace(strategy, books=1, capital=strategy.capitals[book] / 100)
        alone.append(run_backtest(Scores(scores.axes, values), market, own, CostSettings()))
    assert strategy.starts == (0, 2)
    for name_of in ("nav", "cash", "holdings"):
        np.testing.assert_allclose(getattr(whole, name_of), sum(getattr(each, name_of) for each in alone), atol=1e-6)
    assert len(whole.orders) == sum(len(each.orders) for each in alone)
    assert (alone[0].holdings != alone[1].holdings).any()


def test_the_books_of_an_account_balance_and_its_gains_are_told() -> None:
    market = random_market(11, T=90, N=15, trouble=0.1)
    result = run_backtest(random_walk_scores(11, market), market, STAGGERED, CostSettings())
    assert (result.marks["kind"] == "broken_adjustment").any() and len(result.trades) > 100
    assert_books_balance(result)
    sold = result.trades[result.trades["side"] == "sell"]
    assert set(sold["symbol"]) <= set(realised_gains(result)["symbol"])


def test_what_is_held_does_not_hang_on_the_first_session() -> None:
    """With as many books as sessions between rebalancings, a start one session later moves the books and no more."""
    rng = np.random.default_rng(0)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (60, 20)), axis=0)))
    values = np.cumsum(rng.normal(size=(60, 20)), axis=0)
    late = values.copy()
    late[0] = np.nan
    apart = {}
    for books in (1, 5):
        strategy = replace(STAGGERED, books=books, capital=1e9)
        one, other = (
            run_backtest(Scores(market.axes, each), market, strategy, CostSettings()).weights for each in (values, late)
        )
        apart[books] = np.abs(one - other)[10:].sum(axis=1).mean()
    assert apart[5] < 0.2 * apart[1]


def test_books_that_cannot_be_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="books 6 must not be above 5: topk_buffer decides every 5 sessions"):
        replace(STAGGERED, books=6)
    with pytest.raises(ValueError, match="topk_dropout decides on every session"):
        StrategySettings(name="topk_dropout", books=2)
    with pytest.raises(ValueError, match="books must be at least 1"):
        StrategySettings(books=0)


@pytest.mark.parametrize("trade_at", ["open", "close"])
@pytest.mark.parametrize("name", registered())
def test_day_by_day_is_what_the_backtest_did(name: str, trade_at: str) -> None:
    """With scores made from those so far, exposures so far and what is held: the same orders, to the paisa."""
    T, N = 45, 14
    market = random_market(7, T=T, N=N, trouble=0.05)
    raw = random_walk_scores(7, market)
    risk = np.random.default_rng(1).normal(size=(T, N))
    exposures = Exposures(market.axes, {"RISK": risk})
    strategy = StrategySettings(
        name=name,
        top_k="30%",
        keep_within="60%",
        books=min(3, registered()[name]().decides_every),
        neutralise=("RISK",),
        smoothing_half_life=2,
        trade_at=trade_at,
        cash_yield=0.05,
    )
    whole = run_backtest(
        scores_to_trade(raw, market.member, exposures, strategy), market, strategy, CostSettings(), seed=3
    )
    account = open_account(strategy, market.axes.symbols)
    made, intended = [], 0
    for t in range(T):
        until = Axes(market.axes.dates[: t + 1], market.axes.symbols)
        so_far = market.rows(slice(t + 1))
        scores = scores_to_trade(
            Scores(until, raw.values[: t + 1]),  # noqa: PD011
            so_far.member,
            Exposures(until, {"RISK": risk[: t + 1]}),
            strategy,
        )
        account, orders = go_on(scores, so_far, account, strategy, CostSettings(), seed=3)
        made.append(orders)
        assert sum(book.cash for book in account.books) == round(whole.cash[t] * 100)
        order = np.argsort(market.axes.symbols)
        np.testing.assert_array_equal(sum(book.shares for book in account.books), whole.holdings[t, order])
        plan = intentions(scores, so_far, account, strategy, seed=3)
        ahead = whole.orders[whole.orders["decided"] == pd.Timestamp(until.dates[-1])]
        sells = ahead[ahead["reason"].isin(["drop", "outside_universe"])]
        buys = ahead[(ahead["reason"] == "enter") & ((ahead["ordered"] > 0) | (ahead["status"] != "unaffordable"))]
        weighed = ahead[ahead["reason"] == "rebalance"]
        assert set(sells["symbol"]) <= set(plan.loc[plan["action"] == "sell", "symbol"])
        assert set(buys["symbol"]) <= set(plan.loc[plan["action"] == "buy", "symbol"])
        assert set(weighed["symbol"]) <= set(plan.loc[plan["action"] == "weigh", "symbol"])
        if t < T - 1 and len(plan):
            intended += 1
            assert set(plan.loc[plan["action"] == "buy", "symbol"]) <= set(
                ahead.loc[ahead["reason"] == "enter", "symbol"]
            )
    pd.testing.assert_frame_equal(
        pd.concat([each for each in made if len(each)], ignore_index=True), whole.orders, check_dtype=False
    )
    assert intended > 5 and len(whole.trades) > 20


@pytest.mark.parametrize("name", registered())
def test_several_sessions_at_once_are_those_sessions_one_by_one(name: str) -> None:
    T, N = 40, 12
    market = random_market(5, T=T, N=N, trouble=0.05)
    scores = random_walk_scores(5, market)
    books = min(2, registered()[name]().decides_every)
    strategy = StrategySettings(name=name, top_k=4, books=books)
    one_by_one, orders = open_account(strategy, market.axes.symbols), []
    for t in range(T):
        one_by_one, made = go_on(scores_until(scores, t + 1), market.rows(slice(t + 1)), one_by_one, strategy, COSTS)
        orders.append(made)
    start = open_account(strategy, market.axes.symbols)
    half, first = go_on(scores_until(scores, 17), market.rows(slice(17)), start, strategy, COSTS)
    whole, rest = go_on(scores, market, half, strategy, COSTS)
    assert whole.sessions == one_by_one.sessions == T
    for one, other in zip(whole.books, one_by_one.books, strict=True):
        assert (one.start, one.age, one.cash) == (other.start, other.age, other.cash)
        np.testing.assert_array_equal(one.shares, other.shares)
        np.testing.assert_array_equal(one.since, other.since)
    by = ["session", "symbol", "side", "shares"]
    apart = pd.concat([each for each in orders if len(each)]).sort_values(by, ignore_index=True)
    pd.testing.assert_frame_equal(pd.concat([first, rest]).sort_values(by, ignore_index=True), apart, check_dtype=False)
    with pytest.raises(ValueError, match=f"the account is of {T} sessions"):
        go_on(scores, market, whole, strategy, COSTS)


def scores_until(scores: Scores, sessions: int) -> Scores:
    return Scores(Axes(scores.axes.dates[:sessions], scores.axes.symbols), scores.values[:sessions])  # noqa: PD011

"""The engine against an independent slow recomputation, and the books against themselves, on random markets."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from niftyformer_assets.portfolio.backtest.costs import COST_ITEMS
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.strategy_registry import registered
from niftyformer_assets.portfolio.backtest.ties import lots
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.backtest.slow_backtest import Slow
from niftyformer_assets_tests.portfolio.markets import random_market, random_walk_scores

seeds = st.integers(0, 2**32)
rules = st.builds(
    StrategySettings,
    name=st.sampled_from(list(registered())),
    top_k=st.sampled_from([4, 4, "45%"]),
    keep_within=st.sampled_from([4, 6, "100%"]),
    rebalance_every=st.integers(1, 4),
    drop_every=st.integers(1, 6),
    drop_share=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    n_drop=st.integers(0, 4),
    hold_sessions=st.integers(0, 4),
    trade_at=st.sampled_from(["open", "close"]),
    delisted_after=st.integers(1, 4),
    capital=st.sampled_from([1_000.0, 50_000.0, 1_000_000.0, 1e9]),
    cash_yield=st.sampled_from([0.0, 0.065]),
    volume_cap=st.sampled_from([0.0, 0.0, 0.001, 0.2]),
)
charged = st.builds(
    CostSettings,
    schedule=st.sampled_from(["zerodha", "flat"]),
    flat_bps=st.sampled_from([0.0, 5.0, 37.5]),
    slippage_bps=st.sampled_from([0.0, 3.0]),
    slippage_volume_bps=st.sampled_from([0.0, 2.0]),
)


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    strategy=rules,
    costs=charged,
    trouble=st.sampled_from([0.0, 0.05, 0.25]),
    coarse=st.booleans(),
    outside=st.sampled_from([None, 0.05, 0.5]),
)
def test_same_equity_curve_as_the_slow_recomputation(
    seed: int, strategy: StrategySettings, costs: CostSettings, trouble: float, coarse: bool, outside: float | None
) -> None:
    market = random_market(seed, T=25, N=9, trouble=trouble)
    scores = random_walk_scores(seed, market, trouble)
    if outside is not None:
        gone = np.random.default_rng(seed).random(market.axes.shape) < outside
        market = replace(market, outside=gone, member=market.member & ~gone)
        scores = Scores(scores.axes, np.where(gone, np.nan, scores.values))
    if coarse:
        scores = Scores(scores.axes, np.round(scores.values))
    result = run_backtest(scores, market, strategy, costs)
    nav, cash, holdings = Slow(scores.values, market, strategy, costs, lots(market.axes, 0)).run()
    np.testing.assert_array_equal(result.nav, nav)
    np.testing.assert_array_equal(result.cash, cash)
    for t, held in enumerate(holdings):
        assert {int(j): int(result.holdings[t, j]) for j in np.flatnonzero(result.holdings[t])} == held


@pytest.mark.parametrize("name", registered())
def test_same_equity_curve_over_a_longer_wider_market(name: str) -> None:
    market = random_market(11, T=120, N=40)
    scores = random_walk_scores(11, market)
    strategy = replace(StrategySettings(), name=name)
    result = run_backtest(scores, market, strategy, CostSettings())
    nav, _, _ = Slow(scores.values, market, strategy, CostSettings(), lots(market.axes, 0)).run()
    np.testing.assert_array_equal(result.nav, nav)
    assert len(result.trades) > 100


def test_rounding_to_the_rupee_changes_every_value_by_what_it_came_to_and_by_nothing_else() -> None:
    class ByTheFill(Slow):
        def rounding(self, value: Decimal, side: str, t: int) -> Decimal:
            return Decimal(0)

    market = random_market(5, T=60, N=12, trouble=0)
    scores = random_walk_scores(5, market)
    strategy = StrategySettings(name="topk_dropout", top_k=4, hold_sessions=3)
    result = run_backtest(scores, market, strategy, CostSettings())
    nav, _, holdings = ByTheFill(scores.values, market, strategy, CostSettings(), lots(market.axes, 0)).run()
    same = [
        {int(j): int(row[j]) for j in np.flatnonzero(row)} == held
        for row, held in zip(result.holdings, holdings, strict=True)
    ]
    # Until a rupee more or less buys one share more or less.
    until = same.index(False) if False in same else len(same)
    assert until > 15
    added = np.cumsum(result.by_session("rounding"))[:until]
    assert (added[1:] != 0).mean() > 0.9
    np.testing.assert_array_equal(paise(result.nav[:until]), paise(nav[:until]) - paise(added))


@settings(max_examples=120, deadline=None)
@given(seed=seeds, strategy=rules, costs=charged, trouble=st.sampled_from([0.0, 0.05, 0.25]))
def test_books_balance_to_the_paisa(seed: int, strategy: StrategySettings, costs: CostSettings, trouble: float) -> None:
    market = random_market(seed, T=60, N=12, trouble=trouble)
    scores = random_walk_scores(seed, market, trouble)
    result = run_backtest(scores, market, strategy, costs)
    assert_books_balance(result)
    assert (result.cash >= 0).all()
    assert (result.holdings >= 0).all()
    held = (result.holdings > 0).sum(axis=1)
    if isinstance(strategy.top_k, int):
        assert (held <= strategy.top_k).all()
    else:  # where the universe shrinks, what is held too many leaves at the strategy's next decision
        assert (held <= result.places.max()).all()
    assert_only_members_with_a_score_are_bought(result, scores.values)
    assert_fills_are_at_prices_that_traded(result)


def paise(rupees: np.ndarray) -> np.ndarray:
    return np.rint(np.asarray(rupees, dtype=float) * 100).astype(np.int64)


def assert_books_balance(result: BacktestResult) -> None:
    """Rebuild cash and holdings from the recorded orders and marks, with nothing of the engine's."""
    T, N = result.holdings.shape
    cash = np.full(T, paise(np.array(result.strategy.capital)))
    shares = np.zeros((T, N), dtype=np.int64)
    place = {symbol: column for column, symbol in enumerate(result.market.axes.symbols)}
    session_of = {np.datetime64(day, "D"): t for t, day in enumerate(result.dates)}
    for row in result.trades.itertuples():
        t, sign = session_of[np.datetime64(row.session, "D")], 1 if row.side == "buy" else -1
        items = sum(int(paise(getattr(row, item))) for item in COST_ITEMS)
        assert items == paise(row.cost)
        assert row.shares * paise(row.price) == paise(row.value)
        cash[t:] -= sign * paise(row.value) + items
        shares[t:, place[row.symbol]] += sign * row.shares
    bridged = result.marks[result.marks["kind"] == "broken_adjustment"]
    for row in bridged.itertuples():
        t, column = session_of[np.datetime64(row.session, "D")], place[row.symbol]
        cash[t:] += paise(row.cash)
        words = row.detail.split()
        shares[t:, column] += int(words[5]) - int(words[0])
    cash += np.cumsum(paise(result.interest))
    np.testing.assert_array_equal(paise(result.cash), cash)
    np.testing.assert_array_equal(result.holdings, shares)
    np.testing.assert_array_equal(paise(result.nav), cash + (shares * result.market.mark).sum(axis=1))
    earned = result.round_trips["profit"].sum() + result.interest.sum()
    assert abs(earned - (result.nav[-1] - result.nav[0])) < 0.01


def assert_only_members_with_a_score_are_bought(result: BacktestResult, scores: np.ndarray) -> None:
    dates, symbols = result.dates, list(result.market.axes.symbols)
    for row in result.trades[result.trades["side"] == "buy"].itertuples():
        t, column = int(np.searchsorted(dates, np.datetime64(row.decided, "D"))), symbols.index(row.symbol)
        assert result.market.member[t, column]
        assert np.isfinite(scores[t, column]) or row.reason == "rebalance"
        assert np.datetime64(row.session, "D") == dates[t + 1]


def assert_fills_are_at_prices_that_traded(result: BacktestResult) -> None:
    price = result.market.trade_price(result.strategy.trade_at)
    symbols = list(result.market.axes.symbols)
    for row in result.trades[result.trades["reason"] != "delisted"].itertuples():
        t = int(np.searchsorted(result.dates, np.datetime64(row.session, "D")))
        traded = price[t, symbols.index(row.symbol)]
        assert np.isfinite(traded)
        slip = row.slippage / row.shares * (1 if row.side == "buy" else -1)
        assert row.price == pytest.approx(traded + slip, abs=0.006)

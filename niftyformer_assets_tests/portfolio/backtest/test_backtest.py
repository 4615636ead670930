"""What happens in each case that `backtest.run` documents, one small market each."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.market.split import Split
from niftyformer_assets.portfolio.backtest.market import cut_market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.markets import axes, plain_market, random_market, random_walk_scores
from niftyformer_assets_tests.portfolio.trading import DROPOUT, PLAN, always, names, trade
from niftyformer_assets_tests.shared_data import ROOT

# --- when a score trades -------------------------------------------------------------------------------


@pytest.mark.parametrize("trade_at", ["open", "close"])
def test_a_score_trades_one_session_later_at_the_price_that_was_set(trade_at: str) -> None:
    close = np.array([[100.0], [110.0], [120.0]])
    market = plain_market(close, open=np.array([[99.0], [105.0], [115.0]]))
    strategy = StrategySettings(top_k=1, trade_at=trade_at, capital=11_550.0)  # type: ignore[arg-type]
    result = trade(market, np.ones((3, 1)), strategy)
    fill = {"open": 105.0, "close": 110.0}[trade_at]
    assert result.nav[0] == 11_550
    assert result.trades.iloc[0][["price", "shares"]].tolist() == [fill, 11_550 // fill]
    assert str(result.trades.iloc[0]["session"])[:10] == str(market.axes.dates[1])
    assert result.nav[1] == 11_550 + (110 - fill) * (11_550 // fill)
    assert result.nav[2] == result.nav[1] + 10 * (11_550 // fill)


# --- what is not traded ------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["no_price", "locked", "no_volume"])
@pytest.mark.parametrize("trade_at", ["open", "close"])
def test_an_untradable_stock_is_left_alone(what: str, trade_at: str) -> None:
    market = plain_market(np.full((8, 2), 100.0))
    arrays = {name: getattr(market, name).copy() for name in ("open", "high", "low", "close", "volume")}
    if what == "no_price":
        for array in arrays.values():
            array[1, 0] = np.nan
    elif what == "locked":
        arrays["high"][1, 0] = arrays["low"][1, 0] = 100.0
    else:
        arrays["volume"][1, 0] = 0.0
    market = replace(market, **arrays)
    strategy = replace(PLAN, top_k=1, trade_at=trade_at)  # type: ignore[arg-type]
    result = trade(market, always(8, [2, 1]), strategy)
    assert result.unfilled["status"].tolist() == [what]
    assert result.nav.tolist() == [1_000_000.0] * 8
    assert names(result, 5) == set()
    assert names(result, 6) == {0}  # the place is filled at the next rebalance


def test_a_held_stock_without_a_candle_keeps_its_value_and_is_marked() -> None:
    close = np.array([[100.0], [100.0], [120.0], [np.nan], [90.0]])
    result = trade(plain_market(close), np.ones((5, 1)), replace(PLAN, top_k=1))
    assert result.nav.tolist() == [1e6, 1e6, 1.2e6, 1.2e6, 0.9e6]
    mark = result.marks.iloc[0]
    assert (mark["symbol"], mark["kind"]) == ("S000", "stale_price")
    assert str(result.dates[2]) in mark["detail"]


def test_only_members_at_the_session_of_the_score_are_bought() -> None:
    member = np.ones((12, 3), dtype=bool)
    member[0, 0] = False  # joins after the first score
    member[3:, 1] = False  # leaves while held
    market = plain_market(100 * 1.01 ** np.arange(12)[:, None] * [1, 0.9, 1], member=member)
    result = trade(market, always(12, [3, 2, 1]), replace(PLAN, top_k=2, drop_share=0.5))
    assert names(result, 1) == {1, 2}
    assert 1 in names(result, 10)  # it may stay until a name is dropped
    assert names(result, 11) == {0, 2}
    assert (
        result.trades.query("symbol == 'S001' and side == 'buy'")["session"] == result.trades["session"].min()
    ).all()


# --- bad input, with documented outcomes -------------------------------------------------------------------


def test_a_stock_too_dear_for_its_place_is_unaffordable_and_the_next_best_is_taken() -> None:
    market = plain_market(np.tile([130_000.0, 50.0, 60.0, 70.0], (3, 1)))
    result = trade(market, always(3, [9, 3, 2, 1]), replace(PLAN, top_k=2, capital=200_000.0))
    assert names(result, 1) == {1, 2}
    assert result.unfilled[["symbol", "status", "ordered"]].values.tolist() == [["S000", "unaffordable", 0]]


def test_a_price_that_rose_past_the_place_before_the_fill_leaves_it_empty() -> None:
    market = plain_market(np.array([[90.0, 10.0], [110.0, 10.0], [110.0, 10.0]]))
    result = trade(market, always(3, [2, 1]), replace(PLAN, top_k=1, capital=100.0))
    assert result.unfilled["status"].tolist() == ["unaffordable"]
    assert result.nav.tolist() == [100.0] * 3


def test_charges_count_towards_what_can_be_afforded() -> None:
    market = plain_market(np.full((2, 1), 100.0), start="2024-05-06")
    result = trade(market, np.ones((2, 1)), replace(PLAN, top_k=1, capital=1000.0), CostSettings())
    assert result.holdings[1, 0] == 9  # ten shares and their charges are 1001.19
    assert result.cash[1] == pytest.approx(1000 - 900 - result.trades["cost"].sum())


def test_a_delisting_while_held_is_sold_at_the_last_price_and_marked() -> None:
    close = np.full((14, 2), 100.0)
    close[2, 0] = 80.0
    close[3:, 0] = np.nan
    result = trade(plain_market(close, start="2024-05-06"), always(14, [2, 1]), replace(PLAN, top_k=1), CostSettings())
    sale = result.trades.query("reason == 'delisted'").iloc[0]
    assert (sale["side"], sale["price"], str(sale["session"])[:10]) == ("sell", 80.0, str(result.dates[7]))
    assert sale["cost"] > 0
    assert names(result, 6) == {0}
    assert names(result, 7) == set()
    mark = result.marks.query("kind == 'delisted'").iloc[0]
    assert str(result.dates[2]) in mark["detail"]
    assert names(result, 11) == {1}  # the place is filled at the next rebalance, not with the stock that is gone


def test_a_delisting_is_not_foreseen() -> None:
    close = np.full((9, 1), 100.0)
    close[4:, 0] = np.nan
    market = plain_market(close)
    result = trade(market, np.ones((9, 1)), replace(PLAN, top_k=1, delisted_after=3))
    assert [names(result, t) for t in (5, 6)] == [{0}, set()]
    shorter = market.rows(slice(6))
    assert names(trade(shorter, np.ones((6, 1)), replace(PLAN, top_k=1, delisted_after=3)), 5) == {0}


def test_worthless_holdings_are_kept_where_a_sale_would_cost_more_than_there_is() -> None:
    close = np.array([[10.0], [10.0], [0.01], [np.nan], [np.nan], [np.nan]])
    strategy = replace(PLAN, top_k=1, capital=10.02, delisted_after=1)
    result = trade(plain_market(close, start="2024-05-06"), np.ones((6, 1)), strategy, CostSettings())
    assert result.holdings[-1, 0] == 1
    assert set(result.unfilled["status"]) >= {"proceeds_below_costs"}
    assert (result.cash >= 0).all()


def test_a_session_without_a_score_trades_nothing_and_the_schedule_waits() -> None:
    market = plain_market(np.full((10, 3), 100.0) * 1.01 ** np.arange(10)[:, None])
    scores = always(10, [3, 2, 1])
    scores[[0, 1, 6]] = np.nan
    result = trade(market, scores, replace(PLAN, top_k=1, rebalance_every=4))
    traded = {str(day)[:10] for day in result.orders["session"]}
    assert traded == {str(market.axes.dates[3])}  # first score at 2; the next rebalance (8) has nothing to restore
    missing = result.marks.query("kind == 'no_score'")
    assert [str(day)[:10] for day in missing["session"]] == [str(market.axes.dates[t]) for t in (0, 1, 6)]
    nothing = trade(market, np.full((10, 3), np.nan))
    assert nothing.nav.tolist() == [1e6] * 10
    assert nothing.orders.empty
    assert nothing.round_trips.empty


def test_fewer_names_than_top_k_get_one_place_each() -> None:
    market = plain_market(np.full((3, 2), 100.0))
    for strategy in (PLAN, DROPOUT):
        result = trade(market, np.ones((3, 2)), replace(strategy, top_k=10))
        np.testing.assert_array_equal(result.holdings[1], [1000, 1000])
        assert result.exposure[1] == pytest.approx(0.2)


def test_a_broken_adjustment_is_crossed_at_unchanged_value() -> None:
    close = np.array([[100.0], [110.0], [195.0], [200.0]])
    opening = np.array([[100.0], [100.0], [190.0], [195.0]])
    segment = np.array([[0], [0], [1], [1]])
    market = plain_market(close, open=opening, segment=segment)
    result = trade(market, np.ones((4, 1)), replace(PLAN, top_k=1, capital=11_000.0))
    assert result.holdings[1, 0] == 100
    assert result.holdings[2, 0] == 11_000 // 190 == 57
    assert result.cash[2] == 11_000 - 57 * 190
    assert result.nav.tolist() == [11_000, 11_000, 57 * 195 + 170, 57 * 200 + 170]
    mark = result.marks.iloc[0]
    assert (mark["kind"], mark["cash"]) == ("broken_adjustment", 170.0)
    assert mark["detail"] == "100 shares carried over as 57 of the same value; a real move would be +72.7%"
    assert result.round_trips["profit"].iloc[0] == pytest.approx(result.nav[-1] - 11_000)


def test_a_break_after_a_gap_is_crossed_too() -> None:
    close = np.array([[100.0], [100.0], [np.nan], [50.0], [50.0]])
    segment = np.array([[0], [0], [-1], [1], [1]])
    market = plain_market(close, open=close.copy(), segment=segment)
    result = trade(market, np.ones((5, 1)), replace(PLAN, top_k=1))
    assert result.nav.tolist() == [1e6] * 5
    assert result.holdings[-1, 0] == 20_000


def test_a_market_that_does_not_fit_is_refused() -> None:
    market = plain_market(np.full((3, 2), 1.0))
    with pytest.raises(ValueError, match="volume of shape"):
        replace(market, volume=np.ones((3, 3)))
    with pytest.raises(ValueError, match="below 0"):
        replace(market, close=np.full((3, 2), -1.0))
    with pytest.raises(NiftyFormerError, match="at least 2 sessions"):
        trade(market.rows(slice(1)), np.ones((1, 2)))


def test_cut_market_takes_the_experiments_part() -> None:
    panel = axes(10, 5)
    values = np.arange(50.0).reshape(10, 5) + 1
    arrays = dict.fromkeys(("open", "high", "low", "close", "volume"), values) | {"segment": values.astype(np.int32)}
    rows, columns = slice(2, 9), np.array([1, 4])
    scope = Scope(
        axes=Axes(panel.dates[rows], tuple(panel.symbols[column] for column in columns)),
        split=Split(slice(0, 3), slice(3, 5), slice(5, 7), slice(7, 7)),
        member=np.ones((7, 2), dtype=bool),
        left_out={},
        survivorship="",
        rows=rows,
        columns=columns,
    )
    market = cut_market(arrays, scope, panel.dates[6], panel.dates[8])
    np.testing.assert_array_equal(market.close, values[6:9][:, columns])
    assert market.axes == Axes(panel.dates[6:9], ("S001", "S004"))
    with pytest.raises(NiftyFormerError, match="no session between"):
        cut_market(arrays, scope, np.datetime64("2030-01-01"), np.datetime64("2030-02-01"))


def test_tables_of_a_result_agree_with_each_other() -> None:
    rng = np.random.default_rng(3)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (80, 15)), axis=0)), start="2024-01-01")
    result = trade(market, rng.random((80, 15)), replace(PLAN, top_k=5), CostSettings())
    assert result.returns[1:] == pytest.approx(result.nav[3:] / result.nav[2:-1] - 1)
    assert result.returns[0] == pytest.approx(result.nav[2] / result.nav[0] - 1)
    assert result.earning_dates.tolist() == result.dates[2:].tolist()
    assert result.by_session("cost").sum() == pytest.approx(result.trades["cost"].sum())
    assert result.exposure == pytest.approx(result.weights.sum(axis=1))
    traded = result.by_session("value")
    assert result.turnover[6] == pytest.approx(traded[6] / 2 / result.nav[5])
    trips = result.round_trips
    assert trips["profit"].sum() == pytest.approx(result.nav[-1] - result.nav[0])
    assert trips["closed"].isna().sum() == (result.holdings[-1] > 0).sum()
    first = trips.dropna(subset="closed").iloc[0]
    own = result.trades[result.trades["symbol"] == first["symbol"]]
    own = own[(own["session"] >= first["opened"]) & (own["session"] <= first["closed"])]
    assert first["bought"] == pytest.approx(own.loc[own["side"] == "buy", "value"].sum())
    assert first["sold"] == pytest.approx(own.loc[own["side"] == "sell", "value"].sum())
    assert first["cost"] == pytest.approx(own["cost"].sum())


def test_idle_cash_earns_what_is_set_from_the_first_session_that_can_earn() -> None:
    market = plain_market(np.full((254, 1), 10.0))
    nothing = np.full((254, 1), np.nan)
    assert trade(market, nothing).interest.tolist() == [0.0] * 254
    result = trade(market, nothing, replace(PLAN, cash_yield=0.06))
    assert result.nav[:2].tolist() == [1e6, 1e6]
    assert result.nav[-1] == pytest.approx(1.06e6, abs=2)  # 252 sessions, each rounded to the paisa
    assert result.interest.sum() == pytest.approx(result.nav[-1] - 1e6)
    half = trade(market, np.ones((254, 1)), replace(PLAN, top_k=2, cash_yield=0.06))
    assert half.nav[-1] == pytest.approx(1.03e6, rel=0.001)
    assert half.exposure[1] == pytest.approx(0.5)


# --- universes that change -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["topk_equal_weight", "topk_dropout", "equal_weight"])
def test_a_holding_outside_the_universe_is_sold_at_the_first_fill_and_an_outsider_not_held_changes_nothing(
    name: str,
) -> None:
    market = plain_market(np.full((8, 4), 50.0))
    strategy = replace(PLAN, name=name, top_k=2, rebalance_every=100, drop_every=100, n_drop=0)
    scores = always(8, [4, 3, 2, 1])
    scores[3:, 0] = np.nan
    outside = np.zeros(market.axes.shape, dtype=bool)
    outside[3:, [0, 3]] = True
    kept, sold = (trade(each, scores, strategy) for each in (market, replace(market, outside=outside)))
    assert names(kept, 4) == {0, 1}
    assert names(sold, 3) == {0, 1}
    assert 0 not in names(sold, 4)
    leaving = sold.trades[sold.trades["reason"] == "outside_universe"]
    assert leaving["symbol"].tolist() == ["S000"]
    assert np.datetime64(leaving["session"].iloc[0], "D") == market.axes.dates[4]


def test_a_holding_outside_the_universe_is_sold_on_sessions_without_a_score_and_waits_where_it_cannot_be() -> None:
    market = plain_market(np.full((7, 3), 50.0))
    market.volume[3, 0] = 0
    scores = always(7, [3, 2, 1])
    scores[2:] = np.nan
    outside = np.zeros(market.axes.shape, dtype=bool)
    outside[2:, 0] = True
    result = trade(replace(market, outside=outside), scores, replace(PLAN, top_k=2))
    assert [names(result, t) for t in range(1, 7)] == [{0, 1}] * 3 + [{1}] * 3


def test_its_place_is_filled_with_the_next_best_where_the_strategy_buys() -> None:
    market = plain_market(np.full((8, 4), 50.0))
    scores = always(8, [4, 3, 2, 1])
    scores[5:, 0] = np.nan
    outside = np.zeros(market.axes.shape, dtype=bool)
    outside[5:, 0] = True
    result = trade(replace(market, outside=outside), scores, replace(PLAN, top_k=2, drop_every=100))
    assert names(result, 5) == {0, 1}
    assert names(result, 6) == {1, 2}


# --- the order book ------------------------------------------------------------------------------------------


OTHER_ORDER = """
import importlib.util, re, sys
spec = importlib.util.find_spec("niftyformer_assets.portfolio.backtest.layout")
source = open(spec.origin, encoding="utf-8").read()
fields = re.search(r"^ORDER_FIELDS = (\\(.*\\))$", source, re.M)
source = source.replace(fields.group(1), repr(tuple(reversed(eval(fields.group(1))))), 1)
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
exec(compile(source, spec.origin, "exec"), module.__dict__)
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.markets import random_market, random_walk_scores
market = random_market(3, 30, 8)
strategy = StrategySettings(name="topk_dropout", top_k=3, n_drop=2, volume_cap=0.05)
result = run_backtest(random_walk_scores(3, market), market, strategy, CostSettings())
assert module.ORDER_FIELDS[0] == "reference", module.ORDER_FIELDS
print(result.orders.to_csv())
"""


def test_the_order_of_the_fields_of_an_order_decides_nothing() -> None:
    """The engine once more, as plain Python, with ORDER_FIELDS the other way round."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    told = subprocess.run(
        [sys.executable, "-c", OTHER_ORDER], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    market = random_market(3, 30, 8)
    strategy = StrategySettings(name="topk_dropout", top_k=3, n_drop=2, volume_cap=0.05)
    result = run_backtest(random_walk_scores(3, market), market, strategy, CostSettings())
    assert len(result.trades) > 10
    assert told.stdout.rstrip("\n") == result.orders.to_csv().rstrip("\n")

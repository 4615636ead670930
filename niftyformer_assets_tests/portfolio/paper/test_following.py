"""The paper account is the backtest on the candles as they stood, to the paisa; adjustments cost less than a share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.exchange.faults import Faults, Split
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.strategy_registry import registered
from niftyformer_assets.portfolio.paper.account import account_of
from niftyformer_assets.portfolio.paper.following import follow, worth
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.paper.living import EVENING, FIRST, LAST, MORNING, SESSIONS, Life

MONEY = ("price", "cost")
BY_BOOKS = {name: min(2, registered()[name]().decides_every) for name in registered()}


def test_a_rename_moves_the_holding_and_what_is_known_of_it(tmp_path: Path) -> None:
    life = Life(tmp_path, strategy_of("topk_dropout", trade_at="open"))
    for t in range(FIRST, FIRST + 4):
        life.signal(t, life.known(t, EVENING))
        life.follow(t, life.known(t, EVENING))
    account = account_of(life.ledger)
    old, shares = next(iter(account.shares.items()))
    before = worth(account)
    account.take({"kind": "rename", "session": account.last, "signal": None, "symbol": old, "to": "NEW"})
    assert account.shares["NEW"] == shares and old not in account.shares and worth(account) == before
    with pytest.raises(ValueError, match="is not held"):
        account.take({"kind": "rename", "session": account.last, "signal": None, "symbol": old, "to": "NEW"})


def strategy_of(name: str, **more: object) -> StrategySettings:
    return StrategySettings(name=name, top_k=4, books=BY_BOOKS[name], cash_yield=0.05, **more)


@pytest.mark.parametrize(("name", "trade_at"), list(zip(registered(), ["open", "close"] * 3, strict=False)))
def test_it_is_the_backtest_on_the_candles_as_they_stood(name: str, trade_at: str, tmp_path: Path) -> None:
    """Evening after evening, whose closes are not final: every net asset value, the cash and each trade."""
    life = Life(tmp_path, strategy_of(name, trade_at=trade_at))
    ledger = life.live()
    market = life.as_they_stood()
    whole = run_backtest(life.scores_on(market), market, life.strategy, life.costs, seed=3)
    values = [row for row in ledger.rows if row["kind"] == "valuation"]
    assert len(values) == LAST - FIRST > 30
    assert [row["nav"] for row in values] == np.rint(whole.nav[1:] * 100).astype(int).tolist()
    assert [row["cash"] for row in values] == np.rint(whole.cash[1:] * 100).astype(int).tolist()
    ours = sorted(
        (row["session"], row["symbol"], row["side"], row["shares"], row["price"], row["cost"])
        for row in ledger.rows
        if row["kind"] == "trade"
    )
    theirs = sorted(
        (str(row["session"])[:10], row["symbol"], row["side"], row["shares"], *(round(row[x] * 100) for x in MONEY))
        for row in whole.trades.to_dict("records")
    )
    assert ours == theirs and len(ours) > 10
    # Each close was provisional, and the next evening's candles say so.
    assert sum(row["kind"] == "correction" for row in ledger.rows) > 20


def test_with_the_mornings_runs_values_are_those_of_the_final_candles(tmp_path: Path) -> None:
    life = Life(tmp_path, strategy_of("topk_buffer", trade_at="open"))
    ledger = life.live(mornings=True)
    market = life.known(LAST, MORNING, LAST + 1).rows(slice(FIRST, None))
    whole = run_backtest(life.scores_on(market), market, life.strategy, life.costs, seed=3)
    account = account_of(ledger)
    assert [*account.navs.values()] == np.rint(whole.nav * 100).astype(int).tolist()
    assert worth(account) == round(whole.nav[-1] * 100)
    assert {row["signal"] for row in ledger.rows if row["kind"] == "correction"} == {None}


@pytest.mark.parametrize(("ratio", "mornings"), [(2, False), (1.5, True), (11 / 10, True)])
def test_a_split_costs_less_than_a_share(ratio: float, mornings: bool, tmp_path: Path) -> None:
    """Against the backtest on the candles of the end, all adjusted; of a stock that is held over the ex-date."""
    ex = 20
    plain = Life(tmp_path / "plain", strategy_of("topk_dropout", trade_at="open"))
    plain.live(mornings=True)
    account = account_of(plain.ledger)
    (symbol, *_), day = sorted(account.held[str(SESSIONS[ex - 1])]), SESSIONS[ex].astype(object)
    split = Faults(splits=(Split(symbol, day, ratio),))
    life = Life(tmp_path / "split", plain.strategy, split)
    ledger = life.live(mornings=mornings)
    (action,) = [row for row in ledger.rows if row["kind"] == "action"]
    assert (action["symbol"], action["reason"], action["session"]) == (symbol, "adjusted", str(SESSIONS[ex - 1]))
    assert action["shares_after"] == int(action["shares"] * ratio + 1e-9) and action["shares"] > 2
    market = life.known(LAST, MORNING, LAST + 1).rows(slice(FIRST, None))
    whole = run_backtest(life.scores_on(market), market, life.strategy, life.costs, seed=3)
    after = account_of(ledger)
    place = market.axes.symbols.index(symbol)
    share = market.close[:, place].max() * ratio  # of one as it was before
    by_name = dict(zip(market.axes.symbols, whole.holdings[ex - FIRST], strict=True))
    held = after.held[str(SESSIONS[ex])]
    assert set(held) == {name for name, shares in by_name.items() if shares}
    assert abs(held.get(symbol, 0) - by_name[symbol]) < ratio + 1
    if mornings:
        apart = np.array([*after.navs.values()]) / 100 - whole.nav
        assert np.abs(apart).max() < share


def test_several_sessions_at_once_and_again_add_nothing_twice(tmp_path: Path) -> None:
    strategy = strategy_of("topk_buffer", trade_at="open")
    seldom = Life(tmp_path, strategy)
    seldom.live(runs=range(FIRST, LAST, 6))
    final = seldom.known(LAST, MORNING, LAST + 1)
    first = seldom.follow(LAST, final)
    before = first.path.read_bytes()
    assert seldom.follow(LAST, final).head == first.head and first.path.read_bytes() == before
    assert [row["session"] for row in first.rows if row["kind"] == "valuation"] == [
        str(day) for day in SESSIONS[FIRST + 1 : LAST + 1]
    ]


def test_without_a_signal_nothing_trades_and_the_schedule_waits(tmp_path: Path) -> None:
    life = Life(tmp_path, strategy_of("topk_equal_weight"))
    for t in range(FIRST, FIRST + 12):
        market = life.known(t, EVENING)
        if t != FIRST + 4:
            life.signal(t, market)
        life.follow(t, market)
    rows = life.ledger.rows
    quiet = str(SESSIONS[FIRST + 5])
    (value,) = [row for row in rows if row["session"] == quiet and row["kind"] == "valuation"]
    assert value["scored"] is False and value["signal"] is None
    assert not [row for row in rows if row["session"] == quiet and row["kind"] == "trade"]
    books = account_of(life.ledger).books
    assert [book.age for book in books] == [11 - 1 - start for start in life.strategy.starts]


def test_a_broken_adjustment_is_crossed_as_the_backtest_does(tmp_path: Path) -> None:
    life = Life(tmp_path, strategy_of("topk_dropout", trade_at="open"))
    for t in range(FIRST, FIRST + 8):
        market = life.known(t, EVENING)
        segment = (np.arange(t + 1)[:, None] >= FIRST + 6) * np.ones(len(market.axes.symbols), dtype=np.int32)
        jump = np.where(segment > 0, 0.37, 1.0)
        prices = {name: getattr(market, name) * jump for name in ("open", "high", "low", "close")}
        market = replace(market, segment=segment.astype(np.int32), **prices)
        life.signal(t, market)
        life.follow(t, market)
    actions = [row for row in life.ledger.rows if row["kind"] == "action"]
    assert {row["reason"] for row in actions} == {"broken_adjustment"} and len(actions) == 4
    assert all(row["session"] == str(SESSIONS[FIRST + 6]) and row["shares_after"] > row["shares"] for row in actions)
    market = life.as_they_stood()
    whole = run_backtest(life.scores_on(market), market, life.strategy, life.costs, seed=3)
    navs = [row["nav"] for row in life.ledger.rows if row["kind"] == "valuation"]
    assert navs == np.rint(whole.nav[1:] * 100).astype(int).tolist()


def test_other_rules_are_a_row_and_another_number_of_books_is_refused(tmp_path: Path) -> None:
    life = Life(tmp_path, strategy_of("topk_equal_weight"))
    for t in range(FIRST, FIRST + 4):
        life.signal(t, life.known(t, EVENING))
        life.follow(t, life.known(t, EVENING))
    life.rules = replace(life.rules, experiment="next", strategy=replace(life.strategy, top_k=5))
    t = FIRST + 4
    life.signal(t, life.known(t, EVENING))
    life.follow(t, life.known(t, EVENING))
    rules = [row for row in life.ledger.rows if row["kind"] == "rules"]
    assert [row["experiment"] for row in rules] == ["tiny", "next"] and rules[1]["session"] == str(SESSIONS[t])
    books = replace(life.rules, strategy=replace(life.strategy, books=1))
    with pytest.raises(NiftyFormerError, match=r"has 2 books and the strategy of next has 1: set its `strategy.books`"):
        follow(account_of(life.ledger), life.known(t, EVENING).rows(slice(FIRST, None)), life.signals, books)

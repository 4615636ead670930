"""Thirty days in fast motion, in which whatever may come does come; the account is the backtest on the candles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.exchange.faults import Faults, Split
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.paper.account import account_of
from niftyformer_assets.portfolio.paper.ledger import Ledger
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.portfolio.signals.checks import candles_complete
from niftyformer_assets_tests.portfolio.paper.living import EVENING, FIRST, LAST, MORNING, SESSIONS, Life

# Nobody logged in, for two evenings and the morning between them; candles came with holes, which the morning mended,
# and once did not. A stock is split, and another one leaves the index.
NO_LOGIN, NO_MORNING, HOLES, STILL_HOLES, EX, LEAVES = {10, 11}, 10, 14, 17, 22, 27


def holes(life: Life, t: int, until: int | None) -> bool:
    return (t == HOLES and until is None) or t == STILL_HOLES


def lived(life: Life) -> Ledger:
    """Each evening and each morning what a run of the job `signal` does: a signal that is looked at first, and the
    account where there was one."""
    for t in range(FIRST, LAST + 1):
        for at, until in ((EVENING, None), (MORNING, t + 1)):
            if t in NO_LOGIN if until is None else t == NO_MORNING:
                continue
            sound = life.faults
            if holes(life, t, until):
                life.faults = replace(sound, missing_candles=0.3)
            market = life.known(t, at, until)
            life.faults = sound
            found = candles_complete(market.has_candle, market.axes.symbols, SESSIONS[t].astype(object))
            assert found.passed != holes(life, t, until), found.sentence
            if found.passed:
                life.signal(t, market)
                life.follow(t, market)
    return life.ledger


def backtest(life: Life) -> np.ndarray:
    """Net asset values [sessions] on the candles of the end, without the signals that were not given."""
    market = life.known(LAST, MORNING, LAST + 1).rows(slice(FIRST, None))
    scores = np.array(life.scores_on(market).values)
    for t in (STILL_HOLES, NO_MORNING):
        scores[t - FIRST] = np.nan
    return run_backtest(Scores(market.axes, scores), market, life.strategy, life.costs, seed=3).nav


@pytest.mark.parametrize("name", ["topk_equal_weight", "topk_dropout"])
def test_the_account_is_the_backtest_on_the_candles(name: str, tmp_path: Path) -> None:
    strategy = StrategySettings(name=name, top_k=4, trade_at="open", cash_yield=0.05)
    plain = Life(tmp_path / "plain", strategy)
    held = account_of(lived(plain)).held
    split = sorted(held[str(SESSIONS[EX - 1])])[0]
    leaver = next(symbol for symbol in sorted(held[str(SESSIONS[LEAVES - 1])]) if symbol != split)

    life = Life(tmp_path / "life", strategy, Faults(splits=(Split(split, SESSIONS[EX].astype(object), 1.5),)))
    life.leaves = {leaver: LEAVES}
    account = account_of(lived(life))
    assert "2023-01-25" in account.navs and "2023-01-26" not in account.navs and len(account.navs) == LAST - FIRST + 1
    assert str(SESSIONS[STILL_HOLES]) not in life.signals and len(life.signals) == len(account.navs) - 2

    ours = np.array([*account.navs.values()])
    # Before the split, which is booked at the close before it, candles stood as where there is none: to the paisa.
    as_they_stood, before = np.rint(backtest(plain) * 100).astype(int), EX - 1 - FIRST
    assert ours[:before].tolist() == as_they_stood[:before].tolist()
    # On candles that are all adjusted: within a share.
    market = plain.known(LAST, MORNING, LAST + 1)
    share = market.close[:, market.axes.symbols.index(split)].max()
    assert np.abs(ours / 100 - backtest(life)).max() < share
    actions = [row for row in life.ledger.rows if row["kind"] == "action"]
    assert [(row["symbol"], row["reason"]) for row in actions] == [(split, "adjusted")]
    sold = [row["session"] for row in life.ledger.rows if row["kind"] == "trade" and row["symbol"] == leaver]
    assert leaver in account.held[str(SESSIONS[LEAVES])] and str(SESSIONS[LEAVES + 1]) in sold
    assert leaver not in account.shares

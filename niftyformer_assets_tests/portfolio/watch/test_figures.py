"""The figures of signals are those of a backtest: one formula, of returns that could be earned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.portfolio.watch.figures import figures_of, turnover_of, turnover_of_signal
from niftyformer_assets_tests.portfolio.markets import plain_market, random_walk_scores

T, N = 40, 30


def test_they_are_those_of_the_first_session_that_could_be_earned() -> None:
    rng = np.random.default_rng(0)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0)))
    scores = random_walk_scores(0, market, trouble=0)
    up = rng.random((T, N))
    up[3, :5] = np.nan
    table = figures_of(scores, up, np.zeros(T), market, "close")
    t = 3
    earned = market.close[t + 2] / market.close[t + 1] - 1
    assert table["rank_ic"][t] == pytest.approx(spearmanr(scores.values[t], earned).statistic)  # noqa: PD011
    assert table["hit_rate"][t] == pytest.approx(np.mean((up[t, 5:] > 0.5) == (earned[5:] > 0)))
    assert table.loc[T - 2 :, ["rank_ic", "hit_rate"]].isna().all(axis=None)
    assert table.loc[: T - 3, ["rank_ic", "hit_rate"]].notna().all(axis=None)


@pytest.mark.parametrize("books", [1, 2])
def test_turnover_is_of_the_session_that_decided_and_without_the_first_purchases(books: int) -> None:
    rng = np.random.default_rng(0)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0)))
    strategy = StrategySettings(name="topk_equal_weight", top_k=5, rebalance_every=5, books=books)
    whole = run_backtest(random_walk_scores(0, market, trouble=0), market, strategy, CostSettings())
    turnover = turnover_of(whole)
    begun = max(strategy.starts) + 1
    assert np.isnan(turnover[:begun]).all() and np.isnan(turnover[-1]) and np.isfinite(turnover[begun:-1]).all()
    np.testing.assert_array_equal(turnover[begun:-1], whole.turnover[begun + 1 :])
    assert np.nanmax(turnover) > 0 and whole.turnover[1] > 0.2 / books


def test_turnover_of_a_signal_is_of_the_accounts_worth() -> None:
    table = pd.DataFrame(
        {
            "order_value": [100.0, -60.0, 0.0],
            "target_shares": [5, 0, 10],
            "close": [20.0, 30.0, 40.0],
            "target_weight": [0.2, 0.0, 0.8],
        }
    )
    assert turnover_of_signal(table) == pytest.approx(160 / 2 / 500)
    assert turnover_of_signal(table.assign(target_weight=0.0)) == 0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.market.split import Split
from niftyformer_assets.portfolio.backtest.market import cut_market, median_traded_value
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.markets import axes, plain_market
from niftyformer_assets_tests.portfolio.trading import DROPOUT, PLAN, always, trade


def test_orders_are_capped_by_the_traded_value_known_at_the_score_and_by_the_volume_of_the_fill() -> None:
    market = plain_market(np.full((4, 2), 50.0), volume=np.array([[1000.0, 1000], [10_000, 200], [1000, 1000], [0, 0]]))
    value = median_traded_value(market.close, market.volume)
    assert value[:3, 0].tolist() == [50_000, 275_000, 50_000]  # 1000; 1000, 10000; 1000, 1000, 10000
    assert value[3, 0] == 50 * (1000 + 1000) / 2  # 0, 1000, 1000, 10000
    market = replace(market, traded_value=value)
    strategy = replace(PLAN, top_k=2, volume_cap=0.1)
    result = trade(market, always(4, [2, 1]), strategy)
    # 10% of 50,000 rupees at 50 each; 10% of the session's 200 shares.
    assert result.holdings[1].tolist() == [100, 20]
    assert result.orders.iloc[0][["ordered", "shares", "status"]].tolist() == [10_000, 100, "over_volume"]
    assert trade(market, always(4, [2, 1]), replace(strategy, volume_cap=0)).holdings[1].tolist() == [10_000, 10_000]


def test_what_a_capped_sale_leaves_keeps_its_place() -> None:
    market = plain_market(np.full((5, 3), 50.0), volume=np.vstack([np.full((2, 3), 1e6), np.full((3, 3), 1000.0)]))
    market = replace(market, traded_value=np.full((5, 3), 50e6))
    scores = always(5, [3, 2, 1])
    scores[1:] = [1, 3, 2]
    strategy = replace(DROPOUT, top_k=1, n_drop=1, volume_cap=0.1)
    result = trade(market, scores, strategy)
    assert result.holdings[:, 0].tolist() == [0, 20_000, 19_900, 19_800, 19_700]
    assert not result.holdings[:, 1:].any()
    assert set(result.unfilled["status"]) == {"no_place"}


def test_a_cap_needs_the_traded_value() -> None:
    market = plain_market(np.full((3, 2), 50.0))
    with pytest.raises(NiftyFormerError, match=r"volume_cap"):
        trade(market, always(3, [2, 1]), replace(PLAN, top_k=1, volume_cap=0.1))


def test_the_traded_value_of_a_cut_market_counts_the_sessions_before_it() -> None:
    rng = np.random.default_rng(2)
    T, N = 150, 3
    close, volume = rng.uniform(10, 20, (T, N)), rng.uniform(1e3, 1e5, (T, N))
    volume[rng.random((T, N)) < 0.3] = np.nan
    panel = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": volume, "segment": close * 0}
    scope = Scope(axes(T, N), Split(*(slice(0, 1),) * 4), np.ones((T, N), bool), {}, "", slice(0, T), np.arange(N))
    market = cut_market(panel, scope, scope.axes.dates[100], scope.axes.dates[120])
    assert market.traded_value is not None
    for t in (0, 7, 20):
        expected = np.median(np.nan_to_num(close * volume)[100 + t - 59 : 100 + t + 1], axis=0)
        np.testing.assert_allclose(market.traded_value[t], expected)

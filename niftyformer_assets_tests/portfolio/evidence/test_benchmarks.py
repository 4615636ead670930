from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.evidence.benchmarks import (
    UNIVERSE_CAPITAL,
    buy_and_hold,
    equal_weight_universe,
    hold_indices,
)
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.markets import axes, plain_market, random_market

FREE = CostSettings(schedule="flat", flat_bps=0)


def test_equal_weight_universe_is_the_mean_of_its_members() -> None:
    rng = np.random.default_rng(0)
    returns = rng.normal(0, 0.02, (60, 30))
    market = plain_market(np.exp(np.cumsum(returns, axis=0)) * rng.choice([20, 900, 120_000], 30))
    result = equal_weight_universe(market, StrategySettings(), FREE, rebalance_every=1)
    assert result.nav[0] == UNIVERSE_CAPITAL * 1_000_000
    mean = (market.close[2:] / market.close[1:-1] - 1).mean(axis=1)
    np.testing.assert_allclose(result.returns, mean, atol=2e-4)
    assert (result.exposure[1:] > 0.99).all()


def test_equal_weight_universe_follows_membership_at_its_rebalances() -> None:
    member = np.ones((12, 3), dtype=bool)
    member[4:, 0] = False
    market = plain_market(np.full((12, 3), 100.0), member=member)
    result = equal_weight_universe(market, StrategySettings(), CostSettings(), rebalance_every=5)
    held = result.holdings > 0
    assert held[1].tolist() == [True, True, True]
    assert held[5].tolist() == [True, True, True]
    assert held[6].tolist() == [False, True, True]
    assert result.weights[6][1:] == pytest.approx([0.5, 0.5], abs=0.002)


def test_buy_and_hold_matches_dates_and_carries_the_last_level() -> None:
    on = axes(4, 1, start="2024-01-02")
    levels = pd.Series(
        [90.0, 100.0, 120.0, 110.0, 7.0],
        index=pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05", "2024-01-06"]),
    )
    shuffled = levels.sample(frac=1, random_state=0)
    np.testing.assert_allclose(buy_and_hold(shuffled, on, 1000.0, "open"), [1000, 1000, 1200, 1100])


def test_an_index_is_bought_when_the_strategies_first_can() -> None:
    on = axes(4, 1, start="2024-01-02")
    levels = pd.Series([100.0, 120.0, 90.0, 180.0], index=pd.DatetimeIndex(on.dates))
    np.testing.assert_allclose(buy_and_hold(levels, on, 1000.0, "close"), [1000, 1000, 750, 1500])
    np.testing.assert_allclose(buy_and_hold(levels, on, 1000.0, "open"), [1000, 1200, 900, 1800])


def test_an_index_that_does_not_cover_the_backtest_is_refused() -> None:
    on = axes(20, 1, start="2024-01-02")
    for start, days in (("2024-01-05", 30), ("2023-12-01", 35)):
        levels = pd.Series(np.ones(days), index=pd.date_range(start, periods=days))
        with pytest.raises(NiftyFormerError, match="its values cover"):
            buy_and_hold(levels, on, 1.0, "close")
    with pytest.raises(NiftyFormerError, match="it has no value"):
        buy_and_hold(pd.Series(dtype=float), on, 1.0, "close")
    bad = pd.Series(np.zeros(60), index=pd.date_range("2023-12-20", periods=60))
    with pytest.raises(NiftyFormerError, match="no index level"):
        buy_and_hold(bad, on, 1.0, "close")


def test_a_hole_is_no_flat_stretch_of_the_index() -> None:
    on = axes(40, 1, start="2024-01-02")
    levels = pd.Series(np.linspace(100, 120, 40), index=pd.DatetimeIndex(on.dates))
    with pytest.raises(NiftyFormerError, match="no value between 2024-01-11 and 2024-01-17"):
        buy_and_hold(levels.drop(levels.index[10:16]), on, 1.0, "close")
    assert len(buy_and_hold(levels.drop(levels.index[10:15]), on, 1.0, "close")) == 40
    # One that begins before the first session.
    part = Axes(on.dates[20:], on.symbols)
    with pytest.raises(NiftyFormerError, match=f"no value between {levels.index[12].date()} and "):
        buy_and_hold(levels.drop(levels.index[13:23]), part, 1.0, "close")


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (slice(0, -10), "cover 2024-01-02 to 2024-01-31, the backtest is 2024-01-02 to 2024-02-10"),
        (slice(3, None), "cover 2024-01-05 to 2024-02-10, the backtest is 2024-01-02"),
        (slice(0, 0), "it has no value"),
    ],
)
def test_an_index_that_covers_something_else_is_left_out_with_the_reason(kept: slice, why: str) -> None:
    on = axes(40, 1, start="2024-01-02")
    price = pd.Series(np.linspace(100, 120, 40), index=pd.DatetimeIndex(on.dates))
    held, notes = hold_indices({"price": price, "with dividends": price.iloc[kept]}, on, 1.0, "close")
    assert list(held) == ["price"]
    assert len(notes) == 1
    assert notes[0].startswith("with dividends is left out: ")
    assert why in notes[0]
    assert "NIFTYFORMER_TOTAL_RETURN" in notes[0]


def test_a_few_sessions_without_a_value_are_told() -> None:
    on = axes(40, 1, start="2024-01-02")
    price = pd.Series(np.linspace(100, 120, 40), index=pd.DatetimeIndex(on.dates))
    held, notes = hold_indices({"whole": price, "short": price.iloc[:-3]}, on, 1.0, "close")
    assert list(held) == ["whole", "short"]
    assert notes == (
        "short has no value on 3 of 40 sessions, the last of them 2024-02-10: the value before stands in.",
    )


def test_a_cap_on_orders_is_not_that_of_the_universe() -> None:
    market = random_market(3, 60, 12, trouble=0)
    free, capped = (
        equal_weight_universe(market, StrategySettings(volume_cap=cap), CostSettings()) for cap in (0.0, 0.001)
    )
    np.testing.assert_array_equal(free.nav, capped.nav)

"""A portfolio that cannot be filled is refused before anything is computed for it."""

from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.market.split import Split
from niftyformer_assets.portfolio.backtest.places import require_places
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.markets import axes

T, N = 10, 6
SPLIT = Split(slice(0, 4), slice(4, 6), slice(6, 9), slice(9, T))
# The session before the test window is the sixth.
CLOSE = np.tile(np.array([10.0, 20.0, 30.0, 400.0, 5000.0, 60000.0]), (T, 1))


def scope(member: np.ndarray | None = None) -> Scope:
    everyone = np.ones((T, N), dtype=bool)
    return Scope(axes(T, N), SPLIT, everyone if member is None else member, {}, "", slice(0, T), np.arange(N))


def refusal(close: np.ndarray = CLOSE, member: np.ndarray | None = None, **strategy: object) -> str:
    with pytest.raises(NiftyFormerError) as caught:
        require_places("mine", StrategySettings(n_drop=1, **strategy), close, scope(member))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_more_places_than_stocks_are_refused() -> None:
    require_places("mine", StrategySettings(top_k=6), CLOSE, scope())
    said = refusal(top_k=7)
    assert said.startswith("experiment mine: strategy.top_k is 7, but the universe has 6 stocks on 2023-01-07,")
    assert "set it to 6 or less" in said


def test_stocks_that_are_no_members_or_were_never_quoted_by_then_are_none_of_the_universe() -> None:
    member = np.ones((T, N), dtype=bool)
    member[5, 2] = False
    close = CLOSE.copy()
    close[:6, 1] = np.nan  # listed on the first session of the test window
    close[5, 0] = np.nan  # not quoted on that day alone
    require_places("mine", StrategySettings(top_k=4), close, scope(member))
    assert "has 4 stocks" in refusal(close, member, top_k=5)


def test_a_capital_that_cannot_fill_the_places_is_refused_with_what_would_do() -> None:
    require_places("mine", StrategySettings(top_k=4, capital=1600), CLOSE, scope())
    said = refusal(top_k=4, capital=1599.99)
    assert said.startswith(
        "experiment mine: strategy.capital of ₹1,599.99 gives each of 4 places ₹399.99, which is enough"
    )
    assert "a share of 3 stocks on 2023-01-07" in said
    assert "set it to ₹1,600 or more" in said
    assert "enough for a share of 0 stocks" in refusal(top_k=1, capital=1)


@pytest.mark.parametrize("capital", [0.001, 0, -5, 0.99, float("nan"), 1e13])
def test_a_capital_that_is_none_is_no_setting(capital: float) -> None:
    with pytest.raises(ValueError, match="capital must lie between 1 and 1e12 rupees"):
        StrategySettings(capital=capital)


@pytest.mark.parametrize("cash_yield", [-0.01, 1.0, 6.5, float("nan")])
def test_a_yield_in_percent_is_no_setting(cash_yield: float) -> None:
    with pytest.raises(ValueError, match="cash_yield must be at least 0 and below 1"):
        StrategySettings(cash_yield=cash_yield)

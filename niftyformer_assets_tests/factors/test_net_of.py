"""The market and the betas that labels are net of: by definition, those of the factor, and without looking ahead."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.net_of import market_and_beta, sector_numbers
from niftyformer_assets.factors.nse93.catalogue import NSE93
from niftyformer_assets.factors.nse93.compute import nse93
from niftyformer_assets.factors.returns import daily_returns
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.market.sectors import SECTORS, UNKNOWN
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets_tests.factors.panels import made_up_panel


def panel(sessions: int = 320) -> Panel:
    return made_up_panel(sessions=sessions, symbols=8)


def test_beta_is_the_slope_on_the_mean_return_of_all_stocks() -> None:
    candles = panel()
    market, beta = market_and_beta(candles)
    returns = daily_returns(candles.close, candles.segment)
    np.testing.assert_allclose(market[1:], np.nanmean(returns[1:], axis=1), atol=1e-15)
    assert np.isnan(market[0])
    found = 0
    for session, stock in np.argwhere(np.isfinite(beta))[::97]:
        inside = slice(max(session - 249, 0), session + 1)
        one, other = returns[inside, stock].copy(), market[inside]
        one[candles.segment[inside, stock] != candles.segment[session, stock]] = np.nan
        known = np.isfinite(one) & np.isfinite(other)
        assert known.sum() >= 125
        expected = np.cov(one[known], other[known])[0, 1] / np.var(other[known], ddof=1)
        np.testing.assert_allclose(beta[session, stock], expected, rtol=1e-6)
        found += 1
    assert found > 5
    assert np.isnan(beta[:124]).all()


def test_it_is_the_beta_of_the_factor() -> None:
    candles = panel()
    factor = nse93(candles, dtype=np.float64)[list(NSE93).index("MBETA250")]
    np.testing.assert_array_equal(market_and_beta(candles)[1], factor)


def test_later_candles_change_neither() -> None:
    whole, cut = panel(), 290
    short = Panel(
        Axes(whole.axes.dates[:cut], whole.axes.symbols),
        *(getattr(whole, name)[:cut] for name in ("open", "high", "low", "close", "volume", "segment")),
    )
    for one, other in zip(market_and_beta(whole), market_and_beta(short), strict=True):
        np.testing.assert_array_equal(one[:cut], other)


def test_a_sector_keeps_its_number_whatever_others_there_are() -> None:
    names = np.array([[*SECTORS, UNKNOWN]])
    assert sector_numbers(names)[0].tolist() == list(range(len(SECTORS) + 1))
    assert sector_numbers(np.array([["Services", UNKNOWN, "Services"]]))[0].tolist() == [9, len(SECTORS), 9]

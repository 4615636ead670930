"""Proof that scores trade on the sessions and stocks they are for, and that nothing later is seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.strategy_registry import registered
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.deciles import realised_returns
from niftyformer_assets.portfolio.evidence.null import permutation_null
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.markets import plain_market, random_market, random_walk_scores
from niftyformer_assets_tests.shared_data import shared

FREE = CostSettings(schedule="flat", flat_bps=0)


def independent_market(T: int = 250, N: int = 30) -> Market:
    """Independent overnight and intraday returns: neither opens nor closes say anything about later ones."""
    rng = np.random.default_rng(7)
    overnight, within = rng.normal(0, 0.014, (2, T, N))
    close = 100 * np.exp(np.cumsum(overnight + within, axis=0))
    opening = close / np.exp(within)
    return plain_market(close, open=opening, start="2022-01-03")


def shifted(values: np.ndarray, sessions: int) -> np.ndarray:
    moved = np.full_like(values, np.nan)
    if sessions > 0:
        moved[sessions:] = values[:-sessions]
    else:
        moved[:sessions] = values[-sessions:]
    return moved


def hindsight(market: Market, trade_at: str, top_k: int) -> float:
    """Growth of money that holds the top_k stocks of each session, known beforehand; no engine involved."""
    price = getattr(market, trade_at)
    growth = price[1:] / price[:-1]
    best = np.sort(growth[1:], axis=1)[:, -top_k:].mean(axis=1)
    last = market.close[-1] / price[-1]  # an open that was bought is valued at its close
    return float(np.prod(best) * (last.mean() if trade_at == "open" else 1.0))


@pytest.mark.parametrize("trade_at", ["open", "close"])
def test_an_oracle_earns_what_hindsight_earns_and_one_session_either_way_it_does_not(trade_at: str) -> None:
    market = independent_market()
    oracle = realised_returns(market, trade_at)
    strategy = StrategySettings(name="equal_weight", top_k=5, rebalance_every=1, trade_at=trade_at, capital=1e9)  # type: ignore[arg-type]
    log_growth = {}
    for shift in (-1, 0, 1):
        scores = Scores(market.axes, shifted(oracle, shift) if shift else oracle)
        result = run_backtest(scores, market, strategy, FREE)
        log_growth[shift] = np.log(result.nav[-1] / result.nav[0])
    earned = np.log(hindsight(market, trade_at, 5))
    assert earned > 5
    assert log_growth[0] == pytest.approx(earned, rel=0.01)
    assert abs(log_growth[1]) < 0.1 * earned
    assert abs(log_growth[-1]) < 0.1 * earned


@pytest.mark.parametrize("name", ["topk_equal_weight", "topk_dropout"])
def test_the_strategies_find_the_oracle_only_where_it_is(name: str) -> None:
    market = independent_market()
    rules = StrategySettings(name=name, top_k=5, n_drop=5, rebalance_every=1, drop_every=1, drop_share=1.0)
    oracle = realised_returns(market, "close")
    sharpe = {
        shift: float(
            metrics.sharpe(
                run_backtest(
                    Scores(market.axes, shifted(oracle, shift) if shift else oracle), market, rules, FREE
                ).returns
            )
        )
        for shift in (-1, 0, 1)
    }
    assert sharpe[0] > 10
    # Not better than luck; the published setting's strategy is far worse one way, as it may not keep what it just held.
    assert sharpe[1] < 3.5
    assert sharpe[-1] < 3.5


def test_a_permuted_symbol_list_is_refused() -> None:
    market = plain_market(np.full((4, 3), 10.0))
    values = np.ones((4, 3))
    for symbols in (("S001", "S000", "S002"), ("S000", "S001", "S003")):
        scores = Scores(Axes(market.axes.dates, symbols), values)
        with pytest.raises(NiftyFormerError, match="different axes: symbol"):
            run_backtest(scores, market, StrategySettings(), CostSettings())
        with pytest.raises(NiftyFormerError, match="different axes: symbol"):
            permutation_null(scores, market, StrategySettings(), CostSettings(), portfolios=2)
    later = Scores(Axes(market.axes.dates + 1, market.axes.symbols), values)
    with pytest.raises(NiftyFormerError, match="different axes: session"):
        run_backtest(later, market, StrategySettings(), CostSettings())


@pytest.mark.parametrize("name", registered())
@pytest.mark.parametrize("trade_at", ["open", "close"])
def test_what_comes_later_changes_nothing(name: str, trade_at: str) -> None:
    """Cut the market off at a session: everything up to it is the same."""
    market = random_market(21, T=90, N=15, trouble=0.1)
    scores = random_walk_scores(21, market)
    strategy = StrategySettings(name=name, top_k=5, trade_at=trade_at)  # type: ignore[arg-type]
    whole = run_backtest(scores, market, strategy, CostSettings())
    assert (whole.marks["kind"] == "broken_adjustment").any()
    for stop in (2, 17, 44, 89):
        part = market.rows(slice(stop))
        cut = run_backtest(Scores(part.axes, scores.values[:stop]), part, strategy, CostSettings())  # noqa: PD011
        np.testing.assert_array_equal(cut.nav, whole.nav[:stop])
        np.testing.assert_array_equal(cut.holdings, whole.holdings[:stop])
        before = whole.orders["session"] <= pd.Timestamp(part.axes.dates[-1])
        pd.testing.assert_frame_equal(cut.orders, whole.orders[before].reset_index(drop=True))


def test_nmdc_on_real_candles_is_crossed_without_a_gain() -> None:
    """NMDC jumps 95.6% on 2022-10-27 by a broken adjustment, which nobody earned."""
    candles = pd.read_csv(shared("market_data/kite_daily_2022_2024") / "NMDC.csv", parse_dates=["Date"])
    candles = candles[(candles["Date"] >= "2022-10-20") & (candles["Date"] <= "2022-11-03")]
    dates = candles["Date"].to_numpy().astype("datetime64[D]")
    arrays = {
        name.lower(): candles[[name]].to_numpy(dtype=float) for name in ("Open", "High", "Low", "Close", "Volume")
    }
    segment = (dates >= np.datetime64("2022-10-27")).astype(np.int32)[:, None]
    market = Market(axes=Axes(dates, ("NMDC",)), member=np.ones((len(dates), 1), dtype=bool), segment=segment, **arrays)
    result = run_backtest(
        Scores(market.axes, np.ones(market.axes.shape)), market, StrategySettings(top_k=1), CostSettings()
    )
    t = int(np.searchsorted(dates, np.datetime64("2022-10-27")))
    within = arrays["close"][t, 0] / arrays["open"][t, 0] - 1
    assert result.nav[t] / result.nav[t - 1] - 1 == pytest.approx(within, abs=0.001)
    assert arrays["close"][t, 0] / arrays["close"][t - 1, 0] - 1 > 0.9

from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.deciles import information_coefficients, realised_returns
from niftyformer_assets.portfolio.evidence.metrics_table import COLUMNS, performance, summary
from niftyformer_assets.portfolio.evidence.null import permutation_null
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.markets import plain_market

STRATEGY = StrategySettings(top_k=4)


@pytest.fixture(scope="module")
def market_and_scores():
    rng = np.random.default_rng(0)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (120, 20)), axis=0)), start="2024-01-01")
    return market, Scores(market.axes, np.cumsum(rng.normal(size=(120, 20)), axis=0))


def test_every_figure_with_its_sessions_and_the_headlines_with_their_uncertainty(market_and_scores) -> None:
    market, scores = market_and_scores
    result = run_backtest(scores, market, STRATEGY, CostSettings())
    coefficients = information_coefficients(scores, realised_returns(market, "close"))
    null = permutation_null(scores, market, STRATEGY, CostSettings(), portfolios=20)
    benchmark = np.linspace(1.0, 1.1, 120)
    table = summary(result, benchmark, 2 * benchmark, coefficients, null, variants=3)
    assert tuple(table.columns) == COLUMNS
    assert (table["sessions"] == 118).drop(["ic", "rank_ic", "turnover", "exposure"]).all()
    assert table.loc[["turnover", "exposure"], "sessions"].tolist() == [119, 119]  # the first session trades
    assert table.loc[["ic", "rank_ic"], "sessions"].tolist() == [118, 118]
    headlines = ["sharpe", "ic", "rank_ic", "excess_return", "excess_return_equal_weight"]
    assert table.loc[headlines, ["low", "high", "t"]].notna().all(axis=None)
    assert (table.loc[headlines, "low"] < table.loc[headlines, "value"]).all()
    assert (table.loc[headlines, "value"] < table.loc[headlines, "high"]).all()

    assert table.loc["sharpe", "value"] == float(metrics.sharpe(result.returns, 0.06))
    ours, theirs = result.nav[-1] / result.nav[0], benchmark[-1] / benchmark[0]
    assert table.loc["excess_return", "value"] == pytest.approx(ours - theirs)
    assert "of the window, less than a year" in table.loc["excess_return", "note"]
    apart = np.log(result.nav[2:] / np.r_[result.nav[0], result.nav[2:-1]])
    apart -= np.log(benchmark[2:] / np.r_[benchmark[0], benchmark[2:-1]])
    assert table.loc["excess_return", "t"] == pytest.approx(apart.mean() / apart.std(ddof=1) * np.sqrt(118))
    assert table.loc["excess_return_equal_weight", "value"] == pytest.approx(table.loc["excess_return", "value"])
    trips = result.round_trips.dropna(subset="closed")
    assert table.loc["trade_win_rate", "value"] == pytest.approx((trips["profit"] > 0).mean())
    traded = result.by_session("value")[1:]
    assert table.loc["turnover", "value"] == pytest.approx((traded / result.nav[:-1]).sum() / 2 / 119 * 252)
    assert table.loc["cost", "value"] == pytest.approx(result.trades["cost"].sum())
    assert table.loc["p_sharpe", "value"] == null.place(result)["sharpe"].p
    assert "3 variants tried" in table.loc["deflated_sharpe", "note"]


def test_what_is_not_given_is_not_in_the_table(market_and_scores) -> None:
    market, scores = market_and_scores
    table = summary(run_backtest(scores, market, STRATEGY, CostSettings()))
    assert not {"ic", "excess_return", "p_sharpe"} & set(table.index)
    assert "1 variant tried" in table.loc["deflated_sharpe", "note"]


def test_a_backtest_that_never_trades_has_a_table(market_and_scores) -> None:
    market, _ = market_and_scores
    nothing = Scores(market.axes, np.full(market.axes.shape, np.nan))
    table = summary(
        run_backtest(nothing, market, STRATEGY, CostSettings()),
        coefficients=information_coefficients(nothing, realised_returns(market, "close")),
    )
    assert table.loc["total_return", "value"] == 0
    assert np.isnan(table.loc["sharpe", "value"])
    assert np.isnan(table.loc["trade_win_rate", "value"])
    assert table.loc["ic", "sessions"] == 0


def test_performance_of_a_curve_has_the_names_of_the_table(market_and_scores) -> None:
    market, scores = market_and_scores
    result = run_backtest(scores, market, STRATEGY, CostSettings())
    table = summary(result)
    for name, value in performance(result.nav, STRATEGY).items():
        assert table.loc[name, "value"] == value


def test_over_a_year_and_more_the_excess_is_that_of_the_annual_returns() -> None:
    rng = np.random.default_rng(1)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (300, 20)), axis=0)), start="2024-01-01")
    result = run_backtest(Scores(market.axes, rng.normal(size=(300, 20))), market, STRATEGY, CostSettings())
    other = np.linspace(1.0, 1.4, 300)
    table = summary(result, None, other)
    annual = performance(other, STRATEGY)["annual_return"]
    over = table.loc["excess_return_equal_weight"]
    assert over["value"] == pytest.approx(table.loc["annual_return", "value"] - annual)
    assert over["low"] < over["value"] < over["high"]
    assert over["note"] == "annual return less that of the equal-weight universe"


def test_what_moves_by_rounding_alone_has_no_ratio() -> None:
    """Interest on idle cash, in whole paise, is no strategy with a Sharpe ratio of thousands."""
    nav = np.r_[1000, np.round(1000 * 1.0002 ** np.arange(99), 2)]
    figures = performance(nav, STRATEGY)
    assert np.isnan([figures["sharpe"], figures["sortino"]]).all()
    assert figures["total_return"] == pytest.approx(0.02, abs=0.001)

from __future__ import annotations

import math

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from niftyformer_assets.portfolio.backtest.returns import session_rate, session_returns
from niftyformer_assets.portfolio.evidence import metrics

RATE = 0.06
series = st.lists(st.floats(-0.2, 0.2), min_size=10, max_size=300).map(np.array)


def varied(returns: np.ndarray) -> bool:
    return float(returns.std()) > 1e-6


def deepest(returns: np.ndarray) -> np.ndarray:
    """The deepest drawdown of the net asset value, which begins with the starting capital."""
    growth = np.concatenate([np.ones((*returns.shape[:-1], 1)), 1 + returns], axis=-1)
    return metrics.drawdown(np.cumprod(growth, axis=-1)).min(axis=-1)


def calmar(returns: np.ndarray) -> np.ndarray:
    return metrics.calmar(metrics.annual_return(returns), deepest(returns))


@given(returns=series)
def test_agrees_with_empyrical(returns: np.ndarray) -> None:
    rate = session_rate(RATE)
    pairs = [
        (metrics.total_return(returns), empyrical.cum_returns_final(returns)),
        (metrics.annual_return(returns), empyrical.annual_return(returns)),
        (metrics.volatility(returns), empyrical.annual_volatility(returns)),
        (deepest(returns), empyrical.max_drawdown(returns)),
    ]
    if varied(returns):
        pairs.append((metrics.sharpe(returns, RATE), empyrical.sharpe_ratio(returns, risk_free=rate)))
    if (returns < -1e-6).any():
        pairs.append((metrics.sortino(returns, RATE), empyrical.sortino_ratio(returns, required_return=rate)))
        pairs.append((calmar(returns), empyrical.calmar_ratio(returns)))
    for ours, theirs in pairs:
        assert float(ours) == pytest.approx(float(theirs), rel=1e-10, abs=1e-10)


def test_risk_free_rate_is_converted_geometrically() -> None:
    assert (1 + session_rate(0.06)) ** 252 == pytest.approx(1.06)
    constant = np.full(252, session_rate(0.06)) + np.tile([0.01, -0.01], 126)
    assert float(metrics.sharpe(constant, 0.06)) == pytest.approx(0, abs=1e-10)


def test_by_hand() -> None:
    returns = np.array([-0.10, 0.05, 0.0, 0.02])
    assert float(metrics.total_return(returns)) == pytest.approx(0.9 * 1.05 * 1.02 - 1)
    assert float(metrics.annual_return(returns)) == pytest.approx((0.9 * 1.05 * 1.02) ** 63 - 1)
    assert float(deepest(returns)) == pytest.approx(-0.10)  # on the very first session
    assert float(metrics.win_rate(returns)) == 0.5  # the session at 0 counts as one that did not win
    np.testing.assert_allclose(metrics.drawdown(np.array([10.0, 12.0, 9.0, 12.0, 6.0])), [0, 0, -0.25, 0, -0.5])
    values = np.array([1.0, 2.0, 3.0, np.nan])
    assert metrics.mean_t(values) == pytest.approx(2 / (1 / math.sqrt(3)))


def test_undefined_figures_are_nan_and_warn_of_nothing() -> None:
    constant = np.full(20, 0.01)
    for figure in (metrics.sharpe(constant), metrics.sortino(constant), calmar(constant)):
        assert math.isnan(float(figure))
    for returns in (np.array([]), np.array([0.01])):
        for figure in (metrics.volatility, metrics.sharpe, metrics.sortino):
            assert math.isnan(float(figure(returns)))
    assert math.isnan(float(metrics.annual_return(np.array([]))))
    assert math.isnan(float(metrics.win_rate(np.array([]))))
    assert math.isnan(metrics.mean_t(np.array([1.0])))
    assert math.isnan(metrics.sharpe_t(constant))
    assert math.isnan(metrics.deflated_sharpe(constant, 0.0, [1.0, 2.0]))


def test_sharpe_t_is_the_t_of_the_mean_for_a_small_normal_sharpe() -> None:
    rng = np.random.default_rng(1)
    returns = rng.normal(0.0003, 0.01, 5000)
    assert metrics.sharpe_t(returns) == pytest.approx(metrics.mean_t(returns), rel=0.01)


def test_standard_error_of_an_annual_sharpe_over_84_sessions_is_about_1_7() -> None:
    rng = np.random.default_rng(2)
    found = metrics.sharpe(rng.normal(0.0005, 0.01, (4000, 84)))
    assert found.std() == pytest.approx(1.75, abs=0.1)
    errors = [float(metrics.sharpe(row)) / metrics.sharpe_t(row) for row in rng.normal(0.0005, 0.01, (50, 84))]
    assert np.mean(errors) == pytest.approx(1.75, abs=0.1)


def test_deflated_sharpe_against_the_worked_example_of_the_paper() -> None:
    """Bailey and López de Prado 2014: annual Sharpe 2.5 over 1250 sessions of a year of 250, skewness -3,
    kurtosis 10, 100 trials of variance 1/2: the expected maximum is 0.1132 a session, the result 0.9004."""
    normal = metrics.NormalDist()
    expected = math.sqrt(0.5 / 250) * (
        (1 - metrics._EULER) * normal.inv_cdf(1 - 1 / 100) + metrics._EULER * normal.inv_cdf(1 - 1 / (100 * math.e))
    )
    assert expected == pytest.approx(0.1132, abs=1e-4)
    observed = 2.5 / math.sqrt(250)
    score = (observed - expected) * math.sqrt(1249 / (1 + 3 * observed + 9 / 4 * observed**2))
    assert normal.cdf(score) == pytest.approx(0.9004, abs=1e-4)

    # The same through the function, on returns with those moments.
    returns = moments(1250, observed, skewness=-3.0, kurtosis=10.0)
    spread = np.array([-1.0, 1.0]) * math.sqrt(0.25 / 250 * 252)  # two trials of sample variance 1/2 a year of 250
    found = metrics.deflated_sharpe(returns, 0.0, spread.tolist(), count=100)
    assert found == pytest.approx(0.9004, abs=2e-3)


def moments(n: int, mean: float, skewness: float, kurtosis: float) -> np.ndarray:
    """n values of standard deviation 1 and these moments: a mixture of three points."""
    # Points a < 0, 0 and b with weights that match variance 1, mean 0, skewness and kurtosis.
    a = (skewness - math.sqrt(4 * kurtosis - 3 * skewness**2)) / 2
    b = (skewness + math.sqrt(4 * kurtosis - 3 * skewness**2)) / 2
    low, high = 1 / (a * (a - b)), 1 / (b * (b - a))
    counts = np.round(n * np.array([low, 1 - low - high, high])).astype(int)
    counts[1] += n - counts.sum()
    values = np.repeat([a, 0.0, b], counts)
    return (values - values.mean()) / values.std() + mean


def test_more_variants_tried_deflate_more() -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(0.001, 0.01, 500)
    chance = [metrics.deflated_sharpe(returns, 0.0, [], count) for count in (1, 2, 10, 1000)]
    assert chance == sorted(chance, reverse=True)
    assert chance[0] > 0.9 > 0.6 > chance[-1]


def test_months_compound_to_the_whole() -> None:
    rng = np.random.default_rng(4)
    dates = np.arange("2023-11-20", "2024-03-10", dtype="datetime64[D]")
    nav = 1e6 * np.cumprod(1 + rng.normal(0, 0.01, len(dates)))
    table = metrics.monthly_returns(nav, dates)
    assert table.index.tolist() == [2023, 2024]
    assert (1 + table["year"]).prod() == pytest.approx(nav[-1] / nav[0])
    december = nav[dates == np.datetime64("2023-12-31")] / nav[dates == np.datetime64("2023-11-30")] - 1
    assert table.loc[2023, 12] == pytest.approx(december[0])
    assert table.loc[2024, [1, 2, 3]].add(1).prod() == pytest.approx(1 + table.loc[2024, "year"])
    assert table.loc[2023, [*range(1, 11)]].isna().all()


def test_rows_are_portfolios() -> None:
    rng = np.random.default_rng(5)
    returns = rng.normal(0, 0.01, (3, 40))
    for figure in (
        metrics.total_return,
        metrics.annual_return,
        metrics.volatility,
        metrics.sharpe,
        metrics.sortino,
        deepest,
        calmar,
        metrics.win_rate,
    ):
        np.testing.assert_allclose(figure(returns), [float(figure(row)) for row in returns], rtol=1e-12)


def test_sessions_are_those_on_which_something_could_be_earned() -> None:
    nav = np.array([[100.0, 99.0, 110.0, 99.0], [100.0, 100.0, 100.0, 120.0]])
    at_open, at_close = (session_returns(nav, trade_at) for trade_at in ("open", "close"))
    np.testing.assert_allclose(at_open, [[-0.01, 1 / 9, -0.1], [0, 0, 0.2]])
    np.testing.assert_allclose(
        at_close, [[0.1, -0.1], [0, 0.2]]
    )  # the charges of the first fills count with what follows
    for returns in (at_open, at_close):
        np.testing.assert_allclose(metrics.total_return(returns), nav[:, -1] / nav[:, 0] - 1)
    assert session_returns(nav[0, :2], "close").shape == (0,)


@pytest.mark.parametrize(("sessions", "span"), [(84, "window"), (251, "window"), (252, "year"), (600, "year")])
def test_an_excess_is_the_difference_of_what_stands_beside_it(sessions: int, span: str) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.001, 0.02, sessions), rng.normal(0.0005, 0.01, sessions)
    figure = {"year": metrics.annual_return, "window": metrics.total_return}[span]
    assert metrics.excess_span(sessions) == span
    assert float(metrics.excess_return(ours, theirs)) == pytest.approx(float(figure(ours) - figure(theirs)))
    assert float(metrics.excess_return(theirs, ours)) == pytest.approx(float(figure(theirs) - figure(ours)))


@given(ours=series, seed=st.integers(0, 1000))
def test_an_excess_has_the_sign_of_its_t(ours: np.ndarray, seed: int) -> None:
    """The mean difference of plain returns may have another sign: a volatile series can lose with a positive mean."""
    theirs = np.random.default_rng(seed).normal(0, 0.05, len(ours))
    value, t = float(metrics.excess_return(ours, theirs)), metrics.excess_t(ours, theirs)
    assert abs(value) < 1e-9 or np.sign(value) == np.sign(t)


def test_equal_series_are_no_better_than_each_other() -> None:
    ours = np.random.default_rng(0).normal(0, 0.02, 300)
    nav = 1e6 * np.concatenate([[1], np.cumprod(1 + ours)])
    again = session_returns(3 * nav, "open")
    assert math.isnan(metrics.excess_t(ours, again))

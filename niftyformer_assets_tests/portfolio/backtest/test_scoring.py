"""Scores are neutralised and smoothed by what is known at the session, and by the formulas of docs/method.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr

from niftyformer_assets.experiments.reading import experiment_of
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.scoring import Exposures, neutralised, scores_to_trade, smoothed
from niftyformer_assets.portfolio.evidence.deciles import realised_returns
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT
from niftyformer_assets_tests.portfolio.markets import axes, plain_market, random_market, random_walk_scores

T, N = 60, 40
BOTH = StrategySettings(smoothing_half_life=3, neutralise=("RISK", "size", "sector"), top_k=5)


def made_up(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Exposures]:
    """Scores that lean on risk and sector; some scores, members and exposures are missing."""
    rng = np.random.default_rng(seed)
    risk, size = rng.normal(size=(2, T, N))
    sector = np.tile(np.array(["A", "B", "C", "D"])[np.arange(N) % 4], (T, 1))
    score = rng.normal(size=(T, N)) - 2 * risk + (sector == "A")
    score[rng.random((T, N)) < 0.1] = np.nan
    risk[rng.random((T, N)) < 0.1] = np.nan
    member = rng.random((T, N)) < 0.9
    return score, member, Exposures(axes(T, N), {"RISK": risk, "size": size}, {"sector": sector})


def test_the_exponential_mean_is_that_of_the_scores_there_were() -> None:
    """By hand: weights halve with each two sessions, those without a score among them."""
    nan = np.nan
    values = np.array([[1.0, nan], [nan, nan], [3.0, 5.0], [0.0, 1.0]])
    half = 0.5 ** (1 / 2)
    expected = [
        [1.0, nan],
        [nan, nan],
        [(3 + 1 * half**2) / (1 + half**2), 5.0],
        [(0 + 3 * half + 1 * half**3) / (1 + half + half**3), (1 + 5 * half) / (1 + half)],
    ]
    np.testing.assert_allclose(smoothed(values, 2.0), expected, rtol=1e-12)


def test_a_short_half_life_leaves_the_scores_and_none_is_the_default() -> None:
    scores = Scores(axes(T, N), made_up()[0])
    np.testing.assert_allclose(smoothed(scores.values, 1e-3), scores.values)
    assert scores_to_trade(scores, np.ones((T, N), dtype=bool), None, StrategySettings()) is scores


def test_neutralised_scores_are_ranks_of_the_residual() -> None:
    """Session by session by another hand: normal equations over dummies without the constant."""
    score, member, exposures = made_up()
    result = neutralised(score, member, exposures)
    for t in range(T):
        among = np.flatnonzero(np.isfinite(score[t]) & member[t])
        n = len(among)

        def ranks(values: np.ndarray, n: int = n) -> np.ndarray:
            known = np.isfinite(values)
            middle = np.zeros(n)
            middle[known] = (rankdata(values[known]) - 0.5) / known.sum() - 0.5
            return middle

        x = [ranks(exposures.numbers[name][t, among]) for name in ("RISK", "size")]
        x += [(exposures.groups["sector"][t, among] == name).astype(float) for name in "ABCD"]
        x, y = np.array(x), ranks(score[t, among])
        left = y - np.linalg.solve(x @ x.T, x @ y) @ x
        np.testing.assert_allclose(result[t, among], (rankdata(left) - 0.5) / n)
        assert np.isnan(np.delete(result[t], among)).all()


def test_what_is_taken_out_is_gone_and_what_is_not_stays() -> None:
    score, member, exposures = made_up()
    risk = exposures.numbers["RISK"]
    result = neutralised(score, member, exposures)
    before, after = (
        np.mean([spearmanr(s[t], risk[t], nan_policy="omit").statistic for t in range(T)]) for s in (score, result)
    )
    assert before < -0.7
    assert abs(after) < 0.06


def test_a_score_that_is_an_exposure_says_nothing_more() -> None:
    _, member, exposures = made_up()
    size = exposures.numbers["size"]
    result = neutralised(np.exp(size), member, Exposures(exposures.axes, {"size": size}))
    assert (np.nanmax(result, axis=1) == np.nanmin(result, axis=1)).all()


def test_few_stocks_have_no_neutralised_score() -> None:
    score, member, exposures = made_up()
    member[3, 9:] = False
    result = neutralised(score, member, exposures)
    assert np.isnan(result[3]).all() and np.isfinite(result[4]).any()


def test_the_order_of_columns_decides_nothing() -> None:
    score, member, exposures = made_up()
    order = np.random.default_rng(1).permutation(N)
    moved = exposures.on(Axes(exposures.axes.dates, tuple(exposures.axes.symbols[j] for j in order)))
    other = neutralised(score[:, order], member[:, order], moved)
    np.testing.assert_array_equal(neutralised(score, member, exposures)[:, order], other)


def test_later_sessions_change_no_earlier_score() -> None:
    score, member, exposures = made_up()
    whole = scores_to_trade(Scores(exposures.axes, score), member, exposures, BOTH)
    rng = np.random.default_rng(9)
    for cut in (1, 20, 59):
        garbled = {name: each.copy() for name, each in exposures.numbers.items()}
        for array in (score := score.copy(), member := member.copy(), *garbled.values()):
            array[cut:] = rng.permutation(array[cut:].ravel()).reshape(array[cut:].shape)
        groups = {"sector": exposures.groups["sector"].copy()}
        groups["sector"][cut:] = "D"
        changed = Exposures(exposures.axes, garbled, groups)
        other = scores_to_trade(Scores(exposures.axes, score), member, changed, BOTH)
        np.testing.assert_array_equal(other.values[:cut], whole.values[:cut])  # noqa: PD011
        score, member, exposures = made_up()


def test_later_sessions_change_no_earlier_order() -> None:
    market = random_market(21, T=T, N=N, start="2023-01-02")
    scores = random_walk_scores(21, market)
    _, _, exposures = made_up()
    ranked = scores_to_trade(scores, market.member, exposures, BOTH)
    whole = run_backtest(ranked, market, BOTH, CostSettings())
    assert len(whole.orders) > 50
    values = scores.values.copy()  # noqa: PD011
    values[40:] = np.random.default_rng(1).normal(size=values[40:].shape)
    ranked = scores_to_trade(Scores(scores.axes, values), market.member, exposures, BOTH)
    other = run_backtest(ranked, market, BOTH, CostSettings())
    until = pd.Timestamp(market.axes.dates[40])
    one, two = (each.orders[each.orders["session"] <= until] for each in (whole, other))
    pd.testing.assert_frame_equal(one, two)


def test_an_oracle_earns_only_where_it_is_neutralised_too() -> None:
    """Scores that know the return of each session; moved by one either way they are worth nothing."""
    rng = np.random.default_rng(5)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0)))
    _, _, exposures = made_up()
    oracle = realised_returns(market, "close")
    strategy = StrategySettings(name="equal_weight", top_k=5, rebalance_every=1, neutralise=("RISK", "sector"))
    grown = {}
    for shift in (-1, 0, 1):
        moved = np.full_like(oracle, np.nan)
        moved[max(shift, 0) : T + min(shift, 0)] = oracle[max(-shift, 0) : T - max(shift, 0)]
        ranked = scores_to_trade(Scores(market.axes, moved), market.member, exposures, strategy)
        result = run_backtest(ranked, market, strategy, CostSettings(schedule="flat", flat_bps=0))
        grown[shift] = np.log(result.nav[-1] / result.nav[0])
    assert grown[0] > 1
    assert abs(grown[-1]) < 0.2 * grown[0] and abs(grown[1]) < 0.2 * grown[0]


def test_an_exposure_that_nobody_knows_is_refused_by_name() -> None:
    def read(neutralise: str, more: str = "") -> tuple[str, ...]:
        text = TINY_EXPERIMENT.replace("top_k: 3", f"top_k: 3, neutralise: {neutralise}") + more
        return experiment_of(Path("mine.yaml"), text, "{}").strategy.neutralise

    assert read("[size, sector, STD20]") == ("size", "sector", "STD20")
    for wrong, name in (("[IVOL60]", "IVOL60"), ("[size, Sector]", "Sector"), ("[STD20, std20]", "std20")):
        with pytest.raises(NiftyFormerError, match=f"{name} is neither size nor sector nor a factor of") as said:
            read(wrong)
        assert "\n" not in str(said.value)
    with pytest.raises(NiftyFormerError, match="twice"):
        read("[size, size]")
    with pytest.raises(ValueError, match="exposure size is not at hand"):
        scores_to_trade(Scores(axes(T, N), made_up()[0]), made_up()[1], None, StrategySettings(neutralise=("size",)))

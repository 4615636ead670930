"""How much of what scores and holdings are worth is a tilt to something known, and how much is left without it.

Shapes: T sessions, N symbols.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.factors.ic import statistics
from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.returns import YEAR
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.scoring import Exposures, centred_ranks, designs, neutralised
from niftyformer_assets.portfolio.evidence.deciles import untradable_returns

PREDICTED, LEFT, RANKED = "as predicted", "without the exposures", "as the strategy ranks them"
ACTIVE, EXPLAINED, REST = "holdings above the universe", "of it the exposures", "what is left"


@dataclass(frozen=True, eq=False)
class ExposureSplit:
    """held: exposure -> `held_exposure`. scores: `split_of_scores`. returns: `split_of_returns`."""

    held: dict[str, np.ndarray]
    scores: pd.DataFrame
    returns: pd.DataFrame


def exposure_split(
    predicted: Scores, ranked: Scores, result: BacktestResult, realised: np.ndarray, exposures: Exposures
) -> ExposureSplit:
    """Everything on the sessions of a backtest.

    Args:
        predicted, ranked: scores as the model gave and as the strategy ranks them.
        realised: float [T, N], what a score could earn in its first session.
    """
    return ExposureSplit(
        held_exposure(result, exposures),
        split_of_scores(predicted, ranked, result, realised, exposures),
        split_of_returns(result, exposures),
    )


def held_exposure(result: BacktestResult, exposures: Exposures) -> dict[str, np.ndarray]:
    """By exposure how far the holdings are from the universe at each close, float [T]; NaN where nothing is held.

    Of a number it is the mean rank of the holdings, weighted by their value, less that of the members, which is 0:
    from -0.5 (all lowest) to 0.5. Of groups it is the share of the holdings that would have to move to other groups for
    them to be as the members are, from 0 to 1.
    """
    member, weights = result.market.member, _invested(result)
    held: dict[str, np.ndarray] = {}
    for name, numbers in exposures.numbers.items():
        held[name] = (weights * centred_ranks(numbers, member)).sum(axis=1)
    for name, groups in exposures.groups.items():
        equal = member / np.maximum(member.sum(axis=1, keepdims=True), 1)
        apart = [np.where(groups == each, weights - equal, 0.0).sum(axis=1) for each in np.unique(groups)]
        held[name] = np.abs(apart).sum(axis=0) / 2
    return held


def split_of_scores(
    predicted: Scores, ranked: Scores, result: BacktestResult, realised: np.ndarray, exposures: Exposures
) -> pd.DataFrame:
    """Rank IC on the step that is traded: of scores, of what is left of them, and of each exposure that is a number.

    Returns:
        scores (PREDICTED, LEFT, RANKED, or an exposure's name), rank_ic (mean over sessions), t (Newey and West),
        sessions, apart and apart_t: the mean of PREDICTED less it on the sessions that have both.
    """
    market = result.market
    given = np.where(market.member, predicted.values, np.nan)
    series = {
        PREDICTED: given,
        LEFT: neutralised(predicted.values, market.member, exposures),
        RANKED: ranked.values,  # noqa: PD011
        **exposures.numbers,
    }
    known = np.flatnonzero(np.isfinite(realised).any(axis=1))
    until = int(known[-1]) + 1 if len(known) else 0
    daily = np.array([rank_ic(values, realised) for values in series.values()])[:, :until]
    told, apart = statistics(daily, 1), statistics(daily[0] - daily, 1)
    return pd.DataFrame(
        {
            "scores": list(series),
            "rank_ic": told["mean"],
            "t": told["t_nw"],
            "sessions": told["sessions"],
            "apart": apart["mean"],
            "apart_t": apart["t_nw"],
        }
    )


def split_of_returns(result: BacktestResult, exposures: Exposures) -> pd.DataFrame:
    """What the holdings earned above the universe, before costs: of it what exposures earned, and what is left.

    At each close the returns to the next one of all members are regressed on `scoring.designs`. The weights of the
    holdings less equal weights of the members, times what is fitted, are what the exposures earned, each by its own
    coefficient; times the residuals, what is left. Both add up to the whole exactly. Holdings that are no members,
    or have no return, are left out of both sides.

    Returns:
        part (ACTIVE, EXPLAINED, REST, and each exposure by name), mean (a year, 252 times that of a session), t (Newey
        and West), sessions.
    """
    earned, weights = untradable_returns(result.market), result.weights
    names = (ACTIVE, EXPLAINED, REST, *exposures.names)
    parts = np.full((len(names), len(earned)), np.nan)
    for t, among, regressors in designs(exposures, np.isfinite(earned)):
        invested = weights[t, among].sum()
        if invested <= 0:
            continue
        active, of = weights[t, among] / invested - 1 / len(among), earned[t, among]
        coefficients = np.linalg.lstsq(regressors, of, rcond=None)[0]
        by_regressor = (active @ regressors) * coefficients
        start = 1 + len(exposures.numbers)
        by_exposure = list(by_regressor[1:start])
        for groups in exposures.groups.values():
            count = len(np.unique(groups[t, among]))
            by_exposure.append(by_regressor[start : start + count].sum())
            start += count
        whole, explained = float(active @ of), float(by_regressor.sum())
        parts[:, t] = [whole, explained, whole - explained, *by_exposure]
    told = statistics(parts[:, : max(len(earned) - 1, 0)], 1)
    return pd.DataFrame({"part": names, "mean": YEAR * told["mean"], "t": told["t_nw"], "sessions": told["sessions"]})


def _invested(result: BacktestResult) -> np.ndarray:
    """float [T, N], share of each holding in what is invested; NaN where nothing is."""
    whole = result.weights.sum(axis=1, keepdims=True)
    return np.divide(result.weights, whole, out=np.full(result.weights.shape, np.nan), where=whole > 0)

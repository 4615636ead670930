"""From what a model says to what is ranked: exposures taken out of the scores of a session, and scores smoothed.

The one path of backtests, studies and signals: the score of session t depends on scores and exposures up to t.

Shapes: T sessions, N symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from niftyformer_assets.factors.average_ranks import average_ranks
from niftyformer_assets.factors.settings import MIN_STOCKS
from niftyformer_assets.market.scope import Scope
from niftyformer_assets.portfolio.backtest.scores import Scores, scores_from_predictions
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.arrays import Axes

# Of ranks between 0 and 1: less than this that a regression leaves over is nothing but rounding.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Exposures:
    """What stocks are exposed to, by name, as known at the close of each session.

    numbers: float [T, N], NaN where not known. groups: str [T, N], such as the sector: a dummy for each.
    """

    axes: Axes
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.numbers, *self.groups)

    def on(self, axes: Axes) -> Exposures:
        """The same on some of their sessions and symbols, found by name."""
        rows = pd.Index(self.axes.dates).get_indexer(pd.Index(axes.dates))
        columns = pd.Index(self.axes.symbols).get_indexer(pd.Index(axes.symbols))
        if (rows < 0).any() or (columns < 0).any():
            raise ValueError("exposures lack a session or a symbol of the scores")
        place = np.ix_(rows, columns)
        return Exposures(
            axes,
            {name: array[place] for name, array in self.numbers.items()},
            {name: array[place] for name, array in self.groups.items()},
        )

    def of(self, names: Sequence[str]) -> Exposures:
        """Those of these names.

        Raises:
            ValueError: one is not there.
        """
        if missing := [name for name in names if name not in self.names]:
            raise ValueError(f"exposure {missing[0]} is not at hand: there are {', '.join(self.names) or 'none'}")
        values = {name: self.numbers[name] for name in names if name in self.numbers}
        return Exposures(self.axes, values, {name: self.groups[name] for name in names if name in self.groups})


def predictions_to_trade(
    predictions: pd.DataFrame, axes: Axes, scope: Scope, exposures: Exposures | None, strategy: StrategySettings
) -> Scores:
    """Predictions as the strategy ranks them on the sessions of `axes`; those made before count for smoothing.

    Args:
        scope: the experiment's, whose sessions those of `axes` are some of.
        exposures: as `scores_to_trade` takes them, on the scope's axes.

    Raises:
        NiftyFormerError: as `scores_from_predictions`.
    """
    if not strategy.changes_scores:
        return scores_from_predictions(predictions, axes)
    made = scores_from_predictions(predictions, scope.axes)
    ranked = scores_to_trade(made, scope.member, exposures, strategy)
    return Scores(axes, ranked.values[np.searchsorted(scope.axes.dates, axes.dates)])  # noqa: PD011


def scores_to_trade(
    scores: Scores, member: np.ndarray, exposures: Exposures | None, strategy: StrategySettings
) -> Scores:
    """Scores as the strategy ranks them: first neutralised, then smoothed, each if it says so.

    Args:
        scores: with those before the first session that is traded, for smoothing.
        member: bool [T, N], the universe of each session.
        exposures: on axes that have those of the scores; None where nothing is taken out.
    """
    values = scores.values  # noqa: PD011
    if strategy.neutralise:
        of = (exposures or Exposures(scores.axes)).of(strategy.neutralise)
        values = neutralised(values, member, of.on(scores.axes))
    if strategy.smoothing_half_life > 0:
        values = smoothed(values, strategy.smoothing_half_life)
    return scores if values is scores.values else Scores(scores.axes, values)  # noqa: PD011


def smoothed(values: np.ndarray, half_life: float) -> np.ndarray:
    """The exponential mean [T, N] of each stock's scores up to the session.

    The weight of a score halves with every `half_life` sessions that have passed since, those without a score of
    the stock among them; weights are divided by their sum, so a stock without past scores has its own. Without a
    score of the session a stock has none.
    """
    mean = pd.DataFrame(values).ewm(halflife=half_life, adjust=True, ignore_na=False).mean().to_numpy()
    return np.where(np.isfinite(values), mean, np.nan)


def neutralised(values: np.ndarray, member: np.ndarray, exposures: Exposures) -> np.ndarray:
    """The rank, from 0 to 1, of what a session's regression leaves of the score's rank [T, N].

    The regression is by least squares over the members that have a score, on `designs`. NaN for all others, and on
    sessions with fewer than MIN_STOCKS of them.
    """
    among = np.isfinite(values) & member
    ranks, result = centred_ranks(values, among), np.full(values.shape, np.nan)
    for t, stocks, regressors in designs(exposures, among):
        coefficients = np.linalg.lstsq(regressors, ranks[t, stocks], rcond=None)[0]
        left = ranks[t, stocks] - regressors @ coefficients
        result[t, stocks] = np.round(left / NOTHING) * NOTHING
    left_over = np.isfinite(result)
    return np.where(left_over, centred_ranks(result, left_over) + 0.5, np.nan)


def designs(exposures: Exposures, among: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """What is regressed on, session by session: those with fewer than MIN_STOCKS stocks are passed over.

    Args:
        among: bool [T, N], the stocks of each session.

    Yields:
        t; the columns of its n stocks, in the order of their names; float [n, regressors]: a constant, the
        `centred_ranks` of each number, and a dummy for each group that there is. They may depend on each other.
    """
    by_name = np.argsort(np.array(exposures.axes.symbols))
    ranks = [centred_ranks(each, among) for each in exposures.numbers.values()]
    for t in range(len(among)):
        stocks = by_name[among[t, by_name]]
        if len(stocks) < MIN_STOCKS:
            continue
        columns = [np.ones(len(stocks)), *(each[t, stocks] for each in ranks)]
        for groups in exposures.groups.values():
            of = groups[t, stocks]
            columns += [(of == name).astype(float) for name in np.unique(of)]
        yield t, stocks, np.column_stack(columns)


def centred_ranks(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Ranks [T, N] in each session between -0.5 and 0.5 around 0 among the stocks of `among`.

    Equal values share theirs; 0, the middle, where a value is missing or the stock is not among them.
    """
    known = among & np.isfinite(values)
    ranks = average_ranks(np.where(known, values, np.nan))
    return np.where(known, (ranks - 0.5) / np.maximum(known.sum(axis=1, keepdims=True), 1) - 0.5, 0.0)

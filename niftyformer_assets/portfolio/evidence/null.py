"""Could it be luck? The strategy among portfolios that know nothing.

Each null portfolio trades the model's own scores with the stocks' names exchanged once, at random,
for the whole period. So it is as restless and pays as much as the strategy, but what it holds has
nothing to do with what the model saw. It runs through the same engine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from niftyformer_assets.portfolio.backtest import engine, records
from niftyformer_assets.portfolio.backtest.costs import rates
from niftyformer_assets.portfolio.backtest.market import Market, name_order, require_sessions
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.returns import session_returns
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.ties import lots
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings

PORTFOLIOS = 1000


class Place(NamedTuple):
    """Where the strategy stands in the null.

    percentile: share of null portfolios below it.
    p: one-sided, (1 + null portfolios that did as well) / (1 + portfolios); never 0.
    p_worse: the same of those that did as badly. A tie counts for both.
    """

    value: float
    percentile: float
    p: float
    p_worse: float


@dataclass(frozen=True, eq=False)
class Null:
    """nav: float [P, T], rupees, one row a portfolio. strategy: what they all follow."""

    nav: np.ndarray
    strategy: StrategySettings

    @cached_property
    def total_return(self) -> np.ndarray:
        """float [P]."""
        return self._figures(self.nav)["total_return"]

    @cached_property
    def sharpe(self) -> np.ndarray:
        """float [P]; NaN for a portfolio that never moved."""
        return self._figures(self.nav)["sharpe"]

    def band(self, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> np.ndarray:
        """float [len(quantiles), T], rupees: quantiles over the portfolios at each session."""
        return np.quantile(self.nav, quantiles, axis=0)

    def same(self, result: BacktestResult) -> np.ndarray:
        """bool [P]: portfolios whose value is the strategy's, within a paisa, at every session."""
        return np.all(_same_rupees(self.nav, result.nav), axis=1)

    def place(self, result: BacktestResult) -> dict[str, Place]:
        """The strategy's place by `total_return` and by `sharpe`.

        Both sides go through one formula. Portfolios tie where they end within a paisa of each
        other, by Sharpe ratio where they agree to nine digits or in every session.
        """
        own = {name: float(value) for name, value in self._figures(result.nav).items()}
        ties = {
            "total_return": _same_rupees(self.nav[:, -1], result.nav[-1]),
            "sharpe": self.same(result) | np.isclose(self.sharpe, own["sharpe"], rtol=1e-9, atol=1e-12),
        }
        return {name: _place(value, getattr(self, name), ties[name]) for name, value in own.items()}

    def _figures(self, nav: np.ndarray) -> dict[str, np.ndarray]:
        returns = session_returns(nav, self.strategy.trade_at)
        return {
            "total_return": nav[..., -1] / nav[..., 0] - 1,
            "sharpe": metrics.sharpe(returns, self.strategy.risk_free_rate),
        }


def permutation_null(
    scores: Scores,
    market: Market,
    strategy: StrategySettings,
    costs: CostSettings,
    portfolios: int = PORTFOLIOS,
    seed: int = 0,
) -> Null:
    """Run `portfolios` portfolios on `scores` whose symbols are permuted, each once.

    Only symbols that have a score on some session take part in the exchange. With its scores a
    stock hands over its lots (`ties.lots` of the same seed as the strategy's). The outcome depends
    on the seed alone, not on the order of columns or the number of processors.

    Raises:
        NiftyFormerError: as `run_backtest`.
    """
    scores.require_axes(market.axes)
    require_sessions(market)
    by_name = name_order(market.axes)
    named, scored = market.columns(by_name), scores.columns(by_name)
    tape = records.tape(named, strategy)
    ranking = records.ranking(scored.values, lots(named.axes, seed))
    rules = records.rules(strategy, named)
    charged = rates(market.axes.dates, costs)
    openings = records.openings(strategy, market.axes.shape[1])
    taking_part = np.flatnonzero(np.isfinite(scored.values).any(axis=0))
    exchanged = np.random.default_rng(seed).permuted(np.tile(taking_part, (portfolios, 1)), axis=1)
    nav = np.empty((portfolios, len(market.axes.dates)))

    def run(portfolio: int) -> None:
        score_of = np.arange(market.axes.shape[1])
        score_of[taking_part] = exchanged[portfolio]
        own = ranking._replace(score_of=score_of, stock_of=np.argsort(score_of))
        books = [engine.simulate(tape, own, rules, charged, opening, False)[0] for opening in openings]
        nav[portfolio] = np.sum(books, axis=0) / 100

    # The engine lets go of Python's lock, so threads use all processors.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, range(portfolios)))
    return Null(nav, strategy)


def _same_rupees(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(np.rint(one * 100) - np.rint(other * 100)) <= 1


def _place(value: float, null: np.ndarray, tie: np.ndarray) -> Place:
    known = np.isfinite(null)
    if np.isnan(value) or not known.any():
        return Place(value, np.nan, np.nan, np.nan)
    null, tie = null[known], tie[known]
    below, above = (null < value) & ~tie, (null > value) & ~tie
    count = 1 + len(null)
    return Place(value, float(below.mean()), float((count - below.sum()) / count), float((count - above.sum()) / count))

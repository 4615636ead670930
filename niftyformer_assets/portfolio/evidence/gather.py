"""Everything a report rests on: the strategy, what it is measured against, and the figures of each.

The period is one part of the experiment, test unless asked otherwise. It begins with the scores
made at the close of the last session before the part, which trade on the part's first session; so
every return is one of the part's sessions and nothing trades outside it.

Shapes: T sessions (the one of the first scores, then the part), N symbols.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.factors.labels import Labels
from niftyformer_assets.market.scope import Scope
from niftyformer_assets.model.predictions import by_model, by_network
from niftyformer_assets.portfolio.backtest.market import Market, cut_market
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores, scores_from_predictions
from niftyformer_assets.portfolio.backtest.scoring import Exposures, predictions_to_trade
from niftyformer_assets.portfolio.backtest.taxes import Tax, short_term_tax
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.benchmarks import equal_weight_universe, hold_indices
from niftyformer_assets.portfolio.evidence.choices import choices, picks_by_lot, tells_apart
from niftyformer_assets.portfolio.evidence.deciles import (
    above_all,
    decile_returns,
    information_coefficients,
    realised_returns,
    untradable_returns,
)
from niftyformer_assets.portfolio.evidence.exposure import ExposureSplit, exposure_split
from niftyformer_assets.portfolio.evidence.metrics_table import (
    COLUMNS,
    NO_SPREAD,
    Spread,
    excess,
    index_summary,
    summary,
)
from niftyformer_assets.portfolio.evidence.null import PORTFOLIOS, Null, permutation_null
from niftyformer_assets.portfolio.evidence.prediction_errors import prediction_errors, with_labels
from niftyformer_assets.portfolio.evidence.score_quality import by_group, by_horizon, persistence, size_thirds
from niftyformer_assets.portfolio.evidence.verdict import Standing
from niftyformer_assets.portfolio.formatting import STATUS_NAMES
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT, MODEL, SECTOR, SIZE
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings, other_schedule
from niftyformer_assets.words import counted

FIGURE_COLUMNS = ("name", "kind", "metric", *COLUMNS)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was run on one part of one experiment.

    scores, result: of the model; the scores are those that the strategy ranks, predicted those that the model
        gave.
    networks: the scores that the strategy would rank of each network alone, by its seed, where the model's are the
        mean of several.
    exposures: of the stocks on the same sessions, if any are looked at.
    baselines: of each baseline that tells stocks apart.
    other_costs: the same scores under the other cost schedule (the published setting's flat rate, or Zerodha's).
    indices: name -> rupees [T] of an index bought and held. index_notes: sentences about those that
        are left out, or lack sessions.
    errors: `prediction_errors` of the model and all baselines.
    groups: what stocks are told apart by, such as sector -> the group of each [T, N], str.
    variants: how many experiments had been tried on these sessions, this one included.
    """

    part: str
    scores: Scores
    predicted: Scores
    networks: Mapping[int, Scores]
    exposures: Exposures | None
    result: BacktestResult
    baselines: Mapping[str, tuple[Scores, BacktestResult]]
    other_costs: BacktestResult
    equal_weight: BacktestResult
    indices: Mapping[str, np.ndarray]
    index_notes: tuple[str, ...]
    null: Null
    errors: pd.DataFrame
    groups: Mapping[str, np.ndarray]
    variants: int

    @cached_property
    def realised(self) -> np.ndarray:
        """float [T, N]: what each score could earn in its first session."""
        return realised_returns(self.result.market, self.result.strategy.trade_at)

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """`information_coefficients` of the model on the step that is traded."""
        return information_coefficients(self.scores, self.realised)

    @property
    def rank_ic(self) -> np.ndarray:
        """float [T], of the model on the step that is traded."""
        return self.coefficients["rank_ic"].to_numpy()

    @cached_property
    def by_network(self) -> pd.DataFrame:
        """Mean rank IC of each network alone on the step that is traded: seed, rank_ic, t, sessions."""
        rows = []
        for seed, scores in self.networks.items():
            values = information_coefficients(scores, self.realised)["rank_ic"].dropna().to_numpy()
            mean = values.mean() if len(values) else np.nan
            rows.append((seed, mean, metrics.mean_t(values), len(values)))
        return pd.DataFrame(rows, columns=["seed", "rank_ic", "t", "sessions"])

    @cached_property
    def too_early(self) -> pd.DataFrame:
        """The same on the step that no one can trade, close t to t+1."""
        return information_coefficients(self.scores, untradable_returns(self.result.market))

    @cached_property
    def deciles(self) -> pd.DataFrame:
        """`decile_returns` of the model on the step that is traded, above the mean of the stocks with a score."""
        return decile_returns(self.scores, above_all(self.scores, self.realised))

    @cached_property
    def horizons(self) -> pd.DataFrame:
        """`by_horizon` of the model."""
        return by_horizon(self.scores, self.result.market, self.result.strategy.trade_at)

    @cached_property
    def persistence(self) -> pd.DataFrame:
        """`persistence` of the model's scores."""
        return persistence(self.scores, self.result.market)

    @cached_property
    def by_group(self) -> dict[str, pd.DataFrame]:
        """`by_group` of the model on the step that is traded, for each of `groups`."""
        return {name: by_group(self.scores, self.realised, groups) for name, groups in self.groups.items()}

    @cached_property
    def exposure_split(self) -> ExposureSplit | None:
        """What of the model's scores and returns is exposure; None where no exposure is looked at."""
        if self.exposures is None or not self.exposures.names:
            return None
        return exposure_split(self.predicted, self.scores, self.result, self.realised, self.exposures)

    @cached_property
    def tax(self) -> Tax:
        """`short_term_tax` of the model's trades."""
        return short_term_tax(self.result)

    @cached_property
    def picks_by_lot(self) -> tuple[int, int]:
        """How many names were bought because a lot preferred them to others of the same score, and how many in all."""
        return picks_by_lot(self.result, self.scores)

    @cached_property
    def figures(self) -> pd.DataFrame:
        """One row a name and metric, columns FIGURE_COLUMNS; the metrics are those of `summary`.

        Kinds: `model`, then each `baseline`, then each `benchmark` (equal weight and the indices).
        """
        tables = [_rows(MODEL, "model", self._summary(self.scores, self.result, self.null, self.variants))]
        tables += [
            _rows(name, "baseline", self._summary(scores, result)) for name, (scores, result) in self.baselines.items()
        ]
        tables.append(_rows(EQUAL_WEIGHT, "benchmark", summary(self.equal_weight, self._index)))
        tables += [
            _rows(name, "benchmark", index_summary(nav, self.equal_weight)) for name, nav in self.indices.items()
        ]
        return pd.concat(tables, ignore_index=True)

    def figure(self, metric: str, name: str = MODEL, column: str = "value") -> float:
        """One cell of `figures`; NaN where there is none."""
        rows = self.figures
        cell = rows.loc[(rows["name"] == name) & (rows["metric"] == metric), column]
        return float(cell.iloc[0]) if len(cell) else math.nan

    @property
    def standing(self) -> Standing:
        """What the verdict rests on."""
        over_all, ic, sharpe = "excess_return_equal_weight", "rank_ic", "sharpe"
        place = self.null.place(self.result)["total_return"]
        baseline, apart, spread = self._best_baseline
        by_lot, picks = self.picks_by_lot
        return Standing(
            unjudged=self.unjudged,
            p_random=place.p,
            p_worse=place.p_worse,
            portfolios=len(self.null.nav),
            excess=self.figure(over_all),
            excess_low=self.figure(over_all, column="low"),
            excess_high=self.figure(over_all, column="high"),
            span=metrics.excess_span(len(self.result.returns)),
            baseline=baseline,
            baseline_excess=apart,
            baseline_low=spread.low,
            baseline_high=spread.high,
            rank_ic=self.figure(ic),
            rank_ic_t=self.figure(ic, column="t"),
            sharpe=self.figure(sharpe),
            sharpe_low=self.figure(sharpe, column="low"),
            sharpe_high=self.figure(sharpe, column="high"),
            exposure=self.figure("exposure"),
            cash_yield=self.result.strategy.cash_yield,
            by_lot=by_lot / picks if picks else math.nan,
            part=self.part,
            sessions=len(self.result.returns),
            variants=self.variants,
            deflated=self.figure("deflated_sharpe"),
        )

    @property
    def unjudged(self) -> str:
        """Why the portfolio says nothing about the scores, in words; empty where it does."""
        result = self.result
        if result.trades.empty:
            reasons = result.unfilled["status"].value_counts()
            most = f", most often because {STATUS_NAMES[str(reasons.index[0])]}" if len(reasons) else ""
            return f"nothing was traded, of {counted(len(result.unfilled), 'order')}{most}"
        if not tells_apart(self.scores):
            return "the scores are the same for all stocks of a session, so lots decided what was held"
        choice, places = choices(result, self.scores), result.places[:-1]
        if (choice <= places).all():
            d = int(choice.argmax())
            return f"there were never more than {counted(int(choice[d]), 'stock')} to choose {places[d]} from"
        if self.null.same(result).all():
            return "the portfolio is the same whatever names the scores are given"
        return ""

    @cached_property
    def _best_baseline(self) -> tuple[str, float, Spread]:
        """The baseline that earned most, what the model earned more, and how sure that is."""
        if not self.baselines:
            return "", math.nan, NO_SPREAD
        name = max(self.baselines, key=lambda each: (self.baselines[each][1].nav[-1], each))
        return name, *excess(self.result.returns, self.baselines[name][1].returns)

    @property
    def _index(self) -> np.ndarray | None:
        return next(iter(self.indices.values()), None)

    def _summary(
        self, scores: Scores, result: BacktestResult, null: Null | None = None, variants: int = 1
    ) -> pd.DataFrame:
        coefficients = self.coefficients if scores is self.scores else information_coefficients(scores, self.realised)
        return summary(result, self._index, self.equal_weight.nav, coefficients, null, variants)


@dataclass(frozen=True, eq=False)
class MarketRecord:
    """What happened on an experiment's sessions.

    panel: open, high, low, close, volume, segment [T', N'] as market_panel.npz holds them.
    indices: name -> index levels by date, such as the NIFTY 50 as price and as total return index;
        the first one is the benchmark. One that does not cover the sessions is left out, with a note.
    sectors: str [T'', N] on `scope.axes`, the sector of each stock on each session; without, no breakdown by it.
    log_size: float [T'', N], the log of its size, NaN where not known; without, none by size.
    exposures: on `scope.axes`, those that the strategy takes out of scores among them; without, none is reported.
    """

    panel: Mapping[str, np.ndarray]
    scope: Scope
    indices: Mapping[str, pd.Series] = field(default_factory=dict)
    sectors: np.ndarray | None = None
    log_size: np.ndarray | None = None
    exposures: Exposures | None = None

    def of_part(self, part: str) -> Market:
        """The market from the session before a part, whose scores trade first, through the part's end."""
        place: slice = getattr(self.scope.split, part)
        dates = self.scope.axes.dates
        return cut_market(self.panel, self.scope, dates[max(place.start - 1, 0)], dates[place.stop - 1])

    def scores(self, predictions: pd.DataFrame, market: Market, strategy: StrategySettings) -> Scores:
        """Predictions as the strategy ranks them on the market's sessions; those made before count for smoothing."""
        return predictions_to_trade(predictions, market.axes, self.scope, self.exposures, strategy)

    def groups(self, market: Market, scores: Scores) -> dict[str, np.ndarray]:
        """What the report breaks its figures down by: name -> group of each stock, on the market's sessions."""
        rows = np.searchsorted(self.scope.axes.dates, market.axes.dates)
        groups = {}
        if self.sectors is not None:
            groups[SECTOR] = self.sectors[rows]
        if self.log_size is not None:
            groups[SIZE] = size_thirds(self.log_size[rows], market.member & np.isfinite(scores.values))
        return groups


@dataclass(frozen=True, eq=False)
class Predicted:
    """What was predicted of an experiment's sessions, and what then was true.

    of_model, of_baselines: as in their parquet files; the latter may have no rows.
    labels: of the experiment, on its scope's axes.
    of_networks: of each network, where the model's are the mean of several.
    """

    of_model: pd.DataFrame
    of_baselines: pd.DataFrame
    labels: Labels
    of_networks: pd.DataFrame | None = None

    def errors(self, scope: Scope) -> pd.DataFrame:
        """`prediction_errors` of the model and all baselines, of labels wholly of their part."""
        tables = [
            with_labels(rows, self.labels, scope.axes, scope.split)
            for rows in (self.of_model, self.of_baselines)
            if len(rows)
        ]
        return prediction_errors(pd.concat(tables, ignore_index=True))


def gather_evidence(
    record: MarketRecord,
    predicted: Predicted,
    strategy: StrategySettings,
    costs: CostSettings,
    *,
    part: str = "test",
    variants: int = 1,
    portfolios: int = PORTFOLIOS,
    seed: int = 0,
) -> Evidence:
    """Run the model, the baselines, the benchmarks and the random portfolios on one part.

    Args:
        seed: of the lots among equal scores and of the random portfolios.

    Raises:
        NiftyFormerError: the tables do not fit the experiment's sessions and symbols.
    """
    market = record.of_part(part)
    scores = record.scores(predicted.of_model, market, strategy)
    baselines = {}
    for name, rows in by_model(predicted.of_baselines):
        theirs = record.scores(rows, market, strategy)
        if tells_apart(theirs):
            baselines[name] = theirs, run_backtest(theirs, market, strategy, costs, seed)
    held, index_notes = hold_indices(record.indices, market.axes, strategy.capital, strategy.trade_at)
    return Evidence(
        part=part,
        scores=scores,
        predicted=scores_from_predictions(predicted.of_model, market.axes),
        networks={
            seed: record.scores(rows, market, strategy)
            for seed, rows in (by_network(predicted.of_networks) if predicted.of_networks is not None else ())
        },
        exposures=None if record.exposures is None else record.exposures.on(market.axes),
        result=run_backtest(scores, market, strategy, costs, seed),
        baselines=baselines,
        other_costs=run_backtest(scores, market, strategy, other_schedule(costs), seed),
        equal_weight=equal_weight_universe(market, strategy, costs),
        indices=held,
        index_notes=index_notes,
        null=permutation_null(scores, market, strategy, costs, portfolios, seed),
        errors=predicted.errors(record.scope),
        groups=record.groups(market, scores),
        variants=variants,
    )


def _rows(name: str, kind: str, table: pd.DataFrame) -> pd.DataFrame:
    return table.reset_index().assign(name=name, kind=kind)[list(FIGURE_COLUMNS)]

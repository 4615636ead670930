"""What is known of a study once its contenders were traded: tables of figures, and what the verdict rests on.

Shapes: T sessions from the first test session through the last one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.backtest.taxes import Tax, short_term_tax
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.choices import picks_by_lot
from niftyformer_assets.portfolio.evidence.exposure import ExposureSplit
from niftyformer_assets.portfolio.evidence.pooled import money
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.evidence.pooled.multiple_testing import Overfitting, overfitting_probability
from niftyformer_assets.portfolio.evidence.pooled.paired import best_plain, paired_table
from niftyformer_assets.portfolio.evidence.pooled.ranking import ALL, STEP, DailyRankIC, ranking_table
from niftyformer_assets.portfolio.evidence.pooled.verdict import PooledStanding
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT

YEAR_OF_SESSION, WINDOW_OF_SESSION = "year", "window"
NO_WINDOW = "no window"


@dataclass(frozen=True, eq=False)
class PooledEvidence:
    """What a study proves. Tables are tidy; see the functions named for their columns.

    contenders: on their common sessions. main: the name of the one that the verdict is about.
    daily, results: by name. axes: the T sessions, and the symbols of the main contender.
    equal_weight: the universe of the main contender. indices: name -> rupees [T] of an index bought and held; the
        first one is the price index. benchmark: which of them alpha and beta are to; empty without one.
    other_costs: the main contender's scores under the other cost schedule. deciles: `decile_returns` of its scores.
    exposures: of the stocks, on `axes`: what the main contender's strategy takes out of scores, or else what any of the
        study does. exposure_split: of its scores and returns; None where no strategy takes out anything.
    divisions: name -> part that each session belongs to, str [T]: year, window and regimes.
    capacity: `money.capacity` of the main contender.
    named: the contender that the study's file wants the others held against; empty for the best plain one.
    variants: how many had been tried on these sessions. missing: windows of the study that are not there yet.
    notes: sentences that a reader must know.
    """

    contenders: tuple[Contender, ...]
    main: str
    daily: Mapping[str, DailyRankIC]
    results: Mapping[str, BacktestResult]
    equal_weight: BacktestResult
    indices: Mapping[str, np.ndarray]
    benchmark: str
    other_costs: BacktestResult
    deciles: pd.DataFrame
    exposures: Exposures | None
    exposure_split: ExposureSplit | None
    divisions: Mapping[str, np.ndarray]
    capacity: pd.DataFrame
    money: pd.DataFrame
    named: str
    variants: int
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    seed: int

    @property
    def result(self) -> BacktestResult:
        """Of the main contender."""
        return self.results[self.main]

    @property
    def rank_ic(self) -> np.ndarray:
        """[T], of the main contender on the first session that can be earned."""
        return self.daily[self.main].step

    @cached_property
    def picks_by_lot(self) -> tuple[int, int]:
        """`choices.picks_by_lot` of the main contender."""
        (chosen,) = (contender for contender in self.contenders if contender.name == self.main)
        return picks_by_lot(self.result, chosen.scores.traded)

    @cached_property
    def tax(self) -> Tax:
        """`short_term_tax` of the main contender's trades."""
        return short_term_tax(self.result)

    @property
    def dates(self) -> np.ndarray:
        """datetime64[D] [T]."""
        return self.result.dates

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """`ranking.ranking_table` of all contenders."""
        names, kinds = zip(*((contender.name, contender.kind) for contender in self.contenders), strict=True)
        return ranking_table(names, kinds, [self.daily[name] for name in names], self.divisions)

    @cached_property
    def against(self) -> str:
        """Whom the others are held against: the one that is named, or `paired.best_plain`; empty without either."""
        return self.named or best_plain(self.contenders, self.daily)

    @property
    def against_in_words(self) -> str:
        return "the one to beat" if self.named else "the best plain one"

    @cached_property
    def paired(self) -> pd.DataFrame:
        """`paired.paired_table`, against `against`."""
        return paired_table(self.contenders, self.daily, self.results, self.against, self.seed)

    @cached_property
    def parts(self) -> pd.DataFrame:
        """`money.by_parts` of all contenders by year and by window."""
        by = {name: self.divisions[name] for name in (YEAR_OF_SESSION, WINDOW_OF_SESSION)}
        return money.by_parts([contender.name for contender in self.contenders], self.results, by)

    @cached_property
    def overfitting(self) -> Overfitting:
        """`overfitting_probability` over the grid: all contenders that are models."""
        grid = [self.results[contender.name].returns for contender in self.contenders if contender.kind == "model"]
        return overfitting_probability(np.column_stack(grid) if grid else np.zeros((0, 0)))

    @cached_property
    def seed_groups(self) -> dict[str, list[str]]:
        """Settings, but for seeds, of each point that was trained several times -> names of its trainings."""
        groups: dict[str, list[str]] = {}
        for contender in self.contenders:
            if contender.kind in ("model", "seed"):
                point = ", ".join(f"{key} {value}" for key, value in contender.point.items() if not is_seed(key))
                groups.setdefault(point, []).append(contender.name)
        return {point: names for point, names in groups.items() if len(names) > 1}

    @cached_property
    def seeds(self) -> pd.DataFrame:
        """Spread over seeds: a row for each point of the grid of which several seeds were trained.

        Columns: point, seeds, and of rank_ic and sharpe the mean, std (ddof 1), low (the smallest) and high.
        """
        rows = []
        for point, names in self.seed_groups.items():
            row: dict[str, object] = {"point": point, "seeds": len(names)}
            for figure in ("rank_ic", "sharpe"):
                values = np.array([self.figure(figure, name) for name in names])
                spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
                row |= {
                    f"{figure}_mean": float(values.mean()),
                    f"{figure}_std": spread,
                    f"{figure}_low": float(values.min()),
                    f"{figure}_high": float(values.max()),
                }
            rows.append(row)
        columns = [f"{figure}_{part}" for figure in ("rank_ic", "sharpe") for part in ("mean", "std", "low", "high")]
        return pd.DataFrame(rows, columns=["point", "seeds", *columns])

    @cached_property
    def figures(self) -> pd.DataFrame:
        """All figures as one long table.

        Columns: name, kind, breakdown, group, horizon (sessions held; 0 = the step that is too early), metric, value,
        low, high, t, sessions.
        """
        rank = self.ranking.assign(horizon=np.where(self.ranking["earnable"], self.ranking["horizon"], 0))
        keys = ["name", "kind", "breakdown", "group", "horizon"]
        tables = [
            rank[[*keys, metric, "sessions"]].rename(columns={metric: "value"}).assign(metric=metric)
            for metric in ("rank_ic", "icir", "positive", "ic")
        ]
        tables[0]["t"], tables[3]["t"] = rank["t"], rank["ic_t"]
        tables[3] = tables[3].dropna(subset=["value"])
        whole = self.money[~self.money["metric"].isin(["ic", "rank_ic"])]
        tables.append(whole.assign(breakdown=ALL, group=ALL, horizon=STEP))
        kinds = {contender.name: contender.kind for contender in self.contenders}
        parts = self.parts.assign(kind=self.parts["name"].map(kinds), horizon=STEP)
        tables += [
            parts[[*keys, metric, "sessions"]].rename(columns={metric: "value"}).assign(metric=metric)
            for metric in ("return", "sharpe", "exposure")
        ]
        table = pd.concat(tables, ignore_index=True)
        return table[[*keys, "metric", "value", "low", "high", "t", "sessions"]]

    @cached_property
    def nav(self) -> pd.DataFrame:
        """Rupees and drawdown of every curve at each session: session, name, kind, nav, drawdown."""
        kinds = {contender.name: str(contender.kind) for contender in self.contenders}
        curves = {name: (kinds[name], result.nav) for name, result in self.results.items()}
        curves[EQUAL_WEIGHT] = "benchmark", self.equal_weight.nav
        curves |= {name: ("benchmark", nav) for name, nav in self.indices.items()}
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "session": self.dates.astype("datetime64[s]"),
                        "name": name,
                        "kind": kind,
                        "nav": nav,
                        "drawdown": metrics.drawdown(nav),
                    }
                )
                for name, (kind, nav) in curves.items()
            ],
            ignore_index=True,
        )

    def figure(self, metric: str, name: str = "", column: str = "value") -> float:
        """One cell of `money`, of the main contender unless named; of rank_ic one of `ranking`. NaN where none is."""
        name = name or self.main
        if metric == "rank_ic":
            rows, column = self.ranking, "rank_ic" if column == "value" else column
            inside = (rows["breakdown"] == ALL) & rows["earnable"] & (rows["horizon"] == STEP)
        else:
            rows = self.money
            inside = rows["metric"] == metric
        cell = rows.loc[inside & (rows["name"] == name), column]
        return float(cell.iloc[0]) if len(cell) else math.nan

    @property
    def standing(self) -> PooledStanding:
        """What the verdict rests on."""
        years = self.ranking[(self.ranking["breakdown"] == YEAR_OF_SESSION) & (self.ranking["name"] == self.main)]
        years = years[years["sessions"] > 0]
        paired = self.paired[self.paired["name"] == self.main]

        def apart(column: str) -> float:
            return float(paired[column].iloc[0]) if len(paired) else math.nan

        over_equal = "excess_return_equal_weight"
        return PooledStanding(
            name=self.main,
            windows=len(np.unique(self.divisions[WINDOW_OF_SESSION][self.divisions[WINDOW_OF_SESSION] != NO_WINDOW])),
            missing=self.missing,
            sessions=int(np.isfinite(self.daily[self.main].step).sum()),
            rank_ic=self.figure("rank_ic"),
            t=self.figure("rank_ic", column="t"),
            t_needed=self.figure("rank_ic", column="t_needed"),
            positive_years=int((years["rank_ic"] > 0).sum()),
            years=len(years),
            against=self.against if self.against != self.main else "",
            against_in_words=self.against_in_words,
            against_rank_ic=self.figure("rank_ic", self.against) if self.against else math.nan,
            ic_apart=apart("rank_ic_difference"),
            ic_p=apart("rank_ic_p_holm"),
            return_apart=apart("return_difference"),
            return_low=apart("return_low"),
            return_high=apart("return_high"),
            equal_apart=self.figure(over_equal),
            equal_low=self.figure(over_equal, column="low"),
            equal_high=self.figure(over_equal, column="high"),
            span=metrics.excess_span(len(self.result.returns)),
            sharpe=self.figure("sharpe"),
            sharpe_low=self.figure("sharpe", column="low"),
            sharpe_high=self.figure("sharpe", column="high"),
            earning=len(self.result.returns),
            variants=self.variants,
            deflated=self.figure("deflated_sharpe"),
            overfitting=self.overfitting.probability,
        )


def is_seed(setting: str) -> bool:
    """Is it the name of a setting that only tells trainings of one model apart?"""
    return setting.rpartition(".")[2] == "seed"

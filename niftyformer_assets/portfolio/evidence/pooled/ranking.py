"""How well scores order the stocks: over horizons, years, regimes, windows, sectors and sizes.

Shapes: T sessions, N symbols, C contenders.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.factors.ic import rank_ic_by_group, statistics
from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.evidence.deciles import plain_ic, realised_returns, untradable_returns
from niftyformer_assets.portfolio.evidence.score_quality import (
    DEPENDENCE,
    HORIZONS,
    MIN_WINDOWS,
    critical_t,
)

# What is compared: the first session that can be earned.
STEP = 1
ALL = "all"
COLUMNS = (
    "name", "kind", "breakdown", "group", "horizon", "earnable",
    "rank_ic", "t", "t_needed", "icir", "positive", "sessions", "ic", "ic_t",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What scores made at each session of a market could earn: `realised_returns` by horizon, computed once.

    market: of all sessions, those after the last score among them.
    """

    market: Market
    trade_at: str

    @cached_property
    def earnable(self) -> dict[int, np.ndarray]:
        """Sessions held -> float [T, N]."""
        return {horizon: realised_returns(self.market, self.trade_at, horizon) for horizon in HORIZONS}

    @cached_property
    def too_early(self) -> np.ndarray:
        """float [T, N], close of t to t+1, which a score made at that close is too late for."""
        return untradable_returns(self.market)


@dataclass(frozen=True, eq=False)
class DailyRankIC:
    """Rank IC of one contender at each of the T sessions; NaN where there is none.

    earnable: sessions held -> [T]. too_early: [T]. plain: sessions held, 0 for the step that is too early -> [T], the
        IC by Pearson, of the scores themselves.
    by_group: division of the stocks, such as sector -> group -> [T], of the first earnable session.
    """

    earnable: Mapping[int, np.ndarray]
    too_early: np.ndarray
    plain: Mapping[int, np.ndarray]
    by_group: Mapping[str, Mapping[str, np.ndarray]]

    @property
    def step(self) -> np.ndarray:
        """Of the first session that can be earned."""
        return self.earnable[STEP]


def daily_rank_ic(
    values: np.ndarray, outcomes: Outcomes, sessions: int, groups: Mapping[str, np.ndarray]
) -> DailyRankIC:
    """The coefficients of scores, float [T, N], on the first `sessions` sessions.

    Args:
        groups: division -> str [T, N], the group of each stock as known at the session.
    """
    values = values[:sessions]
    earned = {horizon: returns[:sessions] for horizon, returns in outcomes.earnable.items()}
    early = outcomes.too_early[:sessions]
    return DailyRankIC(
        earnable={horizon: rank_ic(values, returns) for horizon, returns in earned.items()},
        too_early=rank_ic(values, early),
        plain={horizon: plain_ic(values, returns) for horizon, returns in {0: early, **earned}.items()},
        by_group={
            division: rank_ic_by_group(values, earned[STEP], group[:sessions]) for division, group in groups.items()
        },
    )


def ranking_table(
    names: Sequence[str],
    kinds: Sequence[str],
    daily: Sequence[DailyRankIC],
    divisions: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Mean rank IC of every contender, over all sessions and over parts of them: a row each, columns COLUMNS.

    Args:
        divisions: name -> part that each session belongs to, str [T]; such as the year.

    Returns:
        breakdown `all` has every horizon (sessions held from the first possible fill) and, with `earnable`
        False, the step that is too early; those by session and by stock have the first earnable session only. t is
        by Newey and West, over the lags of `score_quality.DEPENDENCE`, and NaN on fewer than MIN_WINDOWS
        windows that do not overlap; t_needed is `score_quality.critical_t`; icir is the mean over the
        deviation of a session; positive the share of sessions above 0; sessions those with a coefficient. ic and ic_t
        are the mean and t of Pearson's, NaN in the breakdowns by stock.
    """
    tables = []
    for horizon in (0, *HORIZONS):
        series = np.stack([each.earnable[horizon] if horizon else each.too_early for each in daily])
        plain = np.stack([each.plain[horizon] for each in daily])
        tables.append(_rows(names, kinds, ALL, ALL, series, plain, horizon or STEP, horizon > 0))
    plain = np.stack([each.plain[STEP] for each in daily])
    steps = np.stack([each.step for each in daily])
    for breakdown, parts in divisions.items():
        for part in np.unique(parts):
            inside, of_plain = (np.where(parts == part, each, np.nan) for each in (steps, plain))
            tables.append(_rows(names, kinds, breakdown, str(part), inside, of_plain, STEP, True))
    for breakdown in daily[0].by_group:
        for group in sorted({group for each in daily for group in each.by_group[breakdown]}):
            absent = np.full(steps.shape[1], np.nan)
            series = np.stack([each.by_group[breakdown].get(group, absent) for each in daily])
            tables.append(_rows(names, kinds, breakdown, group, series, np.full(steps.shape, np.nan), STEP, True))
    return pd.concat(tables, ignore_index=True)


def _rows(
    names: Sequence[str],
    kinds: Sequence[str],
    breakdown: str,
    group: str,
    series: np.ndarray,
    plain: np.ndarray,
    horizon: int,
    earnable: bool,
) -> pd.DataFrame:
    told, of_plain = (statistics(each, DEPENDENCE * horizon) for each in (series, plain))
    enough = told["sessions"] // horizon >= MIN_WINDOWS
    needed = [
        critical_t(int(n), horizon) if known else math.nan for n, known in zip(told["sessions"], enough, strict=True)
    ]
    return pd.DataFrame(
        {
            "name": list(names),
            "kind": list(kinds),
            "breakdown": breakdown,
            "group": group,
            "horizon": horizon,
            "earnable": earnable,
            "rank_ic": told["mean"],
            "t": np.where(enough, told["t_nw"], np.nan),
            "t_needed": needed,
            "icir": told["icir"],
            "positive": told["positive"],
            "sessions": told["sessions"],
            "ic": of_plain["mean"],
            "ic_t": np.where(of_plain["sessions"] // horizon >= MIN_WINDOWS, of_plain["t_nw"], np.nan),
        },
        columns=list(COLUMNS),
    )

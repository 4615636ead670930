"""Every contender against one of them, session by session.

What both share is no uncertainty of their difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from niftyformer_assets.factors.ic import statistics
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.bootstrap import RESAMPLES, seeded_indices
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.evidence.pooled.multiple_testing import holm, two_sided
from niftyformer_assets.portfolio.evidence.pooled.ranking import STEP, DailyRankIC
from niftyformer_assets.portfolio.evidence.score_quality import DEPENDENCE

MIN_SESSIONS = 5
# Sessions held, beside the first earnable one: about as long as a portfolio that is looked at weekly holds.
HELD = 5
COLUMNS = (
    "name", "kind", "against",
    "rank_ic_difference", "rank_ic_t", "rank_ic_p", "rank_ic_p_holm", "rank_ic_sessions",
    "held_difference", "held_t",
    "return_difference", "return_low", "return_high", "return_p", "return_p_holm", "return_sessions",
)  # fmt: skip


def best_plain(contenders: Sequence[Contender], daily: Mapping[str, DailyRankIC]) -> str:
    """The baseline with the highest mean rank IC on the first earnable session; empty without one."""
    means = {}
    for contender in contenders:
        known = daily[contender.name].step[np.isfinite(daily[contender.name].step)]
        if contender.kind == "baseline" and len(known):
            means[contender.name] = float(known.mean())
    return max(means, key=lambda name: (means[name], name)) if means else ""


def paired_table(
    contenders: Sequence[Contender],
    daily: Mapping[str, DailyRankIC],
    results: Mapping[str, BacktestResult],
    against: str,
    seed: int = 0,
) -> pd.DataFrame:
    """Differences to the contender `against`: a row for each other one, columns COLUMNS.

    Rank IC: the mean of the daily differences on the first earnable session, t by Newey and West; `held_` the same of
    what HELD sessions from the first fill bring. Return:
    `metrics.excess_return`, with a 95% interval and a p value by stationary bootstrap of both series together; p is
    twice the share of resampled histories on the other side of zero. `_holm` allows for all contenders that are
    not baselines being compared; baselines are no candidates and have none.
    """
    others = [contender for contender in contenders if contender.name != against] if against else []
    rows = []
    for contender in others:
        told, held = (rank_ic_apart(daily[contender.name], daily[against], sessions) for sessions in (STEP, HELD))
        ours, theirs = results[contender.name].returns, results[against].returns
        difference, low, high, p = returns_apart(ours, theirs, seed)
        rows.append(
            {
                "name": contender.name,
                "kind": contender.kind,
                "against": against,
                "rank_ic_difference": told["mean"],
                "rank_ic_t": told["t_nw"],
                "rank_ic_p": two_sided(told["t_nw"]),
                "rank_ic_sessions": int(told["sessions"]),
                "held_difference": held["mean"],
                "held_t": held["t_nw"],
                "return_difference": difference,
                "return_low": low,
                "return_high": high,
                "return_p": p,
                "return_sessions": len(ours),
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    candidate = (table["kind"] != "baseline").to_numpy()
    for name in ("rank_ic", "return"):
        raw = table[f"{name}_p"].to_numpy(dtype=float)
        table[f"{name}_p_holm"] = holm(np.where(candidate, raw, np.nan))
    return table


def rank_ic_apart(one: DailyRankIC, other: DailyRankIC, sessions: int) -> dict[str, float]:
    """`ic.statistics` of the daily differences of what so many sessions held bring."""
    apart = one.earnable[sessions] - other.earnable[sessions]
    return {key: float(value[0]) for key, value in statistics(apart[None, :], DEPENDENCE * sessions).items()}


def returns_apart(ours: np.ndarray, theirs: np.ndarray, seed: int) -> tuple[float, float, float, float]:
    """`excess_return`, its 95% interval, and the two-sided p value that it is zero."""
    value = float(metrics.excess_return(ours, theirs))
    if len(ours) < MIN_SESSIONS or np.array_equal(ours, theirs):
        return value, np.nan, np.nan, np.nan
    rows = seeded_indices(len(ours), RESAMPLES, seed)
    drawn = metrics.excess_return(ours[rows], theirs[rows])
    low, high = np.quantile(drawn, [0.025, 0.975])
    side = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return value, float(low), float(high), min(2 * (1 + side) / (1 + RESAMPLES), 1.0)

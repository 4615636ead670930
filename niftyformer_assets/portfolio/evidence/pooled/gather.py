"""Everything the report of a study rests on: each contender's scores, its one equity curve, and what both prove.

Shapes: T' sessions and N' symbols of the market panel; T sessions from the first test session through the last one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.returns import session_returns
from niftyformer_assets.portfolio.evidence.benchmarks import equal_weight_universe, hold_indices
from niftyformer_assets.portfolio.evidence.choices import tells_apart
from niftyformer_assets.portfolio.evidence.joined import JoinedScores, joined_market, panel_columns
from niftyformer_assets.portfolio.evidence.metrics_table import (
    NO_SPREAD,
    excess,
    performance,
    sharpe_spread,
    summary,
)
from niftyformer_assets.portfolio.evidence.pooled import money
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender, on_common_sessions
from niftyformer_assets.portfolio.evidence.pooled.evidence import (
    NO_WINDOW,
    SECTOR,
    SIZE,
    WINDOW_OF_SESSION,
    YEAR_OF_SESSION,
    PooledEvidence,
)
from niftyformer_assets.portfolio.evidence.pooled.ranking import (
    DailyRankIC,
    Outcomes,
    daily_rank_ic,
)
from niftyformer_assets.portfolio.evidence.pooled.regimes import Events, regimes
from niftyformer_assets.portfolio.evidence.score_quality import size_thirds
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted

# Threads over contenders: the engine and most of NumPy let go of Python's lock.
THREADS = 2


def gather_pooled(
    panel: Mapping[str, np.ndarray],
    panel_axes: Axes,
    contenders: Sequence[Contender],
    indices: Mapping[str, pd.Series],
    *,
    main: str,
    sectors: np.ndarray | None = None,
    log_size: np.ndarray | None = None,
    events: Events | None = None,
    variants: int = 1,
    missing: Sequence[str] = (),
    seed: int = 0,
) -> PooledEvidence:
    """Judge the joined scores of a study.

    All contenders are compared on the sessions that each of them has a window for. Each is traded once over all of
    them. Baselines that tell no two stocks apart in any session are left out.

    Args:
        panel: open, high, low, close, volume, segment [T', N'] as market_panel.npz holds them.
        contenders: with joined scores on `panel_axes`, by `joined.join_scores`; their universes may differ, when and
            at which price they trade may not.
        indices: name -> index levels by date; the first one is the NIFTY 50 as price index, which regimes are told
            by, and from as early as it is known. Alpha and beta are to the last one that covers all sessions.
        main: the name of the contender that is judged.
        sectors: str [T', N'], the sector of each stock on each session; without, no breakdown by sector.
        log_size: float [T', N'], the log of its size, NaN where not known; without, none by size.
        events: budgets and elections, `regimes.read_events`; without, none.
        variants: how many had been tried on these sessions by the record, those of the study included.
        missing: windows of the study that are not there yet, by name.
        seed: of the lots among equal scores, and of the bootstrap.

    Raises:
        NiftyFormerError: there is no contender, none is called `main`, a name appears twice, they have no common
            session, or they trade at different moments.
    """
    common, left_out = on_common_sessions(
        [each for each in contenders if each.kind != "baseline" or tells_apart(each.scores.traded)]
    )
    by_name = {contender.name: contender for contender in common}
    if main not in by_name:
        raise NiftyFormerError(f"no contender is called {main!r}: there are {', '.join(by_name)}.")
    if len({contender.strategy.trade_at for contender in common}) > 1:
        raise NiftyFormerError("the contenders trade at different moments: compare those of one strategy.trade_at.")
    grounds = _Grounds(panel, panel_axes, sectors, log_size)
    sessions = by_name[main].scores.sessions

    def judge(contender: Contender) -> tuple[DailyRankIC, BacktestResult]:
        outcomes = grounds.outcomes(contender)
        daily = daily_rank_ic(contender.scores.score, outcomes, sessions, grounds.groups(contender, outcomes))
        return daily, money.trade(contender.scores, outcomes.market, contender.strategy, contender.costs, seed)

    for contender in common:
        grounds.prepare(contender)
    with ThreadPoolExecutor(THREADS) as pool:
        judged = dict(zip(by_name, pool.map(judge, common), strict=True))
    daily = {name: own for name, (own, _) in judged.items()}
    results = {name: result for name, (_, result) in judged.items()}
    chosen = by_name[main]
    market = results[main].market
    equal = equal_weight_universe(
        replace(market, outside=_not_in_universe(chosen.scores)), chosen.strategy, chosen.costs
    )
    held, index_notes = hold_indices(indices, market.axes, chosen.strategy.capital, chosen.strategy.trade_at)
    benchmark = list(held)[-1] if held else ""
    return PooledEvidence(
        contenders=tuple(common),
        main=main,
        daily=daily,
        results=results,
        equal_weight=equal,
        indices=held,
        benchmark=benchmark,
        divisions=_divisions(chosen.scores, panel_axes.dates, indices, events or Events()),
        capacity=money.capacity(chosen.scores, grounds.outcomes(chosen).market, chosen.strategy, chosen.costs, seed),
        money=_money(common, results, daily, equal, held, benchmark, variants),
        variants=variants,
        missing=tuple(missing),
        notes=(*_notes(chosen.scores, left_out), *index_notes, *_benchmark_note(indices, held, benchmark)),
        seed=seed,
    )


class _Grounds:
    """What contenders in one universe share: the market, what could be earned, and the stocks' groups."""

    def __init__(
        self,
        panel: Mapping[str, np.ndarray],
        panel_axes: Axes,
        sectors: np.ndarray | None,
        log_size: np.ndarray | None,
    ) -> None:
        self._panel, self._axes, self._sectors, self._log_size = panel, panel_axes, sectors, log_size
        self._known: dict[object, Outcomes] = {}

    def prepare(self, contender: Contender) -> None:
        """Compute what `outcomes` gives, so that threads find it."""
        outcomes = self.outcomes(contender)
        _ = outcomes.earnable, outcomes.too_early

    def outcomes(self, contender: Contender) -> Outcomes:
        """Shared by contenders of one universe."""
        scores = contender.scores
        key = scores.axes.symbols, scores.member.tobytes(), contender.strategy.trade_at
        if key not in self._known:
            market = joined_market(self._panel, self._axes, scores)
            self._known[key] = Outcomes(market, contender.strategy.trade_at)
        return self._known[key]

    def groups(self, contender: Contender, outcomes: Outcomes) -> dict[str, np.ndarray]:
        """Division of the stocks -> group of each at each session, str [T, N], as known at its close."""
        axes = contender.scores.axes
        start = int(np.searchsorted(self._axes.dates, axes.dates[0]))
        rows, columns = slice(start, start + len(axes.dates)), panel_columns(self._axes, axes.symbols)
        groups = {}
        if self._sectors is not None:
            groups[SECTOR] = self._sectors[rows][:, columns].astype(str)
        if self._log_size is not None:
            among = outcomes.market.member & np.isfinite(contender.scores.score)
            groups[SIZE] = size_thirds(self._log_size[rows][:, columns], among)
        return groups


def _not_in_universe(scores: JoinedScores) -> np.ndarray:
    """bool [T, N] without the tail: what the equal-weight universe does not hold."""
    return ((scores.window >= 0)[:, None] & ~scores.member)[: scores.sessions]


def _divisions(
    scores: JoinedScores, sessions: np.ndarray, indices: Mapping[str, pd.Series], events: Events
) -> dict[str, np.ndarray]:
    dates = scores.axes.dates[: scores.sessions]
    window = scores.window[: scores.sessions]
    told = {
        YEAR_OF_SESSION: dates.astype("datetime64[Y]").astype(str),
        WINDOW_OF_SESSION: np.where(window >= 0, np.array(scores.names, dtype=object)[window], NO_WINDOW).astype(str),
    }
    return told | (regimes(dates, next(iter(indices.values())), events, sessions) if indices else {})


def _money(
    contenders: Sequence[Contender],
    results: Mapping[str, BacktestResult],
    daily: Mapping[str, DailyRankIC],
    equal: BacktestResult,
    indices: Mapping[str, np.ndarray],
    benchmark: str,
    variants: int,
) -> pd.DataFrame:
    """`metrics_table.summary` of every contender and benchmark, with alpha and beta: name, kind, metric, COLUMNS."""
    index = indices.get(benchmark)

    def of(contender: Contender) -> pd.DataFrame:
        result = results[contender.name]
        table = summary(result, index, equal.nav, None, None, variants if contender.kind != "baseline" else 1)
        return _with_market_model(table, result, index, benchmark).assign(name=contender.name, kind=contender.kind)

    with ThreadPoolExecutor(THREADS) as pool:
        tables = list(pool.map(of, contenders))
    universe = _with_market_model(summary(equal, index), equal, index, benchmark)
    tables.append(universe.assign(name=EQUAL_WEIGHT, kind="benchmark"))
    tables += [_of_index(nav, equal).assign(name=name, kind="benchmark") for name, nav in indices.items()]
    return pd.concat(tables, ignore_index=True)


def _with_market_model(
    table: pd.DataFrame, result: BacktestResult, index: np.ndarray | None, benchmark: str
) -> pd.DataFrame:
    table = table.reset_index()
    if index is None:
        return table
    strategy, n = result.strategy, len(result.returns)
    fitted = money.market_model(result.returns, session_returns(index, strategy.trade_at), strategy.risk_free_rate)
    nan = math.nan
    rows = [
        ("alpha", fitted.alpha, nan, nan, fitted.alpha_t, n, "share", f"a year, to {benchmark}"),
        ("beta", fitted.beta, nan, nan, fitted.beta_t, n, "ratio", f"to {benchmark}"),
        ("r2", fitted.r2, nan, nan, nan, n, "share", f"of the variance that {benchmark} explains"),
    ]
    return pd.concat([table, pd.DataFrame(rows, columns=list(table.columns))], ignore_index=True)


def _of_index(nav: np.ndarray, equal: BacktestResult) -> pd.DataFrame:
    strategy = equal.strategy
    returns = session_returns(nav, strategy.trade_at)
    over_equal, apart = excess(returns, equal.returns)
    values = performance(nav, strategy) | {"excess_return_equal_weight": over_equal}
    spread = {"excess_return_equal_weight": apart}
    if math.isfinite(values["sharpe"]):
        spread["sharpe"] = sharpe_spread(returns, strategy.risk_free_rate)
    rows = [
        (metric, value, *spread.get(metric, NO_SPREAD), len(returns), "", "an index, without costs")
        for metric, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high", "t", "sessions", "unit", "note"])


def _notes(scores: JoinedScores, left_out: int) -> list[str]:
    notes = []
    if left_out:
        notes.append(
            f"{counted(left_out, 'session')} that some contender has no window for are left out, so that all are "
            "compared on the same ones."
        )
    window = scores.window[: scores.sessions]
    if gaps := int((window < 0).sum()):
        notes.append(
            f"On {counted(gaps, 'session')} between the first and the last one no window makes scores: nothing trades "
            "there, and what is held is kept."
        )
    silent = int((~np.isfinite(scores.score[: scores.sessions]).any(axis=1) & (window >= 0)).sum())
    if silent:
        notes.append(f"On {counted(silent, 'session')} of a window the scores are missing: nothing trades on them.")
    return notes


def _benchmark_note(indices: Mapping[str, pd.Series], held: Mapping[str, np.ndarray], benchmark: str) -> list[str]:
    if not indices:
        return []
    if not benchmark:
        return ["No index covers all sessions, so there is no alpha and beta."]
    shorter = [name for name in indices if name not in held]
    why = f": {', '.join(shorter)} does not cover all sessions" if shorter else ""
    return [f"Alpha and beta are to {benchmark}{why}."]

"""Everything the report of a study rests on: each contender's scores, its one equity curve, and what both prove.

Shapes: T sessions from the first test session through the last one.
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
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.evidence.benchmarks import equal_weight_universe, hold_indices
from niftyformer_assets.portfolio.evidence.choices import tells_apart
from niftyformer_assets.portfolio.evidence.deciles import above_all, decile_returns
from niftyformer_assets.portfolio.evidence.exposure import ExposureSplit, exposure_split
from niftyformer_assets.portfolio.evidence.joined import JoinedScores
from niftyformer_assets.portfolio.evidence.metrics_table import index_summary, summary
from niftyformer_assets.portfolio.evidence.pooled import money
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender, on_common_sessions
from niftyformer_assets.portfolio.evidence.pooled.evidence import PooledEvidence
from niftyformer_assets.portfolio.evidence.pooled.ranking import STEP, DailyRankIC, daily_rank_ic
from niftyformer_assets.portfolio.evidence.pooled.record import Grounds, StudyRecord
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT
from niftyformer_assets.portfolio.settings import other_schedule
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted

# Threads over contenders: the engine and most of NumPy let go of Python's lock.
THREADS = 2


def gather_pooled(
    record: StudyRecord,
    contenders: Sequence[Contender],
    *,
    main: str,
    against: str = "",
    variants: int = 1,
    missing: Sequence[str] = (),
    seed: int = 0,
) -> PooledEvidence:
    """Judge the joined scores of a study.

    All contenders are compared on the sessions that each of them has a window for. Each is traded once over all of
    them. Baselines that tell no two stocks apart in any session are left out.

    Args:
        contenders: with joined scores on the record's axes, by `joined.join_scores`; their universes may differ, when
            and at which price they trade may not.
        main: the name of the contender that is judged.
        against: of the one that differences are taken to; by itself the best plain one.
        variants: how many had been tried on these sessions by the record, those of the study included.
        missing: windows of the study that are not there yet, by name.
        seed: of the lots among equal scores, and of the bootstrap.

    Raises:
        NiftyFormerError: there is no contender, none is called `main` or `against`, a name appears twice, they have
            no common session, or they trade at different moments.
    """
    common, left_out = on_common_sessions(
        [each for each in contenders if each.kind != "baseline" or tells_apart(each.scores.traded)]
    )
    chosen = _chosen(common, main)
    if against:
        _chosen(common, against)
    grounds = Grounds(record)
    daily, results = _judged(common, grounds, chosen.scores.sessions, seed, record.exposures)
    market = results[main].market
    equal = equal_weight_universe(
        replace(market, outside=_not_in_universe(chosen.scores)), chosen.strategy, chosen.costs
    )
    held, index_notes = hold_indices(record.indices, market.axes, chosen.strategy.capital, chosen.strategy.trade_at)
    benchmark = list(held)[-1] if held else ""
    outcomes = grounds.outcomes(chosen)
    earned = outcomes.earnable[STEP][: chosen.scores.sessions]
    exposures, split = _split(record.exposures, chosen, results[main], earned)
    traded = chosen.scores, outcomes.market, chosen.strategy
    return PooledEvidence(
        contenders=tuple(common),
        main=main,
        daily=daily,
        results=results,
        equal_weight=equal,
        indices=held,
        benchmark=benchmark,
        other_costs=money.trade(*traded, other_schedule(chosen.costs), seed, record.exposures),
        deciles=decile_returns(chosen.scores.traded, above_all(chosen.scores.traded, earned)),
        exposures=exposures,
        exposure_split=split,
        divisions=record.divisions(chosen.scores),
        capacity=money.capacity(*traded, chosen.costs, seed, exposures=record.exposures),
        money=_money(common, results, equal, held, benchmark, variants),
        named=against,
        variants=variants,
        missing=tuple(missing),
        notes=(*_notes(chosen.scores, left_out), *index_notes, *_benchmark_note(record.indices, held, benchmark)),
        seed=seed,
    )


def _chosen(contenders: Sequence[Contender], main: str) -> Contender:
    """The contender that is judged, of those that can be compared."""
    by_name = {contender.name: contender for contender in contenders}
    if main not in by_name:
        raise NiftyFormerError(f"no contender is called {main!r}: there are {', '.join(by_name)}.")
    if len({contender.strategy.trade_at for contender in contenders}) > 1:
        raise NiftyFormerError("the contenders trade at different moments: compare those of one strategy.trade_at.")
    return by_name[main]


def _judged(
    contenders: Sequence[Contender], grounds: Grounds, sessions: int, seed: int, exposures: Exposures | None
) -> tuple[dict[str, DailyRankIC], dict[str, BacktestResult]]:
    """Of each contender by name how its scores ranked the stocks on the first `sessions`, and what they earned."""

    def judge(contender: Contender) -> tuple[DailyRankIC, BacktestResult]:
        outcomes = grounds.outcomes(contender)
        daily = daily_rank_ic(contender.scores.score, outcomes, sessions, grounds.groups(contender))
        of = contender.strategy, contender.costs
        return daily, money.trade(contender.scores, outcomes.market, *of, seed, exposures)

    for contender in contenders:
        grounds.prepare(contender)
    with ThreadPoolExecutor(THREADS) as pool:
        judged = dict(zip((each.name for each in contenders), pool.map(judge, contenders), strict=True))
    return {name: own for name, (own, _) in judged.items()}, {name: result for name, (_, result) in judged.items()}


def _split(
    known: Exposures | None, chosen: Contender, result: BacktestResult, earned: np.ndarray
) -> tuple[Exposures | None, ExposureSplit | None]:
    """The exposures that the chosen one's strategy takes out of scores, or else all that are known, on its sessions;
    and what they are of its scores and returns.
    """
    if known is None or not known.names:
        return None, None
    taken_out, scores = chosen.strategy.neutralise, chosen.scores
    exposures = (known.of(taken_out) if taken_out else known).on(scores.traded.axes)
    ranked = scores.ranked(known, chosen.strategy)
    return exposures, exposure_split(scores.traded, ranked, result, earned, exposures)


def _not_in_universe(scores: JoinedScores) -> np.ndarray:
    """bool [T, N] without the tail: what the equal-weight universe does not hold."""
    return ((scores.window >= 0)[:, None] & ~scores.member)[: scores.sessions]


def _money(
    contenders: Sequence[Contender],
    results: Mapping[str, BacktestResult],
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
    tables += [
        index_summary(nav, equal).reset_index().assign(name=name, kind="benchmark") for name, nav in indices.items()
    ]
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

"""Which factors an experiment keeps, decided on its training sessions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.factors.ic import HORIZONS, DailyIC, daily_ic, summarise
from niftyformer_assets.factors.labels import RETURN, Label, Labels, Outcomes, horizon_of, session_labels, session_name
from niftyformer_assets.factors.neutralize import neutralize
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.market.split import Split
from niftyformer_assets.store.errors import NiftyFormerError, damaged
from niftyformer_assets.store.index import read_entered, write_entered

# What the selection did not look at, and says so.
NOT_USED = ("validation", "test")


@dataclass(frozen=True, eq=False)
class FactorSelection:
    """The outcome of an experiment's factor step.

    summary: one row a factor, the strongest first: `selected`, the statistics of `ic.summarise`
        over the training sessions, and for the selected the mean coefficients on validation and
        test, in columns that end in `_not_used`.
    selected: the names kept, sorted.
    daily: the coefficients behind it, on all sessions.
    judged_by: the name of the label that decided.
    """

    summary: pd.DataFrame
    selected: tuple[str, ...]
    daily: DailyIC
    judged_by: str

    @property
    def judged_by_in_words(self) -> str:
        return _in_words(self.judged_by)


def select_factors(
    factors: np.ndarray,
    names: Sequence[str],
    outcomes: Outcomes,
    log_size: np.ndarray,
    sectors: np.ndarray | Sequence[str | None],
    split: Split,
    settings: FactorSettings,
    threads: int | None = None,
    targets: Sequence[Label] = (),
    judged_by: str = "",
) -> FactorSelection:
    """Keep the factors whose mean daily coefficient over the training sessions is far enough from zero.

    A factor is kept if |mean Pearson coefficient| with the return of the session `settings.ic_horizon` ahead, or with
    the label `judged_by`, is at least `settings.ic_threshold`, over the labels that are made and known in training
    sessions, for the raw or the neutralised factor as `settings.select_on` says. One with a coefficient on less than
    the share `settings.ic_sessions` of these sessions is not.

    Args:
        factors: float32 [F, T, N], raw, cut to the experiment's sessions and symbols; their windows
            may have looked at sessions before those.
        outcomes: of the T sessions and N symbols. log_size: float64 [T, N]. sectors: names, [T, N] or N.
        split: parts of the T sessions.
        targets: labels of the experiment beside the returns of sessions; judged_by: the name of one of them.

    Raises:
        NiftyFormerError: no factor is selected; it says which came closest and what to change.
    """
    if settings.select_on == "neutralized":
        factors = neutralize(factors, log_size, sectors, settings, threads)
    # Whatever the unit of the model's labels: where they are of sessions, coefficients are of these sessions' returns.
    labels = (*session_labels(RETURN, sorted({*HORIZONS, settings.ic_horizon})), *targets)
    judged_by = judged_by or session_name(settings.ic_horizon)
    daily = daily_ic(factors, names, Labels.of(labels, outcomes), settings.min_stocks, threads)
    summary = summarise(daily, split.train)
    pairs = daily.pairs(judged_by, split.train).shape[1]
    enough = summary[f"ic_sessions_{judged_by}"] >= max(1, settings.ic_sessions * pairs)
    strength = summary[f"ic_mean_{judged_by}"].abs().where(enough)
    kept = strength >= settings.ic_threshold
    if not kept.any():
        raise NiftyFormerError(_nothing_selected(strength, split, settings, _in_words(judged_by)))
    summary.insert(0, "selected", kept)
    for part in NOT_USED:
        for label in (
            each.name for each in labels if each in targets or each.name in {*map(session_name, (1, 2)), judged_by}
        ):
            for kind, prefix in (("pearson", "ic"), ("spearman", "rank_ic")):
                means = _means(daily.pairs(label, getattr(split, part), kind))
                summary[f"{prefix}_mean_{label}_{part}_not_used"] = np.where(kept, means, np.nan)
    ranking = np.lexsort((np.arange(len(names)), -strength.fillna(-1.0).to_numpy()))
    return FactorSelection(summary.iloc[ranking], tuple(sorted(strength.index[kept])), daily, judged_by)


def write_selection(summary_path: Path, selected_path: Path, selection: FactorSelection) -> None:
    """Write ic_summary.csv (one row a factor) and selected_factors.txt (one name a line)."""
    write_entered(summary_path, selection.summary.to_csv(lineterminator="\n"))
    write_entered(selected_path, "".join(f"{name}\n" for name in selection.selected))


def read_selected(path: Path) -> tuple[str, ...]:
    """The names in selected_factors.txt.

    Raises:
        NiftyFormerError: the file is missing, not the one that was written, or empty.
    """
    try:
        names = tuple(read_entered(path).content.decode("utf-8").split()) if path.is_file() else ()
    except UnicodeDecodeError as error:
        raise damaged(path, error) from error
    if not names:
        raise NiftyFormerError(f"{path} names no factor: materialize ic_summary first.")
    return names


def _means(daily: np.ndarray) -> np.ndarray:
    there = np.isfinite(daily)
    with np.errstate(invalid="ignore"):
        return np.where(there, daily, 0.0).sum(axis=1) / there.sum(axis=1)


def _nothing_selected(strength: pd.Series, split: Split, settings: FactorSettings, judged_by_in_words: str) -> str:
    best = strength.dropna().sort_values(ascending=False, kind="stable").head(5)
    where = f"{settings.factor_set} ({settings.select_on} factors, {judged_by_in_words})"
    if best.empty:
        return (
            f"no factor of {where} has a coefficient on {settings.ic_sessions:.0%} of the "
            f"{split.sessions('train')} training sessions: on the others fewer than "
            f"min_stocks={settings.min_stocks} stocks have a factor and a return. "
            "Add symbols or sessions, or lower factors.min_stocks or factors.ic_sessions."
        )
    listed = ", ".join(f"{name} {value:.4f}" for name, value in best.items())
    # Rounded down: to the nearest it could be more than the best has.
    reachable = np.floor(best.iloc[0] * 1e4) / 1e4
    return (
        f"no factor of {where} reaches a mean |IC| of {settings.ic_threshold} over the "
        f"{split.sessions('train')} training sessions; the best are {listed}. "
        f"Lower factors.ic_threshold to {reachable:.4f} or less, or change factors.factor_set or the sessions."
    )


def _in_words(label: str) -> str:
    horizon = horizon_of(label)
    return f"target {label}" if horizon is None else f"horizon {horizon}"

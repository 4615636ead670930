"""Information coefficients: does a factor order the stocks as their later returns do?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from niftyformer_assets.factors.kernels.cross_section import information_coefficients, rank_correlations
from niftyformer_assets.factors.labels import Label, Labels
from niftyformer_assets.factors.newey_west import bartlett_sum, newey_west_lags
from niftyformer_assets.factors.settings import MIN_STOCKS, MIN_STOCKS_OF_GROUP

HORIZONS = (1, 2, 5, 10)


@dataclass(frozen=True, eq=False)
class DailyIC:
    """Cross-sectional coefficients of F factors on each of T sessions; NaN where there is none.

    names: of the factors. labels: what they are compared with, H of them.
    pearson, spearman: [H, F, T], between the factor and the label of t.
    autocorrelation: [F, T], of the factor's ranks with those of the session before.
    coverage: [F, T], share of the stocks that have the factor.
    """

    names: tuple[str, ...]
    labels: tuple[Label, ...]
    pearson: np.ndarray
    spearman: np.ndarray
    autocorrelation: np.ndarray
    coverage: np.ndarray

    def pairs(self, label: str, part: slice, kind: str = "pearson") -> np.ndarray:
        """Coefficients [F, sessions] with the label of a name, of those that are made and known in `part`."""
        values: np.ndarray = getattr(self, kind)
        place = self.place(label)
        return values[place, :, self.labels[place].made_and_known_in(part)]

    def place(self, label: str) -> int:
        """Where the label of a name stands."""
        return [each.name for each in self.labels].index(label)


def daily_ic(
    factors: np.ndarray,
    names: Sequence[str],
    labels: Labels,
    min_stocks: int = MIN_STOCKS,
    threads: int | None = None,
) -> DailyIC:
    """Coefficients of all factors, sessions and labels.

    Args:
        factors: float32 [F, T, N]. A stock takes part on a session if it has the factor and the label
            there; with fewer than `min_stocks`, or where all values are the same, there is no
            coefficient.
    """
    count, sessions, symbols = factors.shape
    later = np.ascontiguousarray(np.where(np.isfinite(labels.array), labels.array, np.nan).swapaxes(0, 1))
    ascending = np.argsort(later, axis=-1, kind="stable")
    pearson = np.full((count, len(later), sessions), np.nan)
    spearman = np.full((count, len(later), sessions), np.nan)
    autocorrelation, stocks = np.full((count, sessions), np.nan), np.zeros((count, sessions))

    def compute(f: int) -> None:
        values = np.ascontiguousarray(factors[f], dtype=np.float32)
        places = pearson[f], spearman[f], autocorrelation[f], stocks[f]
        information_coefficients(values, later, ascending, min_stocks, *places)

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(compute, range(count)))
    return DailyIC(
        names=tuple(names),
        labels=labels.labels,
        pearson=np.ascontiguousarray(pearson.swapaxes(0, 1)),
        spearman=np.ascontiguousarray(spearman.swapaxes(0, 1)),
        autocorrelation=autocorrelation,
        coverage=stocks / symbols,
    )


def summarise(daily: DailyIC, part: slice) -> pd.DataFrame:
    """Statistics of the coefficients over the sessions of one part, a row a factor.

    Only labels that are made and known in `part` count. For each label, in columns that end in its name, and for
    Pearson (`ic`) and Spearman (`rank_ic`) the figures of `statistics`. The means over the returns h1, h2, … of
    later sessions are the decay. Then coverage and autocorrelation, averages over the part.
    """
    columns: dict[str, np.ndarray] = {}
    for label in daily.labels:
        for kind, prefix in (("pearson", "ic"), ("spearman", "rank_ic")):
            told = statistics(daily.pairs(label.name, part, kind), label.overlap)
            columns |= {f"{prefix}_{name}_{label.name}": values for name, values in told.items()}
    columns["coverage"] = daily.coverage[:, part].mean(axis=1)
    # The first session of the part is compared with one that lies outside.
    columns["autocorrelation"] = _mean(daily.autocorrelation[:, part.start + 1 : part.stop])
    return pd.DataFrame(columns, index=pd.Index(daily.names, name="factor"))


def statistics(daily: np.ndarray, overlap: int) -> dict[str, np.ndarray]:
    """Figures of F series [F, T] of values of which so many in a row share returns; NaN where there is none.

    Returns:
        mean, std (ddof 1), icir (mean / std), t, t_nw (Newey and West 1987, with `newey_west_lags`),
        positive (share of sessions above 0) and sessions, each [F].
    """
    T = daily.shape[1]
    there = np.isfinite(daily)
    count = there.sum(axis=1)
    mean = _mean(daily)
    off = np.where(there, daily - mean[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(count > 1, np.sqrt((off**2).sum(axis=1) / (count - 1)), np.nan)
        icir = mean / np.where(deviation > 0, deviation, np.nan)
        variance = bartlett_sum(
            lambda lag: (off[:, lag:] * off[:, : T - lag]).sum(axis=1), newey_west_lags(T, overlap), T
        )
        error = np.sqrt(np.where(variance > 0, variance, np.nan)) / np.where(count > 1, count, np.nan)
        return {
            "mean": mean,
            "std": deviation,
            "icir": icir,
            "t": icir * np.sqrt(count),
            "t_nw": mean / error,
            "positive": np.where(count > 0, (daily > 0).sum(axis=1) / count, np.nan),
            "sessions": count,
        }


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis of what is there, NaN over nothing."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1)


def rank_ic_by_group(
    value: np.ndarray, outcome: np.ndarray, groups: np.ndarray, min_stocks: int = MIN_STOCKS_OF_GROUP
) -> dict[str, np.ndarray]:
    """`rank_ic.rank_ic` among the stocks of each group: group -> float [T], in the order of their names.

    A group without a pair is left out.

    Args:
        value, outcome: float [T, N]. groups: str [T, N], the group of each stock at each session.
    """
    rows = [np.where(np.isfinite(side), side, np.nan).astype(np.float64) for side in (value, outcome)]
    both = np.isfinite(value) & np.isfinite(outcome)
    names, code = np.unique(groups[both], return_inverse=True)
    group = np.zeros(groups.shape, dtype=np.int64)
    group[both] = code
    coefficients = np.full((len(names), len(value)), np.nan)
    rank_correlations(*rows, *(np.argsort(side, axis=-1) for side in rows), group, min_stocks, coefficients)
    return {str(name): of_group for name, of_group in zip(names, coefficients, strict=True)}

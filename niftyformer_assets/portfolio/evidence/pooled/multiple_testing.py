"""What is left of a result once it is counted how many were looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from niftyformer_assets.factors.average_ranks import average_ranks

BLOCKS = 16
# Below so many sessions a block's Sharpe ratio says nothing.
MIN_SESSIONS_OF_BLOCK = 10


@dataclass(frozen=True)
class Overfitting:
    """probability: `overfitting_probability`, NaN where it cannot be told. variants: how many were compared.

    blocks: into how many the sessions were cut; choices: in how many ways half of them were chosen.
    """

    probability: float
    variants: int
    blocks: int
    choices: int


def overfitting_probability(returns: np.ndarray, blocks: int = BLOCKS) -> Overfitting:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Bailey, Borwein, López de Prado and Zhu (2015), The probability of backtest overfitting. The sessions are cut
    into blocks; for every choice of half of them, the variant with the best Sharpe ratio there is looked up in the
    other half: w is its rank there (1 the worst, ties in the middle) over variants + 1, and the probability is the
    share of choices with log(w / (1 - w)) at most 0, that is, with the best of one half not above the median
    of the other. Without any skill it is about one half, with real differences small.

    Args:
        returns: float [T, V], of V variants on the same sessions in order.
        blocks: even. They are of equal length but for a session.

    Returns:
        NaN with fewer than 2 variants, or than MIN_SESSIONS_OF_BLOCK sessions a block, or where no variant moves.
    """
    T, V = returns.shape
    unknown = Overfitting(math.nan, V, blocks, 0)
    if V < 2 or blocks * MIN_SESSIONS_OF_BLOCK > T:
        return unknown
    parts = np.array_split(returns, blocks)
    count = np.array([len(part) for part in parts], dtype=float)
    sums = np.array([part.sum(axis=0) for part in parts])
    squares = np.array([(part**2).sum(axis=0) for part in parts])
    chosen = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, places in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, places] = 1.0
    inside, outside = (_sharpe(half, count, sums, squares) for half in (chosen, 1.0 - chosen))
    known = np.isfinite(inside).any(axis=1) & np.isfinite(outside).any(axis=1)
    if not known.any():
        return unknown
    inside, outside = (np.where(np.isfinite(ratios), ratios, -np.inf)[known] for ratios in (inside, outside))
    # Of equally good ones, all are looked up.
    best = inside == inside.max(axis=1, keepdims=True)
    place = average_ranks(outside) / (V + 1)
    overfitted = np.where(best, place <= 0.5 + 1e-12, False).sum(axis=1) / best.sum(axis=1)
    return Overfitting(float(overfitted.mean()), V, blocks, int(known.sum()))


def _sharpe(chosen: np.ndarray, count: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Sharpe ratio a session [choices, V] over the chosen blocks; NaN without variation."""
    n = (chosen @ count)[:, None]
    mean = chosen @ sums / n
    variance = np.maximum(chosen @ squares / n - mean**2, 0.0)
    return np.divide(mean, np.sqrt(variance), out=np.full(mean.shape, np.nan), where=variance > 1e-24)


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p values [n]: below 5%, a comparison stands with all n being looked at (Holm 1979).

    NaN stays NaN and counts as no comparison.
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def two_sided(t: float) -> float:
    """The p value of a t statistic, taken as normal."""
    return float("nan") if math.isnan(t) else 2 * (1 - NormalDist().cdf(abs(t)))

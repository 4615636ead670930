"""Rank IC: do scores order the stocks of a session as what then happened does?

The one definition, for predictions and scores alike. `ic` has the same figure of hundreds of factors or of
many groups at once, compiled; this one needs no compiler, so a bare training machine has it too.
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.average_ranks import average_ranks
from niftyformer_assets.factors.newey_west import bartlett_sum
from niftyformer_assets.factors.settings import MIN_STOCKS


def rank_ic(value: np.ndarray, outcome: np.ndarray, min_stocks: int = MIN_STOCKS) -> np.ndarray:
    """Spearman's correlation over the last dimension of [..., N], ties sharing their mean rank.

    Pairs of which one side is missing or infinite are left out; NaN where fewer than `min_stocks`
    are left or one side is constant. Ranks are halves of whole numbers and so are added up exactly: the
    order of the stocks does not even change a rounding error.
    """
    both = np.isfinite(value) & np.isfinite(outcome)
    a, b = (_centred_ranks(np.where(both, side, np.nan)) for side in (value, outcome))
    spread = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((both.sum(-1) >= min_stocks) & (spread > 0), (a * b).sum(-1) / spread, np.nan)


def rank_correlations(values: np.ndarray, min_stocks: int) -> np.ndarray:
    """[F, F] from [F, N]: `rank_ic` of each two, over the stocks that have all F."""
    ranks = _centred_ranks(values[:, np.isfinite(values).all(axis=0)])
    spread = np.sqrt(np.outer((ranks**2).sum(-1), (ranks**2).sum(-1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((ranks.shape[1] >= min_stocks) & (spread > 0), ranks @ ranks.T / spread, np.nan)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks over the last dimension of [..., N] less their mean, ties sharing their mean rank; missing = 0."""
    ranks = average_ranks(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(ranks, -1, keepdims=True) / np.isfinite(ranks).sum(-1)[..., None]
        return np.nan_to_num(ranks - mean)


def shrink_by_overlap(series: np.ndarray, overlap: int) -> float:
    """What a t statistic of a mean over sessions is multiplied by where each value is of a label over several sessions.

    Values of neighbouring sessions share returns then, and a t that takes them as independent is too large: the error
    of Newey and West (1987) over `overlap` − 1 lags takes its place. Exactly 1 for labels of one session.

    Args:
        series: float [T], in order; NaN where a session has no value.
        overlap: `Label.overlap`.
    """
    if overlap == 1:
        return 1.0
    there = np.isfinite(series)
    off = np.where(there, series - series[there].mean() if there.any() else 0.0, 0.0)
    T = len(series)
    alone = (off**2).sum()
    variance = bartlett_sum(lambda lag: (off[lag:] * off[: T - lag]).sum(), overlap - 1, T)
    return float(np.sqrt(alone / variance)) if variance > 0 else float("nan")

"""Correlations of stocks over pairwise overlaps, from the training sessions alone: `corr_adj.npy`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from niftyformer_assets.dataset.blas import one_thread
from niftyformer_assets.dataset.settings import GraphSettings
from niftyformer_assets.store.arrays import Axes, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError

# Variances below these shares of the largest square are rounding errors of a constant.
_CENTRED_ROUNDING = 1e-12
_RAW_ROUNDING = 1e-20


def correlation_adjacency(
    returns: np.ndarray,
    train: slice,
    settings: GraphSettings,
    segment: np.ndarray | None = None,
    factors: np.ndarray | None = None,
) -> np.ndarray:
    """The weighted graph of the stocks: correlations of at least the threshold, the others 0.

    `settings.source` says what is correlated:
        returns: the last `sessions` training sessions;
        rolling_returns: every run of `sessions` training sessions, and then the mean over those runs
            in which the pair has enough sessions in common;
        factors: each factor over the last `sessions` training sessions, and then the mean over the
            factors.
    A pair with fewer than `min_overlap` sessions in common has no edge, nor has a stock whose values
    do not vary: so an all-missing stock or one listed too late is there, isolated. Fewer training
    sessions than `sessions` are used as they are, as long as they reach `min_overlap`.

    Args:
        returns: float [T, N], NaN where there is none.
        train: the training sessions; nothing outside them is read.
        segment: int [T, N], the unbroken stretch of prices each session is in (market panel). What
            lies before the last break of a run is left out, as before a listing.
        factors: float [T, N, F], NaN where missing; only for the source `factors`.

    Returns:
        float64 [N, N], symmetric, zero diagonal.

    Raises:
        NiftyFormerError: fewer than two stocks, or fewer training sessions than `min_overlap`.
    """
    known = returns[train].astype(np.float64)
    if known.shape[1] < 2:
        raise NiftyFormerError(
            f"a correlation graph needs at least 2 symbols, the experiment has {known.shape[1]}: widen its universe."
        )
    if len(known) < settings.min_overlap:
        raise NiftyFormerError(
            f"{len(known)} training sessions are fewer than graph.min_overlap ({settings.min_overlap}): "
            "no two stocks can be correlated; lower it or lengthen the training part."
        )
    stretch = None if segment is None else segment[train]
    last = slice(-settings.sessions, None)
    runs: Iterable[np.ndarray]
    if settings.source == "factors":
        if factors is None:
            raise ValueError("graph.source is factors, but no factors were given")
        cut = factors[train][last].astype(np.float64)
        runs = (_after_last_break(cut[..., number], stretch, last) for number in range(cut.shape[-1]))
    elif settings.source == "rolling_returns":
        starts = range(max(len(known) - settings.sessions, 0) + 1)
        places = [slice(start, start + settings.sessions) for start in starts]
        runs = (_after_last_break(known[place], stretch, place) for place in places)
    else:
        runs = [_after_last_break(known[last], stretch, last)]
    with one_thread():
        mean = _mean_correlation(runs, known.shape[1], settings.min_overlap)
    adjacency = np.where(mean >= settings.threshold, mean, 0.0)
    np.fill_diagonal(adjacency, 0.0)
    return adjacency


def pairwise_correlation(values: np.ndarray, min_overlap: int) -> np.ndarray:
    """Pearson correlation of each two columns over the rows that both have.

    Args:
        values: float64 [S, N], NaN where missing.

    Returns:
        float64 [N, N], exactly symmetric; NaN where fewer than `min_overlap` rows are shared or one
        of the two does not vary on them.
    """
    present = np.isfinite(values)
    count = present.sum(axis=0)
    raw = np.where(present, values, 0.0)
    centred = np.where(present, raw - raw.sum(axis=0) / np.maximum(count, 1), 0.0)
    mask = present.astype(np.float64)
    shared = mask.T @ mask
    with np.errstate(invalid="ignore", divide="ignore"):
        # Row i, column j of these two: the mean and variance of i over the rows that j has too.
        mean = (centred.T @ mask) / shared
        variance = ((centred**2).T @ mask) / shared - mean**2
        covariance = (centred.T @ centred) / shared - mean * mean.T
        rounding = _CENTRED_ROUNDING * (centred**2).max(axis=0) + _RAW_ROUNDING * (raw**2).max(axis=0)
        variance = np.where(variance > rounding[:, None], variance, np.nan)
        correlation = np.clip(covariance / np.sqrt(variance * variance.T), -1.0, 1.0)
    correlation[shared < min_overlap] = np.nan
    return (correlation + correlation.T) / 2


def save_adjacency(path: Path, adjacency: np.ndarray, axes: Axes) -> None:
    """Write `corr_adj.npy`, the bare [N, N] array, and enter it in the folder's index."""
    save_arrays(path, {path.stem: adjacency}, axes, {path.stem: "NN"})


def _after_last_break(values: np.ndarray, segment: np.ndarray | None, place: slice) -> np.ndarray:
    if segment is None:
        return values
    stretch = segment[place]
    return np.where(stretch == stretch.max(axis=0), values, np.nan)


def _mean_correlation(runs: Iterable[np.ndarray], symbols: int, min_overlap: int) -> np.ndarray:
    total, count = np.zeros((symbols, symbols)), np.zeros((symbols, symbols))
    for values in runs:
        correlation = pairwise_correlation(values, min_overlap)
        known = np.isfinite(correlation)
        total += np.where(known, correlation, 0.0)
        count += known
    with np.errstate(invalid="ignore"):
        return total / count

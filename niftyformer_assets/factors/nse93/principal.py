"""Principal components of returns: what they leave of a return, and clusters of stocks with alike loadings.

Avellaneda and Lee, "Statistical arbitrage in the US equities market" (2010).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from niftyformer_assets.factors.kernels.groups import without_components

SESSIONS, COMPONENTS, CLUSTERS = 250, 15, 15
# With fewer stocks components and clusters would say next to nothing but the stocks themselves.
MIN_STOCKS = 2 * COMPONENTS


class Components(NamedTuple):
    """The components of the correlations of N stocks.

    scale: [N], standard deviation of each stock's returns, NaN for a stock that takes no part.
    axes: [N, 15], orthonormal columns. loadings: [N, 15], the stocks' correlations with the components.
    """

    scale: np.ndarray
    axes: np.ndarray
    loadings: np.ndarray


def components_before(returns: np.ndarray, segment: np.ndarray, end: int) -> Components | None:
    """The components of the 250 sessions before row `end`, of stocks that have half of their returns there.

    Only the stretch that a stock is in on row `end` counts. A return that is missing stands at the stock's mean.
    Returns None where fewer than `MIN_STOCKS` take part.
    """
    rows = slice(max(0, end - SESSIONS), end)
    known = np.isfinite(returns[rows]) & (segment[rows] == segment[end])
    count = known.sum(axis=0)
    total = np.where(known, returns[rows], 0.0).sum(axis=0)
    off = np.where(known, returns[rows] - total / np.maximum(count, 1), 0.0)
    scale = np.sqrt((off * off).sum(axis=0) / np.maximum(count - 1, 1))
    taking_part = (count >= SESSIONS / 2) & (scale > 1e-12)
    if taking_part.sum() < MIN_STOCKS:
        return None
    standard = off[:, taking_part] / scale[taking_part]
    variance, patterns = _largest(standard @ standard.T)
    # What has no variance is no direction.
    there = variance > 1e-10 * variance[0]
    width = np.sqrt(np.where(there, variance, 1.0))
    axes = np.zeros((len(scale), COMPONENTS))
    axes[taking_part] = np.where(there, standard.T @ patterns / width, 0.0)
    loadings = axes * width / np.sqrt(len(standard))
    return Components(np.where(taking_part, scale, np.nan), axes, loadings)


def _largest(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues, the largest first, and their vectors as columns."""
    from scipy.linalg import eigh

    size = len(matrix)
    values, vectors = eigh(matrix, subset_by_index=(size - COMPONENTS, size - 1))
    return values[::-1], vectors[:, ::-1]


def principal_residuals(returns: np.ndarray, segment: np.ndarray, fitted_at: np.ndarray, first: int) -> np.ndarray:
    """What the components leave of the returns from row `first` on, [T, N], NaN before.

    fitted_at: int [T], the row before which the components of each session are fitted, so that no session takes part
    in the fit that it is measured by. Missing for stocks that take no part in it or that began another stretch since.
    """
    result = np.full(returns.shape, np.nan)
    for row in np.unique(fitted_at[first:]):
        rows = slice(max(int(row), first), int(np.searchsorted(fitted_at, row, side="right")))
        found = components_before(returns, segment, int(row))
        if found is not None:
            same = np.where(segment[rows] == segment[row], returns[rows], np.nan)
            without_components(same, found.scale, found.axes, result[rows])
    return result


def clusters(returns: np.ndarray, segment: np.ndarray, fitted_at: np.ndarray, first: int) -> np.ndarray:
    """Of each stock the cluster of its loadings, int [T, N] from row `first` on; −1 for none.

    k-means (the best of 10 starts with a fixed seed) of the loadings before row fitted_at[t]. A stock keeps its
    cluster until the next fit, also across a break of its prices.
    """
    from sklearn.cluster import KMeans

    result = np.full(returns.shape, -1, dtype=np.int64)
    for row in np.unique(fitted_at[first:]):
        found = components_before(returns, segment, int(row))
        if found is not None:
            taking_part = np.flatnonzero(np.isfinite(found.scale))
            alike = KMeans(CLUSTERS, n_init=10, random_state=0).fit_predict(found.loadings[taking_part])
            rows = slice(max(int(row), first), int(np.searchsorted(fitted_at, row, side="right")))
            result[rows, taking_part] = alike
    return result

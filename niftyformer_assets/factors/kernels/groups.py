"""Across the stocks of a session: the mean of each group, and what principal components leave of returns."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels.compiling import kernel


@kernel
def group_means(x: np.ndarray, group: np.ndarray, groups: int, result: np.ndarray) -> None:
    """Mean over a stock's group on each session, itself included.

    x, result: float64 [T, N]. group: int [T, N], 0..groups-1, negative for none. Missing for a stock without x or
    without a group; a stock alone in its group is the mean.
    """
    count, total = np.empty(groups), np.empty(groups)
    for t in range(x.shape[0]):
        count[:], total[:] = 0.0, 0.0
        for j in range(x.shape[1]):
            if group[t, j] >= 0 and x[t, j] == x[t, j]:
                count[group[t, j]] += 1.0
                total[group[t, j]] += x[t, j]
        for j in range(x.shape[1]):
            g = group[t, j]
            result[t, j] = total[g] / count[g] if g >= 0 and x[t, j] == x[t, j] else np.nan


@kernel
def without_components(x: np.ndarray, scale: np.ndarray, components: np.ndarray, result: np.ndarray) -> None:
    """x − scale · B Bᵀ (x / scale), session by session; a missing x counts as 0 for the others and stays missing.

    x, result: float64 [T, N]. scale: [N], NaN for a stock that is left out. components: B [N, K], orthonormal columns.
    """
    scores = np.empty(components.shape[1])
    for t in range(x.shape[0]):
        scores[:] = 0.0
        for j in range(x.shape[1]):
            z = x[t, j] / scale[j]
            if z == z:
                for k in range(scores.size):
                    scores[k] += components[j, k] * z
        for j in range(x.shape[1]):
            explained = 0.0
            for k in range(scores.size):
                explained += components[j, k] * scores[k]
            result[t, j] = x[t, j] - scale[j] * explained

"""Yesterday's values in today's units."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels.compiling import kernel


@kernel
def lagged_ratio(x: np.ndarray, unit: np.ndarray, segment: np.ndarray, lag: int, skip: int, result: np.ndarray) -> None:
    """x[t − lag] / unit[t] within one stretch of a stock, from session `skip` on; ±inf is missing."""
    for t in range(skip, skip + result.shape[0]):
        to = result[t - skip]
        if t < lag:
            to[:] = np.nan
            continue
        for j in range(to.size):
            value = x[t - lag, j] / unit[t, j]
            same = segment[t - lag, j] == segment[t, j] and segment[t, j] >= 0
            to[j] = value if same and abs(value) < np.inf else np.nan

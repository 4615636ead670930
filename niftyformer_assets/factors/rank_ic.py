"""Rank IC: do scores order the stocks of a session as what then happened does?

The one definition, for predictions and scores alike. `ic` has the same figure of hundreds of factors or of
many groups at once, compiled; this one needs no compiler, so a bare training machine has it too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.factors.settings import MIN_STOCKS


def rank_ic(value: np.ndarray, outcome: np.ndarray, min_stocks: int = MIN_STOCKS) -> np.ndarray:
    """Spearman's correlation over the last dimension of [..., N], ties sharing their mean rank.

    Pairs of which one side is missing or infinite are left out; NaN where fewer than `min_stocks`
    are left or one side is constant. Ranks are halves of whole numbers and so are added up exactly: the
    order of the stocks does not even change a rounding error.
    """
    both = np.isfinite(value) & np.isfinite(outcome)
    ranks = []
    for side in (value, outcome):
        rows = np.where(both, side, np.nan).reshape(-1, side.shape[-1])
        ranks.append(pd.DataFrame(rows).rank(axis=1).to_numpy().reshape(side.shape))
    count = both.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (np.nan_to_num(rank - np.nansum(rank, -1, keepdims=True) / count[..., None]) for rank in ranks)
        spread = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
        return np.where((count >= min_stocks) & (spread > 0), (a * b).sum(-1) / spread, np.nan)

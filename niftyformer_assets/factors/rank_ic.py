"""Rank IC: do scores order the stocks of a session as what then happened does?

The one definition, for predictions and scores alike; `ic.daily_ic` has the same kernel's figure of hundreds of
factors at once.
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.kernels.cross_section import rank_correlations
from niftyformer_assets.factors.settings import MIN_STOCKS, MIN_STOCKS_OF_GROUP


def rank_ic(value: np.ndarray, outcome: np.ndarray, min_stocks: int = MIN_STOCKS) -> np.ndarray:
    """Spearman's correlation over the last dimension of [..., N], ties sharing their mean rank.

    Pairs of which one side is missing or infinite are left out; NaN where fewer than `min_stocks`
    are left or one side is constant. The order of the stocks does not change a bit.
    """
    one_group = np.zeros(value.shape, dtype=np.int64)
    return _of_groups(value, outcome, one_group, 1, min_stocks)[0].reshape(value.shape[:-1])


def rank_ic_by_group(
    value: np.ndarray, outcome: np.ndarray, groups: np.ndarray, min_stocks: int = MIN_STOCKS_OF_GROUP
) -> dict[str, np.ndarray]:
    """`rank_ic` among the stocks of each group: group -> float [T], in the order of their names.

    A group without a pair is left out.

    Args:
        value, outcome: float [T, N]. groups: str [T, N], the group of each stock at each session.
    """
    both = np.isfinite(value) & np.isfinite(outcome)
    names, code = np.unique(groups[both], return_inverse=True)
    group = np.zeros(groups.shape, dtype=np.int64)
    group[both] = code
    coefficients = _of_groups(value, outcome, group, len(names), min_stocks)
    return {str(name): of_group for name, of_group in zip(names, coefficients, strict=True)}


def _of_groups(value: np.ndarray, outcome: np.ndarray, group: np.ndarray, groups: int, min_stocks: int) -> np.ndarray:
    """float [G, T]: `kernels.cross_section.rank_correlations` of [..., N] with T rows."""
    rows = [np.where(np.isfinite(side), side, np.nan).astype(np.float64) for side in (value, outcome)]
    rows = [side.reshape(-1, side.shape[-1]) for side in rows]
    orders = [np.argsort(side, axis=-1) for side in rows]
    result = np.full((groups, len(rows[0])), np.nan)
    rank_correlations(*rows, *orders, group.reshape(rows[0].shape), min_stocks, result)
    return result

"""What can be wrong with a factor panel, as tables; an empty table says that nothing is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from niftyformer_assets.factors.catalogue import plausible_range
from niftyformer_assets.store.arrays import Axes

# What is a bound by definition may be passed by a rounding.
_ROUNDING = 1e-6


def missing_share(factors: np.ndarray, names: Sequence[str], started: np.ndarray) -> pd.DataFrame:
    """Share of missing values by factor, worst first: columns factor, missing_share.

    Args:
        factors: float [F, T, N]. started: bool [T, N], from each stock's first candle on; what
            lies before is not counted.
    """
    cells = max(int(started.sum()), 1)
    share = [float(np.count_nonzero(np.isnan(values) & started)) / cells for values in factors]
    frame = pd.DataFrame({"factor": list(names), "missing_share": share})
    return frame.sort_values("missing_share", ascending=False, kind="stable", ignore_index=True)


def constant_factors(factors: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Factors that have one value everywhere, or none: columns factor, value (NaN for none)."""
    rows = []
    for name, values in zip(names, factors, strict=True):
        present = values[np.isfinite(values)]
        if present.size == 0 or present.min() == present.max():
            rows.append((name, float(present[0]) if present.size else float("nan")))
    return pd.DataFrame(rows, columns=["factor", "value"])


def infinite_values(factors: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Factors with ±inf, and how often: columns factor, infinite."""
    counts = [int(np.isinf(values).sum()) for values in factors]
    frame = pd.DataFrame({"factor": list(names), "infinite": counts})
    return frame[frame["infinite"] > 0].reset_index(drop=True)


def implausible_values(factors: np.ndarray, names: Sequence[str], axes: Axes) -> pd.DataFrame:
    """Factors with finite values outside of their plausible range, and the furthest of them.

    Args:
        factors: float [F, T, N].

    Returns:
        Columns factor, plausible (the range), implausible (how many values), furthest, session, symbol.
    """
    rows = []
    for name, values in zip(names, factors, strict=True):
        low, high = plausible_range(name)
        with np.errstate(invalid="ignore"):
            beyond = np.maximum(low - values, values - high)
            found = np.isfinite(values) & (beyond > _ROUNDING)
        if count := int(found.sum()):
            t, n = np.unravel_index(np.argmax(np.where(found, beyond, 0.0)), values.shape)
            worst = float(values[t, n])
            rows.append((name, f"{low:g} to {high:g}", count, worst, str(axes.dates[t]), axes.symbols[n]))
    return pd.DataFrame(rows, columns=["factor", "plausible", "implausible", "furthest", "session", "symbol"])


def thin_sessions(
    factors: np.ndarray, names: Sequence[str], dates: np.ndarray, min_stocks: int, after: int = 0
) -> pd.DataFrame:
    """Sessions on which some factor has too few stocks: columns date, factors, fewest.

    factors: how many have fewer than `min_stocks` there; fewest: the smallest number of stocks.
    The first `after` sessions, where long windows have not begun, are left out.
    """
    stocks = np.isfinite(factors).sum(axis=2)[:, after:]
    if stocks.size == 0:
        return pd.DataFrame({"date": dates[:0], "factors": np.array([], int), "fewest": np.array([], int)})
    thin = (stocks < min_stocks).sum(axis=0)
    where = np.flatnonzero(thin)
    return pd.DataFrame({"date": dates[after:][where], "factors": thin[where], "fewest": stocks.min(axis=0)[where]})

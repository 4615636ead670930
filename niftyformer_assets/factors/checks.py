"""What can be wrong with a factor panel, as tables; an empty table says that nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from niftyformer_assets.factors.catalogue import plausible_range
from niftyformer_assets.factors.settings import MIN_STOCKS
from niftyformer_assets.finding import Finding
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.store.arrays import Axes

if TYPE_CHECKING:
    from niftyformer_assets.factors.registry import FactorSet

MOST_MISSING_SHARE = 0.2
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


def thin_sessions(factors: np.ndarray, dates: np.ndarray, min_stocks: int, after: int = 0) -> pd.DataFrame:
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


def sound_factors(name: str, chosen: FactorSet, factors: np.ndarray, panel: Panel) -> Finding:
    """No factor is infinite, implausible or constant, none is missing for more than 20%, no session is thin.

    Args:
        name: of the factor set `chosen`.
        factors: float [F, T, N], of the panel's sessions and symbols.
    """
    infinite, constant = infinite_values(factors, chosen.names), constant_factors(factors, chosen.names)
    missing = missing_share(factors, chosen.names, panel.segment >= 0)
    judged = np.array([name not in chosen.late for name in chosen.names])
    timely = tuple(name for name in chosen.names if name not in chosen.late)
    begun = np.cumsum(panel.segment >= 0, axis=0) > chosen.warm_up
    often = missing_share(factors[judged], timely, begun)
    found = {
        "infinite": infinite,
        "implausible": implausible_values(factors, chosen.names, panel.axes),
        "constant": constant[~constant["factor"].isin(chosen.constant)],
        "often missing": often[often["missing_share"] > MOST_MISSING_SHARE],
        "thin sessions": thin_sessions(factors[judged], panel.axes.dates, MIN_STOCKS, max(60, chosen.warm_up)),
    }
    wrong = [f"{len(rows)} {what}" for what, rows in found.items() if len(rows)]
    nothing = "no factor is infinite, implausible, constant or often missing, no session is thin"
    return Finding(
        not wrong,
        f"{name}: {', '.join(wrong) or nothing}",
        tables={**{what: rows.astype(str) for what, rows in found.items()}, "missing by factor": missing},
        defect=bool(len(infinite) + len(found["implausible"])),
    )

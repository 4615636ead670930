"""How good predictions are, beside the same figures of trivial ones on the same sessions.

Shapes: S samples, T2 output sessions, N stocks.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.factors.labels import TRADED_PLACE
from niftyformer_assets.factors.rank_ic import rank_ic, shrink_by_overlap


def mean_absolute_error(value: np.ndarray, label: np.ndarray, known: np.ndarray) -> float:
    """Of predictions [...] where the label is known, which must be somewhere."""
    return float(np.mean(np.abs(value[known] - label[known].astype(np.float64))))


def traded_rank_ic(value: np.ndarray, label: np.ndarray, known: np.ndarray) -> float:
    """Of predictions [S, T2, N] the mean over sessions of the rank correlation across stocks with the label that is
    traded; NaN where no session has one."""
    return _mean_of_traded(_rank_ics(value, label, known))


def _rank_ics(value: np.ndarray, label: np.ndarray, known: np.ndarray) -> np.ndarray:
    return rank_ic(np.where(known, value, np.nan), np.where(known, label, np.nan))


def _mean_of_traded(coefficients: np.ndarray) -> float:
    traded = coefficients[:, TRADED_PLACE]
    there = traded[np.isfinite(traded)]
    return float(there.mean()) if len(there) else float("nan")


def directions_right(p_up: np.ndarray, label: np.ndarray) -> np.ndarray:
    """1.0 where the direction of a label is named rightly, else 0.0; NaN where p_up is 1/2, which takes no side."""
    return np.where(p_up == 0.5, np.nan, (p_up > 0.5) == (label > 0))


def measure(
    value: np.ndarray, p_up: np.ndarray, label: np.ndarray, known: np.ndarray, overlap: int = 1
) -> dict[str, float]:
    """Figures over all known labels; NaN where there is nothing to measure.

    Args:
        value: float [S, T2, N] predicted label.
        p_up: float [S, T2, N] predicted probability of a label above 0.
        label: float [S, T2, N].
        known: bool [S, T2, N].
        overlap: `Label.overlap` of the last label.

    Returns:
        mae, rmse; mape, the mean of |error / label| over labels that are not 0; accuracy, the share
        of `directions_right` of those that take a side; mae_zero, of predicting 0; accuracy_majority, of
        the better of always up and always down on these very labels; rank_ic, the mean over sessions
        and labels of the rank correlation across stocks, rank_ic_last that of the last label, which is
        traded, and rank_ic_last_t its t statistic over sessions, `shrink_by_overlap` allowed for.
    """
    names = ("mae", "rmse", "mape", "accuracy", "mae_zero", "accuracy_majority")
    figures = dict.fromkeys((*names, "rank_ic", "rank_ic_last", "rank_ic_last_t"), float("nan"))
    if known.any():
        y, error = label[known].astype(np.float64), (value[known] - label[known]).astype(np.float64)
        share_up = float(np.mean(y > 0))
        figures["mae"] = mean_absolute_error(value, label, known)
        figures["rmse"] = float(np.sqrt(np.mean(error**2)))
        if (y != 0).any():
            figures["mape"] = float(np.mean(np.abs(error[y != 0] / y[y != 0])))
        right = directions_right(p_up[known], y)
        if (sides := np.isfinite(right)).any():
            figures["accuracy"] = float(right[sides].mean())
        figures["mae_zero"] = float(np.mean(np.abs(y)))
        figures["accuracy_majority"] = max(share_up, 1 - share_up)
    coefficients = _rank_ics(value, label, known)
    if np.isfinite(coefficients).any():
        figures["rank_ic"] = float(np.nanmean(coefficients))
    traded = coefficients[:, TRADED_PLACE]
    last = traded[np.isfinite(traded)]
    figures["rank_ic_last"] = _mean_of_traded(coefficients)
    if len(last) > 1 and (spread := float(last.std(ddof=1))) > 0:
        figures["rank_ic_last_t"] = float(last.mean() / spread * np.sqrt(len(last))) * shrink_by_overlap(
            traded, overlap
        )
    return figures


def matrix(rows: pd.DataFrame, date: str, value: str, dates: pd.Index, symbols: pd.Index) -> np.ndarray:
    """A column of a table with a row for each date and symbol as float [dates, symbols]; NaN where there is none."""
    values = np.full((len(dates), len(symbols)), np.nan)
    values[dates.get_indexer(pd.Index(rows[date])), symbols.get_indexer(pd.Index(rows["symbol"]))] = rows[value]
    return values

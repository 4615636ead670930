"""Whether the factors are still distributed as in training: the population stability index, and what is missing.

Shapes: T sessions, N symbols, F factors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

# Sessions that are looked at together, at the end and, to know what such a stretch may show, all through training.
SESSIONS = 20
BINS = 10
# Below this index a distribution counts as the same, by custom.
SHIFTED = 0.25


def drift(values: np.ndarray, valid: np.ndarray, names: Sequence[str], train: slice) -> pd.DataFrame:
    """The last SESSIONS beside training, a row a factor, the furthest from it first.

    The index is Σ (q − p) ln(q / p) over the tenths of training, p and q the shares of training and of the stretch that
    lie in each, half a value added to every count.

    Args:
        values: float [T, N, F] as the model sees them. valid: bool [T, N, F], where there is one.

    Returns:
        factor, psi, most_in_training (the largest of any stretch of training), missing (share of stocks and sessions),
        most_missing_in_training, drifted (above both SHIFTED and what training had).
    """
    rows = []
    stops = np.arange(train.stop, train.start + SESSIONS - 1, -SESSIONS)
    for place, name in enumerate(names):
        known, there = values[:, :, place], valid[:, :, place]
        in_training = known[train][there[train]]
        edges = np.unique(np.quantile(in_training, np.arange(1, BINS) / BINS)) if len(in_training) else np.empty(0)
        bins = len(edges) + 1
        session, stock = np.nonzero(there)
        cell = session * bins + np.searchsorted(edges, known[session, stock], side="right")
        counts = np.bincount(cell, minlength=len(known) * bins).reshape(len(known), bins)
        of_training = _shares(counts[train].sum(axis=0))

        def index(part: slice, counts: np.ndarray = counts, p: np.ndarray = of_training) -> float:
            q = _shares(counts[part].sum(axis=0))
            return float(((q - p) * np.log(q / p)).sum())

        stretches = [slice(stop - SESSIONS, stop) for stop in stops] or [train]
        absent = 1 - there.mean(axis=1)
        rows.append(
            (
                name,
                index(slice(-SESSIONS, None)),
                max(index(part) for part in stretches),
                float(absent[-SESSIONS:].mean()),
                max(float(absent[part].mean()) for part in stretches),
            )
        )
    table = pd.DataFrame(rows, columns=["factor", "psi", "most_in_training", "missing", "most_missing_in_training"])
    table["drifted"] = table["psi"] > np.maximum(table["most_in_training"], SHIFTED)
    return table.sort_values(["psi", "factor"], ascending=[False, True], ignore_index=True)


def _shares(counts: np.ndarray) -> np.ndarray:
    return (counts + 0.5) / (counts.sum() + 0.5 * len(counts))

"""Whether the factors are still distributed as in training: the population stability index, and what is missing.

Shapes: T sessions, N symbols, F factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

# Sessions that are looked at together, at the end and, to know what such a stretch may show, all through training.
SESSIONS = 20
BINS = 10
# Below this index a distribution counts as the same, by custom.
SHIFTED = 0.25


@dataclass(frozen=True, eq=False)
class Drift:
    """The last SESSIONS beside training.

    table: a row a factor, the furthest from training first: factor, psi, most_in_training (the largest of any stretch
        of training), missing (share of stocks and sessions), most_missing_in_training, drifted (psi above both SHIFTED
        and what training had).
    share: of factors that drifted. most_in_training: the largest such share of a stretch of training beside the others.
    """

    table: pd.DataFrame
    share: float
    most_in_training: float


def drift(values: np.ndarray, valid: np.ndarray, names: Sequence[str], train: slice) -> Drift:
    """Look at the factors of the last SESSIONS.

    The index is Σ (q − p) ln(q / p) over the tenths of training, p and q the shares of training and of the stretch that
    lie in each, half a value added to every count.

    Args:
        values: float [T, N, F] as the model sees them. valid: bool [T, N, F], where there is one.
    """
    stops = np.arange(train.stop, train.start + SESSIONS - 1, -SESSIONS)
    stretches = [slice(stop - SESSIONS, stop) for stop in stops] or [train]
    parts = [*stretches, slice(-SESSIONS, None)]
    psi = np.empty((len(parts), len(names)))
    for place in range(len(names)):
        known, there = values[:, :, place], valid[:, :, place]
        in_training = known[train][there[train]]
        edges = np.unique(np.quantile(in_training, np.arange(1, BINS) / BINS)) if len(in_training) else np.empty(0)
        bins = len(edges) + 1
        session, stock = np.nonzero(there)
        cell = session * bins + np.searchsorted(edges, known[session, stock], side="right")
        counts = np.bincount(cell, minlength=len(known) * bins).reshape(len(known), bins)
        p = _shares(counts[train].sum(axis=0))
        q = np.array([_shares(counts[part].sum(axis=0)) for part in parts])
        psi[:, place] = ((q - p) * np.log(q / p)).sum(axis=1)
    absent = 1 - valid.mean(axis=1)
    of_training = psi[:-1]
    beside = [np.delete(of_training, k, axis=0).max(axis=0, initial=SHIFTED) for k in range(len(stretches))]
    table = pd.DataFrame(
        {
            "factor": list(names),
            "psi": psi[-1],
            "most_in_training": of_training.max(axis=0),
            "missing": absent[-SESSIONS:].mean(axis=0),
            "most_missing_in_training": np.max([absent[part].mean(axis=0) for part in stretches], axis=0),
            "drifted": psi[-1] > of_training.max(axis=0, initial=SHIFTED),
        }
    )
    return Drift(
        table.sort_values(["psi", "factor"], ascending=[False, True], ignore_index=True),
        float(table["drifted"].mean()),
        float(max((now > before).mean() for now, before in zip(of_training, beside, strict=True))),
    )


def _shares(counts: np.ndarray) -> np.ndarray:
    return (counts + 0.5) / (counts.sum() + 0.5 * len(counts))

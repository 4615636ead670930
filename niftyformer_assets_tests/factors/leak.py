"""Looking for factors that look ahead: cut the candles off at a session and compute again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.registry import FactorSet
from niftyformer_assets.market.panel import Panel
from niftyformer_assets_tests.factors.panels import sectors_of


def factors_that_look_ahead(factor_set: FactorSet, panel: Panel, cuts: Sequence[int]) -> tuple[str, ...]:
    """The factors with a value that changes when the candles from a session on are taken away.

    For each of `cuts` the set is computed on the sessions before it alone; every bit must be that
    of the computation over all sessions.
    """
    sectors = sectors_of(panel)
    full = factor_set.compute(panel, 0, None, sectors)
    leaking = np.zeros(len(factor_set.names), dtype=bool)
    for cut in cuts:
        known = factor_set.compute(cut_sessions(panel, 0, cut), 0, None, sectors[:cut])
        same = (known == full[:, :cut]) | (np.isnan(known) & np.isnan(full[:, :cut]))
        leaking |= ~same.all(axis=(1, 2))
    return tuple(name for name, leaks in zip(factor_set.names, leaking, strict=True) if leaks)

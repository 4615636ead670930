"""Your own factors. What is registered here makes up the factor set `own`.

A factor is one function of a market panel; see docs/factors.md. The truncation test runs over every
factor of every set, so one that looks at tomorrow is caught.
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.registration import register
from niftyformer_assets.market.panel import Panel


@register("OVERNIGHT_GAP", lookback=1)
def overnight_gap(panel: Panel) -> np.ndarray:
    """Today's open over yesterday's close, minus 1; missing on the first session of a stretch."""
    gap = np.full(panel.axes.shape, np.nan)
    same = panel.segment[1:] == panel.segment[:-1]
    gap[1:] = np.where(same, panel.open[1:] / panel.close[:-1] - 1.0, np.nan)
    return gap

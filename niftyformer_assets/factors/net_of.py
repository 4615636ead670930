"""What a return can be taken net of: the market, by a stock's beta to it, and the stock's sector.

The market and the beta are those of the factor `MBETA250` (docs/factors.md).
"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.nse93.series import BETA_WINDOW, Series
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.market.sectors import SECTORS, UNKNOWN


def market_and_beta(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """The market's return of each session, and each stock's beta to it.

    Returns:
        market: float64 [T], the mean of the returns of all stocks of the panel; NaN on the first session.
        beta: float64 [T, N], the slope of the returns of the last 250 sessions on the market's, of one unbroken stretch
            of prices and up to the session itself; NaN where fewer than 125 are there.
    """
    series = Series(panel, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return series.market[:, 0].copy(), series.over.beta(series.returns, series.market, BETA_WINDOW)


def sector_numbers(sectors: np.ndarray) -> np.ndarray:
    """The number of each sector, int16 [T, N], of names [T, N]; stocks whose sector is not known share one too."""
    names = np.array((*SECTORS, UNKNOWN))
    order = np.argsort(names)
    return order[np.searchsorted(names, sectors, sorter=order)].astype(np.int16)

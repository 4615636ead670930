"""Can the portfolio that an experiment asks for be filled at all?"""

from __future__ import annotations

import numpy as np

from niftyformer_assets.market.scope import Scope
from niftyformer_assets.portfolio.backtest.market import last_known, to_paise
from niftyformer_assets.portfolio.formatting import rupees
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted


def require_places(experiment: str, strategy: StrategySettings, close: np.ndarray, scope: Scope) -> None:
    """Refuse a strategy whose places the universe, or the capital, cannot fill.

    Looked at are the members, and their last closes, on the session whose scores trade first in the
    test window: they must be as many as top_k, and one share of as many must fit into a place.

    Args:
        close: float [T, N] on `scope.axes`, rupees, NaN where there is no candle.

    Raises:
        NiftyFormerError: it names the setting, and what would do.
    """
    first = max(scope.split.test.start - 1, 0)
    last = last_known(close > 0)[first]
    known = scope.member[first] & (last >= 0)
    prices = np.sort(to_paise(close[last[known], np.flatnonzero(known)]))
    places, day = int(strategy.places(scope.member[first].sum())), scope.axes.dates[first]
    if places > len(prices):
        raise NiftyFormerError(
            f"experiment {experiment}: strategy.top_k is {places}, but the universe has "
            f"{counted(len(prices), 'stock')} on "
            f"{day}, before the test window: set it to {len(prices)} or less, and to fewer for a choice."
        )
    place = min(strategy.capitals) // places
    if prices[places - 1] > place:
        needed = -(-int(prices[places - 1]) * places * strategy.books // 100)
        raise NiftyFormerError(
            f"experiment {experiment}: strategy.capital of {rupees(strategy.capital, 2)} gives each of {places} places "
            f"{rupees(place / 100, 2)}, which is enough for a share of "
            f"{counted(int((prices <= place).sum()), 'stock')} on {day}, "
            f"before the test window: set it to {rupees(needed)} or more, or top_k to fewer."
        )

"""A universe drawn from candles alone: the stocks that were traded most in the calendar year before."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.store.errors import NiftyFormerError

# Of the sessions of the year that is looked at a stock must have traded on as many, or its median says little.
LEAST_SHARE = 0.5
# A year with fewer sessions at hand, as the first of a file that begins in December, tells no year's trading.
LEAST_SESSIONS = 60


def most_traded_at(
    close: np.ndarray, volume: np.ndarray, sessions: np.ndarray, asked: np.ndarray, n: int
) -> np.ndarray:
    """Whether each stock is among the n most traded at some sessions, bool [A, N].

    The sessions of a calendar year share one draw: the n stocks with the highest median of close × volume (rupees)
    over the sessions of the year before, of those with candles on at least half of them; all where there are no
    more. Of two with one median the first counts, which is the first in the alphabet.

    Args:
        close, volume: float [T, N] of all sessions at hand; NaN where there is no candle. Columns in the order of
            their symbols.
        sessions: datetime64[D] [T]. asked: datetime64[D] [A].

    Raises:
        NiftyFormerError: the candles do not reach back over the year before.
    """
    require_year_before(sessions, asked)
    years = sessions.astype("datetime64[Y]")
    asked_years = asked.astype("datetime64[Y]")
    member = np.zeros((len(asked), close.shape[1]), dtype=bool)
    for year in np.unique(asked_years):
        before = years == year - 1
        member[asked_years == year] = _drawn(close[before] * volume[before], n)
    return member


def require_year_before(sessions: np.ndarray, asked: np.ndarray) -> None:
    """Refuse sessions asked for of whose year before too few are at hand to draw by.

    Args:
        sessions, asked: datetime64[D].

    Raises:
        NiftyFormerError: it names the first such year.
    """
    years = sessions.astype("datetime64[Y]")
    for year in np.unique(asked.astype("datetime64[Y]")):
        if (at_hand := int((years == year - 1).sum())) < LEAST_SESSIONS:
            raise NiftyFormerError(
                f"universe.most_traded draws the stocks of {year} by the trading of {year - 1}, of which "
                f"{at_hand} sessions are at hand and {LEAST_SESSIONS} are needed: fetch candles from "
                f"{year - 1} on, or begin the experiment later."
            )


def _drawn(value: np.ndarray, n: int) -> np.ndarray:
    """The n columns with the highest median, bool [N]."""
    known = np.isfinite(value)
    enough = np.flatnonzero(known.sum(axis=0) >= LEAST_SHARE * len(value))
    median = np.nanmedian(value[:, enough], axis=0) if len(enough) else np.zeros(0)
    drawn = np.zeros(value.shape[1], dtype=bool)
    drawn[enough[np.argsort(-median, kind="stable")[:n]]] = True
    return drawn

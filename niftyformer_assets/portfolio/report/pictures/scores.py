"""The pictures of scores against what then happened. Shapes: T sessions, D deciles."""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.pictures import legend, png
from niftyformer_assets.portfolio.report.pictures.style import MODEL, OTHERS, PALE, QUIET, canvas, finish

SMOOTH_SESSIONS = 20


def ic_picture(dates: np.ndarray, rank_ic: np.ndarray) -> bytes:
    """Rank IC of each session's scores [T], its mean over the last sessions, and its running sum.

    A session without a coefficient is NaN and adds nothing.
    """
    drawn = canvas(4.0)
    upper, lower = drawn.subplots(2, 1, sharex=True)
    upper.bar(dates, np.nan_to_num(rank_ic), color=PALE, width=1.0, label="each session")
    smooth = pd.Series(rank_ic).rolling(SMOOTH_SESSIONS, min_periods=SMOOTH_SESSIONS // 2).mean()
    upper.plot(dates, smooth, color=MODEL, linewidth=1.8, label=f"mean of the last {SMOOTH_SESSIONS}")
    upper.axhline(0, color=QUIET, linewidth=0.8)
    finish(upper, "Rank IC of the scores with the return of the session after they could be traded", "rank IC")
    legend(drawn)
    lower.plot(dates, np.nancumsum(rank_ic), color=MODEL, linewidth=1.8)
    lower.axhline(0, color=QUIET, linewidth=0.8)
    finish(lower, "The same, added up: a skill that lasts rises steadily", "sum of rank IC")
    return png(drawn)


def deciles_picture(mean: np.ndarray, error: np.ndarray) -> bytes:
    """Realised return by decile of the score.

    Args:
        mean: [D] mean return of a session above that of all stocks (a share), lowest scores first.
        error: [D] its standard error over sessions.
    """
    drawn = canvas(3.0)
    axes = drawn.subplots()
    places = np.arange(1, len(mean) + 1)
    axes.bar(places, 1e4 * mean, color=MODEL, width=0.7)
    axes.errorbar(places, 1e4 * mean, 1.96e4 * error, fmt="none", ecolor=OTHERS[1], elinewidth=1.2, capsize=3)
    axes.axhline(0, color=QUIET, linewidth=0.8)
    finish(axes, "Realised return by decile of the score, with 95% intervals", "bps a session above all", dated=False)
    axes.set_xticks(places)
    axes.set_xlabel("decile of the score: 1 lowest, 10 highest", fontsize=9, color=QUIET)
    return png(drawn)

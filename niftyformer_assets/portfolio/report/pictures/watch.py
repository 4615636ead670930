"""The picture of the watch: each figure's mean so far with what it may be, beside the backtest's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from niftyformer_assets.pictures import png
from niftyformer_assets.portfolio.report.pictures.style import LOSS, MODEL, PALE, RANDOM, canvas, finish


def watch_picture(sessions: Mapping[str, np.ndarray], figures: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    """A panel a figure.

    Args:
        sessions: datetime64 [n] of each figure by its name in words.
        figures: of each the values, and mean, low and high of those so far, float [n]; backtest, float [2], NaN where
            there is none; outside, bool [n].
    """
    drawn = canvas(2.1 * max(len(figures), 1))
    for axes, (name, of) in zip(np.atleast_1d(drawn.subplots(len(figures), 1)), figures.items(), strict=True):
        dates = sessions[name]
        if np.isfinite(of["backtest"]).all():
            axes.axhspan(*of["backtest"], color=RANDOM, zorder=0)
            axes.fill_between(dates, of["low"], of["high"], color=MODEL, alpha=0.12, linewidth=0)
        axes.plot(dates, of["values"], ".", color=PALE, markersize=4)
        axes.plot(dates, of["mean"], color=MODEL, linewidth=1.8)
        axes.plot(dates[of["outside"]], of["mean"][of["outside"]], ".", color=LOSS, markersize=6)
        reach = np.concatenate([of["values"], of["backtest"][np.isfinite(of["backtest"])]])
        if len(reach):
            margin = 0.1 * (reach.max() - reach.min()) or 0.01
            axes.set_ylim(reach.min() - margin, reach.max() + margin)
        finish(axes, f"{name}: mean so far, with what it may be, and the backtest's (grey)", name)
    return png(drawn)

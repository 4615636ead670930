"""The pictures of a backtest, each a PNG: what happened to the money.

Shapes: T sessions, N symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from niftyformer_assets.pictures import legend, png
from niftyformer_assets.portfolio.formatting import rupees
from niftyformer_assets.portfolio.report.pictures.style import (
    GAIN,
    LOSS,
    MODEL,
    OTHERS,
    PALE,
    QUIET,
    RANDOM,
    canvas,
    finish,
)
from niftyformer_assets.words import counted

HOLDINGS_SHOWN = 40


def equity_picture(
    dates: np.ndarray,
    curves: Mapping[str, np.ndarray],
    band: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> bytes:
    """Growth of 100 rupees.

    Args:
        dates: datetime64 [T].
        curves: name -> net asset values or index levels [T], the strategy first; NaN where there is none.
        band: the 5th, 50th and 95th percentile [T] of the net asset values of random portfolios.
    """
    drawn = canvas(4.4)
    axes = drawn.subplots()
    if band is not None:
        low, middle, high = (100 * curve / curve[0] for curve in band)
        axes.fill_between(dates, low, high, color=RANDOM, label="random names, 5th to 95th percentile")
        axes.plot(dates, middle, color=QUIET, linewidth=1.0, linestyle=":", label="random names, median")
    for place, (name, curve) in enumerate(curves.items()):
        first = curve[np.flatnonzero(np.isfinite(curve))[0]]
        colour, width, order = (MODEL, 2.0, 5) if place == 0 else (OTHERS[(place - 1) % len(OTHERS)], 1.2, 4)
        axes.plot(dates, 100 * curve / first, color=colour, linewidth=width, zorder=order, label=name)
    axes.axhline(100, color=PALE, linewidth=0.8, zorder=1)
    finish(axes, "Growth of ₹100", "rupees, after costs")
    legend(drawn)
    return png(drawn)


def drawdown_picture(dates: np.ndarray, curves: Mapping[str, np.ndarray]) -> bytes:
    """Drawdowns, 0 or less (name -> [T], a share), the strategy first."""
    drawn = canvas(2.8)
    axes = drawn.subplots()
    for place, (name, curve) in enumerate(curves.items()):
        down = 100 * curve
        if place == 0:
            axes.fill_between(dates, down, 0, color=MODEL, alpha=0.25, linewidth=0)
        axes.plot(dates, down, color=MODEL if place == 0 else OTHERS[place - 1], linewidth=1.3, label=name)
    finish(axes, "Drawdown", "% below the highest value so far")
    legend(drawn)
    return png(drawn)


def null_picture(null: np.ndarray, ours: float) -> bytes:
    """Where the return of the window (a share) stands among those of random portfolios [P]."""
    drawn = canvas(2.8)
    axes = drawn.subplots()
    axes.hist(100 * null, bins=40, color=PALE, edgecolor="white", linewidth=0.4)
    axes.axvline(100 * ours, color=MODEL, linewidth=2.2)
    left = ours <= np.median(null)
    axes.annotate(
        "this strategy",
        (100 * ours, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-6 if left else 6, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        color=MODEL,
        fontsize=9,
    )
    axes.margins(x=0.15)
    finish(axes, f"The strategy among {counted(len(null), 'portfolio')} of shuffled names", "portfolios", dated=False)
    axes.set_xlabel("return of the window after costs, %", fontsize=9, color=QUIET)
    return png(drawn)


def returns_picture(ours: np.ndarray, equal_weight: np.ndarray) -> bytes:
    """Distribution of the returns of sessions [T] of the strategy and of the equal-weight universe."""
    drawn = canvas(2.8)
    axes = drawn.subplots()
    both = 100 * np.concatenate([ours, equal_weight, [0.0]])
    edges = np.linspace(np.nanmin(both) - 0.01, np.nanmax(both) + 0.01, 41).tolist()
    axes.hist(100 * equal_weight, bins=edges, color=PALE, label="equal weight")
    axes.hist(100 * ours, bins=edges, histtype="step", color=MODEL, linewidth=1.8, label="strategy")
    axes.axvline(0, color=QUIET, linewidth=0.8)
    finish(axes, "Distribution of returns", "sessions", dated=False)
    axes.set_xlabel("return of a session, %", fontsize=9, color=QUIET)
    legend(drawn)
    return png(drawn)


def months_picture(months: Sequence[str], excess: np.ndarray, ic: np.ndarray) -> bytes:
    """Is it one lucky month? Excess return over equal weight (a share) and mean rank IC by month [M]."""
    drawn = canvas(3.6)
    upper, lower = drawn.subplots(2, 1, sharex=True)
    places = np.arange(len(months))
    for axes, values, title, unit in (
        (upper, 100 * excess, "Return of the month above the equal-weight universe", "percentage points"),
        (lower, ic, "Mean rank IC of the scores that were traded", "rank IC"),
    ):
        values = np.nan_to_num(values)
        axes.bar(places, values, color=np.where(values >= 0, GAIN, LOSS), width=0.7)
        axes.axhline(0, color=QUIET, linewidth=0.8)
        finish(axes, title, unit, dated=False)
    every = max(1, len(months) // 18)
    lower.set_xticks(places[::every], list(months)[::every], rotation=0 if len(months) <= 12 else 45)
    return png(drawn)


def holdings_picture(dates: np.ndarray, weights: np.ndarray, symbols: Sequence[str]) -> bytes:
    """Which stocks were held when: weights [T, N], the stocks held longest first."""
    held = (weights > 0).sum(axis=0)
    shown = np.argsort(-held, kind="stable")[: min(HOLDINGS_SHOWN, int((held > 0).sum()))]
    drawn = canvas(1.4 + 0.165 * max(len(shown), 4))
    axes = drawn.subplots()
    picture = np.where(weights[:, shown] > 0, 100 * weights[:, shown], np.nan).T
    image = axes.imshow(picture, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0)
    axes.set_yticks(range(len(shown)), [symbols[column] for column in shown], fontsize=7)
    ticks = np.unique(np.linspace(0, len(dates) - 1, 9).astype(int))
    axes.set_xticks(ticks, [str(day)[:10] for day in dates[ticks]], fontsize=8)
    more = int((held > 0).sum()) - len(shown)
    finish(
        axes, "Holdings" + (f" (the {len(shown)} held longest, {more} more not shown)" if more else ""), "", dated=False
    )
    axes.grid(visible=False)
    bar = drawn.colorbar(image, ax=axes, pad=0.01, aspect=40)
    bar.set_label("% of net asset value", fontsize=9, color=QUIET)
    bar.ax.tick_params(labelsize=8, colors=QUIET)
    return png(drawn)


def chosen_picture(share: np.ndarray, symbols: Sequence[str]) -> bytes:
    """How often each stock was held: share of the sessions [N], the most frequent first."""
    order = np.argsort(-share, kind="stable")
    order = order[share[order] > 0][:HOLDINGS_SHOWN]
    drawn = canvas(2.9)
    axes = drawn.subplots()
    axes.bar(np.arange(len(order)), 100 * share[order], color=MODEL, width=0.75)
    axes.set_xticks(np.arange(len(order)), [symbols[column] for column in order], rotation=90, fontsize=7)
    never = int((share == 0).sum())
    finish(axes, f"How often each stock was held ({never} of {len(share)} never)", "% of sessions", dated=False)
    return png(drawn)


def costs_picture(dates: np.ndarray, turnover: np.ndarray, costs: Mapping[str, np.ndarray]) -> bytes:
    """Turnover [T] (a share, one-sided), and rupees of costs [T] under each schedule, the one used first."""
    drawn = canvas(3.6)
    upper, lower = drawn.subplots(2, 1, sharex=True)
    upper.bar(dates, 100 * turnover, color=MODEL, width=1.0)
    finish(upper, "Turnover", "% of value, one-sided")
    for place, (name, paid) in enumerate(costs.items()):
        lower.plot(dates, np.cumsum(paid), color=MODEL if place == 0 else OTHERS[0], linewidth=1.6, label=name)
    finish(lower, "Costs paid so far", "rupees")
    lower.yaxis.set_major_formatter(lambda value, _: rupees(value))
    legend(drawn)
    return png(drawn)

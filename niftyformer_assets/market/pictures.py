"""Pictures for the metadata of the market's assets, as PNG bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from niftyformer_assets.market.panel import Panel
from niftyformer_assets.pictures import BLUE, figure, legend, png
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.words import counted

_COLOURS = {"ok": "#3a7d44", "warn": "#e0a030", "fail": "#b83232", "unavailable": "#9a9a9a"}
# More columns than this are averaged: a picture a person sees has no room for them.
_MAX_COLUMNS = 120


def coverage_picture(panel: Panel) -> bytes:
    """Which share of the sessions each symbol has a candle on, by symbol (row) and time (column)."""
    present = np.isfinite(panel.close)
    edges = np.unique(np.linspace(0, len(present), min(_MAX_COLUMNS, len(present)) + 1).astype(int))
    shares = np.add.reduceat(present, edges[:-1], axis=0) / np.diff(edges)[:, None]
    order = np.lexsort((np.arange(present.shape[1]), present.argmax(axis=0), present.sum(axis=0)))
    drawn = figure(8, 4)
    axes = drawn.subplots()
    image = axes.imshow(shares[:, order].T, aspect="auto", cmap="YlGnBu", vmin=0, vmax=1, interpolation="nearest")
    places = np.linspace(0, len(edges) - 2, min(6, len(edges) - 1)).astype(int)
    axes.set_xticks(places, [str(panel.axes.dates[edges[place]]) for place in places], fontsize=8)
    axes.set_ylabel(f"{counted(present.shape[1], 'symbol')}, fewest candles first")
    axes.set_title("Share of sessions with a candle")
    drawn.colorbar(image, ax=axes)
    return png(drawn)


def quality_picture(table: pd.DataFrame) -> bytes:
    """How many symbols got which verdict, and how many candles were quarantined by symbol."""
    worst = table[table["quarantined"] > 0].nlargest(15, "quarantined")[::-1]
    drawn = figure(8, 3)
    left, *right = drawn.subplots(1, 2 if len(worst) else 1, squeeze=False)[0]
    counts = table["verdict"].value_counts().reindex(list(_COLOURS), fill_value=0)
    bars = left.bar(counts.index, counts.to_numpy(), color=list(_COLOURS.values()))
    left.bar_label(bars)
    left.margins(y=0.12)
    left.set_title("Symbols by verdict" if len(worst) else "Symbols by verdict; no candle is quarantined")
    for axes in right:
        axes.barh(worst["symbol"], worst["quarantined"], color=_COLOURS["warn"])
        axes.set_ylim(-0.6, max(len(worst), 6) - 0.4)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title("Quarantined candles")
    return png(drawn)


def universe_picture(universe: pd.DataFrame) -> bytes:
    """Stocks by sector."""
    counts = universe.drop_duplicates("symbol", keep="last")["sector"].value_counts().sort_values()
    drawn = figure(7, 3.5)
    axes = drawn.subplots()
    axes.bar_label(axes.barh(counts.index, counts.to_numpy(), color=BLUE))
    axes.set_title(f"{counted(int(counts.sum()), 'stock')} by macro-economic sector")
    return png(drawn)


def benchmark_picture(benchmark: pd.DataFrame) -> bytes:
    """The index over time, with its total return where there is one, both starting at 100."""
    drawn = figure(8, 3)
    axes = drawn.subplots()
    for name, label in (("close", "price index"), ("total_return", "total return index")):
        known = benchmark[benchmark[name].notna()]
        if len(known):
            axes.plot(known["date"], 100 * known[name] / known[name].iloc[0], label=label, linewidth=1)
    axes.set_title("NIFTY 50, first session = 100")
    if len(benchmark):
        legend(drawn)
    return png(drawn)


def size_picture(size: np.ndarray, axes_of: Axes) -> bytes:
    """The middle and the spread of the size proxy over time."""
    drawn = figure(8, 3)
    axes = drawn.subplots()
    known = np.isfinite(size).any(axis=1)
    if known.any():
        low, middle, high = np.nanpercentile(size[known], (10, 50, 90), axis=1)
        days = axes_of.dates[known]
        axes.fill_between(days, low, high, color=BLUE, alpha=0.25, label="10th to 90th percentile")
        axes.plot(days, middle, color=BLUE, linewidth=1, label="median")
        legend(drawn)
    axes.set_title("log(close × 60-session mean volume)")
    return png(drawn)

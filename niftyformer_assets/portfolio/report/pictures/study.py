"""The pictures of a study, each a PNG: rank IC over years and horizons, the grid, and the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from niftyformer_assets.pictures import legend, png
from niftyformer_assets.portfolio.formatting import number
from niftyformer_assets.portfolio.report.pictures.style import (
    GAIN,
    INK,
    LOSS,
    MODEL,
    OTHERS,
    PALE,
    QUIET,
    canvas,
    finish,
)

# Beside the judged one, so many baselines still tell apart.
BASELINES_SHOWN = 5


def grouped_picture(title: str, groups: Sequence[str], values: Mapping[str, np.ndarray], below: str = "") -> bytes:
    """Mean rank IC of several contenders side by side.

    Args:
        groups: G names, such as years. values: contender -> [G], the judged one first; NaN where there is none.
        below: what the groups are.
    """
    shown = dict(list(values.items())[: BASELINES_SHOWN + 1])
    drawn = canvas(3.4)
    axes = drawn.subplots()
    width = 0.8 / len(shown)
    for place, (name, series) in enumerate(shown.items()):
        at = np.arange(len(groups)) + (place - (len(shown) - 1) / 2) * width
        colour = MODEL if place == 0 else OTHERS[(place - 1) % len(OTHERS)]
        axes.bar(at, np.nan_to_num(series), width * 0.92, color=colour, alpha=1 if place == 0 else 0.75, label=name)
    axes.axhline(0, color=QUIET, linewidth=0.8)
    finish(axes, title, "mean rank IC", dated=False)
    axes.set_xticks(range(len(groups)), list(groups))
    if below:
        axes.set_xlabel(below, fontsize=9, color=QUIET)
    legend(drawn)
    return png(drawn)


def grid_picture(
    rows: Sequence[str], columns: Sequence[str], names: tuple[str, str], panels: Mapping[str, np.ndarray]
) -> bytes:
    """A figure at each point of a grid of one or two settings.

    Args:
        rows, columns: values of the two settings; one row where a single setting varies. names: of the settings of
            rows and of columns. panels: figure -> [rows, columns]; NaN where there is none.
    """
    drawn = canvas(1.5 + 0.42 * len(rows) * (1 if len(rows) > 1 else 2))
    every = drawn.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, values) in zip(every, panels.items(), strict=True):
        size = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1.0
        axes.imshow(values, cmap="RdYlGn", vmin=-size or -1, vmax=size or 1, aspect="auto", alpha=0.75)
        for (row, column), value in np.ndenumerate(values):
            told = number(value, 3 if size < 0.5 else 2, signed=True)
            axes.text(column, row, told, ha="center", va="center", fontsize=9, color=INK)
        finish(axes, title, names[0], dated=False)
        axes.grid(visible=False)
        axes.set_xticks(range(len(columns)), list(columns))
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_xlabel(names[1], fontsize=9, color=QUIET)
    return png(drawn)


def seeds_picture(points: Sequence[str], rank_ic: Sequence[np.ndarray], sharpe: Sequence[np.ndarray]) -> bytes:
    """Each seed as a dot, and their mean: rank IC and Sharpe ratio of each point of the grid.

    Args:
        points: P names. rank_ic, sharpe: for each of them the figures of its seeds.
    """
    drawn = canvas(1.4 + 0.4 * max(len(points), 2))
    every = drawn.subplots(1, 2)
    for axes, title, figures in ((every[0], "Rank IC", rank_ic), (every[1], "Sharpe ratio", sharpe)):
        for place, values in enumerate(figures):
            axes.plot(values, np.full(len(values), place), "o", color=PALE, markersize=6, markeredgecolor=QUIET)
            axes.plot([np.nanmean(values)], [place], "|", color=MODEL, markersize=18, markeredgewidth=2.4)
        finish(axes, title, "", dated=False)
        axes.axvline(0, color=QUIET, linewidth=0.8)
        axes.set_yticks(range(len(points)), list(points))
        axes.set_ylim(len(points) - 0.4, -0.6)
        axes.grid(visible=False)
    every[1].set_yticks([])
    return png(drawn)


def windows_picture(windows: Sequence[str], rank_ic: np.ndarray, excess: np.ndarray) -> bytes:
    """Mean rank IC and return above equal weight (a share) of each window [W]: is it one lucky window?"""
    drawn = canvas(3.8)
    upper, lower = drawn.subplots(2, 1, sharex=True)
    for axes, values, title, unit in (
        (upper, rank_ic, "Mean rank IC of each window", "rank IC"),
        (lower, 100 * excess, "Return of each window above the equal-weight universe", "percentage points"),
    ):
        values = np.nan_to_num(values)
        axes.bar(range(len(values)), values, color=np.where(values >= 0, GAIN, LOSS), width=0.7)
        axes.axhline(0, color=QUIET, linewidth=0.8)
        finish(axes, title, unit, dated=False)
    every = max(1, len(windows) // 14)
    lower.set_xticks(range(0, len(windows), every), list(windows)[::every], rotation=45, ha="right")
    return png(drawn)

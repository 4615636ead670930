"""The picture of the comparison: figures with their intervals, one below the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from niftyformer_assets.pictures import png
from niftyformer_assets.portfolio.report.pictures.style import MODEL, PALE, QUIET, canvas, finish


def ranking_picture(
    names: Sequence[str], value: np.ndarray, low: np.ndarray, high: np.ndarray, model: np.ndarray
) -> bytes:
    """Return above equal weight (a share) with its 95% interval, best first.

    Args:
        value, low, high: [R]. model: bool [R], which rows are models.
    """
    drawn = canvas(1.0 + 0.24 * max(len(names), 3))
    axes = drawn.subplots()
    for place, (middle, left, right, ours) in enumerate(zip(value, low, high, model, strict=True)):
        colour = MODEL if ours else QUIET
        axes.plot([100 * left, 100 * right], [place, place], color=colour, linewidth=2.4 if ours else 1.3)
        axes.plot([100 * middle], [place], "o", color=colour, markersize=6 if ours else 4.5)
    axes.axvline(0, color=PALE, linewidth=1.2, zorder=0)
    finish(axes, "Return above the equal-weight universe, with 95% intervals", "", dated=False)
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False)
    axes.set_xlabel(
        "percentage points, after costs: of a year, or of a window that is shorter", fontsize=9, color=QUIET
    )
    return png(drawn)

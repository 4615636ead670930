"""How the pictures of the report look: the same colour for the same thing, units on every axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from niftyformer_assets.pictures import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, PALE = "#1b2733", "#6b7785", "#c9d1d9"
MODEL, RANDOM, GAIN, LOSS = "#1f5fa8", "#dfe5ec", "#2b7a4b", "#b3402f"
# Of Okabe and Ito, which are told apart without colour vision too; neighbours differ in lightness.
OTHERS = ("#d55e00", "#4a5560", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
WIDTH, DPI = 9.5, 144


def canvas(height: float) -> Figure:
    """An empty figure as wide as the report, of this height in inches."""
    drawn = figure(WIDTH, height)
    drawn.set_dpi(DPI)
    return drawn


def finish(axes: Axes, title: str, unit: str, *, dated: bool = True) -> None:
    """Title, unit of the vertical axis, light grid, and short dates below unless not `dated`."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold")
    axes.set_ylabel(unit, fontsize=9, color=QUIET)
    axes.tick_params(labelsize=8, colors=QUIET, labelcolor=INK)
    axes.grid(axis="y", color=PALE, linewidth=0.5, alpha=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(PALE)
    if dated:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=4, maxticks=10)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.xaxis.get_offset_text().set_fontsize(8)

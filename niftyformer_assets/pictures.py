"""Pictures as PNG bytes, without a display and without matplotlib's global state."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, PALE = "#33618d", "#a9c1d9"


def figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    empty = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(empty)
    return empty


def legend(drawn: Figure, columns: int = 3) -> None:
    """What the lines of all panels are, below them, where it covers none."""
    drawn.legend(loc="outside lower left", ncols=columns, frameon=False, fontsize=8)


def png(drawn: Figure) -> bytes:
    """The figure as PNG; the same drawing gives the same bytes."""
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def colours(count: int) -> np.ndarray:
    """A colour for each of `count` kinds: float [count, 4]; past 20 they repeat."""
    from matplotlib import colormaps

    return colormaps["tab20"](np.arange(count) % 20)

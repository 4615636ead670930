"""The picture of what a portfolio is exposed to. Shapes: T sessions."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from niftyformer_assets.pictures import legend, png
from niftyformer_assets.portfolio.report.pictures.style import MODEL, OTHERS, QUIET, canvas, finish


def exposures_picture(dates: np.ndarray, held: Mapping[str, np.ndarray], numbers: Collection[str]) -> bytes:
    """How far the holdings are from the universe at each close.

    Args:
        held: exposure -> [T], of `evidence.exposure.held_exposure`; NaN where nothing is held.
        numbers: the exposures that are numbers; the others are groups.
    """
    groups = [name for name in held if name not in numbers]
    rows = [kind for kind in (list(numbers), groups) if kind]
    drawn = canvas(2.8 * len(rows))
    panels = np.atleast_1d(drawn.subplots(len(rows), 1, sharex=True))
    colours = (MODEL, *OTHERS)
    colour = {name: colours[place % len(colours)] for place, name in enumerate(held)}
    for panel, names in zip(panels, rows, strict=True):
        for name in names:
            panel.plot(dates, held[name], color=colour[name], linewidth=1.4, label=name)
        panel.axhline(0, color=QUIET, linewidth=0.8)
        if names is groups:
            finish(panel, "Share of the holdings that is in other groups than the universe", "share")
            panel.set_ylim(0, 1)
        else:
            finish(panel, "Mean rank of the holdings less that of the universe, by exposure", "rank, −0.5 to 0.5")
            panel.set_ylim(-0.55, 0.55)
    legend(drawn)
    return png(drawn)

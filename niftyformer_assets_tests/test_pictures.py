"""Legends cover nothing."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.pictures import figure, legend, png


def test_a_legend_stands_outside_all_panels() -> None:
    drawn = figure(6, 4)
    panels = drawn.subplots(2, 1, sharex=True)
    for number in range(7):
        panels[number % 2].plot(np.arange(9), np.arange(9) * number, label=f"a line with a long name {number}")
    panels[1].set_xlabel("session")
    legend(drawn)
    png(drawn)
    box = drawn.legends[0].get_window_extent()
    assert len(drawn.legends[0].get_texts()) == 7
    for panel in panels:
        assert not box.overlaps(panel.get_tightbbox())
    assert drawn.bbox.contains(box.x0, box.y0) and drawn.bbox.contains(box.x1, box.y1)

"""How a training went, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from niftyformer_assets.pictures import figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def training_curves(history: pd.DataFrame, best: int) -> bytes:
    """Loss, validation MAE, accuracy and rank IC by epoch as PNG, each beside the trivial prediction's line.

    Args:
        history: `Trained.history`, or metrics.csv.
        best: the epoch whose weights were kept.
    """
    drawn = figure(11, 7)
    panels = drawn.subplots(2, 2, sharex=True)
    epoch = history["epoch"]
    for name in (column for column in map(str, history) if column.startswith("loss")):
        # The parts differ in size, and each moves by a few per cent: on one scale they would be flat lines.
        first = history[name].iloc[0]
        label = "all" if name == "loss" else name.removeprefix("loss_").replace("_", " ")
        panels[0, 0].plot(epoch, 100 * history[name] / first, label=f"{label} ({first:.3g} at first)")
    _finish(panels[0, 0], "training loss and its parts, % of the first epoch")
    panels[0, 1].plot(epoch, history["val_mae"], label="model")
    panels[0, 1].plot(epoch, history["val_mae_zero"], "--", color="grey", label="predict zero")
    _finish(panels[0, 1], "validation MAE")
    panels[1, 0].plot(epoch, history["val_accuracy"], label="model")
    panels[1, 0].plot(epoch, history["val_accuracy_majority"], "--", color="grey", label="majority class")
    _finish(panels[1, 0], "validation accuracy")
    panels[1, 1].plot(epoch, history["val_rank_ic"], label="all horizons")
    panels[1, 1].plot(epoch, history["val_rank_ic_last"], label="last horizon, traded")
    panels[1, 1].axhline(0, ls="--", color="grey", label="no skill")
    _finish(panels[1, 1], "validation rank IC")
    for panel in panels.flat:
        for line in panel.get_lines() if len(history) == 1 else []:
            line.set_marker("o")
        panel.axvline(best, lw=0.8, ls=":", color="black")
        panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in panels[1]:
        panel.set_xlabel("epoch")
    drawn.suptitle(f"the weights of epoch {best} (dotted) were kept")
    return png(drawn)


def _finish(panel: Axes, title: str) -> None:
    """Title, and between it and the lines what they are, so that it covers none."""
    lines = len(panel.get_lines())
    columns = 3 if lines <= 3 else 2
    panel.set_title(title, loc="left", fontsize="medium", pad=8 + 13 * -(-lines // columns))
    panel.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize="x-small", frameon=False, borderaxespad=0.2
    )

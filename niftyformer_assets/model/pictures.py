"""How a training went, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from niftyformer_assets.store.pictures import figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def training_curves(history: pd.DataFrame) -> bytes:
    """Loss, validation MAE, accuracy and rank IC by epoch as PNG, each beside the trivial prediction's line.

    Args:
        history: `Trained.history`, or metrics.csv.
    """
    drawn = figure(11, 6)
    panels = drawn.subplots(2, 2, sharex=True)
    epoch = history["epoch"]
    best = int(epoch.iloc[history["val_mae"].argmin()])
    for name in ("loss_mae", "loss_mae_low", "loss_cross_entropy", "loss_cross_entropy_low", "loss"):
        panels[0, 0].plot(epoch, history[name], label=name.removeprefix("loss_").replace("_", " "))
    panels[0, 0].set(title="training loss and its parts")
    panels[0, 1].plot(epoch, history["val_mae"], label="model")
    panels[0, 1].plot(epoch, history["val_mae_zero"], "--", color="grey", label="predict zero")
    panels[0, 1].set(title="validation MAE")
    for panel in panels[0]:
        _logarithmic(panel)
    panels[1, 0].plot(epoch, history["val_accuracy"], label="model")
    panels[1, 0].plot(epoch, history["val_accuracy_majority"], "--", color="grey", label="majority class")
    panels[1, 0].set(title="validation accuracy", xlabel="epoch")
    panels[1, 1].plot(epoch, history["val_rank_ic"], label="all horizons")
    panels[1, 1].plot(epoch, history["val_rank_ic_last"], label="last horizon, traded")
    panels[1, 1].axhline(0, ls="--", color="grey", label="no skill")
    panels[1, 1].set(title="validation rank IC", xlabel="epoch")
    for panel in panels.flat:
        panel.axvline(best, lw=0.8, ls=":", color="black")
        panel.legend(fontsize="small")
    drawn.suptitle(f"the weights of epoch {best} (dotted) were kept")
    return png(drawn)


def _logarithmic(panel: Axes) -> None:
    """A logarithmic scale with numbers on it, also where it spans less than a decade."""
    from matplotlib.ticker import MaxNLocator, NullFormatter

    panel.set_yscale("log")
    low, high = panel.get_ylim()
    if high < 10 * low:
        panel.yaxis.set_major_locator(MaxNLocator(6))
        panel.yaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_formatter("{x:g}")

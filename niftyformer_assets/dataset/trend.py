"""Did it rise? `trend_indicator.npz`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from niftyformer_assets import pictures
from niftyformer_assets.store.arrays import Axes, save_arrays

DIMS = {"result": "TN", "valid": "TN"}


def trend(returns: np.ndarray) -> dict[str, np.ndarray]:
    """Where the return is above 0, and where there is one.

    Args:
        returns: float [T, N], NaN where there is none.

    Returns:
        `result` int8 [T, N]: 1 if return > 0, else 0, also where it is missing, as the published
        loader wants it dense; `valid` bool [T, N]: False where there was no return.
    """
    return {"result": (returns > 0).astype(np.int8), "valid": np.isfinite(returns)}


def save_trend(path: Path, arrays: dict[str, np.ndarray], axes: Axes) -> None:
    """Write `trend_indicator.npz` with its sessions and symbols, and enter it in the folder's index."""
    save_arrays(path, arrays, axes, DIMS)


def trend_picture(arrays: dict[str, np.ndarray], axes: Axes, sessions: int = 20) -> bytes:
    """Which share of the stocks rose on each session, and its mean over the last `sessions`, as PNG."""
    count = arrays["valid"].sum(axis=1)
    share = np.where(count > 0, (arrays["result"] > 0).sum(axis=1) / np.maximum(count, 1), np.nan)
    figure = pictures.figure(10, 3.5)
    panel = figure.add_subplot()
    panel.scatter(axes.dates, 100 * share, s=5, color=pictures.PALE, label="session")
    if len(share) >= sessions:
        known = np.isfinite(share)
        window = np.ones(sessions)
        total = np.convolve(np.where(known, share, 0.0), window, mode="valid")
        with np.errstate(invalid="ignore"):
            mean = total / np.convolve(known, window, mode="valid")
        panel.plot(axes.dates[sessions - 1 :], 100 * mean, color=pictures.BLUE, label=f"mean of {sessions} sessions")
    panel.axhline(50, color="black", linewidth=0.5)
    panel.set_ylabel("stocks that rose (%)")
    pictures.legend(figure)
    return pictures.png(figure)

"""The flow of returns and its bands: `flow.npz`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from niftyformer_assets import pictures
from niftyformer_assets.dataset.settings import WaveletSettings, WindowSettings
from niftyformer_assets.dataset.wavelet import bands, low_matrices
from niftyformer_assets.factors.labels import NetOf
from niftyformer_assets.store.arrays import Axes, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError

DIMS = {
    "result": "TN", "low_freq": "WLN", "high_freq": "WLN", "low_matrix": "LL", "low_matrix_output": "HH",
    "market": "T", "beta": "TN", "sector": "TN", "member": "TN",
}  # fmt: skip


def flow(
    returns: np.ndarray,
    axes: Axes,
    windows: WindowSettings,
    wavelet: WaveletSettings,
    exposures: NetOf | None = None,
    member: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Returns as the published loader wants them, and the bands of every window.

    Args:
        returns: float [T, N], NaN where there is none.
        exposures: what labels are net of, where one is net of anything.
        member: bool [T, N], who takes part, where that is not everybody on all sessions.

    Returns:
        `result` float64 [T, N], missing = 0; `low_freq` and `high_freq` float64 [windows, T1, N],
        window w being sessions w … w+T1-1; `low_matrix` [T1, T1] and `low_matrix_output` [T2, T2],
        the fixed matrices of the low band. A stock without any return is 0 throughout: the
        `valid` array of the trend indicator says so. Where a label is net of something, `market`,
        `beta` and `sector` too, as `labels.NetOf` has them; and `member` where it is given.

    Raises:
        NiftyFormerError: fewer sessions than a window, an unfit wavelet, or an infinite return.
    """
    refuse_infinite(returns, axes)
    matrix, matrix_output = low_matrices(windows, wavelet)
    result = np.nan_to_num(returns.astype(np.float64), nan=0.0)
    low, high = bands(result, matrix)
    return {
        "result": result,
        "low_freq": low,
        "high_freq": high,
        "low_matrix": matrix,
        "low_matrix_output": matrix_output,
        **({} if exposures is None else vars(exposures)),
        **({} if member is None else {"member": member}),
    }


def save_flow(path: Path, arrays: dict[str, np.ndarray], axes: Axes) -> None:
    """Write `flow.npz` with its sessions and symbols, and enter it in the folder's index."""
    save_arrays(path, arrays, axes, {name: DIMS[name] for name in arrays})


def refuse_infinite(returns: np.ndarray, axes: Axes) -> None:
    """Raise where a return is infinite: a price of 0 got through, and 0 or a mask would hide it."""
    if returns.shape != axes.shape:
        raise ValueError(f"returns have shape {returns.shape}, the axes {axes.shape}")
    if np.isinf(returns).any():
        session, stock = np.argwhere(np.isinf(returns))[0]
        raise NiftyFormerError(
            f"the return of {axes.symbols[stock]} on {axes.dates[session]} is infinite: "
            "a close of 0 is in its candles; fetch them again or leave the symbol out."
        )


def flow_picture(arrays: dict[str, np.ndarray], axes: Axes, symbol: str | None = None, sessions: int = 120) -> bytes:
    """One stock's return split in bands, as PNG: the last window, and each window's end over time.

    The right side shows the bands of session t as known on t, from the window that ends there.
    Without a symbol it is the stock with the most returns that are not 0.
    """
    result, low, high = arrays["result"], arrays["low_freq"], arrays["high_freq"]
    stock = axes.symbols.index(symbol) if symbol else int(np.argmax(np.count_nonzero(result, axis=0)))
    length = low.shape[1]
    figure = pictures.figure(11, 5)
    panels = figure.subplots(3, 2, sharex="col", sharey="col", squeeze=False)
    last_dates, end_dates = axes.dates[-length:], axes.dates[length - 1 :][-sessions:]
    rows = (
        ("return", result[-length:, stock], result[length - 1 :, stock]),
        ("low band", low[-1, :, stock], low[:, -1, stock]),
        ("high band", high[-1, :, stock], high[:, -1, stock]),
    )
    for (name, window, ends), (left, right) in zip(rows, panels, strict=True):
        left.bar(np.arange(1, length + 1), 100 * window, color=pictures.BLUE)
        right.plot(end_dates, 100 * ends[-sessions:], color=pictures.BLUE, linewidth=0.9)
        left.set_xlim(0, length + 1)
        left.set_ylabel(f"{name} (%)")
        for panel in (left, right):
            panel.axhline(0, color="black", linewidth=0.5)
    panels[0, 0].set_title(f"{axes.symbols[stock]}: the window {last_dates[0]} to {last_dates[-1]}")
    panels[0, 1].set_title("last session of each window")
    panels[2, 0].set_xlabel("session of the window")
    panels[2, 1].tick_params(axis="x", rotation=30)
    return pictures.png(figure)

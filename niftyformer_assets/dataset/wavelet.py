"""A window's low and high band, as fixed matrices.

Decomposing a window with zero padding, dropping the details and rebuilding is linear, so for a
given length it is one matrix. Each window is decomposed by itself: nothing beyond it is seen.
Decomposing the whole series at once would let every window see the future. (Published Stockformer:
sym2, level 1.)
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from niftyformer_assets.dataset.settings import WaveletSettings, WindowSettings
from niftyformer_assets.dataset.windows import sliding_windows
from niftyformer_assets.store.errors import NiftyFormerError


def low_matrix(length: int, settings: WaveletSettings) -> np.ndarray:
    """The low band of `length` sessions: float64 [length, length], `low = matrix @ values`.

    The high band is what is left, `values - low`.

    Raises:
        NiftyFormerError: PyWavelets knows no such discrete wavelet.
    """
    import pywt

    wavelet = _wavelet(settings)
    with warnings.catch_warnings():
        # Two predicted sessions are shorter than any filter; published as it is, and well defined.
        warnings.filterwarnings("ignore", message="Level value of")
        approximation, *details = pywt.wavedec(np.eye(length), wavelet, mode="zero", level=settings.level, axis=0)
        kept = [approximation, *(np.zeros_like(detail) for detail in details)]
        return pywt.waverec(kept, wavelet, mode="zero", axis=0)[:length]


def low_matrices(windows: WindowSettings, settings: WaveletSettings) -> tuple[np.ndarray, np.ndarray]:
    """The matrices of the input window [T1, T1] and of the T2 labels [T2, T2].

    Labels that are no series over sessions have no bands: their matrix leaves them as they are.

    Raises:
        NiftyFormerError: no such wavelet, or it is too long for the input window at this level. The
            predicted sessions may be shorter than the filter, as the published 2 are.
    """
    import pywt

    deepest = pywt.dwt_max_level(windows.input_sessions, _wavelet(settings).dec_len)
    if settings.level > deepest:
        raise NiftyFormerError(
            f"wavelet {settings.wavelet} at level {settings.level} is too long for a window of "
            f"{windows.input_sessions} sessions, which has room for level {deepest}: choose a shorter wavelet, "
            "a lower wavelet.level or a longer windows.input_sessions."
        )
    count = len(windows.labels)
    output = low_matrix(count, settings) if windows.over_sessions else np.eye(count)
    return low_matrix(windows.input_sessions, settings), output


def bands(values: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split every window of an array in its bands; works for returns [T, N] and factors [T, N, F] alike.

    Args:
        values: float [T, ...], dense (missing = 0).
        low: the matrix of the window, [T1, T1].

    Returns:
        The low and the high band, each [windows, T1, ...], whose sum is the window.

    Raises:
        NiftyFormerError: fewer sessions than a window.
    """
    windows = sliding_windows(np.ascontiguousarray(values), len(low))
    flat = windows.reshape(*windows.shape[:2], -1) if windows.ndim > 3 else windows
    low_band = np.matmul(low, flat).reshape(windows.shape)
    return low_band, windows - low_band


def _wavelet(settings: WaveletSettings) -> Any:
    import pywt

    try:
        return pywt.Wavelet(settings.wavelet)
    except (ValueError, TypeError) as error:
        raise NiftyFormerError(
            f"wavelet.wavelet is {settings.wavelet!r}, which is no discrete wavelet of PyWavelets: "
            "use one such as sym2, db4 or coif1 (`pywt.wavelist(kind='discrete')` names all)."
        ) from error

from __future__ import annotations

import numpy as np
import pytest
import pywt

from niftyformer_assets.dataset.settings import WaveletSettings, WindowSettings
from niftyformer_assets.dataset.wavelet import bands, low_matrices, low_matrix
from niftyformer_assets.store.errors import NiftyFormerError

from ..shared_data import shared
from .made_up import returns


def rebuilt(window: np.ndarray, wavelet: str, level: int, keep: str) -> np.ndarray:
    approximation, *details = pywt.wavedec(window, wavelet, mode="zero", level=level, axis=0)
    if keep == "low":
        details = [np.zeros_like(detail) for detail in details]
    else:
        approximation = np.zeros_like(approximation)
    return pywt.waverec([approximation, *details], wavelet, mode="zero", axis=0)[: len(window)]


@pytest.mark.parametrize(
    ("wavelet", "level", "length"),
    [("sym2", 1, 20), ("sym2", 2, 20), ("haar", 4, 20), ("db4", 1, 21), ("coif1", 2, 33), ("bior2.2", 1, 20)],
)
def test_every_window_equals_pywt(wavelet: str, level: int, length: int) -> None:
    values = np.nan_to_num(returns(sessions=60, symbols=5))
    matrix, _ = low_matrices(WindowSettings(input_sessions=length), WaveletSettings(wavelet, level))
    low, high = bands(values, matrix)
    assert low.shape == high.shape == (60 - length + 1, length, 5)
    for number in range(len(low)):
        window = values[number : number + length]
        np.testing.assert_allclose(low[number], rebuilt(window, wavelet, level, "low"), rtol=0, atol=1e-12)
        np.testing.assert_allclose(high[number], rebuilt(window, wavelet, level, "high"), rtol=0, atol=1e-12)
        np.testing.assert_allclose(low[number] + high[number], window, rtol=0, atol=1e-16)


def test_the_published_matrices() -> None:
    inputs, outputs = low_matrices(WindowSettings(), WaveletSettings())
    np.testing.assert_allclose(outputs, [[0.284, 0.375], [0.375, 0.717]], atol=1e-3)
    assert inputs.shape == (20, 20)
    for name in ("small", "medium"):
        with np.load(shared(f"golden/stockformer_{name}.npz")) as golden:
            np.testing.assert_allclose(inputs, golden["wavelet_low_T1"], rtol=0, atol=1e-12)
            np.testing.assert_allclose(outputs, golden["wavelet_low_T2"], rtol=0, atol=1e-12)


def test_the_published_bands() -> None:
    inputs, outputs = low_matrices(WindowSettings(), WaveletSettings())
    with np.load(shared("golden/stockformer_small.npz")) as golden:
        for sample, window in enumerate(golden["returns"]):
            low, high = bands(window, inputs)
            np.testing.assert_allclose(low[0], golden["low"][sample], atol=1e-6)
            np.testing.assert_allclose(high[0], golden["high"][sample], atol=1e-6)
        np.testing.assert_allclose(outputs @ golden["y"], golden["y_low"], atol=1e-6)


def test_factors_are_split_like_returns() -> None:
    factors = np.stack([returns(60, 4, seed, gaps=False) for seed in range(3)], axis=-1)
    matrix, _ = low_matrices(WindowSettings(), WaveletSettings())
    low, high = bands(factors, matrix)
    for factor in range(3):
        alone = bands(factors[..., factor], matrix)
        np.testing.assert_allclose(low[..., factor], alone[0], rtol=0, atol=1e-15)
        np.testing.assert_allclose(high[..., factor], alone[1], rtol=0, atol=1e-15)


@pytest.mark.parametrize(("wavelet", "level", "room"), [("sym2", 3, 2), ("db10", 1, 0), ("haar", 5, 4)])
def test_a_wavelet_too_long_for_the_window(wavelet: str, level: int, room: int) -> None:
    with pytest.raises(NiftyFormerError, match=f"{wavelet} at level {level} is too long .* room for level {room}"):
        low_matrices(WindowSettings(), WaveletSettings(wavelet, level))


@pytest.mark.parametrize("wavelet", ["sim2", "gaus1", ""])
def test_an_unknown_wavelet(wavelet: str) -> None:
    with pytest.raises(NiftyFormerError, match="no discrete wavelet"):
        low_matrix(20, WaveletSettings(wavelet))


def test_fewer_sessions_than_a_window() -> None:
    with pytest.raises(NiftyFormerError, match="8 sessions are fewer than a window of 20"):
        bands(np.zeros((8, 3)), np.eye(20))

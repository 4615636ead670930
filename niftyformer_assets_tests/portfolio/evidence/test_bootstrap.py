from __future__ import annotations

import math

import numpy as np
import pytest

from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.bootstrap import interval, stationary_indices


def mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=-1)


def test_blocks_have_geometric_lengths_and_wrap() -> None:
    n = 1000
    rows = stationary_indices(n, 200, np.random.default_rng(0))
    assert rows.shape == (200, n)
    assert rows.min() == 0
    assert rows.max() == n - 1
    follows = (np.diff(rows, axis=1) % n) == 1
    assert follows.mean() == pytest.approx(1 - n ** (-1 / 3), abs=0.01)
    assert np.bincount(rows.ravel(), minlength=n).std() / 200 < 0.3  # every session is drawn about as often


def test_interval_of_a_mean_is_that_of_theory() -> None:
    values = np.random.default_rng(1).normal(0.5, 2.0, 400)
    low, high = interval(mean, values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.06)
    assert high == pytest.approx(values.mean() + half, abs=0.06)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for repetition in range(200):
        low, high = interval(mean, rng.normal(1.0, 1.0, 120), resamples=300, seed=repetition)
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_dependence_widens_the_interval() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=2000)
    dependent = np.convolve(noise, np.ones(10), mode="valid")
    shuffled = rng.permutation(dependent)
    assert np.ptp(interval(mean, dependent)) > 1.8 * np.ptp(interval(mean, shuffled))


def test_series_are_resampled_together_and_missing_sessions_left_out() -> None:
    x = np.random.default_rng(4).normal(size=100)
    y = x.copy()
    y[7] = np.nan
    low, high = interval(lambda a, b: (a - b).mean(axis=-1), x, y)
    assert (low, high) == (0.0, 0.0)


def test_too_little_gives_no_interval() -> None:
    assert all(math.isnan(end) for end in interval(mean, np.ones(4)))
    assert all(math.isnan(end) for end in interval(metrics.sharpe, np.full(30, 0.01)))


def test_same_seed_same_interval() -> None:
    x = np.random.default_rng(5).normal(size=50)
    assert interval(mean, x, seed=1) == interval(mean, x, seed=1) != interval(mean, x, seed=2)

"""The figures beside those of SciPy and of arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from niftyformer_assets.model.metrics import measure, rank_ic


def test_rank_ic_is_spearmans_with_ties_and_gaps() -> None:
    rng = np.random.default_rng(0)
    value, label = rng.integers(0, 5, size=(2, 6, 3, 12)).astype(float)
    value[rng.random(value.shape) < 0.2] = np.nan
    label[rng.random(value.shape) < 0.2] = np.nan
    label[0, 0] = 1.0  # constant
    value[1, 1, 2:] = np.nan  # two pairs at most
    found = rank_ic(value, label)
    assert found.shape == (6, 3)
    assert np.isnan(found[0, 0]) and np.isnan(found[1, 1])
    for place in np.ndindex(6, 3):
        if place in ((0, 0), (1, 1)):
            continue
        both = np.isfinite(value[place]) & np.isfinite(label[place])
        expected = stats.spearmanr(value[place][both], label[place][both]).statistic
        assert found[place] == pytest.approx(expected)


def test_figures_by_hand() -> None:
    label = np.array([[[0.02, -0.01, 0.0, 0.03]]])
    value = np.array([[[0.01, 0.01, 0.01, 9.0]]])
    p_up = np.array([[[0.6, 0.6, 0.4, 0.0]]])
    known = np.array([[[True, True, True, False]]])
    figures = measure(value, p_up, label, known)
    assert figures["mae"] == pytest.approx(0.04 / 3)
    assert figures["rmse"] == pytest.approx(np.sqrt((0.01**2 + 0.02**2 + 0.01**2) / 3))
    assert figures["mape"] == pytest.approx((0.5 + 2) / 2)
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["mae_zero"] == pytest.approx(0.01)
    assert figures["accuracy_majority"] == pytest.approx(2 / 3)


def test_the_t_statistic_is_of_the_traded_horizon() -> None:
    rng = np.random.default_rng(1)
    label = rng.normal(size=(30, 2, 20))
    value = label * 0.3 + rng.normal(size=label.shape)
    figures = measure(value, np.full(label.shape, 0.5), label, np.ones(label.shape, dtype=bool))
    coefficients = rank_ic(value, label)[:, 1]
    expected = stats.ttest_1samp(coefficients, 0).statistic
    assert figures["rank_ic_last"] == pytest.approx(coefficients.mean())
    assert figures["rank_ic_last_t"] == pytest.approx(expected)


def test_nothing_known_is_nan() -> None:
    empty = np.zeros((2, 1, 4))
    figures = measure(empty, empty, empty, np.zeros(empty.shape, dtype=bool))
    assert all(np.isnan(figure) for figure in figures.values())

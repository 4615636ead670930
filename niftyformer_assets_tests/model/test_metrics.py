"""The figures beside those of SciPy and of arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.model.metrics import measure


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

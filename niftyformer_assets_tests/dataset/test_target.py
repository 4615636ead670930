from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from niftyformer_assets.dataset.target import target

from .made_up import returns


def test_return_is_kept() -> None:
    values = returns()
    np.testing.assert_array_equal(target(values, "return"), values)


@pytest.mark.parametrize(("label", "middle"), [("rank", np.nanmean), ("zscore", np.nanmedian)])
def test_each_session_is_centred_with_unit_variance_and_missing_stays_missing(label: str, middle: Any) -> None:
    values = returns()[1:]
    labels = target(values, label)  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.isnan(labels), np.isnan(values))
    np.testing.assert_allclose(middle(labels, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanvar(labels, axis=1), 1, atol=1e-12)


def test_ranks_by_hand() -> None:
    labels = target(np.array([[0.03, -0.01, np.nan, 0.02], [0.0, 0.0, 0.01, np.nan]]), "rank")
    step = 1 / np.sqrt(2 / 3)
    np.testing.assert_allclose(labels[0], [step, -step, np.nan, 0])
    # Ties share the mean of their places: 1.5, 1.5, 3.
    np.testing.assert_allclose(labels[1], [-np.sqrt(0.5), -np.sqrt(0.5), np.sqrt(2), np.nan])


def test_zscore_by_hand() -> None:
    np.testing.assert_allclose(target(np.array([[0.01, 0.03]]), "zscore"), [[-1, 1]])
    # Skewed: above the median is above 0, though the third is below the mean.
    deviation = np.std([0.0, 0.01, 0.02, 0.13, 0.005])
    expected = np.array([-0.01, 0, 0.01, 0.12, -0.005]) / deviation
    np.testing.assert_allclose(target(np.array([[0.0, 0.01, 0.02, 0.13, 0.005]]), "zscore"), [expected])


@pytest.mark.parametrize("label", ["rank", "zscore"])
def test_a_session_without_spread_has_labels_of_zero(label: str) -> None:
    values = np.array([[0.1, 0.1, 0.1], [np.nan, 0.02, np.nan], [np.nan, np.nan, np.nan]])
    labels = target(values, label)  # type: ignore[arg-type]
    np.testing.assert_array_equal(labels, [[0, 0, 0], [np.nan, 0, np.nan], [np.nan] * 3])


@pytest.mark.parametrize("label", ["return", "rank", "zscore"])
def test_a_sessions_labels_depend_on_that_session_alone(label: str) -> None:
    values = returns()
    np.testing.assert_array_equal(target(values[:50], label), target(values, label)[:50])  # type: ignore[arg-type]


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(ValueError, match="return, rank or zscore"):
        target(returns(), "median")  # type: ignore[arg-type]

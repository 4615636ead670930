"""Labels by hand, what they may look at, and which part of an experiment each belongs to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from niftyformer_assets.factors.labels import LABELS, RANK, RETURN, Label, ahead, label_named, ranks, zscores
from niftyformer_assets_tests.dataset.made_up import returns


def held(values: np.ndarray, horizon: int) -> np.ndarray:
    """The return from the close of the next session, the first possible fill, over `horizon` sessions."""
    return np.prod([1 + ahead(values, 1 + step) for step in range(1, horizon + 1)], axis=0) - 1


def careless(values: np.ndarray, horizon: int) -> np.ndarray:
    """The mean of what is there, even before all of it is known."""
    return np.nan_to_num(np.stack([ahead(values, 1 + step) for step in range(horizon)])).mean(axis=0)


HELD = Label("held", RETURN, lambda horizon: range(2, horizon + 2), held)
CARELESS = Label("careless", RANK, lambda horizon: range(1, horizon + 1), careless)
ALL = (*LABELS.values(), HELD, CARELESS)
NAMES = [label.name for label in ALL]


def test_the_published_label_is_the_return_of_the_session_ahead() -> None:
    values = returns()
    labels = LABELS["return"].of(values, (1, 2))
    for place, horizon in enumerate((1, 2)):
        np.testing.assert_array_equal(labels.array[:-horizon, place], values[horizon:])
        assert np.isnan(labels.array[-horizon:, place]).all()
    assert labels.known_on[[0, 7]].tolist() == [[1, 2], [8, 9]]
    np.testing.assert_array_equal(labels.by_session_known(2)[2:], values[2:])
    assert np.isnan(labels.by_session_known(2)[:2]).all()


@pytest.mark.parametrize("name", ["rank", "zscore"])
def test_it_may_be_ranked_or_standardised_among_the_stocks_of_that_session(name: str) -> None:
    values = returns()
    expected = {"rank": ranks, "zscore": zscores}[name](values)
    np.testing.assert_array_equal(LABELS[name].of(values, (2,)).array[:-2, 0], expected[2:])


def test_a_label_by_hand_that_is_held_from_the_first_fill() -> None:
    values = np.array([[0.5, 0.1], [0.5, 0.1], [0.1, np.nan], [0.2, 0.1], [0.3, 0.2]])
    labels = HELD.of(values, (1, 2))
    np.testing.assert_allclose(labels.array[:, 0, 0], [0.1, 0.2, 0.3, np.nan, np.nan])
    np.testing.assert_allclose(labels.array[:, 1, 0], [1.1 * 1.2 - 1, 1.2 * 1.3 - 1, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(labels.array[:, 1, 1], [np.nan, 1.1 * 1.2 - 1, np.nan, np.nan, np.nan])
    assert labels.known_on[0].tolist() == [2, 3]


@pytest.mark.parametrize("label", ALL, ids=NAMES)
def test_a_label_depends_on_its_own_sessions_alone_and_is_there_when_they_are_over(label: Label) -> None:
    values, horizons = returns(), (1, 2, 5)
    labels = label.of(values, horizons)
    cut = label.of(values[:90], horizons)
    known = (cut.known_on < 90)[..., None]
    np.testing.assert_array_equal(cut.array, np.where(known, labels.array[:90], np.nan))
    for place, horizon in enumerate(horizons):
        sessions = label.sessions(horizon)
        changed = values.copy()
        changed[[session for session in range(len(values)) if session - 60 not in sessions]] = 7.0
        np.testing.assert_allclose(label.of(changed, (horizon,)).array[60, 0], labels.array[60, place])
        assert labels.known_on[60, place] == 60 + sessions[-1]


@pytest.mark.parametrize("label", ALL, ids=NAMES)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 6))
def test_a_label_belongs_to_the_part_that_all_its_sessions_are_of(
    label: Label, start: int, length: int, horizon: int
) -> None:
    part = slice(start, start + length)
    labels = label.of(np.zeros((60, 2)), (horizon,))
    sessions = [{made + ahead for ahead in label.sessions(horizon)} for made in range(60)]
    within = [of <= set(range(part.start, part.stop)) for of in sessions]
    assert labels.wholly_in(part)[:, 0].tolist() == within
    made_inside = [inside and made >= part.start for made, inside in enumerate(within)]
    place = label.made_and_known_in(part, horizon)
    assert [place.start <= made < place.stop for made in range(60)] == made_inside
    all_of = label.wholly_in(part, range(1, horizon + 1))
    each = label.of(np.zeros((60, 2)), range(1, horizon + 1)).wholly_in(part).all(axis=1)
    assert [all_of.start <= made < all_of.stop for made in range(60)] == each.tolist()


def test_a_horizon_longer_than_the_sessions_has_no_label() -> None:
    assert np.isnan(LABELS["return"].of(returns()[:3], (1, 5)).array[:, 1]).all()
    assert np.isnan(LABELS["return"].of(returns()[:3], (5,)).by_session_known(5)).all()


def test_a_step_says_from_which_close_to_which() -> None:
    assert [LABELS["rank"].step(horizon) for horizon in (1, 2)] == ["t+1", "t+2"]
    assert [HELD.step(horizon) for horizon in (1, 5)] == ["t+2", "t+1 to t+6"]


@pytest.mark.parametrize(("put", "middle"), [(ranks, np.nanmean), (zscores, np.nanmedian)])
def test_each_session_is_centred_with_unit_variance_and_missing_stays_missing(put, middle) -> None:  # type: ignore[no-untyped-def]
    values = returns()[1:]
    labels = put(values)
    np.testing.assert_array_equal(np.isnan(labels), np.isnan(values))
    np.testing.assert_allclose(middle(labels, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanvar(labels, axis=1), 1, atol=1e-12)


def test_ranks_by_hand() -> None:
    labels = ranks(np.array([[0.03, -0.01, np.nan, 0.02], [0.0, 0.0, 0.01, np.nan]]))
    step = 1 / np.sqrt(2 / 3)
    np.testing.assert_allclose(labels[0], [step, -step, np.nan, 0])
    # Ties share the mean of their places: 1.5, 1.5, 3.
    np.testing.assert_allclose(labels[1], [-np.sqrt(0.5), -np.sqrt(0.5), np.sqrt(2), np.nan])


def test_zscores_by_hand() -> None:
    np.testing.assert_allclose(zscores(np.array([[0.01, 0.03]])), [[-1, 1]])
    # Skewed: above the median is above 0, though the third is below the mean.
    deviation = np.std([0.0, 0.01, 0.02, 0.13, 0.005])
    expected = np.array([-0.01, 0, 0.01, 0.12, -0.005]) / deviation
    np.testing.assert_allclose(zscores(np.array([[0.0, 0.01, 0.02, 0.13, 0.005]])), [expected])


@pytest.mark.parametrize("put", [ranks, zscores])
def test_a_session_without_spread_has_labels_of_zero(put) -> None:  # type: ignore[no-untyped-def]
    values = np.array([[0.1, 0.1, 0.1], [np.nan, 0.02, np.nan], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(put(values), [[0, 0, 0], [np.nan, 0, np.nan], [np.nan] * 3])


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(ValueError, match="label 'median' is unknown: choose from return, rank, zscore"):
        label_named("median")

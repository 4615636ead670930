"""Labels by hand, what they may look at, and which part of an experiment each belongs to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from niftyformer_assets.factors.labels import (
    RETURN,
    UNITS,
    Label,
    Labels,
    NetOf,
    Outcomes,
    Span,
    ranks,
    session_labels,
    zscores,
)
from niftyformer_assets_tests.dataset.made_up import returns

RANK = UNITS["rank"]
HELD = Label("held", RETURN, (Span(1),)), Label("week", RETURN, (Span(5),))
MIX = Label("mix", RANK, (Span(1, "session"), Span(1), Span(5)))
ALL = (
    *session_labels(RETURN, (1, 2, 5)),
    *session_labels(RANK, (2,)),
    *session_labels(UNITS["zscore"], (1,)),
    *HELD,
    Label("net_of_market", RETURN, (Span(3, net_of="market"),)),
    Label("net_of_market_ranked", RANK, (Span(1, "session", "market"),)),
    Label("net_of_sector", RETURN, (Span(2, net_of="sector"),)),
    MIX,
    Label("mix_net", UNITS["zscore"], (Span(1, net_of="market"), Span(4, net_of="sector"))),
)
NAMES = [f"{label.name} {label.unit.kind.split()[-1]}" for label in ALL]


def outcomes(sessions: int | None = None) -> Outcomes:
    """Of the made-up market, with drawn betas and two sectors that one stock changes."""
    values = returns()[:sessions]
    beta = np.random.default_rng(5).normal(1, 0.3, size=(400, values.shape[1]))[: len(values)]
    sector = np.tile(np.arange(values.shape[1]) % 2, (len(values), 1))
    sector[70:, 0] = 1
    market = np.random.default_rng(6).normal(0, 0.01, size=400)[: len(values)]
    return Outcomes(values, NetOf(market, beta, sector))


def test_the_published_labels_are_the_returns_of_the_sessions_ahead() -> None:
    values = returns()
    labels = Labels.of(session_labels(RETURN, (1, 2)), Outcomes(values))
    for place, horizon in enumerate((1, 2)):
        np.testing.assert_array_equal(labels.array[:-horizon, place], values[horizon:])
        assert np.isnan(labels.array[-horizon:, place]).all()
    assert labels.known_on[[0, 7]].tolist() == [[1, 2], [8, 9]]
    np.testing.assert_array_equal(labels.by_session_known(1)[2:], values[2:])
    assert np.isnan(labels.by_session_known(1)[:2]).all()


@pytest.mark.parametrize("name", ["rank", "zscore"])
def test_they_may_be_ranked_or_standardised_among_the_stocks_of_that_session(name: str) -> None:
    values = returns()
    expected = {"rank": ranks, "zscore": zscores}[name](values)
    found = Labels.of(session_labels(UNITS[name], (2,)), Outcomes(values))
    np.testing.assert_array_equal(found.array[:-2, 0], expected[2:])


def test_what_is_held_from_the_first_fill_by_hand() -> None:
    values = np.array([[0.5, 0.1], [0.5, 0.1], [0.1, np.nan], [0.2, 0.1], [0.3, 0.2]])
    labels = Labels.of((HELD[0], Label("two", RETURN, (Span(2),))), Outcomes(values))
    np.testing.assert_allclose(labels.array[:, 0, 0], [0.1, 0.2, 0.3, np.nan, np.nan])
    # Compounded; and none where the return of one session is missing, whichever it is.
    np.testing.assert_allclose(labels.array[:, 1, 0], [1.1 * 1.2 - 1, 1.2 * 1.3 - 1, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(labels.array[:, 1, 1], [np.nan, 1.1 * 1.2 - 1, np.nan, np.nan, np.nan])
    assert labels.known_on[0].tolist() == [2, 3]


@pytest.mark.parametrize("horizon", [1, 2, 5, 20])
def test_what_is_held_is_the_change_of_the_close(horizon: int) -> None:
    close = np.cumprod(1 + np.random.default_rng(1).normal(0, 0.02, size=(60, 4)), axis=0)
    change = np.full(close.shape, np.nan)
    change[1:] = close[1:] / close[:-1] - 1
    found = Span(horizon).values(Outcomes(change))
    np.testing.assert_allclose(found[: -1 - horizon], close[1 + horizon :] / close[1:-horizon] - 1)
    assert np.isnan(found[-1 - horizon :]).all()
    # One session held from the first fill is the second session ahead, to the bit.
    np.testing.assert_array_equal(Span(1).values(Outcomes(change)), Span(2, "session").values(Outcomes(change)))


@pytest.mark.parametrize("kind", ["session", "held"])
@pytest.mark.parametrize("horizon", [1, 4])
def test_net_of_the_market_takes_beta_times_its_return_of_the_same_sessions(kind: str, horizon: int) -> None:
    given, span = outcomes(), Span(horizon, kind)
    assert given.exposures is not None
    found = replace(span, net_of="market").values(given)
    for made in (0, 33, 60):
        sessions = [made + ahead for ahead in span.sessions]
        earned, market = (np.prod(1 + of[sessions], axis=0) - 1 for of in (given.returns, given.exposures.market))
        np.testing.assert_allclose(found[made], earned - given.exposures.beta[made] * market, atol=1e-15)


def test_without_a_beta_there_is_nothing_net_of_the_market() -> None:
    given = outcomes()
    assert given.exposures is not None
    given.exposures.beta[40, 2] = np.nan
    found = Span(1, net_of="market").values(given)
    assert np.isnan(found[40, 2]) and np.isfinite(found[41, 2]) == np.isfinite(given.returns[43, 2])


def test_net_of_the_sector_by_hand() -> None:
    values = np.array([[0.0] * 6, [0.1, 0.3, 0.2, np.nan, 0.5, 0.7]])
    sector = np.array([[0, 0, 1, 1, 2, 2], [1, 1, 0, 0, 0, 0]])  # as of the session it is made on
    given = Outcomes(values, NetOf(np.zeros(2), np.ones((2, 6)), sector))
    # The third has no other of its sector to be held against.
    expected = [-0.1, 0.1, np.nan, np.nan, -0.1, 0.1]
    np.testing.assert_allclose(Span(1, "session", "sector").values(given)[0], expected)


def test_a_mixture_is_the_rank_of_the_sum_of_ranks() -> None:
    given = outcomes()
    spans = [ranks(span.values(given)) for span in MIX.of]
    expected = ranks(spans[0] + spans[1] + spans[2])[:-6]
    np.testing.assert_array_equal(MIX.values(given)[:-6], expected)
    assert np.isnan(MIX.values(given)[-6:]).all()
    # Where one of its parts is missing it is.
    for span in MIX.of:
        assert np.isnan(MIX.values(given)[np.isnan(span.values(given))]).all()


@pytest.mark.parametrize("label", ALL, ids=NAMES)
def test_a_label_depends_on_its_own_sessions_alone_and_is_there_when_they_are_over(label: Label) -> None:
    labels, cut = (Labels.of((label,), outcomes(sessions)) for sessions in (None, 90))
    known = (cut.known_on < 90)[..., None]
    np.testing.assert_array_equal(cut.array, np.where(known, labels.array[:90], np.nan))
    assert np.isfinite(cut.array[known[:, 0, 0]]).any()
    assert labels.known_on[60, 0] == 60 + label.sessions[-1]
    # What happens on others, or how a stock is exposed later, has no say.
    given = outcomes()
    assert given.exposures is not None
    others = [session for session in range(len(given.returns)) if session - 60 not in label.sessions]
    given.returns[others], given.exposures.market[others] = 7.0, 7.0
    given.exposures.beta[61:], given.exposures.sector[61:] = -3.0, 9
    np.testing.assert_allclose(label.values(given)[60], labels.array[60, 0])


@pytest.mark.parametrize("label", ALL, ids=NAMES)
def test_each_of_its_sessions_has_a_say(label: Label) -> None:
    before = label.values(outcomes())[60]
    for span in label.of:
        for session in span.sessions:
            given = outcomes()
            given.returns[60 + session] = -given.returns[60 + session] + np.linspace(-0.2, 0.3, given.returns.shape[1])
            assert not np.array_equal(label.values(given)[60], before, equal_nan=True)


@pytest.mark.parametrize("label", ALL, ids=NAMES)
@given(st.integers(0, 40), st.integers(1, 40))
def test_a_label_belongs_to_the_part_that_all_its_sessions_are_of(label: Label, start: int, length: int) -> None:
    part = slice(start, start + length)
    labels = Labels(np.zeros((60, 1, 2)), (label,))
    sessions = [{made + ahead for span in label.of for ahead in span.sessions} for made in range(60)]
    within = [of <= set(range(part.start, part.stop)) for of in sessions]
    assert labels.wholly_in(part)[:, 0].tolist() == within
    made_inside = [inside and made >= part.start for made, inside in enumerate(within)]
    place = label.made_and_known_in(part)
    assert [place.start <= made < place.stop for made in range(60)] == made_inside


def test_a_label_that_reaches_further_than_the_sessions_is_not_there() -> None:
    labels = Labels.of((*session_labels(RETURN, (1, 5)), Label("week", RETURN, (Span(5),))), Outcomes(returns()[:3]))
    assert np.isnan(labels.array[:, 1:]).all()
    assert np.isnan(labels.by_session_known(1)).all()


def test_a_step_says_from_which_close_to_which() -> None:
    assert [label.step for label in session_labels(RANK, (1, 2))] == ["t+1", "t+2"]
    assert [label.step for label in (*HELD, MIX)] == ["t+2", "t+1 to t+6", "t to t+6"]


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


@pytest.mark.parametrize(
    ("horizon", "kind", "message"),
    [(0, "held", "horizon must lie"), (251, "held", "horizon must lie"), (1, "median", "kind 'median' is unknown")],
)
def test_what_is_no_span_is_refused(horizon: int, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Span(horizon, kind)

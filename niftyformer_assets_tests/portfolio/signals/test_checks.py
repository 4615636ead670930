"""Each look at what a signal rests on finds what it is there for, and its neighbours, and nothing where all is well."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.signals.checks import (
    candles_complete,
    factors_as_in_training,
    graph_as_in_training,
    model_young_enough,
    predictions_differ,
    universe_as_the_models,
)

DAY = date(2024, 3, 1)
NAMES = tuple(f"S{number:03d}" for number in range(200))


def candles(missing: int, sessions: int = 20) -> np.ndarray:
    there = np.ones((sessions, len(NAMES)), dtype=bool)
    there[-1, :missing] = False
    return there


@pytest.mark.parametrize(("missing", "passes"), [(0, True), (1, True), (4, True), (5, False), (200, False)])
def test_candles_of_the_newest_session(missing: int, passes: bool) -> None:
    found = candles_complete(candles(missing), NAMES, DAY)
    assert found.passed is passes
    assert ("S000" in found.sentence) is (missing > 0)


def test_one_stock_may_be_suspended_however_few_there_are_and_who_left_long_ago_counts_no_more() -> None:
    few = candles(2)[:, :5]
    assert candles_complete(candles(1)[:, :5], NAMES[:5], DAY).passed
    assert not candles_complete(few, NAMES[:5], DAY).passed
    gone = np.ones((20, 5), dtype=bool)
    gone[5:, :3] = False
    assert candles_complete(gone, NAMES[:5], DAY).passed


@pytest.mark.parametrize("expected", [date(2024, 3, 4), date(2024, 2, 29)])
def test_the_newest_session_is_the_exchanges(expected: date) -> None:
    found = candles_complete(candles(0), NAMES, DAY, expected)
    assert not found.passed and "2024-03-01" in found.sentence and str(expected) in found.sentence
    assert candles_complete(candles(0), NAMES, DAY, DAY).passed


@pytest.mark.parametrize(
    ("trained", "now", "scored", "said"),
    [
        (NAMES, NAMES, NAMES[:150], ""),
        (NAMES, NAMES[1:], NAMES[1:], "1 stock fewer (S000)"),
        (NAMES[2:], NAMES, NAMES, "2 stocks more (S000, S001)"),
        (NAMES[1:], NAMES[:-1], NAMES[:-1], "1 stock fewer (S199) and 1 stock more (S000)"),
        (NAMES, NAMES, [*NAMES, "ODD"], "outside the universe (ODD)"),
    ],
)
def test_the_universe_is_the_models(trained: object, now: object, scored: object, said: str) -> None:
    found = universe_as_the_models(trained, now, scored)
    assert found.passed is (not said)
    assert said in found.sentence


def test_the_graph_is_the_one_of_training() -> None:
    assert graph_as_in_training(None, None).passed and graph_as_in_training("a", "a").passed
    assert not graph_as_in_training("a", "b").passed and not graph_as_in_training("a", None).passed


def panel(factors: int = 20) -> tuple[np.ndarray, np.ndarray, list[str]]:
    values = np.random.default_rng(0).normal(size=(60, 30, factors))
    return values, np.ones(values.shape, dtype=bool), [f"F{number}" for number in range(factors)]


def test_factors_as_in_training_are_let_pass_one_odd_one_is_named() -> None:
    values, valid, names = panel()
    assert factors_as_in_training(values, valid, names, slice(0, 40)).passed
    values[-1, 0, 3] = 50
    found = factors_as_in_training(values, valid, names, slice(0, 40))
    assert found.passed and "F3" in found.sentence


@pytest.mark.parametrize("what", ["high", "low", "scaled", "constant", "missing", "unknown of half"])
def test_factors_that_are_not_as_in_training(what: str) -> None:
    values, valid, names = panel()
    odd = slice(0, 3)  # of 20, more than a tenth
    if what in ("high", "low"):
        values[-1, 5, odd] = 40 if what == "high" else -40
    elif what == "scaled":
        values[-1, :, odd] *= 100
    elif what == "constant":
        values[-1, :, odd] = 0.25
    else:
        valid[-1, : (30 if what == "missing" else 15), odd] = False
    found = factors_as_in_training(values, valid, names, slice(0, 40))
    assert not found.passed and found.sentence.startswith("3 of 20 factors") and "F0" in found.sentence
    fine = factors_as_in_training(values[:-1], valid[:-1], names, slice(0, 40))
    assert fine.passed


def test_a_factor_that_was_the_same_for_all_in_training_may_be_so_again() -> None:
    values, valid, names = panel(4)
    values[:, :, 0] = 1.0
    assert factors_as_in_training(values, valid, names, slice(0, 40)).passed


@pytest.mark.parametrize(("most", "passes"), [(60, True), (59, False), (1, False), (366, True)])
def test_the_model_is_not_too_old(most: int, passes: bool) -> None:
    found = model_young_enough(date(2024, 1, 1), DAY, most)
    assert found.passed is passes and "60 days" in found.sentence


def predicted(day: str, values: list[float]) -> pd.DataFrame:
    rows = [
        (pd.Timestamp(day), pd.Timestamp("2024-03-05"), horizon, name, "later", value if horizon == 2 else number, 0.5)
        for number, (name, value) in enumerate(zip(NAMES, values, strict=False))
        for horizon in (1, 2)
    ]
    columns = ["date_made", "date_predicted", "horizon", "symbol", "split", "return", "p_up"]
    return pd.DataFrame(rows, columns=columns)


def test_predictions_of_the_newest_session_that_tell_stocks_apart() -> None:
    assert predictions_differ(predicted("2024-03-01", [0.1, 0.2]), DAY).passed
    # The label that is not traded may differ as it likes.
    constant = predictions_differ(predicted("2024-03-01", [0.1, 0.1]), DAY)
    assert not constant.passed and "the same of all 2 stocks" in constant.sentence
    old = predictions_differ(predicted("2024-02-29", [0.1, 0.2]), DAY)
    assert not old.passed and "2024-02-29" in old.sentence

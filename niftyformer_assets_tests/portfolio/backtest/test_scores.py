from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.scores import Scores, scores_from_predictions
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.markets import axes

AXES = axes(6, 4)


def predictions(column: str = "return") -> pd.DataFrame:
    """Two horizons for each session and symbol; the value says what it is for."""
    rows = [
        {
            "date_made": AXES.dates[t].item(),
            "date_predicted": (AXES.dates[t] + horizon).item(),
            "horizon": horizon,
            "symbol": symbol,
            "split": "test" if t < 4 else "later",
            column: 100.0 * horizon + 10 * t + column_number,
            "p_up": 0.5,
        }
        for t in range(6)
        for horizon in (1, 2)
        for column_number, symbol in enumerate(AXES.symbols)
    ]
    return pd.DataFrame(rows)


def expected() -> np.ndarray:
    return 200.0 + 10 * np.arange(6)[:, None] + np.arange(4)


@pytest.mark.parametrize("column", ["return", "score"])
def test_largest_horizon_by_name_whatever_the_order_of_rows(column: str) -> None:
    shuffled = predictions(column).sample(frac=1, random_state=0)
    np.testing.assert_array_equal(scores_from_predictions(shuffled, AXES).values, expected())


def test_symbols_of_the_axes_in_another_order_get_their_own_scores() -> None:
    other = type(AXES)(AXES.dates, AXES.symbols[::-1])
    np.testing.assert_array_equal(scores_from_predictions(predictions(), other).values, expected()[:, ::-1])


def test_dates_as_timestamps_do_as_well() -> None:
    frame = predictions()
    frame["date_made"] = pd.to_datetime(frame["date_made"])
    np.testing.assert_array_equal(scores_from_predictions(frame, AXES).values, expected())


def test_what_is_not_predicted_has_no_score() -> None:
    frame = predictions()
    gone = (frame["symbol"] == "S002") & (frame["date_made"] == AXES.dates[1].item())
    short = (frame["date_made"] == AXES.dates[5].item()) & (frame["horizon"] == 2)
    values = scores_from_predictions(frame[~gone & ~short], AXES).values  # noqa: PD011
    assert np.isnan(values[1, 2])
    assert np.isnan(values[5]).all()
    assert np.isfinite(values).sum() == 24 - 1 - 4


def test_one_split_and_one_period() -> None:
    values = scores_from_predictions(predictions(), AXES, split="test").values  # noqa: PD011
    assert np.isfinite(values).all(axis=1).tolist() == [True] * 4 + [False] * 2
    inner = type(AXES)(AXES.dates[2:5], AXES.symbols)
    np.testing.assert_array_equal(scores_from_predictions(predictions(), inner).values, expected()[2:5])


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    frame = predictions()
    missing_session = type(AXES)(np.delete(AXES.dates, 2), AXES.symbols)
    fewer = type(AXES)(AXES.dates, AXES.symbols[:3])
    cases = [
        (frame.drop(columns="return"), AXES, None, "return or score are needed"),
        (frame.drop(columns="split"), AXES, "test", "split"),
        (frame.iloc[:0], AXES, None, "no rows"),
        (frame, AXES, "validation", "no prediction of the validation sessions"),
        (frame, missing_session, None, f"{AXES.dates[2]}, which is no session"),
        (frame, fewer, None, "S003, which is no symbol"),
        (pd.concat([frame, frame.tail(1)]), AXES, None, "S003 has two predictions"),
    ]
    for table, on, split, words in cases:
        with pytest.raises(NiftyFormerError, match=words) as caught:
            scores_from_predictions(table, on, split)
        assert "\n" not in str(caught.value)


def test_infinite_is_no_score_and_shapes_are_checked() -> None:
    values = np.array([[1.0, np.inf], [-np.inf, np.nan]])
    assert np.isfinite(Scores(axes(2, 2), values).values).sum() == 1
    assert np.isinf(values).any()  # the caller's array is left alone
    with pytest.raises(ValueError, match="do not fit"):
        Scores(axes(2, 2), np.ones((2, 3)))

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.split import Period, SplitByDate, SplitByRatio
from niftyformer_assets.store.errors import NiftyFormerError

MVP = SplitByDate(
    Period(date(2022, 1, 1), date(2023, 12, 31)),
    Period(date(2024, 1, 1), date(2024, 4, 30)),
    Period(date(2024, 5, 1), date(2024, 8, 31)),
)


def test_the_plans_split_has_the_plans_sessions() -> None:
    dates = sessions(date(2021, 12, 1), date(2024, 10, 31))
    rows, split = MVP.resolve(dates)
    assert [split.sessions(part) for part in ("train", "validation", "test")] == [494, 82, 84]
    assert dates[rows][0] == np.datetime64("2022-01-03")
    assert split.later == slice(660, len(dates[rows]))
    assert [split.part_of(session) for session in (0, 493, 494, 576, 660)] == [
        "train",
        "train",
        "validation",
        "test",
        "later",
    ]


def test_sessions_between_parts_belong_to_none() -> None:
    dates = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
    split = SplitByDate(
        Period(date(2024, 1, 1), date(2024, 1, 3)),
        Period(date(2024, 1, 5), date(2024, 1, 6)),
        Period(date(2024, 1, 8), date(2024, 1, 9)),
    )
    parts = [split.resolve(dates)[1].part_of(session) for session in range(10)]
    assert parts == ["train"] * 3 + [None] + ["validation"] * 2 + [None] + ["test"] * 2 + ["later"]


def test_overlapping_windows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"validation starts on 2024-01-02.*overlap"):
        SplitByDate(
            Period(date(2024, 1, 1), date(2024, 1, 2)),
            Period(date(2024, 1, 2), date(2024, 1, 3)),
            Period(date(2024, 1, 4), date(2024, 1, 5)),
        )


def test_a_part_without_candles_says_what_is_at_hand() -> None:
    dates = sessions(date(2022, 1, 1), date(2024, 3, 28))
    with pytest.raises(NiftyFormerError, match=r"no session for test .*2022-01-03 to 2024-03-28"):
        MVP.resolve(dates)


def test_by_ratio() -> None:
    dates = np.arange("2024-01-01", "2024-01-31", dtype="datetime64[D]")
    rows, split = SplitByRatio(date(2024, 1, 6), date(2024, 1, 25), (0.75, 0.125, 0.125)).resolve(dates)
    assert (rows.start, rows.stop) == (5, 30)
    # 20 sessions: 15, round(2.5) = 2 for the test, the rest between.
    assert (split.train, split.validation, split.test, split.later) == (
        slice(0, 15),
        slice(15, 18),
        slice(18, 20),
        slice(20, 25),
    )
    with pytest.raises(ValueError, match="do not add up to 1"):
        SplitByRatio(date(2024, 1, 6), date(2024, 1, 25), (0.7, 0.2, 0.2))
    with pytest.raises(NiftyFormerError, match="cannot be split"):
        SplitByRatio(date(2024, 1, 6), date(2024, 1, 7), (0.75, 0.125, 0.125)).resolve(dates)

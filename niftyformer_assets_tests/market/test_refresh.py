from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from niftyformer_assets.market.candle_files import (
    CandleFile,
    from_rows,
    load_candles,
    read_candle_file,
    write_candle_file,
)
from niftyformer_assets.market.kite import MAX_DAYS, BrokenAnswer
from niftyformer_assets.market.refresh import Wanted, doubts, is_up_to_date, ranges, refreshed
from niftyformer_assets.store.errors import NiftyFormerError

DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(20)]


def rows(days: list[date], scale: float = 1.0) -> pd.DataFrame:
    return from_rows([(day, 10 * scale, 12 * scale, 9 * scale, 11 * scale, 100 + day.day) for day in days])


def wanted(through: int, final: int, first: int = 0) -> Wanted:
    days = DAYS[first : through + 1]
    return Wanted(DAYS[first], DAYS[through], DAYS[final], np.array(days, dtype="datetime64[D]"))


class Server:
    """Answers from a list of candles, and keeps what it was asked."""

    def __init__(self, candles: pd.DataFrame) -> None:
        self.candles = candles
        self.asked: list[tuple[date, date]] = []
        self.spoil: Callable[[pd.DataFrame], pd.DataFrame] = lambda answer: answer

    def __call__(self, first: date, last: date) -> pd.DataFrame:
        self.asked.append((first, last))
        inside = (self.candles["date"] >= np.datetime64(first)) & (self.candles["date"] <= np.datetime64(last))
        return self.spoil(self.candles[inside].reset_index(drop=True))


def file_of(candles: pd.DataFrame, through: int, final: int) -> CandleFile:
    return CandleFile(candles, DAYS[0], DAYS[through], DAYS[final])


def test_only_missing_sessions_and_an_overlap_are_asked() -> None:
    server = Server(rows(DAYS))
    fresh = refreshed(file_of(rows(DAYS[:11]), 10, 9), wanted(12, 9), server, overlap=3)
    # Final at hand are the sessions 0..9, so the overlap is 7, 8, 9; session 10 was not final.
    assert server.asked == [(DAYS[7], DAYS[12])]
    pd.testing.assert_frame_equal(fresh.candles, rows(DAYS[:13]))
    assert fresh.changes == ()


def test_a_close_that_was_not_final_is_replaced_without_further_ado() -> None:
    early = rows(DAYS[:11])
    early.loc[10, "close"] = 10.5
    server = Server(rows(DAYS))
    fresh = refreshed(file_of(early, 10, 9), wanted(10, 10), server, overlap=3)
    assert len(server.asked) == 1
    assert fresh.candles.loc[10, "close"] == 11
    assert fresh.changes == ()


def test_history_that_was_adjusted_is_fetched_again_as_a_whole() -> None:
    server = Server(rows(DAYS, scale=0.5))
    fresh = refreshed(file_of(rows(DAYS[:11]), 10, 10), wanted(12, 11), server, overlap=3)
    assert server.asked == [(DAYS[0], DAYS[12]), (DAYS[0], DAYS[12])]
    pd.testing.assert_frame_equal(fresh.candles, rows(DAYS[:13], scale=0.5))
    assert fresh.changes == (f"{DAYS[12]}: 11 of 11 candles at hand were changed by Kite",)


def test_an_adjustment_that_comes_late_is_noticed() -> None:
    """Kite mends the candles before session 5 only when these have long been final."""
    mended = pd.concat([rows(DAYS[:5], scale=0.5), rows(DAYS[5:])], ignore_index=True)
    fresh = refreshed(file_of(rows(DAYS[:15]), 14, 14), wanted(15, 15), Server(mended), overlap=3)
    pd.testing.assert_frame_equal(fresh.candles, mended[:16])
    assert fresh.changes == (f"{DAYS[15]}: 5 of 15 candles at hand were changed by Kite",)


def test_a_beginning_that_the_first_answer_lost_comes_the_next_day() -> None:
    first = refreshed(None, wanted(10, 10), Server(rows(DAYS[6:])), overlap=3)
    assert (len(first.candles), first.reason) == (5, "")
    second = refreshed(first, wanted(11, 11), Server(rows(DAYS)), overlap=3)
    pd.testing.assert_frame_equal(second.candles, rows(DAYS[:12]))


def test_an_early_part_that_came_empty_once_is_asked_again() -> None:
    days = [date(2015, 1, 1) + timedelta(days=number) for number in range(2500)]
    server = Server(rows(days))
    server.spoil = lambda answer: answer[:0] if len(server.asked) == 1 else answer
    want = Wanted(days[0], days[-1], days[-1], np.array(days, dtype="datetime64[D]"))
    assert len(refreshed(None, want, server, overlap=3).candles) == 2500
    # A stock listed late costs one request more, once.
    late = Server(rows(days[2200:]))
    assert len(refreshed(None, want, late, overlap=3).candles) == 300
    assert len(late.asked) == 3


def test_an_earlier_start_fetches_everything() -> None:
    held = CandleFile(rows(DAYS[5:11]), DAYS[5], DAYS[10], DAYS[10])
    server = Server(rows(DAYS))
    fresh = refreshed(held, wanted(10, 10), server, overlap=3)
    assert len(fresh.candles) == 11
    assert fresh.asked_from == DAYS[0]


@pytest.mark.parametrize(
    ("through", "final", "expected"), [(10, 9, True), (9, 9, True), (11, 9, False), (10, 10, False)]
)
def test_up_to_date(through: int, final: int, expected: bool) -> None:
    assert is_up_to_date(file_of(rows(DAYS[:11]), 10, 9), wanted(through, final)) is expected


def test_nothing_replaces_much_better_candles() -> None:
    held = file_of(rows(DAYS[:11]), 10, 10)
    for answer in (rows([]), rows(DAYS[:6]), rows(DAYS[:12], scale=-1)):
        with pytest.raises(BrokenAnswer, match="kept"):
            refreshed(held, wanted(11, 11), Server(answer), overlap=3)


def test_a_doubtful_answer_is_asked_for_again() -> None:
    server = Server(rows(DAYS))
    answers = iter([rows([*DAYS[:3], *DAYS[5:11]]), rows(DAYS[:11])])
    server.spoil = lambda _: next(answers)
    fresh = refreshed(None, wanted(10, 10), server, overlap=3)
    assert len(server.asked) == 2
    assert len(fresh.candles) == 11


def test_the_same_doubtful_answer_twice_is_believed_and_asked_once_more_on_a_later_day() -> None:
    holed = rows([*DAYS[:3], *DAYS[5:]])
    server = Server(holed)
    first = refreshed(None, wanted(10, 10), server, overlap=3)
    assert (len(server.asked), len(first.candles), first.settled) == (2, 9, 0)
    server.asked.clear()
    second = refreshed(first, wanted(11, 11), server, overlap=3)
    assert (len(server.asked), second.settled) == (1, 2)
    server.asked.clear()
    third = refreshed(second, wanted(12, 12), server, overlap=3)
    assert server.asked == [(DAYS[0], DAYS[12])]
    # And where the holes were Kite's passing mistake, they are filled.
    healed = refreshed(first, wanted(11, 11), Server(rows(DAYS)), overlap=3)
    assert (len(healed.candles), healed.settled, third.settled) == (12, 0, 2)


@given(st.integers(1, 6000), st.integers(1, 2500))
def test_ranges_cover_every_date_once(days: int, most: int) -> None:
    first = date(2010, 1, 1)
    parts = list(ranges(first, first + timedelta(days=days - 1), most))
    covered = [start + timedelta(days=number) for start, end in parts for number in range((end - start).days + 1)]
    assert covered == [first + timedelta(days=number) for number in range(days)]
    assert all((end - start).days < most for start, end in parts)


def test_long_histories_are_split_without_loss() -> None:
    days = [date(2015, 1, 1) + timedelta(days=number) for number in range(4500)]
    server = Server(rows(days))
    want = Wanted(days[0], days[-1], days[-1], np.array(days, dtype="datetime64[D]"))
    fresh = refreshed(None, want, server, overlap=5)
    assert len(server.asked) == 3
    assert all((last - first).days < MAX_DAYS for first, last in server.asked)
    pd.testing.assert_frame_equal(fresh.candles, rows(days))


def test_doubts_count_each_kind() -> None:
    sessions = np.array(DAYS, dtype="datetime64[D]")
    good = rows(DAYS[:5])
    assert doubts(good, sessions) == 0
    assert doubts(good.drop(index=2), sessions) == 1
    assert doubts(pd.concat([good, good.tail(1)]), sessions) == 1
    assert doubts(good.iloc[[0, 2, 1, 3, 4]], sessions) == 1
    assert doubts(good.assign(low=[9.0, -9.0, 9.0, 9.0, 9.0]), sessions) == 1
    assert doubts(good.assign(high=10.5), sessions) == 5
    assert doubts(good, sessions, np.array([DAYS[7]], dtype="datetime64[D]")) == 1


def test_the_file_keeps_types_and_notes(tmp_path: Path) -> None:
    path = tmp_path / "M&M.parquet"
    file = CandleFile(
        rows(DAYS[:3]), DAYS[0], DAYS[2], DAYS[1], reason="why", unlisted=True, changes=("a", "b"), settled=2
    )
    write_candle_file(path, file)
    before = path.read_bytes()
    again = read_candle_file(path)
    assert {name: str(dtype) for name, dtype in again.candles.dtypes.items()} == {
        "date": "datetime64[ms]",
        "open": "float64",
        "high": "float64",
        "low": "float64",
        "close": "float64",
        "volume": "int64",
    }
    assert (again.through, again.final_through, again.unlisted, again.changes, again.settled) == (
        DAYS[2],
        DAYS[1],
        True,
        ("a", "b"),
        2,
    )
    write_candle_file(path, again)
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", ["12", True, None, float("nan"), float("inf")])
def test_what_is_no_number_is_no_price(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        from_rows([(DAYS[0], value, 12, 9, 11, 100)])


def test_loading_many_names_what_is_missing(tmp_path: Path) -> None:
    write_candle_file(tmp_path / "A.parquet", file_of(rows(DAYS[:3]), 2, 2))
    write_candle_file(tmp_path / "B.parquet", CandleFile(rows([]), DAYS[0], DAYS[2], DAYS[2], reason="not listed"))
    write_candle_file(tmp_path / "C.parquet", file_of(rows(DAYS[:3]), 2, 2))
    (tmp_path / "C.parquet").write_bytes(b"broken")
    candles, reasons = load_candles({name: tmp_path / f"{name}.parquet" for name in "ABCD"})
    assert list(candles) == ["A"]
    assert reasons["B"] == "not listed"
    assert "C.parquet is damaged" in reasons["C"]
    assert reasons["D"] == "not fetched yet"
    with pytest.raises(NiftyFormerError, match=r"C\.parquet is damaged"):
        read_candle_file(tmp_path / "C.parquet")

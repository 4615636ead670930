"""One reading of dates for all files that people give."""

from __future__ import annotations

from datetime import date

import pytest

from niftyformer_assets.store.dates import day_of


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02",
        " 2024-01-02 ",
        "2024-01-02 00:00",
        "2024-01-02T00:00:00.000",
        "2024-01-02 00:00:00+05:30",
        "2024-01-02T00:00:00+0530",
        "2024-01-01 18:30:00+00:00",
        "2024-01-01T18:30:00Z",
        "2024-01-01 18:30 UTC",
        "2024-01-01 13:30:00-05:00",
        "02-Jan-2024",
        "2 January 2024",
        "02/JAN/2024",
    ],
)
def test_a_stamp_goes_to_its_session_in_india(text: str) -> None:
    assert day_of(text) == date(2024, 1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01 18:30:00",
        "2024-01-02 15:30",
        "2024-01-02T00:00:00Z",
        "2024-01-02 00:00:00+00:00",
        "2024-01-02 00:00:01",
        "2024-01-02 00:00:00.5",
        "2024-01-02 15:30:00+05:30",
    ],
)
def test_a_time_of_day_leaves_the_session_open(text: str) -> None:
    with pytest.raises(ValueError, match="no midnight in India"):
        day_of(text)


@pytest.mark.parametrize(
    "text",
    [
        *("02-01-2024", "01/02/2024", "31/12/2024", "02-Jan-24", "1704067200", "20240102"),
        *("2024-13-02", "2024-02-30", "30-Feb-2024", "02-Foo-2024", "2024-01", "2024-01-02 00:00:00 IST"),
        *("x", "", "nan", "NaT"),
    ],
)
def test_what_may_be_read_in_two_ways_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no date$"):
        day_of(text)

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.market import calendar, reference
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.shared_data import shared


def test_matches_the_real_sessions_of_2015_to_2025() -> None:
    path = shared("market_data/reference/nse_trading_days_2015_2025.txt")
    real = np.array(path.read_text().split(), dtype="datetime64[D]")
    ours = calendar.sessions(real[0].astype(object), date(2025, 12, 31))
    assert np.setxor1d(ours, real).tolist() == []


def test_before_2015_the_weekdays_are_those_of_real_candles_and_the_weekends_those_announced() -> None:
    candles = pd.read_parquet(shared("market_data/nse_daily_2010_2019.parquet"), columns=["date"])
    real = np.unique(candles["date"].to_numpy().astype("datetime64[D]"))
    ours = calendar.sessions(calendar.FIRST_COVERED, date(2014, 12, 31))
    assert sorted(set(real[real < np.datetime64("2015-01-01")]) - set(ours)) == []
    only_ours = [day.item() for day in np.setdiff1d(ours, real)]
    assert [day for day in only_ours if day.weekday() < 5] == []
    assert len(only_ours) == 6  # the candles lack the weekends


def test_special_sessions_are_sessions_and_weekends_are_not() -> None:
    for day in (
        "2012-04-28",
        "2013-11-03",
        "2024-01-20",
        "2024-03-02",
        "2024-05-18",
        "2025-02-01",
        "2026-02-01",
        "2026-11-08",
    ):
        assert calendar.is_session(date.fromisoformat(day)), day
    assert not calendar.is_session(date(2024, 1, 21))
    assert not calendar.is_session(date(2024, 1, 26))


@pytest.mark.parametrize("end", [date(2010, 6, 30), date(2027, 3, 1), date(2035, 1, 1)])
def test_a_date_outside_the_covered_years_is_an_error_that_says_so(end: date) -> None:
    with pytest.raises(NiftyFormerError, match=rf"{end} is (past|before) the NSE calendar"):
        calendar.sessions(min(end, date(2026, 1, 1)), end)


@pytest.mark.parametrize(
    ("moment", "complete", "final"),
    [
        ("2024-07-01T09:00", "2024-06-28", "2024-06-28"),  # Monday before the open
        ("2024-07-01T15:45", "2024-06-28", "2024-06-28"),  # the closing session still runs
        ("2024-07-01T16:00", "2024-07-01", "2024-06-28"),
        ("2024-07-02T05:59", "2024-07-01", "2024-06-28"),
        ("2024-07-02T06:00", "2024-07-01", "2024-07-01"),
        ("2024-11-01T17:00", "2024-10-31", "2024-10-31"),  # Muhurat trading has yet to begin
        ("2024-11-01T20:00", "2024-11-01", "2024-10-31"),
        ("2024-01-20T16:00", "2024-01-20", "2024-01-19"),  # a Saturday session
    ],
)
def test_which_session_is_over_and_which_close_is_final(moment: str, complete: str, final: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=IST)
    assert calendar.last_complete_session(now).isoformat() == complete
    assert calendar.last_final_session(now).isoformat() == final
    assert calendar.last_complete_session(now.astimezone(timezone.utc)).isoformat() == complete


@pytest.fixture
def holidays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[str]], None]]:
    """Enter dates in a copy of the tables; the calendar is read anew."""
    shutil.copytree(reference.REFERENCE, tmp_path / "reference")
    monkeypatch.setattr(reference, "REFERENCE", tmp_path / "reference")

    def enter(days: list[str]) -> None:
        (tmp_path / "reference" / "holidays.csv").write_text("\n".join(["date,name", *(f"{day},x" for day in days)]))
        calendar._calendar.cache_clear()

    yield enter
    calendar._calendar.cache_clear()


# Eight Tuesdays, whatever NSE will announce.
OF_2027 = [(date(2027, 1, 5) + timedelta(days=28 * number)).isoformat() for number in range(8)]


def test_holidays_entered_by_hand_open_the_next_year(holidays: Callable[[list[str]], None]) -> None:
    holidays(OF_2027)
    assert calendar.covered()[1] == date(2027, 12, 31)
    assert not calendar.is_session(date(2027, 1, 5))
    assert calendar.is_session(date(2027, 1, 6))
    assert not calendar.is_session(date(2026, 1, 26))
    with pytest.raises(NiftyFormerError, match="past the NSE calendar"):
        calendar.is_session(date(2028, 1, 3))


@pytest.mark.parametrize("last", ["2026-12-29", "2026-12-31", "2027-06-01"])
def test_sessions_to_come_end_with_the_calendar(holidays: Callable[[list[str]], None], last: str) -> None:
    holidays([])
    known = calendar.sessions(date(2026, 1, 1), date(2026, 12, 31))
    for count in (1, 2, 250):
        expected = known[known > np.datetime64(last)][:count]
        np.testing.assert_array_equal(calendar.sessions_to_come(np.datetime64(last), count), expected)


def test_a_year_of_too_few_holidays_is_refused(holidays: Callable[[list[str]], None]) -> None:
    holidays(OF_2027[:3])
    with pytest.raises(NiftyFormerError, match="3 weekday holidays in 2027"):
        calendar.is_session(date(2026, 1, 5))


def test_a_holiday_more_in_a_year_that_is_known_may_stand_alone(holidays: Callable[[list[str]], None]) -> None:
    holidays([])
    assert calendar.is_session(date(2026, 7, 8))
    holidays(["2026-07-08"])
    assert not calendar.is_session(date(2026, 7, 8))
    assert calendar.covered()[1] == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column 'date'"),
        ("date,kind,complete_from\n2026-11-08,x,20:00+05:30\n", "is not a time written as HH:MM"),
    ],
)
def test_a_table_of_special_sessions_that_cannot_be_read_is_one_line(
    holidays: Callable[[list[str]], None], content: str, said: str
) -> None:
    holidays([])
    (reference.REFERENCE / "special_sessions.csv").write_text(content)
    with pytest.raises(NiftyFormerError, match=said):
        calendar.is_session(date(2026, 1, 5))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        calendar.last_complete_session(datetime(2024, 7, 1, 12))


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, pkgutil, importlib, niftyformer_assets.market as m\n"
        "for i in pkgutil.iter_modules(m.__path__): importlib.import_module(f'{m.__name__}.{i.name}')\n"
        "heavy = ('torch', 'kiteconnect', 'matplotlib', 'pandas_market_calendars', 'dagster')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_reading_lists_needs_no_pandas() -> None:
    code = "import sys, niftyformer_assets.market.index_lists; print('pandas' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"

"""What kind of market a session lies in: only from what was known at its close, on dates that NSE had."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.evidence.pooled.regimes import (
    AROUND,
    MIN_BEFORE,
    NOT_KNOWN,
    TRAILING,
    around,
    expiry,
    expiry_weeks,
    read_events,
    regimes,
    thirds,
    trailing,
)
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.shared_data import shared

SESSIONS = np.busday_offset("2010-01-01", np.arange(4200), roll="forward")


def series(n: int = 900, seed: int = 0) -> pd.Series:
    days = pd.DatetimeIndex(SESSIONS[:n])
    return pd.Series(5000 * np.cumprod(1 + np.random.default_rng(seed).normal(0, 0.01, n)), index=days)


@pytest.mark.parametrize(
    ("month", "day"),
    [
        ("2015-01", "2015-01-29"),
        ("2018-03", "2018-03-28"),  # Thursday the 29th was a holiday
        ("2023-03", "2023-03-29"),  # Thursday the 30th was a holiday
        ("2024-02", "2024-02-29"),
        ("2025-08", "2025-08-28"),
        ("2025-09", "2025-09-30"),  # the first on a Tuesday
        ("2025-10", "2025-10-28"),
    ],
)
def test_monthly_expiries_of_the_index(month: str, day: str) -> None:
    text = shared("market_data/reference/nse_trading_days_2015_2025.txt").read_text().split()
    assert expiry(np.datetime64(month, "M"), np.array(text, dtype="datetime64[D]")) == np.datetime64(day)


def test_a_holiday_moves_an_expiry_to_the_session_before_it() -> None:
    month = np.datetime64("2014-07", "M")
    assert expiry(month, SESSIONS) == np.datetime64("2014-07-31")
    closed = SESSIONS[~np.isin(SESSIONS, np.array(["2014-07-31", "2014-07-30"], dtype="datetime64[D]"))]
    assert expiry(month, closed) == np.datetime64("2014-07-29")
    # Later than what is at hand: no holiday is known, and the last session is not taken for an expiry.
    assert expiry(month, SESSIONS[np.datetime64("2014-07-20") > SESSIONS]) == np.datetime64("2014-07-31")


def test_expiry_weeks_are_whole_weeks_of_five_sessions() -> None:
    inside = expiry_weeks(SESSIONS, SESSIONS)
    weeks = pd.Series(inside).groupby(pd.DatetimeIndex(SESSIONS).to_period("W"))
    assert set(weeks.nunique()) == {1}
    assert inside.mean() == pytest.approx(12 / 52.2, abs=0.01)
    # The week of 2024-02-26 with the expiry of 29 February reaches into March.
    assert inside[np.datetime64("2024-03-01") == SESSIONS].all()


def test_trailing_return_and_deviation_by_hand() -> None:
    index = series()
    ret, deviation = trailing(index, SESSIONS[:500])
    daily = index.pct_change()
    assert ret.iloc[200] == pytest.approx(index.iloc[200] / index.iloc[200 - TRAILING] - 1)
    assert deviation.iloc[200] == pytest.approx(daily.iloc[200 - TRAILING + 1 : 201].std())
    assert len(ret) == 500


def test_thirds_are_told_against_the_sessions_before_and_by_hand() -> None:
    values = series() - 5000
    told = thirds(values, SESSIONS[:900])
    assert (told[:MIN_BEFORE] == NOT_KNOWN).all()
    for t in (MIN_BEFORE, 300, 777):
        share = (values.iloc[:t] < values.iloc[t]).mean()
        assert told[t] == ("low" if share < 1 / 3 else "middle" if share < 2 / 3 else "high")


def test_nothing_later_changes_a_regime() -> None:
    index, events = series(), read_events()
    whole = regimes(SESSIONS[:900], index, events, SESSIONS)
    for t in (250, 600):
        garbled = index.copy()
        garbled.iloc[t + 1 :] *= 3
        early = regimes(SESSIONS[: t + 1], garbled, events, SESSIONS[: t + 1])
        for name, parts in whole.items():
            np.testing.assert_array_equal(parts[: t + 1], early[name], err_msg=name)


def test_a_session_that_the_index_lacks_has_the_regime_of_its_last_date() -> None:
    index = series()
    told = thirds(index.drop(index.index[400]), SESSIONS[:900])
    assert told[400] == told[399]
    assert (thirds(index[:0], SESSIONS[:10]) == NOT_KNOWN).all()


def test_sessions_around_an_event_that_falls_on_a_holiday_count_from_the_next_session() -> None:
    saturday = date(2015, 2, 28)
    inside = around(SESSIONS, [saturday], SESSIONS)
    monday = int(np.searchsorted(SESSIONS, np.datetime64("2015-03-02")))
    np.testing.assert_array_equal(np.flatnonzero(inside), np.arange(monday - AROUND, monday + AROUND + 1))
    assert not around(SESSIONS, [date(2001, 2, 28)], SESSIONS).any()
    # A budget to come is known ahead.
    early = SESSIONS[np.datetime64("2015-02-25") > SESSIONS]
    np.testing.assert_array_equal(around(early, [saturday], early), inside[: len(early)])


def test_the_table_of_events() -> None:
    events = read_events()
    assert events.elections == (date(2014, 5, 16), date(2019, 5, 23), date(2024, 6, 4))
    years = [day.year for day in events.budgets]
    assert sorted(set(years)) == list(range(2010, 2027))
    assert sorted(year for year in set(years) if years.count(year) == 2) == [2014, 2019, 2024]  # an interim one before
    assert date(2015, 2, 28) in events.budgets
    assert list(events.budgets) == sorted(events.budgets)


def test_budget_days_were_sessions() -> None:
    text = shared("market_data/reference/nse_trading_days_2015_2025.txt").read_text().split()
    events, sessions = read_events(), {date.fromisoformat(day) for day in text}
    inside = [day for day in (*events.budgets, *events.elections) if min(sessions) <= day <= max(sessions)]
    assert len(inside) > 12
    assert [day for day in inside if day not in sessions] == []


def test_a_damaged_table_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "budgets_and_elections.csv").write_text("date,event,source\n2014-02-30,union budget,a speech\n")
    with pytest.raises(NiftyFormerError, match=r"line 2.*2014-02-30"):
        read_events(tmp_path)

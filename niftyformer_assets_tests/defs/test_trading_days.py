"""The schedules tick on trading days."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from niftyformer_assets.defs import build
from niftyformer_assets.defs.automation.schedules import trading_days
from niftyformer_assets.market.calendar import IST, covered, sessions
from niftyformer_assets_tests.conftest import tiny_settings


def ticks(cron_of: dg.ScheduleDefinition, start: datetime, count: int) -> list[datetime]:
    """The next times at which the daemon would evaluate a schedule, as the web UI names them."""
    times = schedule_execution_time_iterator(
        start.timestamp(), cron_of.cron_schedule, cron_of.execution_timezone, ascending=True
    )
    return list(islice(times, count))


@pytest.mark.parametrize("name", ["daily_refresh", "daily_reference"])
def test_the_next_ticks_are_the_next_trading_days(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A year with a session on a Saturday (budget, 2025-02-01), and holidays on weekdays.
    start = datetime(2024, 12, 30, 20, tzinfo=IST)
    monkeypatch.setattr("niftyformer_assets.defs.datetime", FrozenAt(start))
    schedule = build(tiny_settings(tmp_path)).resolve_schedule_def(name)
    days = [session.item() for session in sessions(start.date() + timedelta(days=1), start.date().replace(year=2025))]
    found = ticks(schedule, start, 200)
    assert [tick.date() for tick in found] == days[:200]
    assert date(2025, 2, 1) in days[:200]
    assert {tick.strftime("%H:%M") for tick in found} == {"18:30" if name == "daily_refresh" else "18:20"}


class FrozenAt:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self, _zone: object) -> datetime:
        return self._moment


def test_where_holidays_are_not_known_yet_every_weekday_ticks() -> None:
    _, last = covered()
    *known, unknown = trading_days(last)
    assert len(known) == 1 and known[0].endswith(f" {last.month} *")
    assert unknown == f"* {','.join(map(str, range(1, 12)))} 1-5"
    assert dg.ScheduleDefinition(job_name="candles", cron_schedule=[f"30 18 {days}" for days in (*known, unknown)])

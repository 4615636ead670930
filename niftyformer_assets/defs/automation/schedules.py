"""When candles are refreshed by themselves: on trading days, so that the next tick in the web UI is one.

Cron knows weekdays but no holidays, so the days of each month are written out for the year to come; the
definitions load anew when a month has passed (`experiment_files.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby

import dagster as dg

from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError

# Trading ends at 15:30, the closing session at 16:00; Kite's candle of the day is complete by then.
REFRESH = time(18, 30)
AFTER_THE_CLOSE = f"{REFRESH.minute} {REFRESH.hour}"
BEFORE_THE_CANDLES = "20 18"
MONTHS_AHEAD = 12


def trading_days(today: date) -> tuple[str, ...]:
    """NSE's sessions of the twelve months from this one on as cron writes them: days, month, weekdays.

    Of months whose holidays are not known yet, every weekday; a tick on a holiday is skipped, and says so.
    """
    from niftyformer_assets.market.calendar import covered, sessions

    try:
        _, last_known = covered()
    except NiftyFormerError:  # every tick says it
        last_known = date.min
    found, unknown, month = [], [], today.replace(day=1)
    for _ in range(MONTHS_AHEAD):
        after = (month + timedelta(days=31)).replace(day=1)
        if after - timedelta(days=1) <= last_known:
            days = [session.item().day for session in sessions(month, after - timedelta(days=1))]
            found.append(f"{_spans(days)} {month.month} *")
        else:
            unknown.append(str(month.month))
        month = after
    return (*found, f"* {','.join(unknown)} 1-5") if unknown else tuple(found)


def _spans(days: Sequence[int]) -> str:
    """Days that follow each other as one span: 1-4,7."""
    spans = []
    for _, place_and_day in groupby(enumerate(days), key=lambda pair: pair[1] - pair[0]):
        span = [day for _, day in place_and_day]
        spans.append(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}")
    return ",".join(spans)


def schedules(settings: Settings, partitions: Partitions, days: Sequence[str]) -> list[dg.ScheduleDefinition]:
    """The daily refreshes on `trading_days`; they run by themselves where candles come every day."""

    @dg.schedule(
        job_name="candles",
        cron_schedule=[f"{AFTER_THE_CLOSE} {those}" for those in days],
        execution_timezone="Asia/Kolkata",
        default_status=(dg.DefaultScheduleStatus.RUNNING if settings.is_live else dg.DefaultScheduleStatus.STOPPED),
        description="Asks for the new candles of all symbols on every trading day after the close, in one run. Where "
        "nobody has logged in it is skipped and says so; `morning_correction` makes up for it.",
    )
    def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_candles(settings, partitions, context.scheduled_execution_time)

    @dg.schedule(
        job_name="reference",
        cron_schedule=[f"{BEFORE_THE_CANDLES} {those}" for those in days],
        execution_timezone="Asia/Kolkata",
        default_status=(dg.DefaultScheduleStatus.RUNNING if settings.is_live else dg.DefaultScheduleStatus.STOPPED),
        description="Fetches NSE's index list and the NIFTY 50 on every trading day, before the candles.",
    )
    def daily_reference(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_reference(settings, context.scheduled_execution_time)

    return [daily_refresh, daily_reference]


def request_reference(settings: Settings, at: datetime) -> dg.RunRequest | dg.SkipReason:
    """One run of the job `reference` for the session of the day, or why there is none."""
    from niftyformer_assets.market.calendar import IST, is_session

    day = at.astimezone(IST).date()
    try:
        if not is_session(day):
            return dg.SkipReason(f"NSE does not trade on {day}")
        _require_token(settings, at)
    except NiftyFormerError as error:
        return dg.SkipReason(str(error))
    return dg.RunRequest(run_key=day.isoformat())


def _require_token(settings: Settings, at: datetime) -> None:
    from niftyformer_assets.market.login import find_token

    if settings.is_live:
        # A tick that was missed is made up for later; by then the token of its time may have expired.
        find_token(settings.token_file, max(at, datetime.now().astimezone()), settings.token_environment)


def request_candles(settings: Settings, partitions: Partitions, at: datetime) -> dg.RunRequest | dg.SkipReason:
    """One run over all symbols for the session of the day, or why there is none."""
    from niftyformer_assets.market.calendar import IST, is_session, last_complete_session

    day = at.astimezone(IST).date()
    if partitions.advice:
        return dg.SkipReason(partitions.advice)
    try:
        if not is_session(day):
            return dg.SkipReason(f"NSE does not trade on {day}")
        if last_complete_session(at) < day:
            return dg.SkipReason(
                f"the session of {day} is in the evening: its candles come with the next morning's run"
            )
        _require_token(settings, at)
    except NiftyFormerError as error:
        return dg.SkipReason(str(error))
    return run_over(partitions.symbols.get_partition_keys(), run_key=day.isoformat())


def run_over(symbols: Sequence[str], run_key: str, tags: Mapping[str, str] | None = None) -> dg.RunRequest:
    """One run of the job `candles` over the partitions from the first symbol to the last."""
    return dg.RunRequest(
        run_key=run_key,
        tags={
            "dagster/asset_partition_range_start": symbols[0],
            "dagster/asset_partition_range_end": symbols[-1],
            **(tags or {}),
        },
    )

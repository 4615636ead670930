"""When candles are refreshed by themselves."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError

# Trading ends at 15:30, the closing session at 16:00; Kite's candle of the day is complete by then.
AFTER_THE_CLOSE = "30 18 * * *"


def schedules(settings: Settings, partitions: Partitions) -> list[dg.ScheduleDefinition]:
    """The daily refresh; it runs by itself where candles come every day."""

    @dg.schedule(
        job_name="candles",
        cron_schedule=AFTER_THE_CLOSE,
        execution_timezone="Asia/Kolkata",
        default_status=(dg.DefaultScheduleStatus.RUNNING if settings.is_live else dg.DefaultScheduleStatus.STOPPED),
        description="Asks for the new candles of all symbols on every trading day after the close, in one run.",
    )
    def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_candles(settings, partitions, context.scheduled_execution_time)

    return [daily_refresh]


def request_candles(settings: Settings, partitions: Partitions, at: datetime) -> dg.RunRequest | dg.SkipReason:
    """One run over all symbols, or why there is none."""
    from niftyformer_assets.market.calendar import IST, is_session
    from niftyformer_assets.market.login import find_token

    day = at.astimezone(IST).date()
    symbols = partitions.symbols.get_partition_keys()
    try:
        if not symbols:
            return dg.SkipReason(partitions.advice)
        if not is_session(day):
            return dg.SkipReason(f"NSE does not trade on {day}")
        if settings.is_live:
            find_token(settings.token_file, at, settings.token_environment)
    except NiftyFormerError as error:
        return dg.SkipReason(str(error))
    return dg.RunRequest(
        run_key=day.isoformat(),
        tags={
            "dagster/asset_partition_range_start": symbols[0],
            "dagster/asset_partition_range_end": symbols[-1],
        },
    )

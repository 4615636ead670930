"""What is told to somebody who is not looking, found in Dagster's history and by the clock.

It is all asked for anew each time, and a file says what was told (`alerts/told.py`). Dagster's sensors of failed runs
keep their place after they have acted: killed in between they would tell twice, and what a dead server did not
take they would never tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from niftyformer_assets.alerts import words
from niftyformer_assets.alerts.services import send, send_test, services_of
from niftyformer_assets.alerts.told import read_told
from niftyformer_assets.alerts.words import Alert
from niftyformer_assets.defs.automation.schedules import REFRESH
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.run_tags import AGAIN_FOR
from niftyformer_assets.market.calendar import FINAL_FROM, IST, last_complete_session
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line

SIGNALS, PANEL = dg.AssetKey("daily_signals"), dg.AssetKey("market_panel")
ALIVE = dg.AssetCheckKey(dg.AssetKey("model_watch"), "model_alive")
BESIDE = dg.AssetCheckKey(dg.AssetKey("backtest_report"), "beside_the_model_in_use")
# Nobody wants to hear on a Monday of what failed weeks ago; a long weekend is meant to be bridged.
LOOK_BACK = timedelta(days=7)
# So long before the refresh a login is asked for, and so long after it or a login candles may take.
BEFORE, PATIENCE = timedelta(minutes=30), timedelta(hours=1)
# A dead server takes seconds of a tick, of which there are sixty.
MOST_AT_ONCE = 5


def tell_what_is_new(
    instance: dg.DagsterInstance, settings: Settings, source: CandleSource, now: datetime | None = None
) -> str:
    """Send what was not told yet; what came of it, in a line.

    Raises:
        NiftyFormerError: nobody knows what was told already.
    """
    addresses = addresses_of(settings)
    if not addresses:
        return "nobody is to be told: NIFTYFORMER_ALERTS is not set"
    now = now or datetime.now(IST)
    told, services = read_told(told_path(settings), now).begun(), services_of(addresses)
    said, sent = [services.wrong] if services.wrong else [], 0
    for alert in due(instance, settings, source, told.since, now):
        if alert.cause in told.causes:
            continue
        deaf: list[str] = []

        def taken(alert: Alert = alert, deaf: list[str] = deaf) -> bool:
            deaf += send(services.all, alert, f"NiftyFormer {settings.workspace.name}", secrets_of(settings))
            return len(deaf) < len(services.all)

        told, heard = told.once(alert.cause, now, taken)
        if deaf:
            said.append(f"not taken by {', '.join(deaf)}: {alert.title}")
        if not heard:
            said.append("nobody took it: tried again")
            break
        sent += 1
        if sent == MOST_AT_ONCE:
            said.append("the rest follows")
            break
    return "; ".join([f"{sent} told to {services.kinds or 'nobody'}", *said])


def say_what_is_due(
    instance: dg.DagsterInstance, settings: Settings, source: CandleSource, say: Callable[[str], object]
) -> None:
    """What would be told now, and to which kinds of service; nothing is sent, and nothing counts as told."""
    services, now = services_of(addresses_of(settings)), datetime.now(IST)
    say(f"told to: {services.kinds or 'nobody, for NIFTYFORMER_ALERTS is not set'}")
    if services.wrong:
        say(services.wrong)
    told = read_told(told_path(settings), now)
    new = [alert for alert in due(instance, settings, source, told.since, now) if alert.cause not in told.causes]
    for alert in new:
        say(f"{alert.title}: {alert.text}")
    say(f"{len(told.causes)} told since {told.since:%Y-%m-%d %H:%M}, {len(new)} to be told; nothing was sent")


def send_trial(settings: Settings) -> str:
    """Send a test message; to which kinds of service, as `send_test`."""
    return send_test(addresses_of(settings), words.trial(), f"NiftyFormer {settings.workspace.name}")


def addresses_of(settings: Settings) -> str:
    return "" if settings.alerts is None else settings.alerts.get_secret_value().strip()


def told_path(settings: Settings) -> Path:
    return settings.dagster_home / "alerts.json"


def secrets_of(settings: Settings) -> list[str]:
    """What no message may hold, though a library's error brought it."""
    from niftyformer_assets.market.login import find_token

    given = [secret.get_secret_value() for secret in (settings.kite_api_secret, settings.kite_access_token) if secret]
    with suppress(NiftyFormerError):
        given.append(find_token(settings.token_file, datetime.now(IST), {}).value)
    return [*given, *addresses_of(settings).split()]


def due(
    instance: dg.DagsterInstance, settings: Settings, source: CandleSource, since: datetime, now: datetime
) -> Iterator[Alert]:
    """All that is so now, or happened since; told already or not."""
    since = max(since, now - LOOK_BACK)
    yield from _failed_runs(instance, since)
    if settings.is_live:
        yield from _no_login(settings, source, now)
        yield from _stale_candles(instance, settings, now)
    yield from _signal(instance, since)
    yield from _watch(instance)
    yield from _trained_anew(instance, since)


def _failed_runs(instance: dg.DagsterInstance, since: datetime) -> Iterator[Alert]:
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since.astimezone(timezone.utc))
    for record in instance.get_run_records(failed, order_by="update_timestamp", ascending=True):
        run = record.dagster_run
        if (record.end_time or record.update_timestamp.timestamp()) < since.timestamp():
            continue
        what, reason = _what(run), _why(instance, run.run_id)
        if _was_to_give_a_signal(run) and not _gave_one(instance, run.run_id):
            session = _newest_session(instance, record.start_time or record.create_timestamp.timestamp())
            yield words.signal_withheld(session, reason)
        else:
            origin = run.tags.get("dagster/backfill") or run.tags.get(AGAIN_FOR) or run.root_run_id or run.run_id
            yield words.run_failed(origin, what, reason)


def _what(run: dg.DagsterRun) -> str:
    """What a run was to make, as short as can be."""
    made = sorted(key.to_user_string() for key in run.asset_selection or ())
    name = run.job_name if not run.job_name.startswith("__") else ", ".join(made[:3]) + (" …" if len(made) > 3 else "")
    partition = run.tags.get("dagster/partition")
    return f"{name or run.job_name} of {partition}" if partition else name or run.job_name


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """The first reason of a failed run, in one line."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failure = entry.get_dagster_event().step_failure_data
        if failure.user_failure_data is not None and failure.user_failure_data.description:
            return f"{entry.step_key}: {in_one_line(failure.user_failure_data.description)}"
        if failure.error is not None:
            error = failure.error.cause or failure.error
            return f"{entry.step_key}: {in_one_line(error.message)}"
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE):
        return in_one_line(entry.get_dagster_event().message or entry.user_message)
    return "its log does not say why"


def _was_to_give_a_signal(run: dg.DagsterRun) -> bool:
    return SIGNALS in run.asset_selection if run.asset_selection else run.job_name == "signal"


def _gave_one(instance: dg.DagsterInstance, run_id: str) -> bool:
    made = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return any(entry.get_dagster_event().asset_key == SIGNALS for entry in made)


def _newest_session(instance: dg.DagsterInstance, before: float | None = None) -> str:
    """The panel's last session, as it was at a time; "" where there was none."""
    of = dg.AssetRecordsFilter(asset_key=PANEL, before_timestamp=before)
    for record in instance.fetch_materializations(of, limit=1).records:
        made = record.asset_materialization
        if made is not None and "last_session" in made.metadata:
            return str(made.metadata["last_session"].value)
    return ""


def _no_login(settings: Settings, source: CandleSource, now: datetime) -> Iterator[Alert]:
    """From half an hour before the refresh on Kite is asked whether it knows the login; one light request."""
    from niftyformer_assets.market.kite import KiteError

    day = now.astimezone(IST).date()
    refresh = datetime.combine(day, REFRESH, IST)
    if not refresh - BEFORE <= now < refresh + PATIENCE:
        return
    try:
        if last_complete_session(refresh) != day:
            return
        with source.connect() as connection:
            connection.session().check()
    except NiftyFormerError as error:
        # Whether there is a login is not known where Kite does not answer.
        if not (isinstance(error, KiteError) and error.retryable):
            yield words.no_login(day.isoformat(), f"{REFRESH:%H:%M}", str(error))


def _stale_candles(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> Iterator[Alert]:
    """An hour after a refresh, or a later login, its session is in the panel; without a login that is told instead."""
    from niftyformer_assets.market.login import find_token

    newest = _newest_session(instance)
    try:
        find_token(settings.token_file, now, settings.token_environment)
        expected = last_complete_session(_last_refresh(now - PATIENCE)).isoformat()
    except NiftyFormerError:
        return
    by_hand = settings.token_file.stat().st_mtime if settings.token_file.is_file() else 0.0
    if newest and newest < expected and now.timestamp() - by_hand >= PATIENCE.total_seconds():
        yield words.candles_stale(expected, newest)


def _last_refresh(now: datetime) -> datetime:
    """When candles were asked for last: after a session's close, or in the morning, when they are final."""
    today = now.astimezone(IST).date()
    of = [datetime.combine(today - timedelta(days=back), at, IST) for back in (0, 1) for at in (REFRESH, FINAL_FROM)]
    return next(at for at in of if at <= now)


def _signal(instance: dg.DagsterInstance, since: datetime) -> Iterator[Alert]:
    of = dg.AssetRecordsFilter(asset_key=SIGNALS, after_timestamp=since.timestamp())
    for record in instance.fetch_materializations(of, limit=1).records:
        made = record.asset_materialization
        if made is not None:
            of_model, said = made.metadata["made_of"].value, str(made.metadata["in_words"].value)
            assert isinstance(of_model, Mapping)
            yield words.signal_ready(str(of_model["experiment"]), str(of_model["trades_on"]), said)


def _watch(instance: dg.DagsterInstance) -> Iterator[Alert]:
    """A warning, known by the look in which what it warns of began."""
    looks = _looks(instance)
    look, still, said = next(looks, ("", frozenset(), ""))
    began = dict.fromkeys(still, look)
    for look, warned_of, _ in looks:
        if not (still := still & warned_of):
            break
        began |= dict.fromkeys(still, look)
    for since in sorted({*began.values()}):
        yield words.watch_warning(since, said)


def _trained_anew(instance: dg.DagsterInstance, since: datetime) -> Iterator[Alert]:
    for record, look in _evaluations(instance, BESIDE):
        if record.create_timestamp < since.timestamp():
            return
        if "retraining" in look.metadata:
            yield words.trained_anew(str(look.metadata["retraining"].value), look.description or "")


def _looks(instance: dg.DagsterInstance) -> Iterator[tuple[str, frozenset[str], str]]:
    """Each look at the model, the newest first: which it was, what it warned of, and its words."""
    for record, look in _evaluations(instance, ALIVE):
        of = "" if look.passed else str(look.metadata["wrong"].value) if "wrong" in look.metadata else "it"
        yield f"{record.id} of {record.run_id}", frozenset(filter(None, of.split(", "))), look.description or ""


def _evaluations(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey
) -> Iterator[tuple[AssetCheckExecutionRecord, dg.AssetCheckEvaluation]]:
    """What a check found, the newest first."""
    cursor: int | None = None
    done = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    while found := instance.event_log_storage.get_asset_check_execution_history(check, 20, cursor, done):
        for record in found:
            event = record.event.dagster_event if record.event is not None else None
            if event is not None:
                yield record, event.asset_check_evaluation_data
        cursor = found[-1].id

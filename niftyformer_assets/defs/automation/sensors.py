"""What happens by itself beside the schedule: after new candles, in the morning, after a failure or a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster import AssetPartitionStatus

from niftyformer_assets.artifacts import phases
from niftyformer_assets.defs.automation.alerts import addresses_of, tell_what_is_new
from niftyformer_assets.defs.automation.dead_runs import fail_dead_runs
from niftyformer_assets.defs.automation.experiment_files import follow_files
from niftyformer_assets.defs.automation.schedules import run_over
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.run_tags import AGAIN_FOR
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError

RAW = dg.AssetKey("raw_ohlcv")
# How often somebody's login is looked for, and whether Kite is back: one light request each time.
EVERY_S = 300
# How soon an edited file is noticed.
FILES_S = 30
# How soon new panels are followed by a signal.
SIGNAL_S = 30
# A retraining takes hours, once a month.
RETRAINING_S = 900
# How soon somebody is told who is not looking.
ALERTS_S = 60
DATA_VERSION = "dagster/data_version"


def _once(label: str, updated: dg.AutomationCondition, missing: dg.AutomationCondition) -> dg.AutomationCondition:
    """As `AutomationCondition.eager`, which forgets an update that comes while the asset is being made.

    Here only a request settles an update: candles of a second attempt that come while the panel is
    being made are in the next one, minutes later.
    """
    condition = dg.AutomationCondition
    settled = condition.initial_evaluation() | (condition.newly_requested() & ~updated)
    refused = condition.any_checks_match(condition.check_failed(), blocking_only=True)
    return (
        updated.since(settled)
        & ~missing
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        # What is requested together with this is judged within the run.
        & ~condition.any_deps_match(refused & ~condition.will_be_requested())
    ).with_label(label)


# A symbol that failed has its old candles, or none: the rest goes on without waiting for it.
AFTER_NEW_CANDLES = _once(
    "after_new_candles",
    dg.AutomationCondition.any_deps_updated().allow(dg.AssetSelection.assets(RAW)),
    dg.AutomationCondition.any_deps_missing().ignore(dg.AssetSelection.assets(RAW)),
)
AFTER_A_NEW_PANEL = _once(
    "after_a_new_panel", dg.AutomationCondition.any_deps_updated(), dg.AutomationCondition.any_deps_missing()
)


def sensors(settings: Settings, partitions: Partitions, days: Sequence[str]) -> list[dg.SensorDefinition]:
    """They run by themselves where candles come every day; made-up or replayed ones do not change."""
    source = CandleSource(settings)
    status = dg.DefaultSensorStatus.RUNNING if settings.is_live else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        job_name="candles",
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description="Kite settles a session's close, and adjusts prices for the day's ex-dates, until 06:00 IST. From "
        "then on, once somebody has logged in, candles are asked for once more; what was missed comes with them.",
    )
    def morning_correction(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_correction(context, settings, partitions, source)

    @dg.sensor(
        job_name="candles",
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description="After a run in which symbols failed, asks for those once again as soon as Kite answers.",
    )
    def failed_symbols_again(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_again(context, partitions, source)

    @dg.sensor(
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed whose process was killed, so that nothing waits for them.",
    )
    def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        dead = fail_dead_runs(context.instance)
        return dg.SkipReason(", ".join(f"{run.job_name} {run.run_id}" for run in dead) or "no run has lost its process")

    @dg.sensor(
        minimum_interval_seconds=FILES_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads the files of experiments and index lists. New keys, and what is wrong with a file, appear "
        "by themselves; what was made with other settings than a file now has shows as stale.",
    )
    def experiment_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return follow_files(context, settings, partitions, days)

    @dg.sensor(
        job_name="signal",
        minimum_interval_seconds=SIGNAL_S,
        default_status=status,
        description="Once everything that experiments share has been made from new candles, lets the experiment in use "
        "(`NIFTYFORMER_SIGNAL_EXPERIMENT`) predict without training, and gives its signal.",
    )
    def signal_after_new_panels(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_signal(context.instance, partitions)

    @dg.sensor(
        job_name="experiment",
        minimum_interval_seconds=RETRAINING_S,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Once there are candles of a month's first session, trains the experiment in use "
        "(`NIFTYFORMER_SIGNAL_EXPERIMENT`) anew: writes it as an experiment of its own with the same settings and a "
        "later window, and runs it. Whether it is proposed says the check `beside_the_model_in_use` of its report; it "
        "is used when the setting names it. Off unless switched on.",
    )
    def retraining(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_retraining(settings, partitions)

    @dg.sensor(
        minimum_interval_seconds=ALERTS_S,
        default_status=dg.DefaultSensorStatus.RUNNING if addresses_of(settings) else dg.DefaultSensorStatus.STOPPED,
        description="Tells the services of `NIFTYFORMER_ALERTS` of failed runs, a login that is missing before the "
        "refresh, stale candles, a signal that is given or withheld, and the watch's warning: each once.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(tell_what_is_new(context.instance, settings, source))

    return [
        dead_runs,
        experiment_files,
        dg.AutomationConditionSensorDefinition(
            "refresh_after_new_candles",
            target=dg.AssetSelection.assets(*phases(partitions.artifacts)["panels"]),
            default_status=status,
            description="New candles refresh the quality report, the panel, size proxy, returns and factor panels.",
        ),
        morning_correction,
        failed_symbols_again,
        signal_after_new_panels,
        retraining,
        alerts,
    ]


def request_correction(
    context: dg.SensorEvaluationContext, settings: Settings, partitions: Partitions, source: CandleSource
) -> dg.RunRequest | dg.SkipReason:
    """One run over all symbols for each session whose candles have become final."""
    from niftyformer_assets.market.calendar import last_final_session

    if partitions.advice:
        return dg.SkipReason(partitions.advice)
    if not any(settings.workspace.raw.glob("*.parquet")):
        return dg.SkipReason("there are no candles to correct: materialize raw_ohlcv, or wait for daily_refresh")
    try:
        with source.connect() as connection:
            session = last_final_session(connection.now).isoformat()
            if context.cursor == session:
                return dg.SkipReason(f"the run for the final candles of {session} has been requested")
            connection.session().check()
    except NiftyFormerError as error:
        return dg.SkipReason(str(error))
    context.update_cursor(session)
    return run_over(partitions.symbols.get_partition_keys(), run_key=session)


def request_again(
    context: dg.SensorEvaluationContext, partitions: Partitions, source: CandleSource
) -> dg.RunRequest | dg.SkipReason:
    """One run over the failed symbols for each failed run, however that was launched."""
    run = _last_run(context.instance)
    if run is None or run.status != dg.DagsterRunStatus.FAILURE:
        return dg.SkipReason("the last run over raw_ohlcv has not failed")
    if AGAIN_FOR in run.tags or context.cursor == run.run_id:
        return dg.SkipReason(
            "symbols that failed were asked for again already: see their reasons in the run, then materialize the "
            "failed ones (raw_ohlcv, Partitions, Failed)"
        )
    keys = partitions.symbols.get_partition_keys()
    found = context.instance.get_status_by_partition(RAW, keys, partitions.symbols) or {}
    failed = [symbol for symbol in keys if found.get(symbol) == AssetPartitionStatus.FAILED]
    if not failed:
        return dg.SkipReason("no symbol is failed")
    try:
        with source.connect() as connection:
            connection.session().check()
    except NiftyFormerError as error:
        return dg.SkipReason(f"{len(failed)} symbols are to be asked for again, but {error}")
    context.update_cursor(run.run_id)
    # Those between the first and the last that did not fail are at hand, and cost no request.
    return run_over(failed, run_key=run.run_id, tags={AGAIN_FOR: run.run_id})


def request_signal(instance: dg.DagsterInstance, partitions: Partitions) -> dg.RunRequest | dg.SkipReason:
    """One run of the job `signal` for each state of the panels that are all made from the same candles."""
    if partitions.in_use is None:
        return dg.SkipReason("no experiment is in use: set NIFTYFORMER_SIGNAL_EXPERIMENT to the name of one")
    rows = partitions.artifacts
    tags: dict[str, Mapping[str, str]] = {}
    for name in phases(rows)["panels"]:
        event = instance.get_latest_materialization_event(dg.AssetKey(name))
        if event is None or event.asset_materialization is None:
            return dg.SkipReason(f"{name} has not been made yet")
        tags[name] = event.asset_materialization.tags or {}
    for name, of in tags.items():
        for above in {*rows[name].may_read} & tags.keys():
            if of.get(f"dagster/input_data_version/{above}") != tags[above].get(DATA_VERSION):
                return dg.SkipReason(f"{name} has not been made from the newest {above} yet")
    state = "-".join(of.get(DATA_VERSION, "") for of in tags.values())
    return dg.RunRequest(run_key=f"{partitions.in_use}-{state}", partition_key=partitions.in_use)


def request_retraining(settings: Settings, partitions: Partitions) -> dg.RunRequest | dg.SkipReason:
    """One run of the job `experiment` for the retraining of each month, once its file is among the definitions."""
    from niftyformer_assets.experiments.retraining import retraining_due

    try:
        name, path = retraining_due(settings)
    except NiftyFormerError as error:
        return dg.SkipReason(str(error))
    if name == settings.signal_experiment:
        return dg.SkipReason(f"{name} is in use")
    if name not in partitions.experiments.get_partition_keys():
        return dg.SkipReason(f"{path} is written: it runs as soon as the definitions have it")
    return dg.RunRequest(run_key=name, partition_key=name)


def _last_run(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """The run that was to make candles last."""
    records = instance.get_asset_records([RAW])
    run_id = records[0].asset_entry.last_run_id if records else None
    return instance.get_run_by_id(run_id) if run_id else None

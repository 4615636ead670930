"""Files that a person adds, edits or mends, followed while the web UI runs.

The code server is asked to load the definitions anew as the button *Reload definitions* asks it, whichever way
it was started (`dg dev`, `dagster dev`, `dagster code-server start`); one that cannot (`dagster api grpc`) says so in
its log. `partitions.py` says why keys are static.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from datetime import datetime

import dagster as dg
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin

from niftyformer_assets.defs.automation.schedules import trading_days
from niftyformer_assets.defs.experiment_settings import EXPERIMENT_SETTINGS, observe_settings
from niftyformer_assets.defs.partitions import Partitions, read_partitions
from niftyformer_assets.defs.results import as_text
from niftyformer_assets.experiments.files import experiments_of
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.settings import Settings

CHECK = "experiment_files"
_RELOAD_S = 180


def follow_files(
    context: dg.SensorEvaluationContext, settings: Settings, loaded: Partitions, days: Sequence[str]
) -> dg.SensorResult:
    """Tell Dagster what the files say now; where that takes other definitions than are loaded, have them loaded.

    Args:
        loaded, days: the partitions and `trading_days` that the definitions were made with.
    """
    observe_settings(context.instance, settings)
    now = read_partitions(settings)
    changed = now != loaded or trading_days(datetime.now(IST).date()) != tuple(days)
    # Once for each state of the files: a server that cannot load anew is not asked every half minute.
    keys = [of.get_partition_keys() for of in (now.symbols, now.experiments, now.studies)]
    state = (*keys, now.wrong, now.wrong_lists)
    seen = hashlib.sha256(repr((*state, now.factor_sets, changed)).encode()).hexdigest()
    news = context.cursor != seen
    said = "; ".join(f"left out: {reason}" for reason in (*now.wrong, *now.wrong_lists)) or "every file is understood"
    if changed and news:
        said = f"the definitions are loaded anew, for files (or the month) have changed; {said}"
        _reload_definitions(context)
    return dg.SensorResult(
        skip_reason=said, cursor=seen, asset_events=[_evaluation(check_of_files(now.wrong))] if news else []
    )


def wrong_files(settings: Settings) -> tuple[str, ...]:
    """What is wrong with experiment files, a reason a file."""
    wrong: dict[str, str] = {}
    experiments_of(settings, wrong)
    return tuple(wrong.values())


def check_of_files(wrong: Sequence[str]) -> dg.AssetCheckResult:
    """The check of the experiment files, whoever looked at them."""
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(wrong) or "every file is understood",
        metadata={"left_out": dg.MetadataValue.md("\n".join(f"- {as_text(reason)}" for reason in wrong) or "none")},
    )


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=EXPERIMENT_SETTINGS,
        check_name=CHECK,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def _reload_definitions(context: dg.SensorEvaluationContext) -> None:
    origin = context.code_location_origin
    if isinstance(origin, GrpcServerCodeLocationOrigin):
        # Not awaited: the server that this runs in is replaced, and has to answer first.
        client = origin.create_client()
        threading.Thread(target=client.reload_code, args=(_RELOAD_S,), daemon=True).start()

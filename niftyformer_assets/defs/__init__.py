"""Everything that knows Dagster. `build` puts it together; nothing outside defs, definitions and cli imports it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from niftyformer_assets.defs.assets.dataset import dataset_assets
from niftyformer_assets.defs.assets.factors import factor_assets
from niftyformer_assets.defs.assets.market import market_assets
from niftyformer_assets.defs.assets.model import model_assets
from niftyformer_assets.defs.assets.portfolio import portfolio_assets
from niftyformer_assets.defs.automation.schedules import schedules, trading_days
from niftyformer_assets.defs.automation.sensors import sensors
from niftyformer_assets.defs.checks import checks
from niftyformer_assets.defs.experiment_settings import experiment_settings
from niftyformer_assets.defs.jobs import jobs
from niftyformer_assets.defs.partitions import read_partitions
from niftyformer_assets.defs.resources import CandleSource, GpuResource, experiments
from niftyformer_assets.defs.run_tags import settings_of_runs
from niftyformer_assets.defs.workers import executor
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.settings import Settings, read_settings

log = logging.getLogger(__name__)


def build(
    settings: Settings | None = None, resources: Mapping[str, Any] | None = None, *, one_training: bool = True
) -> dg.Definitions:
    """The definitions of the active workspace.

    Args:
        settings: those of the environment unless given.
        resources: replace those of the same name (`settings`, `candle_source`, `gpu`).
        one_training: runs wait for each other where they train, as one GPU wants it.

    Raises:
        NiftyFormerError: a setting is wrong. A wrong experiment file is left out, and told in descriptions.
    """
    settings = settings or read_settings()
    partitions = read_partitions(settings)
    days = trading_days(datetime.now(IST).date())
    for reason in (*partitions.wrong_lists, *partitions.wrong):
        log.warning("left out: %s", reason)
    with warnings.catch_warnings():
        # A backfill policy is how one run holds all symbols, a check's partitions how it knows its experiment; that
        # Dagster calls these beta and preview is no news to a user.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
            experiment_settings(partitions.experiments.get_partition_keys(), partitions.studies.get_partition_keys()),
            *market_assets(partitions),
            *factor_assets(partitions),
            *dataset_assets(partitions),
            *model_assets(partitions, one_training=one_training),
            *portfolio_assets(partitions),
        ]
        asset_checks = checks(partitions)
    return dg.Definitions(
        assets=assets,
        asset_checks=asset_checks,
        jobs=jobs(partitions.artifacts),
        schedules=schedules(settings, partitions, days),
        sensors=sensors(settings, partitions, days),
        resources={
            "settings": settings_of_runs(settings),
            "candle_source": CandleSource(settings),
            "experiments": experiments,
            "gpu": GpuResource(cpu_allowed=settings.may_train_on_cpu),
            **(resources or {}),
        },
        executor=executor(settings),
    )

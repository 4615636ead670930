"""What refreshes by itself after new candles: everything up to the factor panel, never an experiment."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.defs.jobs import PANELS
from niftyformer_assets.settings import Settings

# A symbol that failed leaves its old candles in place: the rest goes on without waiting for it.
AFTER_PARTLY_FAILED_INGEST = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Automation runs by itself where candles come every day; on made-up or replayed ones nothing changes."""
    return [
        dg.AutomationConditionSensorDefinition(
            "refresh_after_new_candles",
            target=dg.AssetSelection.assets(*PANELS),
            default_status=(dg.DefaultSensorStatus.RUNNING if settings.is_live else dg.DefaultSensorStatus.STOPPED),
            description="New candles refresh the quality report, the panel, size proxy, labels and factor panels.",
        )
    ]

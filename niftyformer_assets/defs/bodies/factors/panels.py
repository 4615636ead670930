"""Factor panels as assets."""

from __future__ import annotations

import dagster as dg
import numpy as np

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import table
from niftyformer_assets.factors.checks import missing_share
from niftyformer_assets.factors.panel_file import update_factor_panel
from niftyformer_assets.factors.panel_reading import read_factor_panel
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.market.panel import load_panel
from niftyformer_assets.market.sectors import sector_numbers_in_force
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.tables import read_parquet


def make_panel(context: dg.AssetExecutionContext, settings: Settings, factor_set: str) -> Made:
    """Compute the factors of every session that the file does not have yet."""
    workspace = settings.workspace
    path, chosen = workspace.factor_panel(factor_set), FACTOR_SETS[factor_set]
    names, panel, sectors = chosen.names, load_panel(workspace.market_panel), None
    if chosen.by_sector:
        dummies = read_parquet(workspace.sector_dummies)
        sectors = sector_numbers_in_force(dummies, panel.axes.symbols, panel.axes.dates)
    computed = update_factor_panel(path, factor_set, panel, sectors=sectors)
    context.log.info(f"{factor_set}: {computed} of {len(panel.axes.dates)} sessions computed")
    values = read_factor_panel(path, panel.axes, names)
    started = panel.segment >= 0
    missing = missing_share(values, names, started)
    return Made(
        {
            "dagster/row_count": int(started.sum()),
            "factors": len(names),
            "sessions": len(panel.axes.dates),
            "sessions_computed": computed,
            "share_missing": float(np.isnan(values[:, started]).mean()),
            "most_missing": table(missing, limit=20),
        },
        settings={"factor_set": factor_set},
    )

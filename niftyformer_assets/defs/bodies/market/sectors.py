"""The sectors of stocks as an asset."""

from __future__ import annotations

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import table
from niftyformer_assets.market.sectors import sector_dummies as dummies_of
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.tables import write_parquet


def make_dummies(settings: Settings) -> Made:
    """Give each stock its sector's column."""
    workspace = settings.workspace
    frame = dummies_of(load_universe(workspace.universe))
    write_parquet(workspace.sector_dummies, frame)
    latest = frame.drop_duplicates("symbol", keep="last")
    counts = latest.drop(columns=["symbol", "since"]).sum().rename_axis("sector").rename("stocks").reset_index()
    return Made({"dagster/row_count": len(frame), "stocks_by_sector": table(counts)})

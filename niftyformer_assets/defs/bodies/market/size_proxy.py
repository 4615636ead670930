"""How large a stock is, as an asset."""

from __future__ import annotations

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture
from niftyformer_assets.market.panel import load_panel
from niftyformer_assets.market.pictures import size_picture
from niftyformer_assets.market.size_proxy import save_size_proxy
from niftyformer_assets.market.size_proxy import size_proxy as proxy_of
from niftyformer_assets.settings import Settings


def make_size_proxy(settings: Settings) -> Made:
    """Measure each stock's size on each session."""
    workspace = settings.workspace
    panel = load_panel(workspace.market_panel)
    log_size = proxy_of(panel)
    save_size_proxy(workspace.size_proxy, log_size, panel.axes)
    present = log_size == log_size
    return Made(
        {
            "dagster/row_count": int(present.sum()),
            "share_missing": float(1 - present.mean()),
            "distribution": picture(size_picture(log_size, panel.axes), "the spread of sizes over time"),
        },
    )

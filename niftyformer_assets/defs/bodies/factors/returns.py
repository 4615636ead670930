"""Daily returns as an asset."""

from __future__ import annotations

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture
from niftyformer_assets.factors.returns import daily_returns, returns_picture, write_returns
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import load_arrays


def make_returns(settings: Settings) -> Made:
    """Measure the return of each stock on each session."""
    workspace = settings.workspace
    panel, axes = load_arrays(workspace.market_panel)
    values = daily_returns(panel["close"], panel["segment"])
    write_returns(workspace.returns, values, axes)
    present = values == values
    return Made(
        {
            "dagster/row_count": len(values),
            "symbols": values.shape[1],
            "share_missing": float(1 - present.mean()),
            "share_up": float((values[present] > 0).mean()),
            "distribution": picture(returns_picture(values, axes), "the distribution of daily returns"),
        },
    )

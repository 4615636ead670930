"""Which returns are above 0, as an asset."""

from __future__ import annotations

from niftyformer_assets.dataset.trend import save_trend, trend, trend_picture
from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture
from niftyformer_assets.experiments.opened import OpenedExperiment


def make_trend(opened: OpenedExperiment) -> Made:
    """Tell the returns above 0 from the others."""
    arrays = trend(opened.returns())
    save_trend(opened.folder.trend_indicator, arrays, opened.axes)
    valid, up = arrays["valid"], arrays["result"]
    return Made(
        {
            "dagster/row_count": len(up),
            "symbols": up.shape[1],
            "share_up": float(up[valid].mean()),
            "share_missing": float(1 - valid.mean()),
            "share_up_by_session": picture(trend_picture(arrays, opened.axes), "share of stocks that rose"),
        },
    )

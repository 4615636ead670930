"""What the reports of an experiment and of a study share."""

from __future__ import annotations

import dagster as dg
import pandas as pd

from niftyformer_assets.defs.results import picture
from niftyformer_assets.market.benchmark import load_benchmark
from niftyformer_assets.portfolio.report.report import Summary
from niftyformer_assets.settings import Settings

MARKETS = {
    "made up": "a made-up market: it says nothing about real ones",
    "replay": "replayed candles",
    "zerodha": "Zerodha's candles",
    "elsewhere": "candles of a simulated exchange",
}


def index_levels(settings: Settings) -> dict[str, pd.Series]:
    """The NIFTY 50 by date, as price index (like for like with candles) and with dividends where given."""
    frame, _ = load_benchmark(settings.workspace.benchmark_index)
    by_date = frame.set_index("date")
    indices = {"NIFTY 50 (price)": by_date["close"]}
    if settings.total_return is not None or by_date["total_return"].notna().any():
        indices["NIFTY 50 (with dividends)"] = by_date["total_return"]
    return indices


def shown_pictures(written: Summary) -> dict[str, dg.MetadataValue]:
    """The pictures of a report by section, as the web UI shows them."""
    return {
        anchor.replace("-", "_"): dg.MetadataValue.md(
            "\n\n".join(str(picture(drawn.png, drawn.alt).md_str) for drawn in of_section)
        )
        for anchor, of_section in written.pictures.items()
    }

"""The graph cut into the runs that Dagster needs: one kind of partition a run, in this order.

`niftyformer run` executes them one after the other; in the web UI each can be launched by itself.
"""

from __future__ import annotations

import dagster as dg

REFERENCE = ("universe", "sector_dummies", "benchmark_index")
CANDLES = ("raw_ohlcv",)
PANELS = ("data_quality_report", "market_panel", "size_proxy", "labels", "alpha158_panel", "alpha360_panel")
# Panels of a user's own factors, which are there where an experiment asks for them.
OWN_PANEL_TAG = {"niftyformer/own_panel": "yes"}
PANEL_SELECTION = dg.AssetSelection.assets(*PANELS) | dg.AssetSelection.tag("niftyformer/own_panel", "yes")
EXPERIMENT = (
    "ic_summary",
    "neutralized_factors",
    "flow",
    "trend_indicator",
    "corr_adj",
    "graph_embeddings",
    "trained_model",
    "predictions",
    "baseline_predictions",
    "backtest_report",
)
COMPARISON = ("model_comparison",)
# By the names of the jobs, in the order in which their assets depend on each other.
PHASES = {
    "reference": REFERENCE,
    "candles": CANDLES,
    "panels": PANELS,
    "experiment": EXPERIMENT,
    "comparison": COMPARISON,
}


def jobs() -> dict[str, dg.UnresolvedAssetJobDefinition]:
    """The jobs by name, in the order in which their assets depend on each other."""

    def job(
        name: str, assets: tuple[str, ...] | dg.AssetSelection, description: str
    ) -> dg.UnresolvedAssetJobDefinition:
        selection = assets if isinstance(assets, dg.AssetSelection) else dg.AssetSelection.assets(*assets)
        return dg.define_asset_job(name, selection=selection, description=description)

    made = (
        job("reference", REFERENCE, "NSE's index list, sectors, and the NIFTY 50."),
        job("candles", CANDLES, "Daily candles of all symbols, in one run."),
        job("panels", PANEL_SELECTION, "Quality report, aligned panel, size proxy, labels and factor panels."),
        job("experiment", EXPERIMENT, "Factor selection to backtest report, an experiment."),
        job("comparison", COMPARISON, "All experiments and baselines side by side."),
    )
    return {job.name: job for job in made}

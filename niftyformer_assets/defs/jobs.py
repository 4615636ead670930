"""The graph cut into the runs that Dagster needs: one kind of partition a run, in this order.

`niftyformer run` executes them one after the other; in the web UI each can be launched by itself.
"""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.artifacts import artifacts, phases

# By the names of the jobs, in the order in which their assets depend on each other.
PHASES = phases(artifacts())
REFERENCE, CANDLES, PANELS, EXPERIMENT, COMPARISON = PHASES.values()
# Panels of a user's own factors, which are there where an experiment asks for them.
OWN_PANEL_TAG = {"niftyformer/own_panel": "yes"}
PANEL_SELECTION = dg.AssetSelection.assets(*PANELS) | dg.AssetSelection.tag("niftyformer/own_panel", "yes")


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

"""The graph cut into the runs that Dagster needs: one kind of partition a run, in this order.

`niftyformer run` executes them one after the other; in the web UI each can be launched by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from niftyformer_assets.artifacts import Artifact, Phase, phases

DESCRIPTIONS: Mapping[Phase, str] = {
    "reference": "NSE's index list, sectors, and the NIFTY 50.",
    "candles": "Daily candles of all symbols, in one run.",
    "panels": "Quality report, aligned panel, size proxy, returns and factor panels.",
    "experiment": "Factor selection to backtest report, an experiment.",
    "study": "The windows of a study joined and judged together, a study.",
    "comparison": "All experiments and baselines side by side.",
    "signal": "What the experiment in use says of the newest session, what it would hold, a real account's orders for "
    "it, and the paper account and the watch that follow it: nothing is trained, and nothing ordered.",
}
# What new candles change of an experiment that is trained: which factors are selected stays as it was in training.
WITHOUT_TRAINING = (
    *("neutralized_factors", "flow", "trend_indicator", "corr_adj", "graph_embeddings"),
    "predictions",
)


def jobs(rows: Mapping[str, Artifact]) -> list[dg.UnresolvedAssetJobDefinition]:
    """A job for each phase, in the order in which their assets depend on each other."""
    with_them: Mapping[Phase, tuple[str, ...]] = {"signal": WITHOUT_TRAINING}
    return [
        dg.define_asset_job(
            phase,
            selection=dg.AssetSelection.assets(*with_them.get(phase, ()), *names),
            description=DESCRIPTIONS[phase],
        )
        for phase, names in phases(rows).items()
    ]

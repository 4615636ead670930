"""The comparison of all experiments as an asset."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.comparison import model_comparison
from niftyformer_assets.portfolio.report.comparison_page import picture as comparison_picture
from niftyformer_assets.portfolio.report.comparison_page import sentences, write_comparison
from niftyformer_assets.report_server import comparison_address
from niftyformer_assets.settings import Settings

# The columns of the comparison that fit on a screen; the files hold them all.
SHOWN = (
    *("rank", "experiment", "name", "kind", "verdict", "excess_return_equal_weight"),
    *("excess_return_equal_weight_low", "excess_return_equal_weight_high", "excess_return_equal_weight_t"),
    *("excess_span", "sharpe", "sharpe_low", "sharpe_high", "rank_ic", "rank_ic_t", "sessions"),
)


def compare_experiments(settings: Settings, fitting: Fitting) -> Made:
    """Put every experiment of a file that has a report beside the others; say which have none."""
    workspace = settings.workspace
    folders = {name: workspace.experiment(name) for name in fitting.experiments}
    comparison = model_comparison(folders, Tries(workspace.tries, what_decides), fitting.others)
    write_comparison(workspace.comparison_csv, workspace.comparison_html, comparison)
    return Made(
        {
            "dagster/row_count": len(comparison.table),
            "report": dg.MetadataValue.url(comparison_address(settings)),
            "verdict": " ".join(sentences(comparison)),
            "without_report": dg.MetadataValue.json(dict(comparison.without_report)),
            "ranking": table(comparison.table[[column for column in SHOWN if column in comparison.table]], limit=60),
            **(
                {"intervals": picture(comparison_picture(comparison), "return above equal weight, with 95% intervals")}
                if len(comparison.table)
                else {}
            ),
        },
        settings={"experiments": sorted({*fitting.experiments, *fitting.others})},
    )

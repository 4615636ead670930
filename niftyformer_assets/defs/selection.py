"""Factor selection and neutralisation as assets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import numpy as np

from niftyformer_assets.defs.made_with import deciding_settings, must_be_made_with
from niftyformer_assets.defs.results import materialized, picture, table
from niftyformer_assets.experiment import OpenedExperiment, open_experiment
from niftyformer_assets.factors.neutralize import neutralized_factors, write_neutralized
from niftyformer_assets.factors.panel_file import read_factor_panel
from niftyformer_assets.factors.pictures import cumulative_ic, factor_correlations, ic_ranking
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.factors.selection import read_selected, select_factors, write_selection
from niftyformer_assets.settings import Settings

# The columns of the summary that fit on a screen; the file holds them all.
SHOWN = (
    *("ic_mean_h1", "ic_t_nw_h1", "ic_mean_h2", "rank_ic_mean_h1"),
    *("ic_mean_h1_validation_not_used", "ic_mean_h1_test_not_used"),
)


def summarize_ic(context: dg.AssetExecutionContext, settings: Settings, made_by: Sequence[str]) -> dg.MaterializeResult:
    """Measure every factor of the experiment's set on its training sessions, and keep the good ones."""
    opened = open_experiment(settings, context.partition_key)
    names = FACTOR_SETS[opened.settings.factors.factor_set].names
    factors = _factors(opened, names)
    split, folder, horizon = opened.scope.split, opened.folder, opened.settings.factors.ic_horizon
    selection = select_factors(
        factors, names, opened.returns(), opened.log_size(), opened.sectors_in_force(), split, opened.settings.factors
    )
    write_selection(folder.ic_summary, folder.selected_factors, selection)
    kept = [names.index(name) for name in selection.selected]
    columns = [name for name in SHOWN if name in selection.summary]
    shown = selection.summary.loc[selection.summary["selected"], columns].reset_index()
    return materialized(
        "ic_summary",
        folder.provenance,
        made_by=made_by,
        settings=deciding_settings(opened.settings, "ic_summary"),
        inputs=[*_inputs(opened), opened.workspace.labels],
        outputs=[folder.ic_summary, folder.selected_factors],
        metadata={
            "dagster/row_count": len(selection.summary),
            "selected": len(selection.selected),
            "names": ", ".join(selection.selected),
            "training_sessions": split.sessions("train"),
            "symbols": len(opened.axes.symbols),
            "ranking": picture(ic_ranking(selection, horizon), "factors by mean IC"),
            "cumulative_ic": picture(
                cumulative_ic(selection, opened.axes.dates, split.train, horizon), "cumulative IC"
            ),
            "correlations": picture(
                factor_correlations(factors[kept], selection.selected, split.train), "correlations of the selected"
            ),
            "selected_factors": table(shown, limit=100),
        },
    )


def neutralize_selected(
    context: dg.AssetExecutionContext, settings: Settings, made_by: Sequence[str]
) -> dg.MaterializeResult:
    """Take size and sector out of the selected factors, session by session."""
    opened = open_experiment(settings, context.partition_key)
    folder = opened.folder
    must_be_made_with(opened.settings, folder, ["ic_summary"])
    names = read_selected(folder.selected_factors)
    made = neutralized_factors(
        _factors(opened, names), names, opened.log_size(), opened.sectors_in_force(), opened.settings.factors
    )
    write_neutralized(folder, made, opened.axes)
    return materialized(
        "neutralized_factors",
        folder.provenance,
        made_by=made_by,
        settings=deciding_settings(opened.settings, "neutralized_factors"),
        inputs=[*_inputs(opened), folder.selected_factors],
        outputs=[folder.neutralized_factors, folder.factors],
        metadata={
            "dagster/row_count": len(made.result),
            "symbols": made.result.shape[1],
            "factors": len(made.names),
            "names": ", ".join(made.names),
            "share_missing": float(1 - made.valid.mean()),
            "correlations": picture(
                factor_correlations(
                    np.where(made.valid, made.result, np.nan).transpose(2, 0, 1),
                    made.names,
                    opened.scope.split.train,
                    "neutralised",
                ),
                "correlations of the neutralised factors",
            ),
        },
    )


def _factors(opened: OpenedExperiment, names: Sequence[str]) -> np.ndarray:
    """float32 [F, T, N] of the experiment's sessions and symbols; windows reach back before them."""
    path = opened.workspace.factor_panel(opened.settings.factors.factor_set)
    return opened.scope.cut(read_factor_panel(path, opened.panel_axes, names))


def _inputs(opened: OpenedExperiment) -> list[Path]:
    workspace = opened.workspace
    return [
        workspace.factor_panel(opened.settings.factors.factor_set),
        workspace.size_proxy,
        workspace.sector_dummies,
        workspace.universe,
        workspace.market_panel,
    ]

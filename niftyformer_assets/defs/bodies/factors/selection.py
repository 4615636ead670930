"""Factor selection and neutralisation as assets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from niftyformer_assets.dataset.settings import WindowSettings  # its labels are what selection goes by
from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.experiments.outcomes import outcomes_of
from niftyformer_assets.factors.labels import TRADED_PLACE
from niftyformer_assets.factors.neutralize import Beside, neutralized_factors, write_neutralized
from niftyformer_assets.factors.panel_reading import read_factor_panel
from niftyformer_assets.factors.pictures import cumulative_ic, factor_correlations, ic_ranking
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.factors.selection import read_selected, select_factors, write_selection

# The columns of the summary that fit on a screen; the file holds them all.
SHOWN = (
    *("ic_mean_h1", "ic_t_nw_h1", "ic_mean_h2", "rank_ic_mean_h1"),
    *("ic_mean_h1_validation_not_used", "ic_mean_h1_test_not_used"),
)


def summarize_ic(opened: OpenedExperiment) -> Made:
    """Measure every factor of the experiment's set on its training sessions, and keep the good ones."""
    names = FACTOR_SETS[opened.experiment.factors.factor_set].names
    factors = _factors(opened, names)
    split, folder = opened.scope.split, opened.folder
    windows: WindowSettings = opened.experiment.windows
    targets = windows.labels if windows.targets else ()
    selection = select_factors(
        factors,
        names,
        outcomes_of(opened),
        opened.log_size(),
        opened.sectors_in_force(),
        split,
        opened.experiment.factors,
        targets=targets,
        judged_by=targets[TRADED_PLACE].name if targets else "",
    )
    write_selection(folder.ic_summary, folder.selected_factors, selection)
    kept = [names.index(name) for name in selection.selected]
    judged_by = f"ic_mean_{selection.judged_by}"
    columns = [name for name in dict.fromkeys((judged_by, *SHOWN)) if name in selection.summary]
    shown = selection.summary.loc[selection.summary["selected"], columns].reset_index()
    return Made(
        {
            "dagster/row_count": len(selection.summary),
            "selected": len(selection.selected),
            "names": ", ".join(selection.selected),
            "training_sessions": split.sessions("train"),
            "symbols": len(opened.axes.symbols),
            "ranking": picture(ic_ranking(selection), "factors by mean IC"),
            "cumulative_ic": picture(cumulative_ic(selection, opened.axes.dates, split.train), "cumulative IC"),
            "correlations": picture(
                factor_correlations(factors[kept], selection.selected, split.train), "correlations of the selected"
            ),
            "selected_factors": table(shown, limit=100),
        },
    )


def neutralize_selected(opened: OpenedExperiment) -> Made:
    """Put the selected factors into the form that the models see: by itself without size and sector."""
    folder = opened.folder
    names = read_selected(folder.selected_factors)
    made = neutralized_factors(
        _factors(opened, names),
        names,
        Beside(opened.log_size, opened.sectors_in_force, opened.scope.member),
        opened.experiment.factors,
    )
    write_neutralized(folder, made, opened.axes, opened.experiment.factors)
    shown = opened.experiment.factors.form.words
    return Made(
        {
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
                    shown,
                ),
                f"correlations of the {shown} factors",
            ),
        },
    )


def _factors(opened: OpenedExperiment, names: Sequence[str]) -> np.ndarray:
    """float32 [F, T, N] of the experiment's sessions and symbols; windows reach back before them."""
    path = opened.workspace.factor_panel(opened.experiment.factors.factor_set)
    return opened.scope.cut(read_factor_panel(path, opened.panel_axes, names))

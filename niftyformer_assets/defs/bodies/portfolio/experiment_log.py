"""The log of experiments as an asset."""

from __future__ import annotations

from typing import Any

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.results import table
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import studies_of
from niftyformer_assets.experiments.variants import without_defaults
from niftyformer_assets.portfolio.names import NAMES
from niftyformer_assets.portfolio.report.experiment_log import experiment_log
from niftyformer_assets.portfolio.report.experiment_log_page import write_experiment_log
from niftyformer_assets.report_server import log_address
from niftyformer_assets.settings import Settings


def log_experiments(context: dg.AssetExecutionContext, settings: Settings, fitting: Fitting) -> Made:
    """Put down every finished experiment of the workspace, those of studies too."""
    workspace = settings.workspace
    study_of = {name: study.name for study in studies_of(settings).values() for name in study.experiments}
    log, damaged = experiment_log(
        {name: workspace.experiment(name) for name in fitting.experiments},
        study_of,
        {name: _differing(experiment) for name, experiment in fitting.experiments.items()},
    )
    for name, reason in damaged.items():
        context.log.warning(f"{name} is left out: {reason}")
    write_experiment_log(workspace.experiment_log_csv, workspace.experiment_log_html, log, workspace.name)
    return Made(
        {
            "dagster/row_count": len(log),
            "report": dg.MetadataValue.url(log_address(settings)),
            "experiments": table(log.drop(columns=["code", "taken_over"]), limit=60),
            "left_out": dg.MetadataValue.json({**fitting.others, **damaged}),
        }
    )


def _differing(experiment: Experiment) -> dict[str, Any]:
    """The settings that differ from the published ones, its sessions and what it is called aside."""
    values = {key: value for key, value in experiment.values().items() if key not in (*NAMES, "sessions")}
    return without_defaults(values)

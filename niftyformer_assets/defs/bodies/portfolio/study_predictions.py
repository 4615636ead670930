"""The joined scores of a study as an asset."""

from __future__ import annotations

import dagster as dg
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.results import table
from niftyformer_assets.experiments.contenders import contenders_of
from niftyformer_assets.experiments.files import begin, find_study
from niftyformer_assets.experiments.study_reach import require_reach
from niftyformer_assets.portfolio.evidence.study_predictions import write_contenders
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted


def join_study(context: dg.AssetExecutionContext, settings: Settings, fitting: Fitting) -> Made:
    """Join what the experiments of a study predict; those that have not are named."""
    study = find_study(settings, context.partition_key)
    require_reach(study, settings)
    if not fitting.experiments:
        begin(settings, study)
        raise NiftyFormerError(
            f"no experiment of study {study.name} has predictions: run niftyformer study {study.name}, or backfill its "
            f"{counted(len(study.planned), 'experiment')}, which the web UI shows as partitions within a minute"
        )
    for name, reason in fitting.others.items():
        context.log.warning(f"{name} is left out: {reason}")
    found = [each for each in study.planned if each.experiment.name in fitting.experiments]
    contenders = contenders_of(study, settings.workspace, found)
    folder = settings.workspace.study(study.name)
    rows = write_contenders(folder.predictions, folder.contenders, contenders, list(fitting.others))
    scores = contenders[0].scores
    return Made(
        {
            "dagster/row_count": rows,
            "windows": len(scores.names),
            "sessions": int((scores.window >= 0).sum()),
            "from": str(scores.axes.dates[0]),
            "to": str(scores.axes.dates[scores.sessions - 1]),
            "missing": ", ".join(fitting.others) or "none",
            "contenders": table(
                pd.DataFrame({"name": [c.name for c in contenders], "kind": [c.kind for c in contenders]})
            ),
        }
    )

"""The wavelet bands as an asset, and the files that make an experiment's folder stand by itself."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.dataset import flow as bands
from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture
from niftyformer_assets.experiments.folder_files import write_experiment_files
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.experiments.outcomes import outcomes_of


def make_flow(opened: OpenedExperiment) -> Made:
    """Decompose the returns of every window."""
    experiment, folder = opened.experiment, opened.folder
    outcomes = outcomes_of(opened)
    arrays = bands.flow(
        outcomes.returns, opened.axes, experiment.windows, experiment.wavelet, outcomes.exposures, outcomes.member
    )
    bands.save_flow(folder.flow, arrays, opened.axes)
    write_experiment_files(opened)
    sessions, symbols = opened.axes.shape
    split = opened.scope.split
    return Made(
        {
            "dagster/row_count": sessions,
            "symbols": symbols,
            "windows": len(arrays["low_freq"]),
            "sessions": f"train {split.sessions('train')}, validation {split.sessions('validation')}, "
            f"test {split.sessions('test')}, later {split.sessions('later')}",
            "left_out": dg.MetadataValue.json(opened.scope.left_out),
            "survivorship": opened.scope.survivorship,
            "bands": picture(bands.flow_picture(arrays, opened.axes), "a stock's return and its bands"),
        },
    )

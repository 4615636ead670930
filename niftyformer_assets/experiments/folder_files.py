"""The two files that make an experiment's folder stand by itself: for our training, and for the published code."""

from __future__ import annotations

import json

from niftyformer_assets.dataset.published import PublishedTraining, write_stockformer_conf
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.market.calendar import sessions_to_come
from niftyformer_assets.store.index import read_json, write_entered
from niftyformer_assets.store.workspace import ExperimentFolder


def write_experiment_files(opened: OpenedExperiment) -> None:
    """Write `experiment.json`, which `python -m niftyformer_assets.model` reads, and `stockformer.conf`."""
    experiment, split, dates = opened.experiment, opened.scope.split, opened.axes.dates
    content = {
        **experiment.values(),
        "split": {
            part: [str(dates[place.start]), str(dates[place.stop - 1])]
            for part, place in (("train", split.train), ("validation", split.validation), ("test", split.test))
        },
        "to_come": [str(day) for day in sessions_to_come(dates[-1], max(experiment.windows.known_after))],
    }
    write_entered(opened.folder.settings, json.dumps(content, indent=1, sort_keys=True) + "\n")
    training = PublishedTraining(
        width=experiment.model.width,
        layers=experiment.model.layers,
        heads=experiment.model.heads,
        batch_size=experiment.training.batch_size,
        learning_rate=experiment.training.learning_rate,
        max_epochs=experiment.training.max_epochs,
        patience=experiment.training.patience,
        seed=experiment.seed_of("training"),
    )
    write_stockformer_conf(opened.folder, split, experiment.windows, experiment.wavelet, training)


def update_settings(folder: ExperimentFolder, experiment: Experiment) -> None:
    """Bring `experiment.json` up to the experiment's file; what it was made with must have been looked at before."""
    content = read_json(folder.settings)
    write_entered(folder.settings, json.dumps(content | experiment.values(), indent=1, sort_keys=True) + "\n")

"""A network beside the model: trained and asked as the model would be, in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pandas as pd

from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.trained import TrainedThing, Watch
from niftyformer_assets.model.watch import Observer, Told
from niftyformer_assets.store.workspace import ExperimentFolder


def rival_predictions(
    thing: TrainedThing,
    files: ExperimentFolder,
    device: Callable[[Precision], Device],
    progress: Callable[[str], None],
) -> pd.DataFrame:
    """What a trained thing says, fitted on an experiment's folder; it goes on where a training was interrupted."""
    dataset, folder = load_dataset(files.root, thing.name), files.rival(thing.name)

    def observers(seed: int, _place: Path) -> list[Observer]:
        of = f"{thing.name}, seed {seed}" if dataset.settings.training.seeds > 1 else thing.name
        return [Told(lambda line: progress(f"{of}: {line}"))]

    thing.fit(dataset, files, folder, device, Watch(progress, observers), restart=None)
    return thing.predict(dataset, files, folder, device)


def remove_other_rivals(files: ExperimentFolder, names: Collection[str]) -> None:
    """Remove what was trained as baselines that are none any more."""
    for folder in files.rivals.glob("*"):
        if folder.is_dir() and folder.name not in names:
            shutil.rmtree(folder)

"""What the model must beat: predictions of the same samples and stocks by other models, each fitted as it would be."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd

from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.predictions import BASELINE
from niftyformer_assets.model.trained import TrainedThing, Watch
from niftyformer_assets.model.trained_things import trained_thing
from niftyformer_assets.model.watch import Observer, Told
from niftyformer_assets.store.workspace import ExperimentFolder


def baseline_predictions(
    names: Sequence[str],
    load: Callable[[str], Dataset],
    folder: Callable[[str], Path],
    device: Callable[[TrainedThing], Callable[[Precision], Device]],
    progress: Callable[[str], None] = lambda _line: None,
) -> pd.DataFrame:
    """The predictions of several models for the sessions after training.

    Neither the order of the names nor which others are among them changes what one says. A network goes on where its
    training was interrupted.

    Args:
        load: the dataset of an experiment, as `load_dataset` loads it for a model of a name.
        folder: where each is fitted into.
        device: what chooses one for a model.
        progress: called with a line of text now and then.

    Returns:
        the table that `model.predictions` describes, of several models in the order of the names.

    Raises:
        NiftyFormerError: a part has no sample, or training or validation has no label.
    """
    frames = []
    for place, name in enumerate(names, start=1):
        began = time.monotonic()
        table = _fitted_and_asked(trained_thing(name), load(name), folder(name), device, progress)
        frames.append(table.assign(**{BASELINE: name}))
        progress(f"{name}: done in {time.monotonic() - began:.1f} s ({place} of {len(names)} baselines)")
    return pd.concat(frames, ignore_index=True)


def _fitted_and_asked(
    thing: TrainedThing,
    dataset: Dataset,
    folder: Path,
    device: Callable[[TrainedThing], Callable[[Precision], Device]],
    progress: Callable[[str], None],
) -> pd.DataFrame:
    def observers(seed: int, _place: Path) -> list[Observer]:
        of = f"{thing.name}, seed {seed}" if dataset.settings.networks > 1 else thing.name
        return [Told(lambda line: progress(f"{of}: {line}"))]

    fitted = thing.fit(dataset, folder, device(thing), Watch(progress, observers), restart=None)
    return thing.predict(dataset, folder, device(thing), fitted)


def remove_other_rivals(files: ExperimentFolder, names: Collection[str]) -> None:
    """Remove what was fitted as baselines that are none any more."""
    for folder in files.rivals.glob("*"):
        if folder.is_dir() and folder.name not in names:
            shutil.rmtree(folder)

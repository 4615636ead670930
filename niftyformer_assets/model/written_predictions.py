"""A model asked, and what it says written: the table, that of each network, and what the published code reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.predictions import mean_of_networks
from niftyformer_assets.model.published import write_last_step
from niftyformer_assets.model.trained import TrainedThing
from niftyformer_assets.store.tables import write_parquet


def write_predictions(
    thing: TrainedThing,
    dataset: Dataset,
    folder: Path,
    device: Callable[[Precision], Device],
    table: Path,
    of_networks: Path,
) -> pd.DataFrame:
    """What a trained thing predicts, which is written to `table`.

    Args:
        of_networks: gets what each of several networks says; is removed where there are not several.

    Raises:
        NiftyFormerError: as `TrainedThing.predict`.
    """
    each = thing.predict_each(dataset, folder, device)
    frame = thing.predict(dataset, folder, device) if each is None else mean_of_networks(each)
    # Before the table, whose entry in the index is written without one that is gone.
    if each is None:
        of_networks.unlink(missing_ok=True)
    else:
        write_parquet(of_networks, each)
    write_parquet(table, frame)
    write_last_step(ModelFolder(folder), dataset, frame)
    return frame

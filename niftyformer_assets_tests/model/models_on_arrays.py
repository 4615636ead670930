"""Models fitted and asked on arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.baseline_predictions import baseline_predictions
from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Run, registered
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.device import Device, Precision, choose_device
from niftyformer_assets.model.predict import predict
from niftyformer_assets.model.trained import TrainedThing
from niftyformer_assets.model.training import train

CPU = choose_device("cpu", "float32")
PARTS = ("train", "validation", "test", "later")


def dataset_of(name: str, inputs: BaselineInputs, settings: BaselineSettings, seed: int) -> Dataset:
    """What a model of a name without sections of its own is fitted on, of the inputs that those that are no network
    have."""
    windows, run = inputs.windows, RunSettings("made_up", seed, inputs.windows, settings.of(registered()[name]))
    factors = tuple(f"FACTOR{number}" for number in range(inputs.factors.shape[-1]))
    return Dataset(
        settings=run,
        inputs=inputs,
        axes=inputs.axes,
        split=inputs.split,
        factor_names=factors,
        returns=np.where(inputs.returns_valid, inputs.returns, 0).astype(np.float32),
        valid=inputs.returns_valid,
        factors=inputs.factors.astype(np.float32),
        graph=np.zeros((len(inputs.axes.symbols), 0), dtype=np.float32),
        low_matrix=np.full((windows.input_sessions, windows.input_sessions), np.nan, dtype=np.float32),
        low_matrix_output=np.full((len(windows.labels), len(windows.labels)), np.nan, dtype=np.float32),
        to_come=np.array([], dtype="datetime64[D]"),
    )


def predicted(
    names: Sequence[str],
    inputs: BaselineInputs,
    settings: BaselineSettings,
    seed: int,
    folder: Path,
    progress: Callable[[str], None] = lambda _line: None,
) -> pd.DataFrame:
    """The predictions of baselines, each fitted into a folder of its own."""

    def load(name: str) -> Dataset:
        return dataset_of(name, inputs, settings, seed)

    def device(_thing: TrainedThing) -> Callable[[Precision], Device]:
        return lambda _precision: CPU

    return baseline_predictions(names, load, folder.joinpath, device, progress)


def forecast(name: str, inputs: BaselineInputs, settings: BaselineSettings, seed: int) -> Forecast:
    """What a model that is no network says of every sample."""
    chosen, run = settings.of(registered()[name]), Run(seed)
    assert isinstance(chosen, Baseline)
    return chosen.predict(chosen.fit(inputs, run), inputs, run)


def trained_forecast(
    name: str, inputs: BaselineInputs, settings: BaselineSettings, seed: int, folder: Path, fit: bool = True
) -> Forecast:
    """What a network says of every sample and stock, NaN where nothing; fitted into a folder unless it was before."""
    dataset = dataset_of(name, inputs, settings, seed)
    if fit:
        train(dataset, folder, CPU)
    table = predict(dataset, folder, CPU, PARTS)
    shape = (len(inputs.samples), len(inputs.axes.symbols), len(inputs.windows.labels))
    found = Forecast(np.full(shape, np.nan), np.full(shape, np.nan))
    sample = np.searchsorted(inputs.axes.dates[inputs.samples.made_on], table["date_made"].to_numpy("datetime64[D]"))
    stock = pd.Index(inputs.axes.symbols).get_indexer(pd.Index(table["symbol"]))
    names = table["target"] if "target" in table else "h" + table["horizon"].astype(str)
    place = sample, stock, pd.Index([label.name for label in inputs.windows.labels]).get_indexer(pd.Index(names))
    found.value[place] = table["return" if "return" in table else "score"]
    found.p_up[place] = table["p_up"]
    return found

"""Predictions from a model's folder and an experiment's data, on any machine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.build import network_of
from niftyformer_assets.model.checkpoint import ModelFolder, changes, must_fit, read_best, read_card
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, out_of_memory_in_words
from niftyformer_assets.model.inference import Inference
from niftyformer_assets.model.predictions import (
    OUT_OF_SAMPLE,
    SEED,
    keys_of,
    mean_of_networks,
    out_of_sample,
    prediction_table,
)
from niftyformer_assets.model.training import networks
from niftyformer_assets.model.weights import FlatWeights
from niftyformer_assets.store.errors import NiftyFormerError, damaged


def predict(dataset: Dataset, folder: Path, device: Device, parts: Collection[str] = OUT_OF_SAMPLE) -> pd.DataFrame:
    """The mean of what `predict_each` gives: the table that `model.predictions` describes, of one model."""
    return mean_of_networks(predict_each(dataset, folder, device, parts))


def predict_each(
    dataset: Dataset, folder: Path, device: Device, parts: Collection[str] = OUT_OF_SAMPLE
) -> pd.DataFrame:
    """What the best weights of each network in a model's folder say at the close of each session.

    A prediction belongs to the part of the session on which its label is known. Those of the last sessions
    at hand are still to come. Products are computed in the device's precision.

    Args:
        folder: the model's folder; nothing else of the training is needed.
        parts: of validation, test, later and train.

    Returns:
        the table that `model.predictions` describes, of one network or several by their seeds.

    Raises:
        NiftyFormerError: the folder has no model, or one for other symbols, factors or settings.
    """
    _must_be_of_one_training(dataset, folder)
    states = {
        network.settings.seed: load_state(ModelFolder(place), network) for network, place in networks(dataset, folder)
    }
    samples = dataset.all_samples
    asked = out_of_sample(samples, dataset.split, parts)
    chosen = np.flatnonzero(asked.any(axis=1))
    batch_size = dataset.settings.training.batch_size
    with out_of_memory_in_words(batch_size, device):
        data = DeviceData(dataset, device.torch_device, device.multiple)
        weights = FlatWeights(network_of(dataset.settings, *data.sizes[1:]), device.torch_device)
        inference = Inference(weights, data, device, batch_size)
        made_on = torch.from_numpy(samples.made_on[chosen])
        said = {}
        for seed, state in states.items():
            weights.load(state)
            said[seed] = inference(made_on)
    tables = []
    for seed, of_network in said.items():
        value, p_up = (np.full((*asked.shape, len(dataset.axes.symbols)), np.nan, dtype=np.float32) for _ in range(2))
        value[chosen], p_up[chosen] = of_network
        table = prediction_table(
            value,
            p_up,
            samples,
            dataset.axes,
            dataset.split,
            dataset.enough[samples.made_on],
            dataset.to_come,
            parts,
        )
        tables.append(table.assign(**{SEED: seed}))
    return pd.concat(tables, ignore_index=True)


def _must_be_of_one_training(dataset: Dataset, folder: Path) -> None:
    """Raise if the networks whose mean is asked for differ in anything but their seed."""
    cards = [(place, read_card(ModelFolder(place).card)) for _, place in networks(dataset, folder)]
    first, *others = [
        (place, {**card, "settings": {**card["settings"], "seed": dataset.settings.seed}}) for place, card in cards
    ]
    for place, card in others:
        if found := changes(first[1], card):
            raise NiftyFormerError(
                f"the networks in {first[0]} and {place} are of different trainings: {'; '.join(found)}. Train again."
            )


def load_state(files: ModelFolder, dataset: Dataset) -> dict[str, Tensor]:
    """The best weights, on the CPU, refused if they are another experiment's, or the dataset does not fit them."""
    must_fit(files, dataset)
    state: dict[str, Tensor] = read_best(files)["model"]
    expected = network_of(dataset.settings, len(dataset.axes.symbols), len(dataset.factor_names)).state_dict()
    if {name: tensor.shape for name, tensor in state.items()} != {name: t.shape for name, t in expected.items()}:
        raise damaged(files.best, ValueError("its weights are not those of the settings in model.json"))
    return state


def expected_index(dataset: Dataset, parts: Collection[str] = OUT_OF_SAMPLE) -> pd.MultiIndex:
    """Which (date_made, horizon or target, symbol) `predict` must give, counted from the returns alone.

    A symbol is expected where at least half of the window's sessions up to date_made have a return, if it is a member.
    """
    windows = dataset.settings.windows
    length, known_after = windows.input_sessions, windows.known_after
    labels: Sequence[int | str] = [label.name for label in windows.labels] if windows.targets else known_after
    dates, count = dataset.axes.dates, len(dataset.axes.dates)
    part_of = [dataset.split.part_of(session) for session in range(count)] + ["later"] * max(known_after)
    rows: list[tuple[np.datetime64, int | str, str]] = []
    for made in range(length - 1, count):
        present = dataset.valid[made - length + 1 : made + 1].sum(axis=0)
        enough = 2 * present >= length
        if dataset.inputs.member is not None:
            enough &= dataset.inputs.member[made]
        symbols = [name for name, there in zip(dataset.axes.symbols, enough, strict=True) if there]
        for label, after in zip(labels, known_after, strict=True):
            if part_of[made + after] in parts:
                rows.extend((dates[made], label, symbol) for symbol in symbols)
    keys = keys_of(windows)
    frame = pd.DataFrame(rows, columns=list(keys)).astype({"date_made": "datetime64[ns]"})
    return pd.MultiIndex.from_frame(frame if windows.targets else frame.astype({keys[1]: "int32"}))

"""A blend as a trained thing: a card, and what it is made of, each fitted into a folder of its own below.

What it says of a session is one score, the same for each label, in units of that label: their ratio is learned of the
validation sessions, on which none of its parts was fitted.

Shapes: D sessions that predictions are made on, N symbols.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.factors.labels import horizon_of, ranks
from niftyformer_assets.model.baseline_registry import Forecast
from niftyformer_assets.model.baselines.blend import Blend
from niftyformer_assets.model.checkpoint import ModelFolder, card_of, must_fit, write_card
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.predictions import (
    keys_of,
    label_column,
    labels_of_rows,
    of_label,
    of_parts,
    traded,
    value_column,
)
from niftyformer_assets.model.trained import Fitted, TrainedThing, Watch
from niftyformer_assets.store.errors import NiftyFormerError

PARTS = "parts"
# What is said of a label where the score orders the validation sessions against it: next to nothing, in its order.
_LEAST = 1e-3


class TrainedBlend(TrainedThing):
    """The blend."""

    def fingerprint(self, dataset: Dataset) -> dict[str, str]:
        found: dict[str, str] = {}
        for thing, own in self._parts(dataset):
            found |= thing.fingerprint(own)
        return found

    def fit(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        watch: Watch,
        restart: bool | None = False,
    ) -> Fitted:
        place, parts = ModelFolder(folder), self._parts(dataset)
        _must_have_labels(_chosen(dataset), dataset)
        with place.locked():
            place.clear()
            for of_others in (*folder.glob("seed-*"), *(folder / PARTS).glob("*"), place.tensorboard):
                if of_others.parent.name != PARTS or of_others.name not in {thing.name for thing, _ in parts}:
                    shutil.rmtree(of_others, ignore_errors=True)
            fitted = {}
            for thing, own in parts:
                watch.tell(f"{thing.name}: part of {self.name}")
                fitted[thing.name] = thing.fit(own, folder / PARTS / thing.name, device, watch, restart)
            write_card(place.card, card_of(dataset, dataset.settings.values(), self.fingerprint(dataset)))
        made_of = pd.DataFrame(
            [(name, ", ".join(labels) or "the one that is traded") for name, labels in _chosen_labels(dataset).items()],
            columns=["model", "labels"],
        )
        return Fitted(
            rows=sum(each.rows for each in fitted.values()),
            figures={"model": self.name, **{f"{name} on": each.figures["device"] for name, each in fitted.items()}},
            notes=tuple(f"{name}: {note}" for name, each in fitted.items() for note in each.notes),
            tables={"made of": made_of},
            said=(f"{self.name} of {', '.join(fitted)} is fitted",),
            parts=fitted,
        )

    def predict(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        fitted: Fitted | None = None,
    ) -> pd.DataFrame:
        self.must_be_in(folder)
        must_fit(ModelFolder(folder), dataset)
        known: Mapping[str, Fitted] = {} if fitted is None else fitted.parts
        said = {
            thing.name: thing.predict(own, folder / PARTS / thing.name, device, known.get(thing.name))
            for thing, own in self._parts(dataset)
        }
        return _blended(said, _chosen_labels(dataset), dataset)

    def _parts(self, dataset: Dataset) -> Sequence[tuple[TrainedThing, Dataset]]:
        """What it is made of, each with the dataset that it sees."""
        return [(self.other(own.model.name), replace(dataset, settings=own)) for own in dataset.settings.parts]


def _chosen(dataset: Dataset) -> Blend:
    model = dataset.settings.model
    if not isinstance(model, Blend):
        raise TypeError(f"{model.name} is no blend")
    return model


def _chosen_labels(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    return _chosen(dataset).labels_by_model


def _must_have_labels(blend: Blend, dataset: Dataset) -> None:
    names = [label.name for label in dataset.settings.windows.labels]
    for model, labels in blend.labels_by_model.items():
        for label in labels:
            if label not in names:
                raise NiftyFormerError(
                    f"baselines.blend_of: {model}.{label} names no label of the experiment: it has {', '.join(names)}."
                )


def _blended(said: Mapping[str, pd.DataFrame], labels: Mapping[str, tuple[str, ...]], dataset: Dataset) -> pd.DataFrame:
    """The table of the blend, of those of its parts, which have the same rows."""
    table = next(iter(said.values())).copy()
    keys, column = list(keys_of(dataset.settings.windows)), value_column(table)
    for name, other in said.items():
        if not table[keys].equals(other[keys]):
            raise NiftyFormerError(f"{name} does not predict what the others of the blend do. Train again.")
    session, days = pd.factorize(table["date_made"], sort=True)
    stock, symbols = pd.factorize(table["symbol"], sort=True)
    shape = len(days), len(symbols)

    def score_of(name: str) -> np.ndarray:
        """[D, N]; a label that nothing is said of on a session, next to the end of training, does not count there."""
        tables = [_of_named(said[name], label) for label in labels[name]] or [traded(said[name])]
        places = []
        for rows in tables:
            values = np.full(shape, np.nan)
            values[session[rows.index], stock[rows.index]] = rows[column]
            places.append(ranks(values))
        return ranks(_mean(places))

    score = ranks(_mean([score_of(name) for name in labels]))[session, stock]
    value, p_up = np.empty(len(table)), np.empty(len(table))
    learned = of_parts(table, ["validation"])
    known = labels_of_rows(learned, dataset.labels, dataset.axes, dataset.split)
    for label, rows in table.groupby(label_column(table), sort=False):
        places = rows.index.to_numpy()
        inside = learned[label_column(learned)].to_numpy() == label
        outcome, own = known[inside], score[learned.index.to_numpy()[inside]]
        there = np.isfinite(outcome)
        deviation = float(np.std(outcome[there])) or 1.0
        slope = float((outcome[there] * own[there]).sum() / max((own[there] ** 2).sum(), 1e-12))
        forecast = Forecast.of(max(slope, _LEAST * deviation) * score[places], np.array(deviation))
        value[places], p_up[places] = forecast.value, forecast.p_up
    return table.assign(**{column: value, "p_up": p_up})


def _of_named(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """The rows of a label by its name."""
    horizon = horizon_of(label)
    return of_label(table, label if horizon is None else horizon)


def _mean(places: Sequence[np.ndarray]) -> np.ndarray:
    """[D, N], over those that are there; NaN where none is."""
    there = np.sum([np.isfinite(place) for place in places], axis=0)
    total = np.nansum(places, axis=0)
    return np.divide(total, there, out=np.full(total.shape, np.nan), where=there > 0)

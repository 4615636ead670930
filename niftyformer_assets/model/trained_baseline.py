"""Any baseline but a network as a trained thing: a card, and the arrays that it learned.

What learns no arrays, as trees of scikit-learn do, is fitted again before it predicts: the card holds
the settings, the seed and the fingerprint of the data that make it, and what it must say again.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.model.baseline_inputs import BaselineInputs, load_baseline_inputs
from niftyformer_assets.model.baseline_predictions import forecast_table, must_have_labels
from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Learned, Run, array_baseline
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.checkpoint import ModelFolder, card_of, write_card
from niftyformer_assets.model.data import Dataset, settings_section
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.trained import Fitted, TrainedThing, Watch
from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError, damaged
from niftyformer_assets.store.index import entered_digests, entered_path, read_entered, read_json
from niftyformer_assets.store.workspace import ExperimentFolder


class TrainedBaseline(TrainedThing):
    """The baseline that is registered under a name."""

    def __init__(self, name: str) -> None:
        self.name, self.kind = name, array_baseline(name)

    def settings(self, dataset: Dataset, files: ExperimentFolder) -> dict[str, Any]:
        return self._settings(dataset, self._chosen(files))

    def recorded_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        own = self.kind(**settings["baselines"])
        return {**settings, "baselines": asdict(own)}  # type: ignore[call-overload]

    def fingerprint(self, dataset: Dataset, files: ExperimentFolder) -> dict[str, str]:
        return self._inputs(dataset, files).fingerprint()

    def fit(
        self,
        dataset: Dataset,
        files: ExperimentFolder,
        folder: Path,
        device: Callable[[Precision], Device],
        watch: Watch,
        restart: bool | None = False,
    ) -> Fitted:
        inputs, chosen, place = self._inputs(dataset, files), self._chosen(files), ModelFolder(folder)
        must_have_labels(inputs)
        run = Run(dataset.settings.seed, watch.tell)
        with place.locked():
            learned = chosen.fit(inputs, run)
            card = card_of(dataset, self._settings(dataset, chosen), inputs.fingerprint())
            if not self.kind.storable:
                card["fitted_again"] = _said(chosen.predict(learned, inputs, run), inputs)
            # Only now: what cannot be fitted leaves an older model as it is.
            place.clear()
            for of_networks in (*folder.glob("seed-*"), place.tensorboard):
                shutil.rmtree(of_networks, ignore_errors=True)
            if self.kind.storable:
                _write_arrays(place.learned, learned)
                card["learned"] = _digest(place)
            write_card(place.card, card)
        return Fitted(
            rows=int(np.isfinite(inputs.training).sum()),
            figures={
                "model": self.name,
                "device": "CPU",
                "kept": place.learned.name if self.kind.storable else "its making alone: it is fitted again to predict",
            },
            tables={"settings": pd.DataFrame(list(asdict(chosen).items()), columns=["setting", "value"])},  # type: ignore[call-overload]
            said=(f"{self.name} is fitted",),
        )

    def predict(
        self, dataset: Dataset, files: ExperimentFolder, folder: Path, device: Callable[[Precision], Device]
    ) -> pd.DataFrame:
        place, inputs, chosen = ModelFolder(folder), self._inputs(dataset, files), self._chosen(files)
        card = self.must_be_of(dataset, files, folder, and_data=not self.kind.storable)
        run = Run(dataset.settings.seed)
        if self.kind.storable:
            if card.get("learned") != _digest(place):
                raise damaged(place.learned, ValueError(f"it is not the one that {place.card.name} names"))
            made = chosen.predict(_read_arrays(place.learned), inputs, run)
        else:
            made = chosen.predict(chosen.fit(inputs, run), inputs, run)
            if card.get("fitted_again") != _said(made, inputs):
                raise NiftyFormerError(
                    f"{self.name}, fitted again on what it was fitted on, is another model than that of {place.card}: "
                    "another version of scikit-learn or another machine made it. Train again."
                )
        return forecast_table(made, inputs, dataset.to_come)

    def _chosen(self, files: ExperimentFolder) -> Baseline:
        content = read_json(files.settings)
        try:
            return settings_section("baselines", BaselineSettings, content).of(self.kind)
        except (KeyError, TypeError, ValueError) as error:
            raise NiftyFormerError(f"{files.settings}: {error}. Write the experiment's settings again.") from error

    def _settings(self, dataset: Dataset, chosen: Baseline) -> dict[str, Any]:
        run = dataset.settings
        return {
            "seed": run.seed,
            "windows": asdict(run.windows),
            "model": {"name": self.name},
            "baselines": asdict(chosen),  # type: ignore[call-overload]
        }

    def _inputs(self, dataset: Dataset, files: ExperimentFolder) -> BaselineInputs:
        return load_baseline_inputs(files, dataset.axes, dataset.split, dataset.settings.windows)


def _said(made: Forecast, inputs: BaselineInputs) -> str:
    """A hash of what is said of the samples that it was fitted on."""
    fitted_on = np.isfinite(inputs.training)
    return hashlib.sha256(made.value[fitted_on].tobytes()).hexdigest()


def _digest(place: ModelFolder) -> str | None:
    return entered_digests([place.learned], place.root).get(place.learned.name)


def _write_arrays(path: Path, arrays: Learned) -> None:
    with entered_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    content = read_entered(path).content
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except UNREADABLE as error:
        raise damaged(path, error) from error

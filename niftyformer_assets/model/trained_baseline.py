"""A model that is no network as a trained thing: a card, and the arrays that it learned.

What learns no arrays, as trees of scikit-learn do, is fitted again before it predicts: the card holds
the settings, the seed and the fingerprint of the data that make it, and what it must say again.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.dataset.windows import samples
from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.baseline_registry import Baseline, Forecast, Learned, Run
from niftyformer_assets.model.checkpoint import ModelFolder, card_of, must_fit, write_card
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.predictions import prediction_table
from niftyformer_assets.model.trained import Fitted, TrainedThing, Watch
from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError, damaged
from niftyformer_assets.store.index import entered_digests, entered_path, read_entered


class TrainedBaseline(TrainedThing):
    """The `Baseline` that is registered under a name."""

    def fingerprint(self, dataset: Dataset) -> dict[str, str]:
        return dataset.inputs.fingerprint()

    def fit(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        watch: Watch,
        restart: bool | None = False,
    ) -> Fitted:
        inputs, chosen, place = dataset.inputs, _chosen(dataset), ModelFolder(folder)
        _must_have_labels(inputs)
        run = Run(dataset.settings.seed)
        with place.locked():
            learned = chosen.fit(inputs, run)
            made = None if chosen.storable else chosen.predict(learned, inputs, run)
            card = card_of(dataset, dataset.settings.values(), self.fingerprint(dataset))
            if made is not None:
                card["fitted_again"] = _said(made, inputs)
            # Only now: what cannot be fitted leaves an older model as it is.
            place.clear()
            for of_networks in (*folder.glob("seed-*"), place.tensorboard):
                shutil.rmtree(of_networks, ignore_errors=True)
            if chosen.storable:
                _write_arrays(place.learned, learned)
                card["learned"] = _digest(place)
            write_card(place.card, card)
        own = [(field.name, getattr(chosen, field.name)) for field in chosen.own_fields()]
        return Fitted(
            rows=int(np.isfinite(inputs.training).sum()),
            figures={
                "model": self.name,
                "device": "CPU",
                "kept": place.learned.name if chosen.storable else "its making alone: it is fitted again to predict",
            },
            tables={"settings": pd.DataFrame(own, columns=["setting", "value"])},
            said=(f"{self.name} is fitted",),
            made=made,
        )

    def predict(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        fitted: Fitted | None = None,
    ) -> pd.DataFrame:
        place, inputs, chosen = ModelFolder(folder), dataset.inputs, _chosen(dataset)
        card, run = self.must_be_in(folder), Run(dataset.settings.seed)
        other = [] if chosen.storable else self.changed_data(dataset, folder)
        must_fit(place, dataset, [f"the {name} it is fitted on changed" for name in other])
        if chosen.storable:
            if card.get("learned") != _digest(place):
                raise damaged(place.learned, ValueError(f"it is not the one that {place.card.name} names"))
            made = chosen.predict(_read_arrays(place.learned), inputs, run)
        else:
            known = fitted.made if fitted is not None else None
            made = chosen.predict(chosen.fit(inputs, run), inputs, run) if known is None else known
            if card.get("fitted_again") != _said(made, inputs):
                raise NiftyFormerError(
                    f"{self.name}, fitted again on what it was fitted on, is another model than that of {place.card}: "
                    "another version of scikit-learn or another machine made it. Train again."
                )
        value, p_up = (said.swapaxes(1, 2) for said in (made.value, made.p_up))
        return prediction_table(value, p_up, inputs.samples, inputs.axes, inputs.split, inputs.covered, dataset.to_come)


def _chosen(dataset: Dataset) -> Baseline:
    model = dataset.settings.model
    if not isinstance(model, Baseline):
        raise TypeError(f"{model.name} is a network: it is trained by the training loop")
    return model


def _must_have_labels(inputs: BaselineInputs) -> None:
    """Raise where nothing can be fitted: a part has no sample, or training or validation has no label."""
    samples(inputs.split, inputs.windows)
    for part, labels in (("train", inputs.training), ("validation", inputs.validation)):
        if not np.isfinite(labels).any():
            raise NiftyFormerError(
                f"the {part} part has no return to fit a model on: check the experiment's sessions and label.csv."
            )


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

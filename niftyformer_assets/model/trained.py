"""A trained thing: fitted into one folder, with a card of what it is of, and asked from there.

`model.name` of an experiment says which of them is the model that is traded, `baselines.names` which it
is compared with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from niftyformer_assets.model.baseline_registry import Forecast, registered
from niftyformer_assets.model.checkpoint import ModelFolder, changed_settings, read_card
from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.store.errors import NiftyFormerError, damaged

if TYPE_CHECKING:
    from niftyformer_assets.model.watch import Observer


@dataclass(frozen=True, eq=False)
class Watch:
    """Who is told how a fit goes.

    tell: is called with a line of text now and then.
    observers: those of the training of a network, by its seed and its folder.
    """

    tell: Callable[[str], None] = lambda _line: None
    observers: Callable[[int, Path], Sequence[Observer]] = lambda _seed, _folder: ()


@dataclass(frozen=True, eq=False)
class Fitted:
    """How a fit went, for people.

    rows: epochs that were trained, or labels that were fitted on.
    figures: by name: where it was fitted, how it ended.
    notes: what a reader of the figures should know.
    history: of the first network, the metrics of each epoch; None of what has no epochs.
    tables: by name: the best epoch of each of several networks, the settings of a baseline.
    said: the end of it, in a line or two.
    made: what it says of every sample, where no file holds what it learned.
    parts: those of what it is put together from, by name.
    """

    rows: int
    figures: Mapping[str, str | int | float]
    notes: tuple[str, ...] = ()
    history: pd.DataFrame | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    made: Forecast | None = None
    parts: Mapping[str, Fitted] = field(default_factory=dict)


class TrainedThing(ABC):
    """A registered model, fitted on an experiment's dataset; predicts its out-of-sample sessions.

    The dataset is the one that `load_dataset` loads for a model of this name.

    Args:
        other: gives the trained thing of another name.
    """

    def __init__(self, name: str, other: Callable[[str], TrainedThing]) -> None:
        self.name, self.model, self.other = name, registered()[name], other

    @abstractmethod
    def fingerprint(self, dataset: Dataset) -> dict[str, str]:
        """Hashes by name of all that a fit reads."""

    @abstractmethod
    def fit(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        watch: Watch,
        restart: bool | None = False,
    ) -> Fitted:
        """Fit into a folder.

        Args:
            device: chooses one in a precision; asked by what can use more than the CPU.
            restart: begin anew what could go on; None is where what is there is of another training.

        Raises:
            NiftyFormerError: there is nothing to learn from, or the folder cannot be trained into.
        """

    @abstractmethod
    def predict(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        fitted: Fitted | None = None,
    ) -> pd.DataFrame:
        """What the thing in a folder says, as `model.predictions` describes it.

        Args:
            fitted: what `fit` gave right before, on the same dataset: what no file holds need not be learned again.

        Raises:
            NiftyFormerError: the folder holds no such thing, or one for other symbols, factors or settings.
        """

    def predict_each(
        self, dataset: Dataset, folder: Path, device: Callable[[Precision], Device]
    ) -> pd.DataFrame | None:
        """What each of several networks says, of which `predict` gives the mean; None of what is no such mean.

        Raises:
            NiftyFormerError: as `predict`.
        """
        return None

    def must_be_in(self, folder: Path) -> dict[str, Any]:
        """The card in a folder, refused if it is of a model of another name.

        Raises:
            NiftyFormerError: so it is, or there is none, or it is damaged.
        """
        path = ModelFolder(folder).card
        card = read_card(path)
        try:
            found = card["settings"]["model"].get("name", ModelSettings.name)
        except (KeyError, TypeError, AttributeError) as error:
            raise damaged(path, error) from error
        if found != self.name:
            raise NiftyFormerError(
                f"the model in {folder} is {found}, and model.name of the experiment is {self.name}: train again, or "
                "change the experiment back."
            )
        return card

    def changed_settings(self, dataset: Dataset, folder: Path) -> list[str]:
        """What is set otherwise than when the thing in a folder was fitted, in words.

        Raises:
            NiftyFormerError: the folder has no card, or a damaged one.
        """
        card = self.must_be_in(folder)
        try:
            before = RunSettings.read(card["settings"]).values()
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(ModelFolder(folder).card, error) from error
        return changed_settings(before, dataset.settings.values())

    def changed_data(self, dataset: Dataset, folder: Path) -> list[str]:
        """The names of what is there now and is other than what the thing in a folder was fitted on."""
        before, now = read_card(ModelFolder(folder).card).get("data", {}), self.fingerprint(dataset)
        return [name for name in now if before.get(name) != now[name]]

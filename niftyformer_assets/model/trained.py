"""A trained thing: fitted into one folder, with a card of what it is of, and asked from there.

The Stockformer and every baseline are such things. `model.name` of an experiment says which of them
is the model that is traded, `baselines.names` which it is compared with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from niftyformer_assets.model.checkpoint import ModelFolder, changed_settings, read_card, sessions_of
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.settings import STOCKFORMER, is_network
from niftyformer_assets.store.errors import NiftyFormerError, damaged
from niftyformer_assets.store.workspace import ExperimentFolder

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
    """

    rows: int
    figures: Mapping[str, str | int | float]
    notes: tuple[str, ...] = ()
    history: pd.DataFrame | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    said: tuple[str, ...] = ()


class TrainedThing(ABC):
    """Something that is fitted on an experiment's dataset and predicts its out-of-sample sessions.

    The dataset is the one that `load_dataset` loads for a model of this name.

    wants_gpu: whether it takes too long on a CPU to be fitted there without a word.
    """

    name: str
    wants_gpu: bool = False

    @abstractmethod
    def settings(self, dataset: Dataset, files: ExperimentFolder) -> dict[str, Any]:
        """Those that decide on it, as its card has them."""

    @abstractmethod
    def recorded_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Those of a card, with today's defaults for what an earlier version did not know.

        Raises:
            KeyError, TypeError, ValueError: they are not those of such a thing.
        """

    @abstractmethod
    def fingerprint(self, dataset: Dataset, files: ExperimentFolder) -> dict[str, str]:
        """Hashes by name of all that a fit reads."""

    @abstractmethod
    def fit(
        self,
        dataset: Dataset,
        files: ExperimentFolder,
        folder: Path,
        device: Callable[[Precision], Device],
        watch: Watch,
        restart: bool | None = False,
    ) -> Fitted:
        """Fit into a folder.

        Args:
            files: what `dataset` was loaded from.
            device: chooses one in a precision; asked by what can use more than the CPU.
            restart: begin anew what could go on; None is where what is there is of another training.

        Raises:
            NiftyFormerError: there is nothing to learn from, or the folder cannot be trained into.
        """

    @abstractmethod
    def predict(
        self, dataset: Dataset, files: ExperimentFolder, folder: Path, device: Callable[[Precision], Device]
    ) -> pd.DataFrame:
        """What the thing in a folder says, as `model.predictions` describes it.

        Raises:
            NiftyFormerError: the folder holds no such thing, or one for other symbols, factors or settings.
        """

    def must_be_of(
        self, dataset: Dataset, files: ExperimentFolder, folder: Path, and_data: bool = False
    ) -> dict[str, Any]:
        """The card of the thing in a folder, refused if it was fitted with other settings, symbols or factors.

        Args:
            and_data: or on other data.

        Raises:
            NiftyFormerError: so it was, or there is none, or it is damaged.
        """
        card, found = must_be(self.name, folder), self.changed_settings(dataset, files, folder)
        now = {
            "sessions": sessions_of(dataset),
            "symbols": list(dataset.axes.symbols),
            "factors": list(dataset.factor_names),
        }
        found += [f"{what} changed" for what in now if card.get(what) != now[what]]
        if and_data and not found:
            found = [f"the {name} it is fitted on changed" for name in self.changed_data(dataset, files, folder)]
        if found:
            raise NiftyFormerError(
                f"the model in {folder} was fitted on something else than is there now: {'; '.join(found)}. Train "
                "again, or use the dataset it was fitted on."
            )
        return card

    def changed_settings(self, dataset: Dataset, files: ExperimentFolder, folder: Path) -> list[str]:
        """What is set otherwise than when the thing in a folder was fitted, in words.

        Raises:
            NiftyFormerError: the folder has no card, or a damaged one.
        """
        card = must_be(self.name, folder)
        try:
            before = self.recorded_settings(card["settings"])
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(ModelFolder(folder).card, error) from error
        return changed_settings(before, self.settings(dataset, files))

    def changed_data(self, dataset: Dataset, files: ExperimentFolder, folder: Path) -> list[str]:
        """The names of what is there now and is other than what the thing in a folder was fitted on."""
        before, now = read_card(ModelFolder(folder).card).get("data", {}), self.fingerprint(dataset, files)
        return [name for name in now if before.get(name) != now[name]]


def trained_thing(name: str) -> TrainedThing:
    """The model of a name that `ModelSettings` accepts."""
    if is_network(name):
        from niftyformer_assets.model.trained_network import TrainedNetwork

        return TrainedNetwork(name)
    from niftyformer_assets.model.trained_baseline import TrainedBaseline

    return TrainedBaseline(name)


def must_be(name: str, folder: Path) -> dict[str, Any]:
    """The card in a folder, refused if it is of a model of another name.

    Raises:
        NiftyFormerError: so it is, or there is none, or it is damaged.
    """
    path = ModelFolder(folder).card
    card = read_card(path)
    try:
        found = card["settings"]["model"].get("name", STOCKFORMER)
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged(path, error) from error
    if found != name:
        raise NiftyFormerError(
            f"the model in {folder} is {found}, and model.name of the experiment is {name}: train again, or change the "
            "experiment back."
        )
    return card

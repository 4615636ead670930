"""What a model is, and how one is registered by name: any of them can be traded, and any be a baseline beside it.

A model is a frozen dataclass in a file of `model/baselines/`: its fields are its settings, which an
experiment gives under `baselines`. Nothing else has to know of it. It is of one of two kinds.

A `Baseline` fits and predicts by itself, arrays in and arrays out:

    @baseline("median")
    @dataclass(frozen=True)
    class Median(Baseline):
        \"\"\"The median of the last sessions' returns.

        median_sessions: what it looks back on.
        \"\"\"

        median_sessions: int = 20

        def fit(self, inputs, run):
            return {"deviation": np.array(inputs.deviation)}

        def predict(self, learned, inputs, run):
            ...
            return Forecast.of(value, learned["deviation"])

A `NetworkBaseline` says what has weights and what is made of them, and is trained by the one loop
(`model/training.py`) on the device that is there, as the Stockformer is:

    @baseline("perceptron")
    @dataclass(frozen=True)
    class Perceptron(NetworkBaseline):
        \"\"\"A perceptron on the last session.

        perceptron_width: of its hidden layer.
        \"\"\"

        perceptron_width: int = 64

        def parts(self, channels, horizons):
            from torch import nn  # settings do without it

            hidden = nn.Sequential(nn.Linear(channels, self.perceptron_width), nn.ReLU())
            return {"hidden": hidden, "out": nn.Linear(self.perceptron_width, 2 * horizons)}

        def forward(self, parts, windows):
            return parts["out"](parts["hidden"](windows.channels[:, :, -1])).chunk(2, dim=-1)

A `Blend` is put together from others; each of those is fitted as it is by itself.

A network that needs more than windows stock by stock, or is to be trained as the experiment's section `training`
says, is a `NetworkModel`: `baselines/stockformer.py` shows one.

Shapes: S samples, B batch, N symbols, T2 horizons.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from functools import cache
from importlib import import_module
from inspect import getfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np

from niftyformer_assets.code import code_of
from niftyformer_assets.imports import load_each
from niftyformer_assets.model import baselines
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.registering import Registry
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from niftyformer_assets.dataset.settings import WindowSettings
    from niftyformer_assets.model.baseline_inputs import BaselineInputs
    from niftyformer_assets.model.network import Network, Windows

# What a fit gives: all that a prediction needs beside the inputs and the settings.
Learned = Mapping[str, Any]
_MODELS: Registry[Model] = Registry("baseline")
# The sections of an experiment that a model may take for its own.
SECTIONS = ("model", "wavelet", "training")
# The module with the network of a `NetworkBaseline`.
_OF_PARTS = "network_of_parts"
_M = TypeVar("_M", bound="type[Model]")


@dataclass(frozen=True, eq=False)
class Forecast:
    """value in units of the label, p_up the probability of a label above 0; both float64 [S, N, T2]."""

    value: np.ndarray
    p_up: np.ndarray

    @classmethod
    def of(cls, value: np.ndarray, deviation: np.ndarray) -> Forecast:
        """With p_up = Φ(value / deviation), the deviation of the training labels."""
        from scipy.special import ndtr

        return cls(value, ndtr(value / deviation))


@dataclass(frozen=True)
class Run:
    """What a fit or a prediction is run with, beside inputs and settings."""

    seed: int


class Model:
    """Predicts the labels of session t at each horizon from what is known at the close of session t.

    The same settings, inputs and seed give the same numbers. A field whose default is made by a dataclass of
    settings is a section of the experiment, the one of the field's name (of `SECTIONS`); all others are given under
    `baselines`.

    name: that it is registered under; words: what reports call it.
    reads_factors: whether it sees the experiment's factors, on which the section `factors` decides.
    reads_graph: whether it sees the embedding of the correlation graph, `model.width` wide: the section `graph` decides
        too.
    draws: whether it draws anything, so that another seed gives another model.
    tells_apart: whether it may say different things of two stocks of a session; a constant cannot be judged.
    wants_gpu: whether it takes too long on a CPU to be fitted there without a word.
    fitted_by: the module of `model/` that fits and asks it, by its kind.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    reads_factors: ClassVar[bool] = True
    reads_graph: ClassVar[bool] = False
    draws: ClassVar[bool] = True
    tells_apart: ClassVar[bool] = True
    wants_gpu: ClassVar[bool] = False
    fitted_by: ClassVar[str]

    @classmethod
    def section_fields(cls) -> dict[str, type]:
        """The sections among its fields, with the class of their settings."""
        return {field.name: kind for field in _fields(cls) if (kind := _section(field)) is not None}

    @classmethod
    def own_fields(cls) -> tuple[Field[Any], ...]:
        """Its fields that are given under `baselines`."""
        return tuple(field for field in _fields(cls) if _section(field) is None)

    @classmethod
    def seed_section(cls) -> Literal["training", "baselines"]:
        """The section that may give it a seed of its own."""
        return "training" if "training" in cls.section_fields() else "baselines"

    @classmethod
    def sections(cls) -> frozenset[str]:
        """The sections of an experiment that decide on it, and on others only where they are theirs too."""
        own = {*cls.section_fields(), cls.seed_section()}
        return frozenset(
            own | ({"baselines"} if cls.own_fields() else set()) | ({"graph"} if cls.reads_graph else set())
        )

    @classmethod
    def made_of(cls, baselines: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the models that it is put together from, by the values of the section `baselines`."""
        return ()

    @classmethod
    def reads_bands(cls) -> bool:
        """Whether it sees the wavelet's bands of a window, on which the section `wavelet` decides."""
        return "wavelet" in cls.section_fields()

    @classmethod
    def code(cls) -> str:
        """The version of the code that makes it; what makes other models alone does not count."""
        return code_of(*cls.code_files())

    @classmethod
    def code_files(cls) -> tuple[Path, ...]:
        """The files whose code, with what they import, makes it: its own, and that of what fits it."""
        return Path(getfile(cls)), Path(__file__).with_name(f"{cls.fitted_by}.py")


class Baseline(Model, ABC):
    """Fits and predicts by itself.

    storable: whether what it learns is arrays alone, which a file can hold. Where it is not, it is fitted
        again on the same labels before it predicts in another process.
    """

    fitted_by = "trained_baseline"
    storable: ClassVar[bool] = True

    @abstractmethod
    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        """What it learns: of the labels `inputs.training`, and to stop early of `inputs.validation`, alone."""

    @abstractmethod
    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        """What it says of every sample, at least of those whose label is known after training."""


class NetworkModel(Model, ABC):
    """A network, which the one training loop fits and stops early on the validation error.

    threads: of a CPU that it is computed on; None is all.
    """

    fitted_by = "trained_network"
    threads: ClassVar[int | None] = None

    @abstractmethod
    def trained_with(self) -> TrainingSettings:
        """How the loop trains it."""

    @property
    def temporal_features(self) -> Literal["calendar", "published"]:
        """As `calendar_features` takes it."""
        return "calendar"

    @property
    def decomposes_factors(self) -> bool:
        """Whether it sees the bands of the factors too."""
        return False

    def sessions_of_an_epoch(self, samples: int, stocks: int) -> int:
        """On how many of the training samples an epoch trains; each is a session of all stocks."""
        return samples

    @abstractmethod
    def network(self, windows: WindowSettings, stocks: int, factors: int) -> Network:
        """The network for so many stocks and factors, with drawn weights, its constants not yet in place."""


@dataclass(frozen=True)
class NetworkBaseline(NetworkModel):
    """A network that sees each stock's own window.

    epochs, patience: how often it sees the training sessions at most, and how often without a smaller validation
        error before it stops.
    sequences_per_epoch: stock windows drawn for an epoch, in whole sessions, so that its length does not grow with
        the universe and the years of training.
    """

    # Threads of so small a one mostly wait for each other.
    threads: ClassVar[int | None] = 1

    epochs: int = 10
    patience: int = 3
    sequences_per_epoch: int = 20_000

    def __post_init__(self) -> None:
        require(
            min(self.epochs, self.patience, self.sequences_per_epoch) >= 1,
            "epochs, patience and sequences_per_epoch must be at least 1",
        )

    def trained_with(self) -> TrainingSettings:
        """How the loop trains it; the rest is as published."""
        return TrainingSettings(max_epochs=self.epochs, patience=self.patience, batch_size=4, precision="float32")

    def sessions_of_an_epoch(self, samples: int, stocks: int) -> int:
        return min(samples, -(-self.sequences_per_epoch // stocks))

    def network(self, windows: WindowSettings, stocks: int, factors: int) -> Network:
        # By its name, for it counts with such networks alone (`code_files`).
        made: Network = import_module(f"{__package__}.{_OF_PARTS}").NetworkOfParts(self, windows, factors)
        return made

    @classmethod
    def code_files(cls) -> tuple[Path, ...]:
        return (*super().code_files(), Path(__file__).with_name(f"{_OF_PARTS}.py"))

    @abstractmethod
    def parts(self, channels: int, horizons: int) -> Mapping[str, nn.Module]:
        """What has weights, by name."""

    @abstractmethod
    def forward(self, parts: nn.ModuleDict, windows: Windows) -> tuple[Tensor, Tensor]:
        """The value, in units of a usual label, and the logit of a label above 0, both [B, N, T2]."""


def baseline(name: str, words: str = "") -> Callable[[_M], _M]:
    """Register a model under a name (a decorator).

    Args:
        name: small letters, digits and underscores; tables and settings call it so.
        words: what reports call it; by itself the name with spaces.

    Raises:
        ValueError: it is no such name, or taken.
        TypeError: one of the model's settings has no default, is no section, or is called `name`, as the model is.
    """

    def enter(model: _M) -> _M:
        for field in _fields(model):
            if field.name == "name":
                raise TypeError(f"setting name of baseline {name} is the name of the model: rename it")
            if field.name in (*Model.__annotations__, *vars(Model)):
                raise TypeError(f"setting {field.name} of baseline {name} is what every model has: rename it")
        if strange := model.section_fields().keys() - {*SECTIONS}:
            raise TypeError(f"{min(strange)} of baseline {name} is no section of a model: {', '.join(SECTIONS)} are")
        _MODELS.enter(name, model)
        model.words = words or name.replace("_", " ")
        return model

    return enter


@cache
def registered() -> Mapping[str, type[Model]]:
    """Every model in `model/baselines/`, by name."""
    load_each(baselines)
    return _MODELS.by_name


def with_parts(name: str, baselines: Mapping[str, Any]) -> tuple[type[Model], ...]:
    """The model of a name, and those that it is put together from, by the values of the section `baselines`.

    None where one of them is not registered, as those of a record may be that is older than a model's end.
    """
    if name not in registered():
        return ()
    names = (name, *registered()[name].made_of(baselines))
    return tuple(registered()[each] for each in names) if registered().keys() >= {*names} else ()


def may_tell_apart(name: str, baselines: Mapping[str, Any]) -> bool:
    """Whether the model of a name may say different things of two stocks, or any that it is put together from may."""
    model, *parts = with_parts(name, baselines)
    return any(part.tells_apart for part in parts) if parts else model.tells_apart


def words_of(name: str) -> str:
    """What reports call a model; a name that none has is shown with spaces."""
    model = registered().get(name)
    return name.replace("_", " ") if model is None else model.words


def _section(field: Field[Any]) -> type | None:
    """The class of a field's settings, where it is a section."""
    made_by = field.default_factory
    return made_by if isinstance(made_by, type) and is_dataclass(made_by) else None


def _fields(model: type[Model]) -> tuple[Field[Any], ...]:
    return fields(model)  # type: ignore[arg-type]

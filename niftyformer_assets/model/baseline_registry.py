"""What a baseline is, and how one is registered by name.

A baseline is a frozen dataclass in a file of `model/baselines/`: its fields are its settings, which
an experiment gives under `baselines`. Nothing else has to know of it. It is of one of two kinds.

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

Shapes: S samples, B batch, N symbols, T2 horizons.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from niftyformer_assets.require import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from niftyformer_assets.model.baseline_inputs import BaselineInputs
    from niftyformer_assets.model.network import Windows

# What a fit gives: all that a prediction needs beside the inputs and the settings.
Learned = Mapping[str, Any]
_BASELINES: dict[str, type[Registered]] = {}
_B = TypeVar("_B", bound="type[Registered]")


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
    """What a fit or a prediction is run with, beside inputs and settings.

    progress: called with a line of text now and then.
    """

    seed: int
    progress: Callable[[str], None] = lambda _line: None


class Registered:
    """Predicts the labels of session t at each horizon from what is known at the close of session t.

    The same settings, inputs and seed give the same numbers.
    """


class Baseline(Registered, ABC):
    """Fits and predicts by itself.

    storable: whether what it learns is arrays alone, which a file can hold. Where it is not, it is fitted
        again on the same labels before it predicts in another process.
    """

    storable: ClassVar[bool] = True

    @abstractmethod
    def fit(self, inputs: BaselineInputs, run: Run) -> Learned:
        """What it learns: of the labels `inputs.training`, and to stop early of `inputs.validation`, alone."""

    @abstractmethod
    def predict(self, learned: Learned, inputs: BaselineInputs, run: Run) -> Forecast:
        """What it says of every sample, of those that are `inputs.wanted` at least."""


@dataclass(frozen=True)
class NetworkBaseline(Registered, ABC):
    """A network, which the one training loop fits and stops early on the validation error.

    epochs, patience: how often it sees the training sessions at most, and how often without a smaller validation
        error before it stops.
    sequences_per_epoch: stock windows drawn for an epoch, in whole sessions, so that its length does not grow with
        the universe and the years of training.
    """

    epochs: int = 10
    patience: int = 3
    sequences_per_epoch: int = 20_000

    def __post_init__(self) -> None:
        require(
            min(self.epochs, self.patience, self.sequences_per_epoch) >= 1,
            "epochs, patience and sequences_per_epoch must be at least 1",
        )

    def training(self) -> dict[str, Any]:
        """How the loop trains it, by the names of `TrainingSettings`; the rest is as published."""
        return {"max_epochs": self.epochs, "patience": self.patience, "batch_size": 4, "precision": "float32"}

    @abstractmethod
    def parts(self, channels: int, horizons: int) -> Mapping[str, nn.Module]:
        """What has weights, by name."""

    @abstractmethod
    def forward(self, parts: nn.ModuleDict, windows: Windows) -> tuple[Tensor, Tensor]:
        """The value, in units of a usual label, and the logit of a label above 0, both [B, N, T2]."""


def baseline(name: str) -> Callable[[_B], _B]:
    """Register a baseline under a name (a decorator).

    Args:
        name: small letters, digits and underscores; tables, settings and reports call it so.
    """

    def enter(kind: _B) -> _B:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in _BASELINES:
            raise ValueError(f"{name!r} is no name for a baseline: small letters, digits, _ only, and none taken")
        _BASELINES[name] = kind
        return kind

    return enter


@cache
def registered() -> Mapping[str, type[Registered]]:
    """Every baseline in `model/baselines/`, by name."""
    from niftyformer_assets.model import baselines

    for module in sorted(each.name for each in iter_modules(baselines.__path__)):
        import_module(f"{baselines.__name__}.{module}")
    return _BASELINES


def array_baseline(name: str) -> type[Baseline]:
    """The baseline of a name, which must be none that is a network."""
    kind = registered()[name]
    if not issubclass(kind, Baseline):
        raise TypeError(f"{name} is a network: it is trained by the training loop")
    return kind

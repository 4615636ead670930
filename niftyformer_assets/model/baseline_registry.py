"""What a baseline is, and how one is registered by name.

A baseline is a frozen dataclass in a file of `model/baselines/`: its fields are its settings, which
an experiment gives under `baselines`, its methods fit it and predict with it. Nothing else has to
know of it:

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

Shapes: S samples, N symbols, T2 horizons.
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

if TYPE_CHECKING:
    from niftyformer_assets.model.baseline_inputs import BaselineInputs

# What a fit gives: all that a prediction needs beside the inputs and the settings.
Learned = Mapping[str, Any]
_BASELINES: dict[str, type[Baseline]] = {}
_B = TypeVar("_B", bound="type[Baseline]")


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


class Baseline(ABC):
    """Predicts the labels of session t at each horizon from what is known at the close of session t.

    The same settings, inputs and seed give the same numbers.

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
def registered() -> Mapping[str, type[Baseline]]:
    """Every baseline in `model/baselines/`, by name."""
    from niftyformer_assets.model import baselines

    for module in sorted(each.name for each in iter_modules(baselines.__path__)):
        import_module(f"{baselines.__name__}.{module}")
    return _BASELINES

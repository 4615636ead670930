"""An experiment's folder, loaded for training and prediction.

Only NumPy is needed here beside the store, so that a bare GPU machine can train.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from niftyformer_assets.dataset.settings import GraphSettings, WaveletSettings, WindowSettings
from niftyformer_assets.dataset.windows import Samples, following, inference_samples, samples
from niftyformer_assets.factors.labels import Labels
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.baseline_registry import NetworkBaseline, registered
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.calendar_features import calendar_features
from niftyformer_assets.model.settings import STOCKFORMER, ModelSettings, TrainingSettings
from niftyformer_assets.store.arrays import Axes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import read_json
from niftyformer_assets.store.workspace import ExperimentFolder

PERIODS = ("train", "validation", "test")
S = TypeVar("S")


@dataclass(frozen=True)
class RunSettings:
    """The part of an experiment's settings that one model depends on.

    wavelet, model, training: of the Stockformer; of any other model `model` is its name alone, and of a network
        `training` is how the loop trains it.
    network: of a network that is registered as a baseline, its own settings.
    """

    name: str
    seed: int
    windows: WindowSettings
    wavelet: WaveletSettings
    model: ModelSettings
    training: TrainingSettings
    network: NetworkBaseline | None = None

    @classmethod
    def read(cls, content: Mapping[str, Any], model: str | None = None) -> RunSettings:
        """From the content of experiment.json, or from `values`.

        Args:
            model: of which they are; None is the one that they name.

        Raises:
            KeyError, TypeError, ValueError: a section or key is missing, unknown or wrong.
        """
        of_model = settings_section("model", ModelSettings, content)
        name, windows = model or of_model.name, settings_section("windows", WindowSettings, content)
        if name == STOCKFORMER:
            wavelet = settings_section("wavelet", WaveletSettings, content)
            # The seed stands once: of the networks of one training each has its own.
            training = replace(settings_section("training", TrainingSettings, content), seed=None)
            of_model, network = replace(of_model, name=name), None
        else:
            kind, wavelet, of_model = registered()[name], WaveletSettings(), ModelSettings(name=name)
            network = None
            if issubclass(kind, NetworkBaseline):
                network = settings_section("baselines", BaselineSettings, content).of(kind)
            training = TrainingSettings(**network.training()) if network is not None else TrainingSettings()
        return cls(str(content.get("name", "")), _seed(content, name), windows, wavelet, of_model, training, network)

    def values(self) -> dict[str, Any]:
        """Those that decide, as JSON values."""
        values = asdict(self)
        del values["name"], values["network"]
        if self.network is not None:
            del values["wavelet"], values["training"]
            values |= {"model": {"name": self.model.name}, "baselines": asdict(self.network)}
        return values


@dataclass(frozen=True, eq=False)
class Dataset:
    """T sessions of N symbols with F factors; D is the model's width.

    returns: float32 [T, N], missing = 0; valid: bool [T, N], where there is a return.
    factors: float32 [T, N, F], missing = 0.
    graph: float32 [N, D], embedding of the correlation graph; D is 0 where the model has no use for it.
    low_matrix, low_matrix_output: float32 [T1, T1] and [T2, T2], the low band of a window.
    to_come: datetime64[D], the exchange's next sessions where known.
    """

    settings: RunSettings
    axes: Axes
    split: Split
    factor_names: tuple[str, ...]
    returns: np.ndarray
    valid: np.ndarray
    factors: np.ndarray
    graph: np.ndarray
    low_matrix: np.ndarray
    low_matrix_output: np.ndarray
    to_come: np.ndarray

    @cached_property
    def labels(self) -> Labels:
        """What is predicted, float32 [T, T2, N]; NaN where missing or still to come."""
        known, windows = np.where(self.valid, self.returns.astype(np.float64), np.nan), self.settings.windows
        labels = windows.kind.of(known, windows.horizons)
        return replace(labels, array=labels.array.astype(np.float32))

    @cached_property
    def calendar(self) -> np.ndarray:
        """int64 [T + …, 2]: temporal features of the sessions, and of those on which the last labels are known."""
        dates = following(self.axes.dates, max(self.settings.windows.known_after), self.to_come)
        return calendar_features(dates, self.settings.model.temporal_features)

    @cached_property
    def enough(self) -> np.ndarray:
        """bool [T, N]: a sample made on this session may use this stock."""
        made = self.all_samples
        enough = np.zeros(self.valid.shape, dtype=bool)
        enough[made.start :] = made.enough_returns(self.valid)
        return enough

    @property
    def all_samples(self) -> Samples:
        """A sample for each session with a whole window before it."""
        return inference_samples(len(self.axes.dates), self.settings.windows)

    def samples(self) -> dict[str, Samples]:
        """The samples of each part, with all labels in the part."""
        return samples(self.split, self.settings.windows)

    def fingerprint(self) -> dict[str, str]:
        """Hashes by name of all that training reads: nothing after the validation sessions."""
        end = self.split.validation.stop
        parts = {
            "sessions": self.axes.dates[:end].astype(str),
            "symbols": np.array(self.axes.symbols),
            "split": np.array([self.split.train.start, self.split.train.stop, self.split.validation.start, end]),
            "returns": np.where(self.valid, self.returns, np.nan)[:end],
            "factor names": np.array(self.factor_names),
            "factors": self.factors[:end],
        }
        if self.settings.network is None:
            parts["graph embedding"] = self.graph
            parts["wavelet matrices"] = np.concatenate([self.low_matrix.ravel(), self.low_matrix_output.ravel()])
        return hashes(parts)


def hashes(parts: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The SHA-256 of each array's content, by name."""
    return {name: hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest() for name, part in parts.items()}


def load_dataset(folder: Path, model: str | None = None) -> Dataset:
    """Load what a model reads from an experiment's folder.

    Args:
        model: its name; None is the experiment's own.

    Raises:
        NiftyFormerError: a file is missing, damaged or on other sessions or symbols than the
            others; a factor is not finite; the embedding is not as wide as the model.
    """
    files = ExperimentFolder(folder)
    content = read_json(files.settings)
    try:
        run = RunSettings.read(content, model)
        graph_settings = settings_section("graph", GraphSettings, content)
        periods = {part: np.array(content["split"][part], dtype="datetime64[D]") for part in PERIODS}
        to_come = np.array(content.get("to_come", []), dtype="datetime64[D]")
    except (KeyError, TypeError, ValueError) as error:
        detail = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise NiftyFormerError(f"{files.settings}: {detail}. Write the experiment's settings again.") from error
    flow, axes = load_arrays(files.flow)
    trend, _ = load_arrays(files.trend_indicator, axes)
    factors, _ = load_arrays(files.neutralized_factors, axes)
    names = tuple(str(name) for name in factors["names"])
    dense = np.where(factors["valid"], factors["result"], 0).astype(np.float32)
    _must_be_finite(files.neutralized_factors, dense, axes, names)
    if run.model.name != STOCKFORMER:
        graph = np.zeros((len(axes.symbols), 0), dtype=np.float32)
    elif graph_settings.embedding == "none":
        graph = np.zeros((len(axes.symbols), run.model.width), dtype=np.float32)
    else:
        loaded, _ = load_arrays(files.graph_embeddings, axes)
        graph = loaded[files.graph_embeddings.stem].astype(np.float32)
    if run.model.name == STOCKFORMER and graph.shape[1] != run.model.width:
        raise NiftyFormerError(
            f"{files.graph_embeddings} is {graph.shape[1]} wide and model.width is {run.model.width}: they are added, "
            "so set graph.dimensions to model.width and materialize graph_embeddings again."
        )
    return Dataset(
        settings=run,
        axes=axes,
        split=_split(axes.dates, periods, files.settings),
        factor_names=names,
        returns=np.where(trend["valid"], flow["result"], 0).astype(np.float32),
        valid=trend["valid"],
        factors=dense,
        graph=graph,
        low_matrix=flow["low_matrix"].astype(np.float32),
        low_matrix_output=flow["low_matrix_output"].astype(np.float32),
        to_come=to_come,
    )


def settings_section(name: str, kind: type[S], content: Mapping[str, Any]) -> S:
    """The settings of one section; a key that the class does not know is an error, not ignored."""
    section = content[name]
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(section) - known):
        raise ValueError(f"{name}.{unknown[0]} is an unknown key")
    return kind(**section)


def _seed(content: Mapping[str, Any], model: str) -> int:
    """The seed of a model: its section's own, or the experiment's."""
    own = content.get("training" if model == STOCKFORMER else "baselines", {}).get("seed")
    return int(content["seed"] if own is None else own)


def _split(dates: np.ndarray, periods: Mapping[str, np.ndarray], path: Path) -> Split:
    def part(name: str) -> slice:
        first, last = periods[name]
        place = slice(int(np.searchsorted(dates, first)), int(np.searchsorted(dates, last, side="right")))
        if place.start >= place.stop:
            raise NiftyFormerError(
                f"{path}: no session between {first} and {last} for {name}; the arrays cover {dates[0]} to {dates[-1]}."
            )
        return place

    test = part("test")
    return Split(part("train"), part("validation"), test, slice(test.stop, len(dates)))


def _must_be_finite(path: Path, factors: np.ndarray, axes: Axes, names: tuple[str, ...]) -> None:
    bad = np.argwhere(~np.isfinite(factors))
    if len(bad):
        session, symbol, factor = bad[0]
        raise NiftyFormerError(
            f"{path}: {names[factor]} of {axes.symbols[symbol]} on {axes.dates[session]} is not a finite number though "
            f"it is marked valid ({len(bad)} such values). Materialize neutralized_factors again."
        )

"""An experiment's folder, loaded for training and prediction.

Only NumPy is needed here beside the store, so that a bare GPU machine can train.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from niftyformer_assets.dataset.settings import GraphSettings, WindowSettings
from niftyformer_assets.dataset.windows import Samples, following, inference_samples, samples
from niftyformer_assets.factors.labels import Labels, NetOf, Outcomes
from niftyformer_assets.factors.settings import TRANSFORMS, FactorSettings
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.baseline_registry import Model, NetworkModel, registered
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.calendar_features import calendar_features
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.store.arrays import Axes, hashes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import read_json
from niftyformer_assets.store.workspace import ExperimentFolder

PERIODS = ("train", "validation", "test")
# By its name in the fingerprint.
GRAPH = "graph embedding"
S = TypeVar("S")


@dataclass(frozen=True)
class RunSettings:
    """The part of an experiment's settings that one model depends on.

    seed: the model's; its section `training` has none beside it.
    model: with its own settings.
    parts: those of the models that it is put together from.
    """

    name: str
    seed: int
    windows: WindowSettings
    model: Model
    parts: tuple[RunSettings, ...] = ()

    @classmethod
    def read(cls, content: Mapping[str, Any], name: str | None = None) -> RunSettings:
        """From the content of experiment.json, or from `values`.

        Args:
            name: of the model whose they are; None is the one that they name.

        Raises:
            KeyError, TypeError, ValueError: a section or key is missing, unknown or wrong.
        """
        section = settings_section("model", ModelSettings, content)
        model = registered()[name or section.name]
        own = BaselineSettings()
        if "baselines" in model.sections():
            own = settings_section("baselines", BaselineSettings, content)
        kinds = model.section_fields().items()
        sections: dict[str, Any] = {each: settings_section(each, kind, content) for each, kind in kinds}
        # The name and the seed stand once; of the networks of one training each has its own seed.
        for each, settled in (("model", {"name": model.name}), ("training", {"seed": None})):
            if each in sections:
                sections[each] = replace(sections[each], **settled)
        given = content.get(model.seed_section(), {}).get("seed")
        seed = int(content["seed"] if given is None else given)
        windows = settings_section("windows", WindowSettings, content)
        parts = tuple(cls.read(content, part) for part in model.made_of(content.get("baselines", {})))
        return cls(str(content.get("name", "")), seed, windows, own.of(model, **sections), parts)

    @property
    def reads_graph(self) -> bool:
        """Whether the model, or one that it is put together from, sees the embedding of the graph."""
        return self.model.reads_graph or any(part.reads_graph for part in self.parts)

    @property
    def network(self) -> NetworkModel:
        """The model, which must be a network."""
        if not isinstance(self.model, NetworkModel):
            raise TypeError(f"{self.model.name} is no network")
        return self.model

    @property
    def training(self) -> TrainingSettings:
        """How the loop trains the model, which must be a network."""
        return self.network.trained_with()

    @property
    def networks(self) -> int:
        """Of how many networks, each with its own seed, the model is the mean; 1 of what is none."""
        return self.training.seeds if isinstance(self.model, NetworkModel) else 1

    def with_training(self, **changes: Any) -> RunSettings:
        """The same with other values of the section `training`, which must be the model's."""
        return replace(self, model=replace(self.model, training=replace(self.training, **changes)))  # type: ignore[type-var]

    def values(self) -> dict[str, Any]:
        """Those that decide, as JSON values: `read` gives the same again."""
        values: dict[str, Any] = {
            "seed": self.seed,
            "windows": asdict(self.windows),
            "model": {"name": self.model.name},
        }
        values |= {each: asdict(getattr(self.model, each)) for each in self.model.section_fields()}
        if "baselines" in self.model.sections():
            values["baselines"] = {field.name: getattr(self.model, field.name) for field in self.model.own_fields()}
        for part in self.parts:
            of_part = part.values()
            if part.seed != self.seed:
                of_part[part.model.seed_section()]["seed"] = part.seed
            for section, of in of_part.items():
                if section not in ("seed", "windows"):
                    values[section] = {**of, **values.get(section, {})}
        return dict(json.loads(json.dumps(values)))


@dataclass(frozen=True, eq=False)
class Dataset:
    """T sessions of N symbols with F factors; D is the model's width.

    inputs: the same as it is in the files, which a model that is no network sees.
    returns: float32 [T, N], missing = 0; valid: bool [T, N], where there is a return.
    factors: float32 [T, N, F], missing = 0.
    graph: float32 [N, D], embedding of the correlation graph; D is 0 where the model does not read it.
    low_matrix, low_matrix_output: float32 [T1, T1] and [T2, T2], the low band of a window.
    to_come: datetime64[D], the exchange's next sessions where known.
    """

    settings: RunSettings
    inputs: BaselineInputs
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
        known = np.where(self.valid, self.returns.astype(np.float64), np.nan)
        labels = Labels.of(self.settings.windows.labels, Outcomes(known, self.inputs.exposures, self.inputs.member))
        return replace(labels, array=labels.array.astype(np.float32))

    @cached_property
    def calendar(self) -> np.ndarray:
        """int64 [T + …, 2]: temporal features of the sessions, and of those on which the last labels are known."""
        dates = following(self.axes.dates, max(self.settings.windows.known_after), self.to_come)
        return calendar_features(dates, self.settings.network.temporal_features)

    @cached_property
    def enough(self) -> np.ndarray:
        """bool [T, N]: a sample made on this session may use this stock."""
        made = self.all_samples
        enough = np.zeros(self.valid.shape, dtype=bool)
        enough[made.start :] = made.enough_returns(self.valid)
        return enough if self.inputs.member is None else enough & self.inputs.member

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
            **self.inputs.beside_returns_up_to(end),
        }
        if self.settings.model.reads_graph:
            parts[GRAPH] = self.graph
        if self.settings.model.reads_bands():
            parts["wavelet matrices"] = np.concatenate([self.low_matrix.ravel(), self.low_matrix_output.ravel()])
        return hashes(parts)


def load_dataset(folder: Path, name: str | None = None) -> Dataset:
    """Load what a model reads from an experiment's folder.

    Args:
        name: the model's; None is the experiment's own.

    Raises:
        NiftyFormerError: a file is missing, damaged or on other sessions or symbols than the
            others; a factor is not finite; the embedding is not as wide as the model.
    """
    files = ExperimentFolder(folder)
    content = read_json(files.settings)
    try:
        run = RunSettings.read(content, name)
        model_settings = settings_section("model", ModelSettings, content)
        graph_settings = settings_section("graph", GraphSettings, content)
        periods = {part: np.array(content["split"][part], dtype="datetime64[D]") for part in PERIODS}
        transform = content.get("factors", {}).get("transform", FactorSettings.transform)
        to_come = np.array(content.get("to_come", []), dtype="datetime64[D]")
    except (KeyError, TypeError, ValueError) as error:
        detail = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise NiftyFormerError(f"{files.settings}: {detail}. Write the experiment's settings again.") from error
    flow, axes = load_arrays(files.flow)
    trend, _ = load_arrays(files.trend_indicator, axes)
    factors, _ = load_arrays(files.neutralized_factors, axes)
    np.putmask(factors["result"], ~factors["valid"], 0)
    inputs = BaselineInputs(
        axes=axes,
        split=_split(axes.dates, periods, files.settings),
        windows=run.windows,
        factors=factors["result"],
        factors_valid=factors["valid"],
        returns=flow["result"],
        returns_valid=trend["valid"],
        factor_names=tuple(str(name) for name in factors["names"]),
        are_ranks=TRANSFORMS[transform].ranks,
        exposures=_exposures(files, flow, run.windows),
        member=flow.get("member"),
    )
    dense = inputs.factors.astype(np.float32, copy=False)
    _must_be_finite(files.neutralized_factors, dense, axes, inputs.factor_names)
    graph = np.zeros((len(axes.symbols), 0), dtype=np.float32)
    if run.reads_graph:
        graph = _graph(files, axes, graph_settings, model_settings.width)
    return Dataset(
        settings=run,
        inputs=inputs,
        axes=axes,
        split=inputs.split,
        factor_names=inputs.factor_names,
        returns=np.where(trend["valid"], flow["result"], 0).astype(np.float32),
        valid=trend["valid"],
        factors=dense,
        graph=graph,
        low_matrix=flow["low_matrix"].astype(np.float32),
        low_matrix_output=flow["low_matrix_output"].astype(np.float32),
        to_come=to_come,
    )


def _exposures(files: ExperimentFolder, flow: Mapping[str, np.ndarray], windows: WindowSettings) -> NetOf | None:
    """What the labels are net of; None where they are net of nothing."""
    if not windows.net_of:
        return None
    names = [field.name for field in fields(NetOf)]
    if lacking := [name for name in names if name not in flow]:
        raise NiftyFormerError(
            f"{files.flow} lacks {', '.join(lacking)}, and labels are net of the "
            f"{' and the '.join(sorted(windows.net_of))}: materialize flow again."
        )
    return NetOf(*(flow[name] for name in names))


def _graph(files: ExperimentFolder, axes: Axes, settings: GraphSettings, width: int) -> np.ndarray:
    """float32 [N, D], the embedding of the correlation graph; zero where the experiment has none."""
    if settings.embedding == "none":
        return np.zeros((len(axes.symbols), width), dtype=np.float32)
    loaded, _ = load_arrays(files.graph_embeddings, axes)
    graph = loaded[files.graph_embeddings.stem].astype(np.float32)
    if graph.shape[1] != width:
        raise NiftyFormerError(
            f"{files.graph_embeddings} is {graph.shape[1]} wide and model.width is {width}: they are added, "
            "so set graph.dimensions to model.width and materialize graph_embeddings again."
        )
    return graph


def settings_section(name: str, kind: type[S], content: Mapping[str, Any]) -> S:
    """The settings of one section; a key that the class does not know is an error, not ignored."""
    section = content[name]
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(section) - known):
        raise ValueError(f"{name}.{unknown[0]} is an unknown key")
    return kind(**section)


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

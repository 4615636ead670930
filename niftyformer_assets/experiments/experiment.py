"""What an experiment is: everything from factor selection to the report is decided by its values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from niftyformer_assets.dataset.settings import GraphSettings, WaveletSettings, WindowSettings
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.market.split import SplitByDate, SplitByRatio
from niftyformer_assets.model.baseline_registry import registered, with_parts
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.portfolio.names import SECTOR, SIZE
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings


def kind_of_split(value: Any) -> str:
    given = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    return "ratio" if "ratio" in given else "dates"


class Experiment(BaseModel):
    """One experiment: everything from factor selection to the report is decided by these values.

    A file `data/experiments/NAME.yaml` holds one; what it leaves out has the published value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    market: Literal["simulated", "real"]
    sessions: Annotated[
        Annotated[SplitByDate, Tag("dates")] | Annotated[SplitByRatio, Tag("ratio")], Discriminator(kind_of_split)
    ]
    universe: UniverseSettings = UniverseSettings()
    factors: FactorSettings = FactorSettings()
    windows: WindowSettings = WindowSettings()
    wavelet: WaveletSettings = WaveletSettings()
    graph: GraphSettings = GraphSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    baselines: BaselineSettings = BaselineSettings()
    strategy: StrategySettings = StrategySettings()
    costs: CostSettings = CostSettings()
    seed: int = Field(default=42, ge=0, lt=2**32)
    overrides: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Experiment:
        if self.graph.dimensions != self.model.width:
            raise ValueError(
                f"graph.dimensions ({self.graph.dimensions}) must equal model.width ({self.model.width}): "
                "the embedding is added to the model's states"
            )
        if self.model.stock_attention != "sparse" and self.graph.embedding != "none":
            raise ValueError(
                f"graph.embedding {self.graph.embedding} has no say where model.stock_attention is "
                f"{self.model.stock_attention}, as only the sparse one sees the graph: set graph.embedding to none"
            )
        if self.exposed_to:
            names = FACTOR_SETS[self.factors.factor_set].names
            if unknown := [name for name in self.exposed_to if name not in names]:
                raise ValueError(
                    f"strategy.neutralise: {unknown[0]} is neither {SIZE} nor {SECTOR} nor a factor of "
                    f"factors.factor_set {self.factors.factor_set}: correct it, or choose a factor_set that has it"
                )
        if self.windows.targets and self.factors.ic_horizon != FactorSettings.ic_horizon:
            raise ValueError(
                "factors.ic_horizon has no say where there are windows.targets, as factors are selected by the one "
                "that is traded: leave it out"
            )
        if not set(self.baselines.names) - {self.model.name}:
            raise ValueError("baselines.names has no baseline beside the model: name one that it is compared with")
        return self

    def seed_of(self, section: Literal["graph", "training", "baselines"]) -> int:
        """The seed of a section, which is the experiment's where it has none of its own."""
        own: int | None = getattr(self, section).seed
        return self.seed if own is None else own

    @property
    def exposed_to(self) -> tuple[str, ...]:
        """The factors that its strategy takes out of scores, `size` and `sector` apart."""
        return tuple(name for name in self.strategy.neutralise if name not in (SIZE, SECTOR))

    @property
    def rivals(self) -> tuple[str, ...]:
        """The baselines that the model is compared with: those named but itself."""
        return tuple(name for name in self.baselines.names if name != self.model.name)

    @property
    def networks(self) -> int:
        """Of how many networks, each of its own seed, predictions of its model are the mean; 1 of what is no mean."""
        return self.training.seeds if "training" in registered()[self.model.name].section_fields() else 1

    def values(self) -> dict[str, Any]:
        """All settings with defaults filled in, as JSON values."""
        return self.model_dump(mode="json")

    @cached_property
    def summary(self) -> str:
        """A line about the experiment, for logs and the UI."""
        s = self.sessions
        span = f"{s.train.start} to {s.test.end}" if isinstance(s, SplitByDate) else f"{s.start} to {s.end}"
        line = f"{self.name}: {span}, {self.factors.factor_set}, {self._predicts}, seed {self.seed}"
        return f"{line}, {self.differs}" if self.overrides else line

    @property
    def _predicts(self) -> str:
        names = ", ".join(target.name for target in self.windows.targets)
        return f"label {self.windows.label}{f' of {names}' if names else ''}"

    @property
    def differs(self) -> str:
        """What was given instead of the file's values, in words; empty where nothing was."""
        given = ", ".join(f"{key}={json.dumps(value, default=str)}" for key, value in self.overrides.items())
        return f"with {given} instead of the file's" if given else ""


def with_seed(experiment: Experiment, number: int) -> Experiment:
    """The same experiment with the model of its n-th seed, which no other number has.

    Raises:
        ValueError: the model draws nothing, so that no seed gives another; or there are no more seeds.
    """
    drawing = [model for model in with_parts(experiment.model.name, vars(experiment.baselines)) if model.draws]
    if not drawing:
        raise ValueError(
            f"seeds: {experiment.model.name} draws nothing, so that each would give the same model: leave seeds out, "
            "or name another model"
        )
    changed: dict[str, Any] = {}
    for name in sorted({model.seed_section() for model in drawing}):
        section = getattr(experiment, name)
        of_one = section.seeds if name == "training" else 1
        seed = experiment.seed_of(name) + (number - 1) * of_one
        if seed >= 2**32:
            raise ValueError(f"{name}.seed: seed {number} would be {seed}, and must be below {2**32}: lower seed")
        changed[name] = replace(section, seed=seed)
    return experiment.model_copy(update=changed)

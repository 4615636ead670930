"""The settings of an experiment's baselines, put together from those of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from niftyformer_assets.model.baseline_registry import Model, registered, with_parts
from niftyformer_assets.model.settings import models
from niftyformer_assets.registering import with_settings_of
from niftyformer_assets.require import require, require_seed

_M = TypeVar("_M", bound=Model)
# One that is added is not asked for by experiments that do not name it: their artifacts stay what they are.
BASELINES = (
    "ridge",
    "gradient_boosting",
    "random_forest",
    "lstm",
    "gru",
    "reversal",
    "momentum",
    "equal_weight",
    "zero",
    "majority",
    "random",
)


@with_settings_of("baseline", registered())
class BaselineSettings:
    """Which baselines are predicted beside the model, and what each is fitted with.

    names: of the models in `model/baselines/`; the one that is traded is left out.
    seed: of what they draw; the experiment's where it is not given.
    """

    __pydantic_config__ = {"extra": "forbid"}

    names: tuple[str, ...] = BASELINES
    seed: int | None = None

    if TYPE_CHECKING:

        def __init__(self, **values: Any) -> None: ...

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in models()]
        require(not unknown, f"unknown baselines {', '.join(unknown)}: choose from {', '.join(models())}")
        require(len(set(self.names)) == len(self.names), "names of baselines must be distinct")
        require_seed(self.seed)
        for model in registered().values():
            self.of(model)

    def of(self, model: type[_M], /, **sections: Any) -> _M:
        """A model with its own settings of these.

        Args:
            sections: the settings of sections that are its own too, by name; the rest has its defaults.

        Raises:
            ValueError: one of them is wrong.
        """
        return model(**{field.name: getattr(self, field.name) for field in model.own_fields()}, **sections)


def deciding_values(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of an experiment's values by section, those that can decide on the model of a name.

    Of `model` that is its name alone, and of `baselines` nothing but its own settings, unless the sections are its own.
    It need not be registered any more.
    """
    given = values.get("baselines", {})
    models = with_parts(name, given)
    own = frozenset().union(*(model.sections() for model in models)) if models else frozenset({"baselines"})
    of_others = {section for each in registered().values() for section in each.sections()} - own
    deciding = {section: value for section, value in values.items() if section not in of_others}
    if "model" in of_others:
        deciding["model"] = {"name": name}
    if "baselines" in own:
        kept = {field.name for model in models for field in model.own_fields()}
        if not models or any(model.seed_section() == "baselines" for model in models):
            kept.add("seed")
        deciding["baselines"] = {key: value for key, value in given.items() if key in kept}
    return deciding

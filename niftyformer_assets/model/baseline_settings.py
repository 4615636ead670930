"""The settings of an experiment's baselines, put together from those of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from niftyformer_assets.model.baseline_registry import Registered, registered
from niftyformer_assets.model.settings import models
from niftyformer_assets.require import require, require_seed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_B = TypeVar("_B", bound=Registered)
_C = TypeVar("_C")
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


def _with_settings_of_all(cls: type[_C]) -> type[_C]:
    """A frozen dataclass with the fields of every registered baseline beside its own."""
    for name, kind in registered().items():
        types = get_type_hints(kind)
        for field in fields(_as_dataclass(kind)):
            if field.default is MISSING:
                raise TypeError(f"setting {field.name} of baseline {name} needs a default")
            if cls.__annotations__.setdefault(field.name, types[field.name]) is not types[field.name] or (
                getattr(cls, field.name, field.default) != field.default
            ):
                raise TypeError(f"setting {field.name} of baseline {name} is another one elsewhere: rename it")
            setattr(cls, field.name, field.default)
    return dataclass(frozen=True)(cls)


def _as_dataclass(kind: type[Registered]) -> type[DataclassInstance]:
    return kind  # type: ignore[return-value]


@_with_settings_of_all
class BaselineSettings:
    """Which baselines are predicted beside the model, and what each is fitted with.

    names: of the files in `model/baselines/`, and `stockformer` where another is the model.
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
        for kind in registered().values():
            self.of(kind)

    def of(self, kind: type[_B]) -> _B:
        """A baseline with its own settings of these.

        Raises:
            ValueError: one of them is wrong.
        """
        return kind(**{field.name: getattr(self, field.name) for field in fields(_as_dataclass(kind))})


def own_settings(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of the values of `BaselineSettings` those that decide on one baseline; the seed of one that is not registered."""
    kind = registered().get(name)
    own = {"seed", *(field.name for field in (() if kind is None else fields(_as_dataclass(kind))))}
    return {key: value for key, value in values.items() if key in own}

"""Classes that are registered by name, whose fields are settings of an experiment: its models and its strategies.

An experiment names one of them, and gives the settings of all in one section.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, get_type_hints

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_given: bool) -> Any:
        """Tells type checkers what the decorator below makes; from typing once Python 3.10 is not asked for."""
        return lambda function: function


_C = TypeVar("_C")


class Registered(Protocol):
    """A frozen dataclass under a name."""

    name: ClassVar[str]

    @classmethod
    def own_fields(cls) -> tuple[Field[Any], ...]:
        """Those that are its settings."""


_R = TypeVar("_R", bound=Registered)


class Registry(Generic[_R]):
    """Those of one kind, by name.

    kind: what one is called, as in "a baseline".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.by_name: dict[str, type[_R]] = {}

    def enter(self, name: str, one: type[_R]) -> None:
        """Register one.

        Args:
            name: small letters, digits and underscores.

        Raises:
            ValueError: it is no such name, or taken.
            TypeError: one of its settings has no default.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in self.by_name:
            raise ValueError(f"{name!r} is no name for a {self.kind}: small letters, digits, _ only, and none taken")
        for field in one.own_fields():
            if field.default is MISSING:
                raise TypeError(f"setting {field.name} of {self.kind} {name} needs a default")
        one.name = name
        self.by_name[name] = one


@dataclass_transform(frozen_default=True)
def with_settings_of(kind: str, registered: Mapping[str, type[_R]]) -> Callable[[type[_C]], type[_C]]:
    """Make a class a frozen dataclass that has, beside its own fields, the settings of all that are registered.

    Raises:
        TypeError: two settings of one name differ in type or default.
    """

    def joined(cls: type[_C]) -> type[_C]:
        for name, one in registered.items():
            types = get_type_hints(one)
            for field in one.own_fields():
                if cls.__annotations__.setdefault(field.name, types[field.name]) != types[field.name] or (
                    getattr(cls, field.name, field.default) != field.default
                ):
                    raise TypeError(f"setting {field.name} of {kind} {name} is another one elsewhere: rename it")
                setattr(cls, field.name, field.default)
        return dataclass(frozen=True)(cls)

    return joined

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar

import pytest

from niftyformer_assets.registering import Registry, with_settings_of


@dataclass(frozen=True)
class Thing:
    name: ClassVar[str]
    length: int = 3

    @classmethod
    def own_fields(cls) -> tuple[Field[Any], ...]:
        return fields(cls)


@dataclass(frozen=True)
class Other(Thing):
    width: float = 2.0


def registry(*more: type[Thing]) -> Registry[Thing]:
    made: Registry[Thing] = Registry("thing")
    for place, each in enumerate((Thing, *more)):
        made.enter(f"thing_{place}", each)
    return made


@pytest.mark.parametrize("name", ["thing_0", "Upper", "2nd", "with space", "../up", ""])
def test_a_name_that_is_taken_or_none_is_refused(name: str) -> None:
    made = registry()
    with pytest.raises(ValueError, match="is no name for a thing"):
        made.enter(name, Other)
    assert made.by_name == {"thing_0": Thing} and Thing.name == "thing_0"


def test_a_setting_needs_a_default() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Open(Thing):
        height: int

    with pytest.raises(TypeError, match="setting height of thing thing_1 needs a default"):
        registry(Open)


def test_a_section_has_the_settings_of_all() -> None:
    @with_settings_of("thing", registry(Other).by_name)
    class Section:
        """Of all."""

        own: int = 1

    made = Section(width=4.0)
    assert {field.name: getattr(made, field.name) for field in fields(made)} == {"own": 1, "length": 3, "width": 4.0}
    with pytest.raises(AttributeError):
        made.own = 2


@pytest.mark.parametrize(("kind", "default"), [("int", 4), ("float", 3)])
def test_two_settings_of_a_name_that_differ_are_refused(kind: str, default: int) -> None:
    class Elsewhere:
        own: int = 1

    class Another(Thing):
        pass

    Another.__annotations__ = {"length": kind}
    Another.length = default
    made = registry(dataclass(frozen=True)(Another))
    with pytest.raises(TypeError, match="setting length of thing thing_1 is another one elsewhere: rename it"):
        with_settings_of("thing", made.by_name)(Elsewhere)

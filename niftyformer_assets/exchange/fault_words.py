"""Faults from JSON and from the words of a command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, get_args, get_type_hints

from niftyformer_assets.exchange.faults import Faults, shares_of
from niftyformer_assets.store.errors import NiftyFormerError


def usage() -> str:
    """What a command line takes, for its help."""
    shares = ". ".join(f"Shares of {kind}: {', '.join(shares_of(kind))}" for kind in ("answers", "candles", "stocks"))
    others = [
        f"{one.name}={one.metadata['example']}" for one in dataclasses.fields(Faults) if "example" in one.metadata
    ]
    return f"Switch a fault on, as often as wanted, such as server_errors=0.2. {shares}. {', '.join(others)}."


def faults_from(content: object) -> Faults:
    """Faults from decoded JSON: the fields of `Faults`, splits and renames as objects.

    Raises:
        NiftyFormerError: an unknown name, or a value that is none for it.
    """
    if not isinstance(content, Mapping):
        raise NiftyFormerError('faults: give an object such as {"server_errors": 0.2}, {} for none.')
    values: dict[str, Any] = {}
    for name, value in content.items():
        try:
            values[name] = _field(str(name), value)
        except (TypeError, ValueError, KeyError) as error:
            raise NiftyFormerError(f"faults: {name}={value!r} is refused: {error}. Correct it.") from error
    try:
        return Faults(**values)
    except ValueError as error:
        raise NiftyFormerError(f"faults: {error}. Correct it.") from error


def parse_faults(texts: Iterable[str]) -> Faults:
    """Faults from words of a command line.

    `server_errors=0.2`, `failing_symbols=DEMO001,DEMO004`, `splits=DEMO004:2024-01-05:2` (a fourth
    `:broken` leaves the history unadjusted), `renames=DEMO005:DEMONEW:2024-01-05` (the date may be
    left out).

    Raises:
        NiftyFormerError: a word that cannot be read, naming it.
    """
    content: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise NiftyFormerError(f"faults: {text!r} is not NAME=VALUE, such as server_errors=0.2. Correct it.")
        item = _item(name)
        if item is None:
            content[name] = _number(value, text)
        else:
            content[name] = [part if item is str else _said(item, part, text) for part in value.split(",") if part]
    return faults_from(content)


def _item(name: str) -> Any:
    """What a field is a list of; None of one that is no list, and of one that there is not."""
    given = get_args(get_type_hints(Faults).get(name))
    return given[0] if given[-1:] == (...,) else None


def _said(kind: type, part: str, text: str) -> dict[str, Any]:
    """One of a list by the words of its fields in their order; one that is switched off is named by a word for that."""
    known, words = dataclasses.fields(kind), part.split(":")
    if len(words) > len(known):
        raise NiftyFormerError(f"faults: {part!r} in {text!r} has a word too many. Correct it.")
    content: dict[str, Any] = {}
    for one, word in zip(known, words, strict=False):
        kinds = _kinds(kind, one.name)
        if bool in kinds:
            if word != (off := one.metadata["off"]):
                raise NiftyFormerError(f"faults: {word!r} in {text!r} is not {off!r}. Correct it.")
            content[one.name] = False
        else:
            content[one.name] = _number(word, text) if float in kinds else word
    return content


def _kinds(kind: type, name: str) -> tuple[Any, ...]:
    """The types that a field may be of."""
    hint = get_type_hints(kind).get(name)
    return get_args(hint) or (hint,)


def _number(value: str, text: str) -> float | int:
    try:
        return int(value) if value.isdecimal() else float(value)
    except ValueError as error:
        raise NiftyFormerError(f"faults: {value!r} in {text!r} is no number. Correct it.") from error


def _field(name: str, value: Any) -> Any:
    known = [field.name for field in dataclasses.fields(Faults)]
    if name not in known:
        raise ValueError(f"there is no such fault, only {', '.join(known)}")
    item, kinds = _item(name), _kinds(Faults, name)
    if item is str:
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            raise TypeError("a list of texts is needed")
        return tuple(value)
    if item is not None:
        return tuple(item(**_dated(item, one)) for one in value)
    if value is None and type(None) in kinds:
        return None
    whole = float not in kinds
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise TypeError("a whole number is needed" if whole else "a number is needed")
    return value


def _dated(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """With dates for the texts of those fields that are dates."""
    return {
        name: date.fromisoformat(value) if isinstance(value, str) and date in _kinds(kind, name) else value
        for name, value in given.items()
    }

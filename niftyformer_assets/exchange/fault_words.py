"""Faults from JSON and from the words of a command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from niftyformer_assets.exchange.faults import Faults, Rename, Split, shares_of
from niftyformer_assets.store.errors import NiftyFormerError


def usage() -> str:
    """What a command line takes, for its help."""
    shares = ". ".join(f"Shares of {kind}: {', '.join(shares_of(kind))}" for kind in ("answers", "candles", "stocks"))
    return (
        f"Switch a fault on, as often as wanted, such as server_errors=0.2. {shares}. stall_s=10 (of stalls), "
        "scale=100 (of scaled_stocks), failing_symbols=DEMO001,DEMO004, expire_after=50 (answers until the token "
        "dies), splits=SYMBOL:2026-01-31:2 (by tomorrow's date, history is re-adjusted tomorrow), "
        "renames=OLD:NEW:2026-01-31."
    )


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

    `server_errors=0.2`, `failing_symbols=DEMO001,DEMO004`, `splits=DEMO004:2024-01-05:2` (a third
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
        parts = [part for part in value.split(",") if part]
        if name in ("paths", "failing_symbols"):
            content[name] = parts
        elif name == "splits":
            content[name] = [_split_words(part, text) for part in parts]
        elif name == "renames":
            content[name] = [dict(zip(("old", "new", "since"), part.split(":"), strict=False)) for part in parts]
        else:
            content[name] = _number(value, text)
    return faults_from(content)


def _split_words(part: str, text: str) -> dict[str, Any]:
    words = part.split(":")
    content: dict[str, Any] = dict(zip(("symbol", "ex_date", "ratio"), words, strict=False))
    if "ratio" in content:
        content["ratio"] = _number(content["ratio"], text)
    return {**content, "adjusted": words[3:] != ["broken"]}


def _number(value: str, text: str) -> float | int:
    try:
        return int(value) if value.isdecimal() else float(value)
    except ValueError as error:
        raise NiftyFormerError(f"faults: {value!r} in {text!r} is no number. Correct it.") from error


def _field(name: str, value: Any) -> Any:
    known = [field.name for field in dataclasses.fields(Faults)]
    if name not in known:
        raise ValueError(f"there is no such fault, only {', '.join(known)}")
    if name in ("paths", "failing_symbols"):
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise TypeError("a list of texts is needed")
        return tuple(value)
    if name == "splits":
        return tuple(Split(**_dated(item)) for item in value)
    if name == "renames":
        return tuple(Rename(**_dated(item)) for item in value)
    whole = name in ("seed", "expire_after")
    if name == "expire_after" and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise TypeError("a whole number is needed" if whole else "a number is needed")
    return value


def _dated(item: Mapping[str, Any]) -> dict[str, Any]:
    dates = {name: date.fromisoformat(item[name]) for name in ("ex_date", "since") if isinstance(item.get(name), str)}
    return {**item, **dates}

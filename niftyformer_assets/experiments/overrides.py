"""Other values than an experiment's file has, as `--set section.key=value` gives them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.yaml_numbers import read_yaml


def overridden_name(name: str, overrides: Mapping[str, Any]) -> str:
    """What an experiment is called with other values than its file's: they have their own key and folder.

    So that a quick look with `--set` leaves the results of the file as they are.
    """
    if not overrides:
        return name
    canonical = json.dumps(overrides, sort_keys=True, default=str)
    return f"{name}-set-{hashlib.sha256(canonical.encode()).hexdigest()[:6]}"


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """The values of several `--set`, by key; one given twice is refused, as in a file."""
    overrides: dict[str, Any] = {}
    for key, value in map(parse_override, texts):
        if key in overrides:
            raise NiftyFormerError(f"--set {key} is given twice: give it once")
        overrides[key] = value
    return overrides


def parse_override(text: str) -> tuple[str, Any]:
    """`training.max_epochs=2` -> ("training.max_epochs", 2), the value read as YAML."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise NiftyFormerError(f"--set {text!r} is not understood: write it as section.key=value")
    try:
        return key.strip(), read_yaml(value)
    except ValueError as error:
        raise NiftyFormerError(f"--set {text!r}: the value is not readable as YAML: {error}") from None


def put_value(content: dict, key: str, value: Any, path: Path) -> None:
    """Put the value of `section.key` over the content of an experiment's file, which lies at `path`."""
    *sections, last = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise NiftyFormerError(f"{key} cannot be set: {section!r} is no section in {path}")
    content[last] = value

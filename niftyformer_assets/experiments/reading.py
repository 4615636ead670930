"""One file of a person's, read with all that can be wrong with it said in a line."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.overrides import overridden_name, put_value
from niftyformer_assets.settings import MOST_OF_A_NAME, NAME, reasons
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line, read_regular
from niftyformer_assets.yaml_numbers import read_yaml

# The longest of ours has 2 KB.
MOST_BYTES = 64 << 10


def text_of(path: Path) -> str:
    """The text of an experiment's or a study's file."""
    if not NAME.fullmatch(path.stem):
        raise NiftyFormerError(
            f"{path}: a name is made of at most {MOST_OF_A_NAME} lower-case letters, digits, '-', '_' and single '.' "
            "between them"
        )
    try:
        return read_regular(path, MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise NiftyFormerError(f"{path} cannot be read ({error.strerror}): mend or remove it") from None
    except ValueError as error:
        raise NiftyFormerError(f"{path} is not readable as YAML: {error}") from None


@lru_cache(maxsize=256)
def content_of(path: Path, text: str) -> dict[str, Any]:
    """What a file says; not to be changed."""
    try:
        content = read_yaml(text)
    except ValueError as error:
        raise NiftyFormerError(f"{path} is not readable as YAML: {error}") from None
    if not isinstance(content, dict):
        raise NiftyFormerError(f"{path}: a mapping of settings is needed, this file holds none")
    return content


@cache
def known_keys() -> tuple[str, ...]:
    """The sections of an experiment, and their keys as `section.key`."""
    keys: list[str] = []
    for name, field in Experiment.model_fields.items():
        parts = dataclasses.fields(field.annotation) if dataclasses.is_dataclass(field.annotation) else ()
        keys += [name, *(f"{name}.{part.name}" for part in parts)]
    return tuple(keys)


@contextmanager
def said_of(path: Path, where: str = "") -> Iterator[None]:
    """Values that are refused within the block are said to be of this file."""
    try:
        yield
    except ValidationError as error:
        raise NiftyFormerError(f"{path}: {where}{reasons(error, known_keys())}") from None
    except ValueError as error:
        raise NiftyFormerError(f"{path}: {where}{in_one_line(error)}") from None


@lru_cache(maxsize=256)
def experiment_of(path: Path, text: str, overrides: str) -> Experiment:
    """The experiment of a file's text, with `section.key` -> value of a JSON object put over it."""
    content, given = copy.deepcopy(content_of(path, text)), json.loads(overrides)
    for key, value in given.items():
        put_value(content, key, value, path)
    with said_of(path, "with --set, " if given else ""):
        return experiment_from(content | {"name": overridden_name(path.stem, given), "overrides": given})


def experiment_from(content: Mapping[str, Any]) -> Experiment:
    """The experiment of these values; ValueError where it is none."""
    return Experiment.model_validate_json(as_json(content), strict=True)


def as_json(content: Mapping[str, Any]) -> str:
    """For pydantic: JSON of what a file says."""
    # Through JSON, because there strict means strict about types and still takes dates and mappings.
    try:
        return json.dumps(content, default=str, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"a number is infinite or none ({error}): correct it") from None

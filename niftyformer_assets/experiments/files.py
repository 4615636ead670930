"""Experiments as files: `data/experiments/NAME.yaml` holds one, and what it leaves out has the published value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.overrides import overridden_name, put_value
from niftyformer_assets.market.split import Period, SplitByDate, SplitByRatio
from niftyformer_assets.settings import NAME, Settings, reasons
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line, read_regular
from niftyformer_assets.yaml_numbers import read_yaml

# The longest of ours has 2 KB.
MOST_EXPERIMENT_BYTES = 64 << 10


class WalkForward(BaseModel):
    """The same experiment again and again, each time `step_months` later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: int = Field(ge=2, le=99)
    step_months: int = Field(ge=1, le=120)


def experiments_of(settings: Settings, wrong: dict[str, str] | None = None) -> dict[str, Experiment]:
    """The experiments of the active workspace by name: those of the files, and those with `overrides` put over.

    A file that is wrong, as one that is just being written, is left out: candles are fetched and
    other experiments run without it. `wrong` gets the reasons, and `find_experiment` raises them.
    """
    return experiments_of_files(settings, wrong) | _overridden(settings, {})


def experiments_of_files(settings: Settings, wrong: dict[str, str] | None = None) -> dict[str, Experiment]:
    """As `experiments_of`, with the values of the files alone."""
    return load_experiments(settings.experiments, settings.market, wrong={} if wrong is None else wrong)


def _overridden(settings: Settings, wrong: dict[str, str]) -> dict[str, Experiment]:
    if not settings.overrides:
        return {}
    return load_experiments(settings.experiments, settings.market, settings.overrides, wrong)


def find_experiment(settings: Settings, name: str) -> Experiment:
    """One experiment of the active workspace.

    Raises:
        NiftyFormerError: there is none of that name, or its file is wrong; the message says which
            there are, or what is wrong.
    """
    wrong: dict[str, str] = {}
    of_files, overridden = experiments_of_files(settings, wrong), _overridden(settings, wrong)
    known = of_files | overridden
    if name in known:
        return known[name]
    given = name.removesuffix(overridden_name("", settings.overrides))
    # A window of a walk-forward is named after its file.
    for stem in (given, given.rpartition("-")[0]):
        if stem in wrong:
            raise NiftyFormerError(wrong[stem])
    raise NiftyFormerError(_no_such_experiment(settings, given, list(of_files)))


def _no_such_experiment(settings: Settings, name: str, known: Sequence[str]) -> str:
    others = load_experiments(settings.experiments, wrong={})
    if name in others:
        market = others[name].market
        workspace = (
            "NIFTYFORMER_WORKSPACE=demo"
            if market == "simulated"
            else "NIFTYFORMER_WORKSPACE=nifty200 (Zerodha, with KITE_API_KEY) or --replay FOLDER"
        )
        return (
            f"experiment {name!r} is for the {market} market and workspace {settings.workspace.name} has the "
            f"{settings.market} one: choose the workspace with {workspace}, or one of {', '.join(known) or 'none'}"
        )
    # A file of a name that is refused is no way out.
    file = name if NAME.fullmatch(name) else "NAME"
    return (
        f"there is no experiment {name!r} for the {settings.market} market: choose one of "
        f"{', '.join(known) or 'none'}, or write {settings.experiments / file}.yaml"
    )


def load_experiments(
    folder: Path,
    market: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    wrong: dict[str, str] | None = None,
) -> dict[str, Experiment]:
    """All experiments of a folder by name, in order; a walk-forward file gives one a window.

    Args:
        market: only those for this market.
        overrides: `section.key` -> value, put over every file before it is checked; what comes of it has
            names of its own (`overridden_name`).
        wrong: gets what is wrong with a file, by its stem, and the file is left out, whatever it is.

    Raises:
        NiftyFormerError: without `wrong`, a file has an unknown key, a wrong type, windows that
            overlap, or the name of another one's window; the message names the file, the key and
            the reason.
    """
    found: dict[str, list[Experiment]] = {}
    refused: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            found[path.stem] = read_experiment_file(path, overrides or {})
        except NiftyFormerError as error:
            refused[path.stem] = in_one_line(error)
        except Exception as error:  # whatever is odd about one file is no reason to be without the others
            refused[path.stem] = in_one_line(f"{path} is not understood ({type(error).__name__}: {error}): mend it")
    # A file and another one's window of one name: which of them the name means is for nobody to guess.
    for stem, experiments in found.items():
        for name in {experiment.name for experiment in experiments} - {overridden_name(stem, overrides or {})}:
            if name in found or name in refused:
                said = f"{folder / name}.yaml has the name of a window of {folder / stem}.yaml: rename one of the two"
                refused.setdefault(name, said)
                refused.setdefault(stem, said)
    if wrong is not None:
        wrong |= refused
    elif refused:
        raise NiftyFormerError(next(iter(refused.values())))
    return {
        experiment.name: experiment
        for stem, experiments in found.items()
        if stem not in refused
        for experiment in experiments
        if market is None or experiment.market == market
    }


def read_experiment_file(path: Path, overrides: Mapping[str, Any]) -> list[Experiment]:
    """The experiment of a file, or its windows; errors as in `load_experiments`."""
    if not NAME.fullmatch(path.stem):
        raise NiftyFormerError(
            f"{path}: an experiment's name is made of lower-case letters, digits, '-', '_' and single '.' between them"
        )
    try:
        content = read_yaml(read_regular(path, MOST_EXPERIMENT_BYTES).decode("utf-8"))
    except OSError as error:
        raise NiftyFormerError(f"{path} cannot be read ({error.strerror}): mend or remove it") from None
    except ValueError as error:
        raise NiftyFormerError(f"{path} is not readable as YAML: {error}") from None
    if not isinstance(content, dict):
        raise NiftyFormerError(f"{path}: an experiment is a mapping of settings, this file holds none")
    for key, value in overrides.items():
        put_value(content, key, value, path)
    walk_forward = content.pop("walk_forward", None)
    try:
        name = overridden_name(path.stem, overrides)
        first = _experiment(content | {"name": name, "overrides": dict(overrides)})
        if walk_forward is None:
            return [first]
        plan = WalkForward.model_validate_json(json.dumps(walk_forward), strict=True)
        return [
            _experiment(
                content
                | {
                    "name": overridden_name(f"{path.stem}-{window + 1:02d}", overrides),
                    "overrides": dict(overrides),
                    "sessions": _shifted(first.sessions, window * plan.step_months),
                }
            )
            for window in range(plan.windows)
        ]
    except ValidationError as error:
        raise NiftyFormerError(f"{path}: {reasons(error)}") from None
    except ValueError as error:  # an infinite number, which JSON does not have
        raise NiftyFormerError(f"{path}: a number is infinite or none ({error}): correct it") from None


def _experiment(content: Mapping[str, Any]) -> Experiment:
    # Through JSON, because there strict means strict about types and still takes dates and mappings.
    return Experiment.model_validate_json(json.dumps(content, default=str, allow_nan=False), strict=True)


def _shifted(sessions: SplitByDate | SplitByRatio, months: int) -> dict[str, Any]:
    if isinstance(sessions, SplitByRatio):
        ends = {"start": _later(sessions.start, months), "end": _later(sessions.end, months)}
        return {**ends, "ratio": list(sessions.ratio)}
    return {
        name: {"start": _later(period.start, months), "end": _later(period.end, months)}
        for name, period in _periods(sessions)
    }


def _periods(sessions: SplitByDate) -> Iterable[tuple[str, Period]]:
    return (("train", sessions.train), ("validation", sessions.validation), ("test", sessions.test))


def _later(day: date, months: int) -> date:
    """The same day some months later; a month's last day stays a month's last day."""
    last_of_month = (day + timedelta(days=1)).day == 1
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(year, month + 1, last if last_of_month else min(day.day, last))

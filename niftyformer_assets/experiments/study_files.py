"""A study's file, expanded to its experiments."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from niftyformer_assets.experiments.experiment import Experiment, with_seed
from niftyformer_assets.experiments.overrides import put_value
from niftyformer_assets.experiments.reading import as_json, content_of, experiment_from, experiment_of, said_of, text_of
from niftyformer_assets.experiments.study import (
    EXPERIMENT,
    MOST_EXPERIMENTS,
    Planned,
    Study,
    StudySettings,
    experiment_name,
)
from niftyformer_assets.experiments.study_contenders import require_contenders
from niftyformer_assets.market.split import SplitByDate
from niftyformer_assets.settings import MOST_OF_A_NAME, NAME
from niftyformer_assets.store.errors import NiftyFormerError


def read_study_file(path: Path, experiments: Path, last: date | None) -> Study:
    """The study of a file, expanded.

    Args:
        experiments: the folder that holds the file of its experiment.
        last: the last session at hand, as `WalkForward.sessions` takes it.

    Raises:
        NiftyFormerError: as `load_experiments`, or the study makes an experiment that is none; the message names the
            file, the key and the reason.
    """
    text, content = text_of(path), content_of(path, text_of(path))
    with said_of(path):
        settings = _study_settings(content)
    files = {"": _file(path, experiments, settings.experiment, EXPERIMENT)}
    for point, values in settings.points.items():
        if EXPERIMENT in values:
            files[point] = _file(path, experiments, str(values[EXPERIMENT]), f"points.{point}.{EXPERIMENT}")
    return _study_of(path, text, tuple((point, of, text_of(of)) for point, of in files.items()), last)


def _file(path: Path, experiments: Path, name: str, said: str) -> Path:
    """The file of an experiment that a study names."""
    of = experiments / f"{name}.yaml"
    if not NAME.fullmatch(name) or not of.is_file():
        known = ", ".join(sorted(each.stem for each in experiments.glob("*.yaml")))
        raise NiftyFormerError(f"{path}: {said}: there is no {of}: name one of {known or 'none'}")
    return of


# A study of 500 experiments is asked for by every asset of each.
@lru_cache(maxsize=64)
def _study_of(path: Path, text: str, files: tuple[tuple[str, Path, str], ...], last: date | None) -> Study:
    """Args: files: of each point that has one its experiment's file and the text; the study's own without a name."""
    of_point = {point: (of, of_text) for point, of, of_text in files}
    base = experiment_of(*of_point[""], "{}")
    with said_of(path):
        settings = _study_settings(content_of(path, text))
    others = {of.stem: experiment_of(of, of_text, "{}") for point, (of, of_text) in of_point.items() if point}
    if strange := next((name for name, other in others.items() if other.market != base.market), ""):
        raise NiftyFormerError(
            f"{path}: {strange} is of the market {others[strange].market}, {settings.experiment} of {base.market}: "
            "name experiments of one market"
        )
    windows, one = _windows(path, settings, last), settings
    planned = _expanded(path, settings, of_point, windows)
    if settings.walk_forward is not None:
        # What is wrong with it is said before there are candles.
        one = settings.model_copy(update={"walk_forward": settings.walk_forward.model_copy(update={"windows": 1})})
    first = planned if windows else _expanded(path, one, of_point, _windows(path, one, last))
    by_point: dict[str, Experiment] = {}
    for each in first:
        by_point.setdefault(each.point, each.experiment)
    with said_of(path):
        require_contenders(settings, by_point)
    return Study(path.stem, settings, base, tuple(planned), tuple(by_point.values()), others)


def _expanded(
    path: Path,
    settings: StudySettings,
    of_point: Mapping[str, tuple[Path, str]],
    windows: list[tuple[str, dict[str, Any] | None]],
) -> list[Planned]:
    planned: dict[str, Planned] = {}
    for point, varied in settings.varied:
        of, of_text = of_point.get(point, of_point[""])
        values = settings.set | {key: value for key, value in varied.items() if key != EXPERIMENT}
        for window, sessions in windows:
            for seed in range(1, settings.seeds + 1):
                name = experiment_name(path.stem, point, window, seed)
                said = f"{path}: {name}"
                if name in planned:
                    raise NiftyFormerError(f"{said}: two points of the grid have this name: change their values")
                if len(planned) >= MOST_EXPERIMENTS:
                    raise NiftyFormerError(
                        f"{path}: more than {MOST_EXPERIMENTS:,} experiments: give fewer windows, seeds or values"
                    )
                if not NAME.fullmatch(name):
                    raise NiftyFormerError(
                        f"{path}: {name[:MOST_OF_A_NAME]} is no name of an experiment, or too long for one: name the "
                        "study otherwise, or shorten the values of its grid"
                    )
                content = _of_study(of, of_text, values, sessions)
                with said_of(path, f"{name}: "):
                    experiment = experiment_from(content | {"name": name, "overrides": {}})
                    if seed > 1:
                        experiment = with_seed(experiment, seed)
                    _require_training(experiment, settings)
                planned[name] = Planned(experiment, point, window, seed)
    return list(planned.values())


def _windows(path: Path, settings: StudySettings, last: date | None) -> list[tuple[str, dict[str, Any] | None]]:
    """The month in which each window is tested, and its parts; one without either where the study has none."""
    if settings.walk_forward is None:
        return [("", None)]
    with said_of(path):
        return [(f"{parts['test']['start']:%Y-%m}", parts) for parts in settings.walk_forward.sessions(last)]


def _of_study(of: Path, of_text: str, values: Mapping[str, Any], sessions: Mapping[str, Any] | None) -> dict[str, Any]:
    """The content of an experiment's file with other values, and the members of a study's windows."""
    content = copy.deepcopy(content_of(of, of_text))
    for key, value in values.items():
        put_value(content, key, value, of)
    if sessions is not None:
        content["sessions"] = sessions
        universe = content.setdefault("universe", {})
        if isinstance(universe, dict):
            universe.setdefault("membership", "training_end")
    return content


def _require_training(experiment: Experiment, settings: StudySettings) -> None:
    """Refuse a window that has too few sessions to learn from, or members that no expanding training can have."""
    walk_forward, parts = settings.walk_forward, experiment.sessions
    if walk_forward is None or not isinstance(parts, SplitByDate):
        return
    if walk_forward.training == "expanding" and experiment.universe.membership == "training_start":
        raise ValueError(
            "universe.membership: training_start would keep the members of the first day for ever where training "
            "expands: set training_end or each_session"
        )
    wanted = experiment.windows.input_sessions + max(experiment.windows.known_after)
    if (days := int(np.busday_count(parts.train.start, parts.train.end))) < wanted:
        raise ValueError(f"walk_forward.train_months: {days} weekdays are fewer than the {wanted} that a sample needs")


def _study_settings(content: Mapping[str, Any]) -> StudySettings:
    return StudySettings.model_validate_json(as_json(content), strict=True)

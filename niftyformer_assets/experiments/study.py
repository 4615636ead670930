"""What a study is: one experiment in many windows, with many seeds and settings, to be judged together.

It expands to experiments whose names sort in time: `STUDY.POINT.YYYY-MM.seedN`, where the point (of the grid, or one of
those named), the month in which the test begins and the seed stand only where they vary, and of the seeds not the
first.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.portfolio.names import MODEL, NAMES
from niftyformer_assets.words import counted

# Dagster's keys, and a person's patience, end somewhere.
MOST_EXPERIMENTS = 2000
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_NOT_IN_A_KEY = re.compile(r"[^a-z0-9_-]+")
_POINT = re.compile(r"[a-z0-9][a-z0-9_-]*")
# What a named point may say beside settings: the file that it varies.
EXPERIMENT = "experiment"


class WalkForward(BaseModel):
    """Windows of training, validation and test, each `step_months` after the one before.

    first_test: the day on which the first window's test part begins.
    step_months: by itself `test_months`, so that each test begins where the one before ends.
    training: rolling has the same length in every window; expanding begins on one day in all.
    windows: how many; all are as many as have their whole test part among the candles at hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_test: date
    train_months: int = Field(default=24, ge=1, le=600)
    validation_months: int = Field(default=4, ge=1, le=120)
    test_months: int = Field(default=4, ge=1, le=120)
    step_months: int | None = Field(default=None, ge=1, le=120)
    training: Literal["rolling", "expanding"] = "rolling"
    windows: int | Literal["all"] = "all"

    @model_validator(mode="after")
    def _apart(self) -> WalkForward:
        if self.step < self.test_months:
            raise ValueError(
                f"step_months {self.step} is shorter than test_months {self.test_months}: the test windows overlap"
            )
        if isinstance(self.windows, int) and not 1 <= self.windows <= MOST_EXPERIMENTS:
            raise ValueError(f"windows must lie between 1 and {MOST_EXPERIMENTS}, or be all")
        if not 1990 <= self.first_test.year <= 2100:
            raise ValueError(f"first_test {self.first_test} is not between 1990 and 2100")
        return self

    @property
    def step(self) -> int:
        return self.test_months if self.step_months is None else self.step_months

    def may_test(self, month: str) -> bool:
        """Does a window's test part begin in the month, YYYY-MM, however far candles reach?"""
        if not _MONTH.fullmatch(month):
            return False
        year, number = map(int, month.split("-"))
        place, rest = divmod(12 * (year - self.first_test.year) + number - self.first_test.month, self.step)
        return rest == 0 and place >= 0 and (self.windows == "all" or place < self.windows)

    def sessions(self, last: date | None) -> Iterator[dict[str, Any]]:
        """The parts of each window, as an experiment's `sessions`.

        Args:
            last: the last session at hand; without one, `all` are none.
        """
        wanted = self.windows if isinstance(self.windows, int) else MOST_EXPERIMENTS + 1
        for window in range(wanted):
            # All from the one first day: what a short month cuts off would pile up otherwise.
            place = window * self.step
            test = later(self.first_test, place)
            end = later(self.first_test, place + self.test_months) - timedelta(days=1)
            if self.windows == "all" and (last is None or last < last_weekday(end)):
                return
            validation = later(self.first_test, place - self.validation_months)
            before = self.validation_months + self.train_months
            train = later(self.first_test, -before if self.training == "expanding" else place - before)
            yield {
                "train": {"start": train, "end": validation - timedelta(days=1)},
                "validation": {"start": validation, "end": test - timedelta(days=1)},
                "test": {"start": test, "end": end},
            }


class Ensemble(BaseModel):
    """The mean of scores, each standardised on every session.

    models: whose; `model` is the experiment's own, others are baselines.
    over: `seeds`, `grid` or both: whose scores are one part each; what is not named here stays apart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[str, ...] = (MODEL,)
    over: tuple[Literal["seeds", "grid"], ...] = ()


class StudySettings(BaseModel):
    """The content of `data/studies/NAME.yaml`.

    experiment: the name of a file in data/experiments, whose values hold where nothing is said here.
    set: other values than the file's, `section.key: value`, in all experiments of the study.
    seeds: how many; each is a training of its own.
    grid: `section.key: [values]`; a key of several settings, with commas between, gives them the same value.
    points: in place of a grid, points by name, each with its own `section.key: value`, in place of what `set` says of
        the same; `experiment: NAME` takes another experiment's file than the study's.
    judge: whom the verdict is about, by the name that the report gives; by itself the first ensemble, or the model.
    against: whom the others are held against, session by session; by itself the best of the baselines.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str
    set: dict[str, Any] = Field(default_factory=dict)
    walk_forward: WalkForward | None = None
    seeds: int = Field(default=1, ge=1, le=100)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    points: dict[str, dict[str, Any]] = Field(default_factory=dict)
    ensembles: dict[str, Ensemble] = Field(default_factory=dict)
    judge: str = ""
    against: str = ""

    @model_validator(mode="after")
    def _of_some_size(self) -> StudySettings:
        for key, values in self.grid.items():
            if len(values) < 1:
                raise ValueError(f"grid.{key} has no values")
        if self.grid and self.points:
            raise ValueError("grid and points are both given: name each point of the grid, or leave one of the two out")
        if strange := [name for name in self.points if not _POINT.fullmatch(name)]:
            raise ValueError(f"points: {strange[0]!r} is no name: use small letters, digits, - and _")
        points = int(np.prod([len(values) for values in self.grid.values()], dtype=object)) * self.seeds
        if (points := max(points, len(self.points) * self.seeds)) > MOST_EXPERIMENTS:
            raise ValueError(
                f"grid, points and seeds make {points:,} points, {MOST_EXPERIMENTS:,} are the most: shorten them"
            )
        self._require_once([name.strip() for key in self.grid for name in key.split(",")] + list(self.set))
        for changed in self.points.values():
            own = [name for name in changed if name != EXPERIMENT]
            self._require_once([*own, *(name for name in self.set if name not in changed)])
        return self

    def _require_once(self, varied: list[str]) -> None:
        """Refuse settings of which one decides on another, or that are none of a study's business."""
        for name in varied:
            if varied.count(name) > 1:
                raise ValueError(f"{name} is given twice, in grid, points or set")
            if whole := next((other for other in varied if name.startswith(f"{other}.")), ""):
                raise ValueError(f"{name} is given twice, in grid, points or set: once as part of {whole}")
            if name in NAMES or name.split(".")[0] == "sessions":
                raise ValueError(f"{name} is not for a study to set: walk_forward and the experiment say it")
        if self.seeds > 1 and "training.seed" in varied:
            raise ValueError("training.seed is what seeds varies: leave one of the two out")

    @property
    def varied(self) -> list[tuple[str, dict[str, Any]]]:
        """What each point is called, and its values by setting; one without a name where nothing varies."""
        if self.points:
            return list(self.points.items())
        found = []
        for values in itertools.product(*self.grid.values()):
            label = ".".join(
                _label(key if len(self.grid) > 1 else "", value) for key, value in zip(self.grid, values, strict=True)
            )
            flat = {
                name.strip(): value for key, value in zip(self.grid, values, strict=True) for name in key.split(",")
            }
            found.append((label, flat))
        return found


@dataclass(frozen=True)
class Planned:
    """One experiment of a study: where in it the experiment stands.

    point: what its point of the grid is called, empty without a grid.
    window: the month in which its test begins, empty without windows.
    seed: 1 for the first.
    """

    experiment: Experiment
    point: str
    window: str
    seed: int


@dataclass(frozen=True)
class Study:
    """A study and the experiments that it expands to, by point, window and seed in this order.

    first: of each point the first experiment, also where the candles do not reach a window yet.
    others: the experiments that points take in place of the study's, by name.
    """

    name: str
    settings: StudySettings
    base: Experiment
    planned: tuple[Planned, ...]
    first: tuple[Experiment, ...]
    others: Mapping[str, Experiment] = field(default_factory=dict)

    @property
    def market(self) -> str:
        return self.base.market

    def values(self) -> dict[str, Any]:
        """What decides on what is made of the study, as JSON values."""
        told = {"study": self.settings.model_dump(mode="json"), "experiment": self.base.values()}
        return told | {f"experiment {name}": other.values() for name, other in self.others.items()}

    @property
    def experiments(self) -> dict[str, Experiment]:
        """By name."""
        return {each.experiment.name: each.experiment for each in self.planned}

    def may_make(self, name: str) -> bool:
        """Is it the name of an experiment of the study, also one of a window that the candles do not reach?"""
        if self.settings.walk_forward is None:
            return name in self.experiments
        for point, _ in self.settings.varied:
            before = experiment_name(self.name, point, "", 1) + "."
            window, _, seed = name.removeprefix(before).partition(".")
            if (
                name.startswith(before)
                and self.settings.walk_forward.may_test(window)
                and seed in ["", *(f"seed{number}" for number in range(2, self.settings.seeds + 1))]
            ):
                return True
        return False

    @property
    def summary(self) -> str:
        """A line about the study."""
        windows = sorted({each.window for each in self.planned} - {""})
        parts = [counted(len(self.planned), "experiment")]
        if self.settings.walk_forward is not None:
            reach = f", tests from {windows[0]} to {windows[-1]}" if windows else ""
            parts.append(f"{counted(len(windows), 'window')}{reach}, {self.settings.walk_forward.training} training")
        if self.settings.seeds > 1:
            parts.append(counted(self.settings.seeds, "seed"))
        if self.settings.grid:
            parts.append(f"{counted(len(self.settings.varied), 'point')} over {', '.join(self.settings.grid)}")
        if self.settings.points:
            parts.append(f"{counted(len(self.settings.points), 'point')}: {', '.join(self.settings.points)}")
        return f"{self.name}, of {self.settings.experiment}: {'; '.join(parts)}"


def later(day: date, months: int) -> date:
    """The same day some months later, or the month's last one where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return date(year, month + 1, min(day.day, (following - timedelta(days=1)).day))


def last_weekday(day: date) -> date:
    """The day itself, or the Friday before a weekend: a session at its end is not waited for."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def experiment_name(study: str, point: str, window: str, seed: int) -> str:
    """What an experiment of a study is called."""
    return ".".join(part for part in (study, point, window, f"seed{seed}" if seed > 1 else "") if part)


def _label(key: str, value: Any) -> str:
    """What a value of the grid adds to a name; the last part of its setting before it where several vary."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    words = [_NOT_IN_A_KEY.sub("-", part).strip("-") for part in text.lower().split(".")]
    said = ".".join(word for word in words if word) or "none"
    setting = key.split(",")[0].strip().rpartition(".")[2]
    return f"{setting}-{said}" if setting else said

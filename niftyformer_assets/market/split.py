"""Which sessions train, which validate, which test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from niftyformer_assets.require import require
from niftyformer_assets.store.errors import NiftyFormerError

PARTS = ("train", "validation", "test", "later")
# No exchange of ours is older, and dates near the calendar's end cannot be reckoned with.
_YEARS = range(1990, 2101)


@dataclass(frozen=True)
class Period:
    """Calendar dates, both included."""

    __pydantic_config__ = {"extra": "forbid"}

    start: date
    end: date

    def __post_init__(self) -> None:
        _must_be_a_span(self.start, self.end)


@dataclass(frozen=True)
class Split:
    """Index ranges into the sessions of an experiment, in order and without overlap.

    The first training session is session 0. A session between two parts belongs to none. `later`
    holds what came after the test end: it is predicted, never trained on and never part of a test
    result.
    """

    train: slice
    validation: slice
    test: slice
    later: slice

    def sessions(self, part: str) -> int:
        """How many sessions a part has."""
        place: slice = getattr(self, part)
        return place.stop - place.start

    def part_of(self, session: int) -> str | None:
        """The part that the session with this index belongs to, if any."""
        for part in PARTS:
            place: slice = getattr(self, part)
            if place.start <= session < place.stop:
                return part
        return None


@dataclass(frozen=True)
class SplitByDate:
    """Train, validation and test by calendar dates."""

    __pydantic_config__ = {"extra": "forbid"}

    train: Period
    validation: Period
    test: Period

    def __post_init__(self) -> None:
        for name, before, after in (
            ("validation", self.train, self.validation),
            ("test", self.validation, self.test),
        ):
            require(
                before.end < after.start,
                f"{name} starts on {after.start}, before the part before it has ended ({before.end}): "
                "the windows overlap",
            )

    @property
    def start(self) -> date:
        return self.train.start

    def resolve(self, dates: np.ndarray) -> tuple[slice, Split]:
        """Find the parts among sessions.

        Args:
            dates: datetime64[D] [T'], all sessions at hand, increasing.

        Returns:
            The range of the experiment's sessions in `dates` (from the training start through the
            last one), and the split relative to that range.

        Raises:
            NiftyFormerError: the candles do not cover a part.
        """
        parts = []
        for name, period in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            start = int(np.searchsorted(dates, np.datetime64(period.start, "D"), side="left"))
            stop = int(np.searchsorted(dates, np.datetime64(period.end, "D"), side="right"))
            if start >= stop:
                raise NiftyFormerError(
                    f"no session for {name} ({period.start} to {period.end}): the candles at hand cover "
                    f"{dates[0] if len(dates) else 'nothing'} to {dates[-1] if len(dates) else 'nothing'}. "
                    "Change the experiment's sessions or fetch more candles."
                )
            parts.append((start, stop))
        return _relative([*parts, (parts[-1][1], len(dates))])


@dataclass(frozen=True)
class SplitByRatio:
    """Train, validation and test as shares of the sessions between two dates."""

    __pydantic_config__ = {"extra": "forbid"}

    start: date
    end: date
    ratio: tuple[float, float, float]

    def __post_init__(self) -> None:
        _must_be_a_span(self.start, self.end)
        require(abs(sum(self.ratio) - 1) < 1e-9, f"the shares {self.ratio} do not add up to 1")
        require(min(self.ratio) > 0, f"every share in {self.ratio} must be above 0")

    def resolve(self, dates: np.ndarray) -> tuple[slice, Split]:
        """As `SplitByDate.resolve`; train and test are rounded as the published code does."""
        first = int(np.searchsorted(dates, np.datetime64(self.start, "D"), side="left"))
        stop = int(np.searchsorted(dates, np.datetime64(self.end, "D"), side="right"))
        count = stop - first
        train, test = round(self.ratio[0] * count), round(self.ratio[2] * count)
        edges = [first, first + train, stop - test, stop, len(dates)]
        if not first < first + train < stop - test < stop:
            raise NiftyFormerError(
                f"{count} sessions between {self.start} and {self.end} cannot be split as {self.ratio}. "
                "Change the experiment's sessions or fetch more candles."
            )
        return _relative(list(zip(edges[:-1], edges[1:], strict=True)))


def _must_be_a_span(start: date, end: date) -> None:
    require(start <= end, f"start {start} is after end {end}")
    for day in (start, end):
        require(day.year in _YEARS, f"{day} is not between {_YEARS[0]} and {_YEARS[-1]}")


def _relative(parts: list[tuple[int, int]]) -> tuple[slice, Split]:
    first, last = parts[0][0], parts[-1][1]
    return slice(first, last), Split(*(slice(start - first, stop - first) for start, stop in parts))

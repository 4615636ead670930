"""Labels: what is predicted of each stock, by the session that a prediction is made on.

A label is made of the returns of later sessions, and is known at the close of the last of them. Which
sessions these are, what is made of their returns and in which unit, is one row of `LABELS`, by the name
that `windows.label` gives; nothing else has to know. The return from the first possible fill, the close
of the next session, over `horizon` sessions, ranked across the stocks, would be

    LABELS["held_rank"] = Label("held_rank", RANK, lambda horizon: range(2, horizon + 2), held)

with a function `held` of the returns [T, N] and the horizon. Only NumPy is needed, so a bare training
machine has this module too.

Shapes: T sessions, H horizons, N symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Unit:
    """What a label is counted in.

    column: the name of the predicted value in tables.
    kind: what predictions in it are, in words.
    words, scale: what its errors are called for a reader, and what they are multiplied by to be that.
    put: values [T, N], NaN where missing, in this unit, float64 [T, N]: each session by itself, 0 being
        no rise; missing stays missing.
    """

    column: str
    kind: str
    words: str
    scale: float
    put: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Label:
    """One kind of label.

    name: that `windows.label` gives.
    sessions: by the horizon, those whose returns it is made of, counted from the one it is made on, whose
        close is 0; its last one is when it is known.
    value: made of returns [T, N] (NaN where there is none) for a horizon, [T, N] by the session it is made
        on, before it is put in the unit.
    """

    name: str
    unit: Unit
    sessions: Callable[[int], range]
    value: Callable[[np.ndarray, int], np.ndarray]

    def known_after(self, horizon: int) -> int:
        """How many sessions after the one that it is made on a label is known."""
        return self.sessions(horizon)[-1]

    def step(self, horizon: int) -> str:
        """The sessions of a horizon in short: `t+2` for the return of that session, else from close to close."""
        first, last = self.sessions(horizon)[0], self.known_after(horizon)
        return f"t+{last}" if first == last else f"t+{first - 1} to t+{last}"

    def wholly_in(self, part: slice, horizons: Sequence[int]) -> slice:
        """The sessions on which predictions are made whose labels of all these horizons belong to a part.

        Every return that a label is made of is then of a session of the part, so that no two parts share
        one; the prediction may be made before the part, its inputs were known by then. The slice may
        begin below 0.
        """
        start = part.start - min(self.sessions(horizon)[0] for horizon in horizons)
        return slice(start, max(part.stop - max(map(self.known_after, horizons)), start))

    def made_and_known_in(self, part: slice, horizon: int) -> slice:
        """As `wholly_in`, of one horizon and only those that are made in the part too."""
        whole = self.wholly_in(part, (horizon,))
        return slice(max(whole.start, part.start), max(whole.stop, part.start))

    def of(self, returns: np.ndarray, horizons: Sequence[int]) -> Labels:
        """The labels of each session.

        Args:
            returns: float [T, N], of each session, NaN where there is none.
        """
        values = np.full((len(returns), len(horizons), returns.shape[1]), np.nan)
        for place, horizon in enumerate(horizons):
            # Whatever is made of part of its returns: before the last of them is known there is no label.
            known = max(len(returns) - self.known_after(horizon), 0)
            values[:known, place] = self.unit.put(self.value(returns, horizon))[:known]
        return Labels(values, self, tuple(horizons))


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of T sessions.

    array: float [T, H, N], of predictions made on each session; NaN where missing or still to come.
    """

    array: np.ndarray
    label: Label
    horizons: tuple[int, ...]

    @property
    def known_on(self) -> np.ndarray:
        """Index of the session at whose close each is known: int [T, H]; past T-1 where still to come."""
        after = [self.label.known_after(horizon) for horizon in self.horizons]
        return np.arange(len(self.array))[:, None] + after

    def wholly_in(self, part: slice) -> np.ndarray:
        """Which labels belong to a part, as `Label.wholly_in` says: bool [T, H]."""
        inside = np.zeros(self.array.shape[:2], dtype=bool)
        for place, horizon in enumerate(self.horizons):
            whole = self.label.wholly_in(part, (horizon,))
            inside[max(whole.start, 0) : max(whole.stop, 0), place] = True
        return inside

    def by_session_known(self, horizon: int) -> np.ndarray:
        """float [T, N]: the labels of one horizon, each in the row of the session on which it is known."""
        after, values = self.label.known_after(horizon), self.array[:, self.horizons.index(horizon)]
        shifted = np.full(values.shape, np.nan, dtype=values.dtype)
        shifted[after:] = values[: max(len(values) - after, 0)]
        return shifted


def ahead(returns: np.ndarray, sessions: int) -> np.ndarray:
    """What is `sessions` later, by the session that looks ahead: float64 [T, N]; NaN past the end."""
    later = np.full(returns.shape, np.nan)
    later[: max(len(returns) - sessions, 0)] = returns[sessions:]
    return later


def ranks(values: np.ndarray) -> np.ndarray:
    """The place among the session's stocks, ties sharing the mean of their places, centred and of unit variance.

    The variance is over the stocks that have a value, divided by their number. A session without
    spread (one stock, or all values equal) is 0.

    Args:
        values: float [T, N], NaN where there is none.

    Returns:
        float64 [T, N]; missing stays missing.
    """
    return _by_session(values, lambda row: _standardized(_places(row), np.mean))


def zscores(values: np.ndarray) -> np.ndarray:
    """As `ranks`, the value itself about the session's median: "up" means above it, and 0 predicts it.

    Returns are skewed, and about their mean a constant below 0 would beat 0 without any skill.
    """
    return _by_session(values, lambda row: _standardized(row, np.median))


def _by_session(values: np.ndarray, put: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    found = np.full(values.shape, np.nan)
    for session, row in enumerate(values):
        present = np.isfinite(row)
        found[session, present] = put(row[present].astype(np.float64))
    return found


def _places(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _standardized(values: np.ndarray, middle: Callable[[np.ndarray], np.floating]) -> np.ndarray:
    # Equal values are compared as such: their computed variance may be a rounding error above 0.
    if len(values) == 0 or values.min() == values.max():
        return np.zeros(len(values))
    return (values - middle(values)) / np.sqrt(np.mean((values - values.mean()) ** 2))


def _that_session(horizon: int) -> range:
    return range(horizon, horizon + 1)


RETURN = Unit("return", "returns", "percentage points", 100, lambda values: values.astype(np.float64))
RANK = Unit("score", "scores: ranks across the stocks of a session", "units of the label", 1, ranks)
ZSCORE = Unit("score", "scores: z-scores across the stocks of a session", "units of the label", 1, zscores)

PUBLISHED = "return"
# The return of the session that is `horizon` ahead: as it is, or where it stands among the session's stocks.
LABELS = {
    label.name: label
    for label in (
        Label(PUBLISHED, RETURN, _that_session, ahead),
        Label("rank", RANK, _that_session, ahead),
        Label("zscore", ZSCORE, _that_session, ahead),
    )
}


def label_named(name: str) -> Label:
    """The label of a name.

    Raises:
        ValueError: there is none; it says which there are.
    """
    if name not in LABELS:
        raise ValueError(f"label {name!r} is unknown: choose from {', '.join(LABELS)}")
    return LABELS[name]

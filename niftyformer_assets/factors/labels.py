"""Labels: what is predicted of each stock, by the session that a prediction is made on.

A label is made of one or several returns of later sessions, in a unit, and is known at the close of the last
of these sessions. Which they are is said once, by its spans; nothing else has to know. An experiment's labels are
`windows.labels` (`dataset/settings.py`). A further kind of span is one row of `KINDS`, a further unit one of `UNITS`.

No compiler is needed, so a bare training machine has this module too.

Shapes: T sessions, H labels, N symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from niftyformer_assets.factors.average_ranks import average_ranks
from niftyformer_assets.require import require

# By the horizon, the sessions whose returns a span is made of, counted from the one it is made on, whose close is 0.
KINDS: Mapping[str, Callable[[int], range]] = {
    "session": lambda horizon: range(horizon, horizon + 1),
    "held": lambda horizon: range(2, horizon + 2),
}
NetOfName = Literal["market", "sector"]
MOST_SESSIONS = 250
# Of an experiment's labels the last one is traded; of the published ones it looks furthest past the first fill.
TRADED_PLACE = -1


@dataclass(frozen=True, eq=False)
class NetOf:
    """What a return can be taken net of.

    market: float64 [T], the market's return of each session.
    beta: float64 [T, N], of each stock to it, from returns up to the session; NaN where there are too few.
    sector: int [T, N], the number of each stock's sector on the session; those without one have a number of their own.
    """

    market: np.ndarray
    beta: np.ndarray
    sector: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What labels are made of.

    returns: float [T, N], of each session, NaN where there is none.
    exposures: of the same sessions and stocks; None where no label is net of anything.
    member: bool [T, N], which stocks have a label that is made on the session; None is all of them.
    """

    returns: np.ndarray
    exposures: NetOf | None = None
    member: np.ndarray | None = None


@dataclass(frozen=True)
class Span:
    """A return over later sessions, compounded.

    A stock that lacks the return of one of the sessions (no candle on it or on the one before, a broken adjustment)
    has none: nobody can say what would have been earned.

    horizon: in sessions.
    kind: `held` is the return from the close of the next session, the first possible fill, to the close `horizon`
        sessions later; `session` that of the session `horizon` ahead alone.
    net_of: `market` takes out the stock's beta, as of the session the prediction is made on, times the market's return
        over the same sessions; `sector` the mean of the stocks of its sector then, of which there must be two.
    """

    __pydantic_config__ = {"extra": "forbid"}

    horizon: int
    kind: str = "held"
    net_of: NetOfName | None = None

    def __post_init__(self) -> None:
        require(1 <= self.horizon <= MOST_SESSIONS, f"horizon must lie between 1 and {MOST_SESSIONS} sessions")
        require(self.kind in KINDS, f"kind {self.kind!r} is unknown: choose from {', '.join(KINDS)}")
        require(
            self.net_of is None or self.net_of in get_args(NetOfName),
            f"net_of {self.net_of!r} is unknown: choose from {', '.join(get_args(NetOfName))}",
        )

    @property
    def sessions(self) -> range:
        """Those whose returns it is made of, counted from the one it is made on."""
        return KINDS[self.kind](self.horizon)

    def values(self, outcomes: Outcomes) -> np.ndarray:
        """float64 [T, N], by the session it is made on; NaN where missing or still to come."""
        earned = compounded(outcomes.returns, self.sessions)
        if outcomes.member is not None:
            earned = np.where(outcomes.member, earned, np.nan)
        if self.net_of is None:
            return earned
        assert outcomes.exposures is not None, "a return is net of nothing that is not there"
        if self.net_of == "sector":
            return earned - _means_by_group(earned, outcomes.exposures.sector)
        return earned - outcomes.exposures.beta * compounded(outcomes.exposures.market, self.sessions)[:, None]


@dataclass(frozen=True)
class Unit:
    """What a label is counted in.

    column: the name of the predicted value in tables.
    kind: what predictions in it are, in words.
    words, scale: what its errors are called for a reader, and what they are multiplied by to be that.
    put: values [T, N], NaN where missing, in this unit, float64 [T, N]: each session by itself, 0 being
        no rise; missing stays missing.
    adds_up: whether values of different spans may be added up.
    """

    column: str
    kind: str
    words: str
    scale: float
    put: Callable[[np.ndarray], np.ndarray]
    adds_up: bool = False


@dataclass(frozen=True)
class Label:
    """One label.

    name: in tables and reports.
    of: the spans it is made of. Several are a mixture: their sum, each in the unit, put in the unit again; where one
        is missing, it is.
    """

    name: str
    unit: Unit
    of: tuple[Span, ...]

    @property
    def sessions(self) -> range:
        """From the first to the last session that it is made of, counted from the one it is made on."""
        spans = [span.sessions for span in self.of]
        return range(min(span[0] for span in spans), max(span[-1] for span in spans) + 1)

    @property
    def overlap(self) -> int:
        """Of how many sessions in a row the labels share returns: 1, its own, where neighbours share none."""
        return len(self.sessions)

    @property
    def known_after(self) -> int:
        """How many sessions after the one that it is made on it is known."""
        return self.sessions[-1]

    @property
    def step(self) -> str:
        """Its sessions in short: `t+2` for the return of that session, else from close to close."""
        first, last = self.sessions[0] - 1, self.known_after
        if len(self.sessions) == 1:
            return f"t+{last}"
        return f"t+{first} to t+{last}" if first else f"t to t+{last}"

    def wholly_in(self, part: slice) -> slice:
        """The sessions on which predictions are made whose labels belong to a part; it may begin below 0.

        Every return that a label is made of is then of a session of the part, so that no two parts share
        one; the prediction may be made before the part, its inputs were known by then.
        """
        start = part.start - self.sessions[0]
        return slice(start, max(part.stop - self.known_after, start))

    def made_and_known_in(self, part: slice) -> slice:
        """As `wholly_in`, of those only that are made in the part too."""
        whole = self.wholly_in(part)
        return slice(max(whole.start, part.start), max(whole.stop, part.start))

    def values(self, outcomes: Outcomes) -> np.ndarray:
        """float64 [T, N], by the session it is made on; NaN where missing or still to come."""
        spans = [self.unit.put(span.values(outcomes)) for span in self.of]
        values = spans[0] if len(spans) == 1 else self.unit.put(np.sum(spans, axis=0))
        # Whatever is made of part of its returns: before the last of them is known there is no label.
        values[max(len(values) - self.known_after, 0) :] = np.nan
        return values


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of T sessions.

    array: float [T, H, N], of predictions made on each session; NaN where missing or still to come.
    """

    array: np.ndarray
    labels: tuple[Label, ...]

    @classmethod
    def of(cls, labels: Sequence[Label], outcomes: Outcomes) -> Labels:
        """These labels of each session, float64."""
        return cls(np.stack([label.values(outcomes) for label in labels], axis=1), tuple(labels))

    @property
    def overlap(self) -> dict[str, int]:
        """`Label.overlap` by the name of each."""
        return {label.name: label.overlap for label in self.labels}

    @property
    def known_on(self) -> np.ndarray:
        """Index of the session at whose close each is known: int [T, H]; past T-1 where still to come."""
        return np.arange(len(self.array))[:, None] + [label.known_after for label in self.labels]

    def wholly_in(self, part: slice) -> np.ndarray:
        """Which labels belong to a part, as `Label.wholly_in` says: bool [T, H]."""
        inside = np.zeros(self.array.shape[:2], dtype=bool)
        for place, label in enumerate(self.labels):
            whole = label.wholly_in(part)
            inside[max(whole.start, 0) : max(whole.stop, 0), place] = True
        return inside

    def by_session_known(self, place: int) -> np.ndarray:
        """float [T, N]: one of the labels, each in the row of the session on which it is known."""
        after, values = self.labels[place].known_after, self.array[:, place]
        shifted = np.full(values.shape, np.nan, dtype=values.dtype)
        shifted[after:] = values[: max(len(values) - after, 0)]
        return shifted


def ahead(returns: np.ndarray, sessions: int) -> np.ndarray:
    """What is `sessions` later, by the session that looks ahead: float64 [T, ...]; NaN past the end."""
    later = np.full(returns.shape, np.nan)
    later[: max(len(returns) - sessions, 0)] = returns[sessions:]
    return later


def compounded(returns: np.ndarray, sessions: range) -> np.ndarray:
    """The return over later sessions, by the session that looks ahead: float64 [T, ...]; NaN where one is missing."""
    first, *others = sessions
    earned = ahead(returns, first)
    for session in others:
        earned = (1 + earned) * (1 + ahead(returns, session)) - 1
    return earned


def ranks(values: np.ndarray) -> np.ndarray:
    """The place among the session's stocks, ties sharing the mean of their places, centred and of unit variance.

    The variance is over the stocks that have a value, divided by their number. A session without
    spread (one stock, or all values equal) is 0.

    Args:
        values: float [T, N], NaN where there is none.

    Returns:
        float64 [T, N]; missing stays missing.
    """
    places = average_ranks(np.where(np.isfinite(values), values, np.nan))
    return _by_session(places, lambda row: _standardized(row, np.mean))


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


def _standardized(values: np.ndarray, middle: Callable[[np.ndarray], np.floating]) -> np.ndarray:
    # Equal values are compared as such: their computed variance may be a rounding error above 0.
    if len(values) == 0 or values.min() == values.max():
        return np.zeros(len(values))
    return (values - middle(values)) / np.sqrt(np.mean((values - values.mean()) ** 2))


def _means_by_group(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The mean of each stock's group on each session, [T, N]; NaN where it is the only one, or has no value."""
    means, known = np.full(values.shape, np.nan), np.isfinite(values)
    for number in np.unique(group):
        of = known & (group == number)
        count = of.sum(axis=1, keepdims=True)
        mean = np.where(of, values, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
        means = np.where(of & (count > 1), mean, means)
    return means


UNITS = {
    "return": Unit("return", "returns", "percentage points", 100, lambda values: values.astype(np.float64)),
    "rank": Unit("score", "scores: ranks across the stocks of a session", "units of the label", 1, ranks, True),
    "zscore": Unit("score", "scores: z-scores across the stocks of a session", "units of the label", 1, zscores, True),
}
RETURN = UNITS["return"]


def session_labels(unit: Unit, horizons: Sequence[int]) -> tuple[Label, ...]:
    """The return of the session that is each horizon ahead: the published labels, of horizons 1 to T2."""
    return tuple(Label(session_name(horizon), unit, (Span(horizon, "session"),)) for horizon in horizons)


def session_name(horizon: int) -> str:
    """What the label of the session that is a horizon ahead is called; no other label may be."""
    return f"h{horizon}"


def horizon_of(name: str) -> int | None:
    """The horizon of the label of a session by its name; None of any other label."""
    return int(name[1:]) if re.fullmatch(r"h[0-9]+", name) else None

"""The settings of an experiment that turn returns and factors into what the model sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.factors.labels import UNITS, Label, Span, Unit, horizon_of, session_labels
from niftyformer_assets.require import require, require_seed


@dataclass(frozen=True)
class Target:
    """A label by name.

    name: small letters, digits and underscores.
    of: the return that it is; or several, a mixture: the sum of their ranks (or z-scores), ranked (or standardised)
        again.
    """

    __pydantic_config__ = {"extra": "forbid"}

    name: str
    of: tuple[Span, ...]

    def __post_init__(self) -> None:
        # As JSON holds them.
        object.__setattr__(self, "of", tuple(one if isinstance(one, Span) else Span(**one) for one in self.of))
        require(
            bool(re.fullmatch(r"[a-z][a-z0-9_]*", self.name)),
            "the name of a target is made of small letters, digits and underscores, and begins with a letter",
        )
        require(
            horizon_of(self.name) is None,
            f"target {self.name}: the return of a session is called so, choose another name",
        )
        require(len(self.of) >= 1, f"target {self.name} is of no return")
        require(len(set(self.of)) == len(self.of), f"target {self.name} is of the same return twice")


@dataclass(frozen=True)
class WindowSettings:
    """What a sample looks at and what it predicts.

    input_sessions: T1, what the model looks at.
    output_sessions: T2, how many sessions ahead it predicts: the returns of the next session to the T2-th. Left out
        where there are targets.
    label: the unit of what is predicted: `return` (the published setting) as it is, `rank` and `zscore` its rank or
        z-score across the stocks of the session, centred and of unit variance.
    targets: what is predicted instead, by name; of each T2 there is one. The last one is traded.
    """

    __pydantic_config__ = {"extra": "forbid"}

    input_sessions: int = 20
    output_sessions: int = 2
    label: str = "return"
    targets: tuple[Target, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(t if isinstance(t, Target) else Target(**t) for t in self.targets))
        require(self.input_sessions >= 2, "input_sessions must be at least 2")
        require(self.output_sessions >= 1, "output_sessions must be at least 1")
        require(self.label in UNITS, f"label {self.label!r} is unknown: choose from {', '.join(UNITS)}")
        names = [target.name for target in self.targets]
        require(len(set(names)) == len(names), "names of targets must be distinct")
        require(
            not names or self.output_sessions == WindowSettings.output_sessions,
            "output_sessions has no say where there are targets: leave it out",
        )
        mixed = [target.name for target in self.targets if len(target.of) > 1]
        require(
            not mixed or self.unit.adds_up,
            f"target {', '.join(mixed)} is a mixture, which compares stocks: set label to rank or zscore",
        )

    @property
    def unit(self) -> Unit:
        """What the labels are counted in."""
        return UNITS[self.label]

    @property
    def labels(self) -> tuple[Label, ...]:
        """What is predicted, T2 of them."""
        if not self.targets:
            return session_labels(self.unit, range(1, self.output_sessions + 1))
        return tuple(Label(target.name, self.unit, target.of) for target in self.targets)

    @property
    def known_after(self) -> tuple[int, ...]:
        """Of each label, how many sessions after the prediction it is known."""
        return tuple(label.known_after for label in self.labels)

    @property
    def over_sessions(self) -> bool:
        """Whether the labels are one series over the sessions that follow: the returns of the 1st to the T2-th."""
        return [label.of for label in self.labels] == [
            label.of for label in session_labels(self.unit, range(1, len(self.labels) + 1))
        ]

    @property
    def net_of(self) -> frozenset[str]:
        """What any label is net of."""
        return frozenset(span.net_of for label in self.labels for span in label.of if span.net_of is not None)


@dataclass(frozen=True)
class WaveletSettings:
    """How a window is split into a low and a high band.

    factors: decompose the factors too, low bands to the low branch.
    """

    __pydantic_config__ = {"extra": "forbid"}

    wavelet: str = "sym2"
    level: int = 1
    factors: bool = False

    def __post_init__(self) -> None:
        require(self.level >= 1, "level must be at least 1")


@dataclass(frozen=True)
class GraphSettings:
    """The correlation graph of the training sessions and its embedding.

    source: what is correlated: returns of the last `sessions` training sessions; the mean over
        training of rolling correlations of that length; or the factors on those sessions.
    threshold: correlations below it are dropped.
    min_overlap: a pair with fewer common sessions than this has no edge.
    dimensions: width of the embedding; the model adds it to its states, so it equals model.width.
    seed: of the walks and of what is learned from them; the experiment's where it is not given.
    """

    __pydantic_config__ = {"extra": "forbid"}

    source: Literal["returns", "rolling_returns", "factors"] = "returns"
    sessions: int = 60
    threshold: float = 0.3
    min_overlap: int = 30
    embedding: Literal["struc2vec", "spectral", "none"] = "struc2vec"
    walks: int = 10
    walk_length: int = 80
    dimensions: int = 128
    seed: int | None = None

    def __post_init__(self) -> None:
        require(self.sessions >= 3, "sessions must be at least 3")
        require(0 <= self.threshold < 1, "threshold must be at least 0 and below 1")
        require(3 <= self.min_overlap <= self.sessions, "min_overlap must lie between 3 and sessions")
        require(self.walks >= 1 and self.walk_length >= 2, "walks must be at least 1 and walk_length at least 2")
        require(self.dimensions >= 1, "dimensions must be at least 1")
        require_seed(self.seed)

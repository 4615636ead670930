"""The settings of an experiment that turn returns and factors into what the model sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.factors.labels import PUBLISHED, Label, label_named
from niftyformer_assets.require import require, require_seed


@dataclass(frozen=True)
class WindowSettings:
    """Lengths of a sample, in sessions.

    input_sessions: T1, what the model looks at.
    output_sessions: T2, how many sessions ahead it predicts: the horizons 1 to T2 of the label.
    label: `return` (the published setting) is a session's raw return, `rank` and `zscore` its rank or z-score
        across the stocks of the session, centred and of unit variance.
    """

    __pydantic_config__ = {"extra": "forbid"}

    input_sessions: int = 20
    output_sessions: int = 2
    label: str = PUBLISHED

    def __post_init__(self) -> None:
        require(self.input_sessions >= 2, "input_sessions must be at least 2")
        require(self.output_sessions >= 1, "output_sessions must be at least 1")
        label_named(self.label)

    @property
    def kind(self) -> Label:
        """The label by its name."""
        return label_named(self.label)

    @property
    def horizons(self) -> tuple[int, ...]:
        """The T2 horizons, 1 … T2."""
        return tuple(range(1, self.output_sessions + 1))

    @property
    def known_after(self) -> tuple[int, ...]:
        """Of each horizon, how many sessions after the prediction its label is known."""
        return tuple(map(self.kind.known_after, self.horizons))


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

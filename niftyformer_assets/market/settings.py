"""From where on candles are suspect, and which symbols take part in an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.indices import DEFAULT, IndexName
from niftyformer_assets.require import require


@dataclass(frozen=True)
class UniverseSettings:
    """Which symbols take part in an experiment.

    index: whose members; nifty200 unless `most_traded` is given.
    most_traded: instead of an index the so many stocks at hand with the highest median of close × volume in the
        calendar year before, drawn anew each year.
    membership: `training_start` fixes the members at the first training session for the whole
        experiment (the published setting), `training_end` at the last one; `each_session` takes every member of
        any training session; each is learned from, ranked and bought only while it is one.
    min_training_sessions: a symbol with fewer candles than this up to the training end is left out.
    max_missing_share: and one that lacks more than this share of the sessions between its first
        and last candle in training.
    """

    __pydantic_config__ = {"extra": "forbid"}

    index: IndexName | None = None
    most_traded: int | None = None
    membership: Literal["training_start", "training_end", "each_session"] = "training_start"
    min_training_sessions: int = 60
    max_missing_share: float = 0.2

    def __post_init__(self) -> None:
        require(
            self.index is None or self.most_traded is None,
            "index and most_traded are two ways to choose the stocks: give one of them",
        )
        require(self.most_traded is None or self.most_traded >= 2, "most_traded must be at least 2")
        require(self.min_training_sessions >= 2, "min_training_sessions must be at least 2")
        require(0 <= self.max_missing_share < 1, "max_missing_share must be at least 0 and below 1")
        if self.index is None and self.most_traded is None:
            # So that whoever gives the default has the same experiment as who leaves it out.
            object.__setattr__(self, "index", DEFAULT)


@dataclass(frozen=True)
class QualitySettings:
    """From where on candles are suspect. All are shares.

    max_missing_share: of the sessions between a symbol's first and last candle; more fails it.
    max_zero_volume_share: of its candles; more warns.
    max_overnight_fall, max_overnight_rise: of open against the last close, relative to the market's gap
        of that session. A larger one is taken for a broken adjustment and starts a new segment.
    suspect_overnight_gap: a smaller gap from here on, either way, warns,
    suspect_overnight_fall: and so does a fall from here on that a bonus issue would leave.
    max_quarantined_share: of its candles; more fails it.
    """

    __pydantic_config__ = {"extra": "forbid"}

    max_missing_share: float = 0.2
    max_zero_volume_share: float = 0.1
    max_overnight_fall: float = 0.22
    max_overnight_rise: float = 0.35
    suspect_overnight_gap: float = 0.2
    suspect_overnight_fall: float = 0.15
    max_quarantined_share: float = 0.05

    def __post_init__(self) -> None:
        for name in ("max_missing_share", "max_zero_volume_share", "max_quarantined_share"):
            require(0 <= getattr(self, name) <= 1, f"{name} must lie between 0 and 1")
        require(self.suspect_overnight_gap > 0, "suspect_overnight_gap must be above 0")
        require(self.suspect_overnight_fall > 0, "suspect_overnight_fall must be above 0")
        require(
            self.suspect_overnight_fall <= self.max_overnight_fall < 1,
            "max_overnight_fall must lie between suspect_overnight_fall and 1",
        )
        require(
            self.suspect_overnight_gap <= self.max_overnight_rise,
            "max_overnight_rise must be at least suspect_overnight_gap",
        )

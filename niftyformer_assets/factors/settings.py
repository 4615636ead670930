"""The settings of an experiment that decide on its factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.require import require

# What an experiment's `factor_set` may say.
FACTOR_SET_NAMES = tuple(FACTOR_SETS)
if TYPE_CHECKING:
    FactorSetName = str
else:
    FactorSetName = Literal[FACTOR_SET_NAMES]

# Below so many stocks a session says too little to have a coefficient.
MIN_STOCKS = 10
# Inside a group, such as a sector, where most have no more. Its coefficients are only told as means over sessions.
MIN_STOCKS_OF_GROUP = 5


@dataclass(frozen=True)
class Transform:
    """How the models see the selected factors.

    words: what such factors are called.
    residuals: of the regression on size and sectors, which the published loader reads as text.
    ranks: of the session's members; of those of a stock's sector where it looks at sectors.
    """

    words: str
    residuals: bool = False
    ranks: bool = False
    looks_at_size: bool = False
    looks_at_sectors: bool = False


TRANSFORMS = {
    "neutralized": Transform("neutralised", residuals=True, looks_at_size=True, looks_at_sectors=True),
    "raw": Transform("raw"),
    "rank": Transform("ranked", ranks=True),
    "sector_rank": Transform("ranked within sectors", ranks=True, looks_at_sectors=True),
}
if TYPE_CHECKING:
    TransformName = str
else:
    TransformName = Literal[tuple(TRANSFORMS)]


@dataclass(frozen=True)
class FactorSettings:
    """Which factors are computed, how they are selected, how they are neutralised.

    factor_set: the panel the factors come from; `own` holds the factors of `factors/own.py`, and a name of two
        those of both.
    ic_threshold: a factor is kept if the absolute mean of its daily information coefficient over
        the training sessions is at least this.
    ic_horizon: sessions ahead of the return that the selection looks at; left out where there are windows.targets,
        of which it looks at the one that is traded.
    ic_sessions: share of the training sessions on which a factor must have a coefficient to be
        kept; over a few sessions the mean is far from zero by luck.
    select_on: whether the selection looks at raw or at neutralised factors.
    min_stocks: a session with fewer valid stocks than this has no coefficient, no regression and no ranks.
    transform: how the models see the selected factors: `neutralized` is what size and sector leave of them (the
        published setting), `raw` as they are, `rank` their place among the session's members, `sector_rank` that
        among the members of the stock's sector; ranks are centred and of unit variance.
    winsorize: share of each tail that is clipped on each session before the regression, or none.
    rolling_zscore_sessions: length of a rolling z-score of each stock's residuals, or none.
    """

    __pydantic_config__ = {"extra": "forbid"}

    factor_set: FactorSetName = "alpha158"
    ic_threshold: float = 0.02
    ic_horizon: int = 1
    ic_sessions: float = 0.5
    select_on: Literal["raw", "neutralized"] = "raw"
    min_stocks: int = MIN_STOCKS
    transform: TransformName = "neutralized"
    winsorize: float | None = None
    rolling_zscore_sessions: int | None = None

    def __post_init__(self) -> None:
        require(0 <= self.ic_threshold < 1, "ic_threshold must be at least 0 and below 1")
        require(self.ic_horizon >= 1, "ic_horizon must be at least 1 session")
        require(0 < self.ic_sessions <= 1, "ic_sessions must lie between 0 and 1")
        require(self.min_stocks >= 3, "min_stocks must be at least 3")
        require(self.winsorize is None or 0 < self.winsorize < 0.5, "winsorize must lie between 0 and 0.5")
        require(
            self.rolling_zscore_sessions is None or self.rolling_zscore_sessions >= 2,
            "rolling_zscore_sessions must be at least 2",
        )
        require(
            self.form.residuals or (self.winsorize is None and self.rolling_zscore_sessions is None),
            "winsorize and rolling_zscore_sessions belong to factors.transform neutralized: leave them out",
        )

    @property
    def form(self) -> Transform:
        """What the transform does."""
        return TRANSFORMS[self.transform]

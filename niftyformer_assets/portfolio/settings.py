"""The settings of an experiment that turn scores into trades and money."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from niftyformer_assets.portfolio.backtest.strategy_registry import (
    Places,
    Strategy,
    places,
    registered,
    require_number_or_share,
)
from niftyformer_assets.registering import with_settings_of
from niftyformer_assets.require import require

if TYPE_CHECKING:
    StrategyName = str
else:
    StrategyName = Literal[tuple(registered())]


@with_settings_of("strategy", registered())
class StrategySettings:
    """What is bought and sold, and when.

    name: of a strategy in `backtest/strategies/`.
    top_k: how many stocks are held: a number, or a share of the universe's members on the session, such as 20%.
    books: so many portfolios, each with an equal part of the capital, that rebalance on different sessions, evenly
        apart, and start so: what is held does not hang on one weekday. Each has `top_k` names.
    smoothing_half_life: sessions in which the weight of a past score halves in the exponential mean of each stock's
        scores, which is ranked instead of the last one; 0 = no smoothing.
    neutralise: exposures that are taken out of the scores, session by session, before they are smoothed: factors of
        the experiment's `factors.factor_set` by name, `size` and `sector`.
    trade_at: scores made at the close of session t trade at the open or the close of t+1.
    delisted_after: a holding without a candle for this many sessions counts as delisted and is
        sold at its last price.
    capital: starting cash in rupees.
    volume_cap: what one order may fill, as a share of the stock's median traded value (close x volume) over
        the 60 sessions up to the score's, and of the shares traded in the session of the fill; what is over
        lapses. 0 = no cap, the published setting.
    risk_free_rate: a year, for Sharpe and Sortino.
    cash_yield: what cash earns that is not invested, a year; nothing, unless the broker pays for it.
    """

    __pydantic_config__ = {"extra": "forbid"}

    name: StrategyName = "topk_equal_weight"
    top_k: Places = 10
    books: int = 1
    smoothing_half_life: float = 0.0
    neutralise: tuple[str, ...] = ()
    trade_at: Literal["open", "close"] = "close"
    delisted_after: int = 5
    capital: float = 1_000_000.0
    volume_cap: float = 0.0
    risk_free_rate: float = 0.06
    cash_yield: float = 0.0

    if TYPE_CHECKING:

        def __init__(self, **values: Any) -> None: ...

    def __post_init__(self) -> None:
        require(self.name in registered(), f"unknown strategy {self.name}: choose from {', '.join(registered())}")
        require_number_or_share("top_k", self.top_k)
        # As read from a file of a study, which holds lists.
        object.__setattr__(self, "neutralise", tuple(self.neutralise))
        for each in registered().values():
            self.of(each)
        self.rule.require_fit(self.top_k)
        require(
            0 <= self.smoothing_half_life <= 1000, "smoothing_half_life must lie between 0 (none) and 1000 sessions"
        )
        require(len(set(self.neutralise)) == len(self.neutralise), "neutralise must not name an exposure twice")
        require(self.books >= 1, "books must be at least 1")
        every = self.rule.decides_every
        require(
            self.books == 1 or every > 1,
            f"books must be 1: {self.name} decides on every session, and there is none to start another book on",
        )
        require(
            self.books <= every,
            f"books {self.books} must not be above {every}: {self.name} decides every {every} sessions, and each book "
            "starts on another of them",
        )
        require(self.delisted_after >= 1, "delisted_after must be at least 1 session")
        require(1 <= self.capital <= 1e12, "capital must lie between 1 and 1e12 rupees")
        require(0 <= self.volume_cap <= 1, "volume_cap must lie between 0 (no cap) and 1")
        require(-1 < self.risk_free_rate < 1, "risk_free_rate must lie between -1 and 1")
        require(0 <= self.cash_yield < 1, "cash_yield must be at least 0 and below 1")

    def of(self, strategy: type[Strategy]) -> Strategy:
        """A strategy with its own settings of these.

        Raises:
            ValueError: one of them is wrong.
        """
        return strategy(**{field.name: getattr(self, field.name) for field in strategy.own_fields()})

    @property
    def starts(self) -> tuple[int, ...]:
        """Of each book, how many sessions with a score pass before it begins."""
        return tuple(book * self.rule.decides_every // self.books for book in range(self.books))

    @property
    def capitals(self) -> tuple[int, ...]:
        """Paise of each book."""
        whole = round(self.capital * 100)
        return tuple(whole // self.books + (book < whole % self.books) for book in range(self.books))

    @property
    def changes_scores(self) -> bool:
        """Whether other scores are ranked than the model gives."""
        return bool(self.neutralise) or self.smoothing_half_life > 0

    @property
    def rule(self) -> Strategy:
        """The strategy that is followed."""
        return self.of(registered()[self.name])

    def places(self, members: np.ndarray) -> np.ndarray:
        """How many stocks are held in a universe of so many, int64 of the shape of `members`."""
        return places(self.top_k, members)


@dataclass(frozen=True)
class CostSettings:
    """What trading costs.

    schedule: Zerodha's equity delivery charges by the date they were in force, or a flat rate.
    flat_bps: the flat rate in basis points of traded value, each side. The report shows the
        published setting's flat 5 bps beside Zerodha's schedule whichever is chosen.
    slippage_bps: added to each buy and taken from each sell price, in basis points.
    slippage_volume_bps: further basis points for each percent of the session's volume traded.
    """

    __pydantic_config__ = {"extra": "forbid"}

    schedule: Literal["zerodha", "flat"] = "zerodha"
    flat_bps: float = 5.0
    slippage_bps: float = 0.0
    slippage_volume_bps: float = 0.0

    def __post_init__(self) -> None:
        require(
            min(self.flat_bps, self.slippage_bps, self.slippage_volume_bps) >= 0,
            "flat_bps, slippage_bps and slippage_volume_bps must be at least 0",
        )
        require(
            max(self.flat_bps, self.slippage_bps, self.slippage_volume_bps) <= 1000,
            "flat_bps, slippage_bps and slippage_volume_bps must be at most 1000",
        )


def other_schedule(costs: CostSettings) -> CostSettings:
    """The same costs by the other schedule: reports show both."""
    return replace(costs, schedule="flat" if costs.schedule == "zerodha" else "zerodha")

"""The settings of an experiment that turn scores into trades and money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from niftyformer_assets.require import require


class Strategy(NamedTuple):
    """What is to be known of a strategy beside what it does.

    passes_over_dear_names: whether the next best name is taken where one share costs more than a place
        (equity / top_k).
    swaps: whether it is told how many names it swaps, `n_drop`.
    """

    passes_over_dear_names: bool = True
    swaps: bool = False


# Each is a function of that name in `backtest/strategies.py`.
STRATEGIES = {
    "topk_equal_weight": Strategy(),
    "topk_dropout": Strategy(swaps=True),
    "equal_weight": Strategy(passes_over_dear_names=False),
}
if TYPE_CHECKING:
    StrategyName = str
else:
    StrategyName = Literal[tuple(STRATEGIES)]


@dataclass(frozen=True)
class StrategySettings:
    """What is bought and sold, and when.

    name: `topk_equal_weight` restores equal weights every `rebalance_every` sessions and replaces
        the worst `drop_share` of the holdings every `drop_every` sessions (the published setting);
        `topk_dropout` swaps up to `n_drop` names each session, as Qlib's strategy does;
        `equal_weight` holds the `top_k` best scored names, chosen anew every `rebalance_every`
        sessions (with every stock scored alike it is the equal-weight universe).
    hold_sessions: `topk_dropout` keeps a name at least this long.
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
    top_k: int = 10
    rebalance_every: int = 5
    drop_every: int = 10
    drop_share: float = 0.2
    n_drop: int = 2
    hold_sessions: int = 1
    trade_at: Literal["open", "close"] = "close"
    delisted_after: int = 5
    capital: float = 1_000_000.0
    volume_cap: float = 0.0
    risk_free_rate: float = 0.06
    cash_yield: float = 0.0

    def __post_init__(self) -> None:
        require(self.name in STRATEGIES, f"unknown strategy {self.name}: choose from {', '.join(STRATEGIES)}")
        require(
            min(self.top_k, self.rebalance_every, self.drop_every) >= 1,
            "top_k, rebalance_every and drop_every must be at least 1",
        )
        require(0 <= self.drop_share <= 1, "drop_share must lie between 0 and 1")
        require(self.n_drop >= 0, "n_drop must be at least 0")
        require(
            not STRATEGIES[self.name].swaps or self.n_drop <= self.top_k,
            f"n_drop {self.n_drop} must not be above top_k {self.top_k}",
        )
        require(self.hold_sessions >= 0, "hold_sessions must be at least 0")
        require(self.delisted_after >= 1, "delisted_after must be at least 1 session")
        require(1 <= self.capital <= 1e12, "capital must lie between 1 and 1e12 rupees")
        require(0 <= self.volume_cap <= 1, "volume_cap must lie between 0 (no cap) and 1")
        require(-1 < self.risk_free_rate < 1, "risk_free_rate must lie between -1 and 1")
        require(0 <= self.cash_yield < 1, "cash_yield must be at least 0 and below 1")


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

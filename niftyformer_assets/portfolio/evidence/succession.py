"""Whether a model trained anew may take the place of the one in use, by sessions that neither was trained or chosen on.

Shapes: T sessions, N symbols.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from niftyformer_assets.factors.ic import statistics
from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.finding import Finding
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.deciles import realised_returns
from niftyformer_assets.portfolio.evidence.pooled.paired import returns_apart
from niftyformer_assets.portfolio.evidence.score_quality import DEPENDENCE, MIN_WINDOWS, critical_t
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.words import counted

# Held from the first possible fill on.
HELD = 1


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two.

    said: its scores as its model says them. ranked: as its strategy ranks them. market: of the sessions that are
        compared, and of its own stocks; all on the same axes.
    """

    name: str
    said: Scores
    ranked: Scores
    market: Market
    strategy: StrategySettings
    costs: CostSettings
    seed: int

    def rank_ic_on(self, symbols: list[str], earned: np.ndarray) -> np.ndarray:
        """float [T], with returns [T, symbols]; NaN where there is none."""
        place = [self.market.axes.symbols.index(symbol) for symbol in symbols]
        return rank_ic(self.said.values[:, place], earned)


def compare(new: Side, used: Side) -> Finding:
    """Hold the new one beside the one in use: rank IC of the stocks that both speak of, and what each earned.

    Rank IC: the mean of the daily differences on the first session that can be earned, t by Newey and West. Return: per
    year after costs, with a 95% interval by stationary bootstrap of both together; each begins with cash. The new one
    passes where it is not worse by either beyond chance: it knows what came since, and that is why it was trained.
    """
    dates = new.market.axes.dates
    if len(dates) < MIN_WINDOWS + HELD + 1:
        return Finding(
            False,
            f"{new.name} and {used.name} have {counted(len(dates), 'session')} that both saw out of sample, too few to "
            "be compared: wait for more, or keep the one in use.",
            {"sessions": len(dates), "retraining": new.name},
        )
    both = [symbol for symbol in new.market.axes.symbols if symbol in used.market.axes.symbols]
    place = [new.market.axes.symbols.index(symbol) for symbol in both]
    earned = realised_returns(new.market, new.strategy.trade_at, HELD)[:, place]
    ours, theirs = new.rank_ic_on(both, earned), used.rank_ic_on(both, earned)
    apart = {key: float(value[0]) for key, value in statistics((ours - theirs)[None, :], DEPENDENCE * HELD).items()}
    needed = critical_t(int(apart["sessions"]), HELD)
    if not np.isfinite(t := apart["t_nw"]):  # they are apart by the same on every session
        t = math.copysign(math.inf, apart["mean"]) if abs(apart["mean"]) > 0 else 0.0
    gained, kept = (run_backtest(of.ranked, of.market, of.strategy, of.costs, of.seed).returns for of in (new, used))
    more, low, high, _ = returns_apart(gained, kept, 0)
    worse = [said for said, so in (("ranks worse", t < -needed), ("earns less", high < 0)) if so]
    interval = f" (95%: {low:+.1%} to {high:+.1%})" if np.isfinite(low) else ""
    verdict = (
        f"{new.name} is not proposed: it {' and '.join(worse)} than {used.name}, beyond chance."
        if worse
        else f"{new.name} is proposed in place of {used.name}: not worse beyond chance, and it knows what came since. "
        f"To use it, set NIFTYFORMER_SIGNAL_EXPERIMENT={new.name}."
    )
    known = [float(np.nanmean(of)) if np.isfinite(of).any() else np.nan for of in (ours, theirs)]
    sentence = (
        f"{verdict} On {counted(len(dates), 'session')} from {dates[0]} to {dates[-1]} that both saw out of sample, "
        f"rank IC {known[0]:.3f} and {known[1]:.3f}, difference {apart['mean']:+.3f} (t {t:.1f}, {needed:.1f} would "
        f"tell); return a year after costs {more:+.1%}{interval}."
    )
    figures: dict[str, float] = {
        "sessions": len(dates),
        "rank_ic": known[0],
        "rank_ic_in_use": known[1],
        "rank_ic_difference": apart["mean"],
        "rank_ic_t": t,
        "return_difference": more,
        "return_low": low,
        "return_high": high,
    }
    told = {name: value for name, value in figures.items() if np.isfinite(value)}
    return Finding(not worse, sentence, {**told, "retraining": new.name})

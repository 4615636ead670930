"""What the figures allow one to say, in words and before any figure.

The claim that counts is a narrow one: do these scores pick better stocks than the same scores under
shuffled names, which trade as often and pay as much? Everything else (the market, the number of
stocks held, the costs) such random portfolios share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.portfolio.report_format import count, interval, number, percent, probability

SIGNIFICANCE = 0.05
SURE = 0.95


@dataclass(frozen=True)
class Standing:
    """What a verdict rests on. Returns and excess are annualised shares after costs; NaN = unknown.

    p_random: chance that shuffled names do at least as well; portfolios: how many were tried.
    excess, excess_low, excess_high: over the equal-weight universe, with its 95% interval.
    rank_ic, rank_ic_t: of the traded scores with the return of the session after they could trade.
    sharpe, sharpe_low, sharpe_high: with its 95% interval.
    part: test, validation, …; sessions: how many it has.
    variants: how many experiments were tried on these sessions; deflated: the probability that the
        true Sharpe ratio is above what the best of so many without skill would show.
    """

    p_random: float
    portfolios: int
    excess: float
    excess_low: float
    excess_high: float
    rank_ic: float
    rank_ic_t: float
    sharpe: float
    sharpe_low: float
    sharpe_high: float
    part: str
    sessions: int
    variants: int
    deflated: float


@dataclass(frozen=True)
class Verdict:
    """Sentences, the first one first, and whether they are good news."""

    sentences: tuple[str, ...]
    mood: Literal["good", "none", "bad"]


def verdict(standing: Standing) -> Verdict:
    """The verdict on one strategy."""
    return Verdict(
        (
            _headline(standing),
            _against_random(standing),
            _against_equal_weight(standing),
            _ranking(standing),
            _uncertainty(standing),
            _selection(standing),
        ),
        mood(standing),
    )


def mood(standing: Standing) -> Literal["good", "none", "bad"]:
    """Good only where every yardstick agrees; bad where shuffled names are significantly better."""
    if standing.p_random > 1 - SIGNIFICANCE:
        return "bad"
    deflation_holds = standing.variants <= 1 or standing.deflated >= SURE
    if standing.p_random <= SIGNIFICANCE and standing.excess_low > 0 and deflation_holds:
        return "good"
    return "none"


def in_short(standing: Standing) -> str:
    """Three words or so, for a table."""
    if not math.isfinite(standing.p_random):
        return "not compared"
    if standing.p_random > 1 - SIGNIFICANCE:
        return "worse than random"
    if standing.p_random > SIGNIFICANCE:
        return "not distinguishable from random"
    return "better than random" if mood(standing) == "good" else "better than random, not beyond doubt"


def _headline(standing: Standing) -> str:
    p = probability(standing.p_random)
    if not math.isfinite(standing.p_random):
        return "Not compared with random scores."
    if standing.p_random > 1 - SIGNIFICANCE:
        return f"Worse than random scores: {p}."
    if standing.p_random > SIGNIFICANCE:
        return f"Not distinguishable from random scores: {p}."
    if mood(standing) == "good":
        return f"Better than random scores: {p}."
    return f"Better than random scores ({p}), but not beyond doubt."


def _against_random(standing: Standing) -> str:
    if not math.isfinite(standing.p_random):
        return "No portfolios of shuffled names were run, so luck cannot be told from skill."
    # p counts the strategy itself among the portfolios, so that it is never 0.
    as_good = max(round(standing.p_random * (standing.portfolios + 1)) - 1, 0)
    return (
        f"Of {count(standing.portfolios)} portfolios that follow the same scores under shuffled names, with the same "
        f"turnover and costs, {count(as_good)} earned as much or more."
    )


def _against_equal_weight(standing: Standing) -> str:
    if not math.isfinite(standing.excess):
        return "It was not compared with the equal-weight universe."
    side = "more" if standing.excess >= 0 else "less"
    spread = interval(standing.excess_low, standing.excess_high, share=True, digits=1)
    if standing.excess_low > 0 or standing.excess_high < 0:
        sure = "the interval leaves out zero"
    else:
        sure = "the interval includes zero"
    return (
        f"It earned {number(100 * abs(standing.excess), 1)} percentage points a year {side} than holding all stocks of "
        f"the universe in equal parts (95% interval of the difference {spread}: {sure})."
    )


def _ranking(standing: Standing) -> str:
    if not math.isfinite(standing.rank_ic):
        return "The scores have no rank correlation with returns, because they do not tell stocks apart."
    figures = f"mean rank IC {number(standing.rank_ic, 3, signed=True)}, t = {number(standing.rank_ic_t, 1)}"
    if standing.rank_ic_t >= 2:
        return f"The scores rank the stocks better than chance on the step that is traded ({figures})."
    if standing.rank_ic_t <= -2:
        return f"The scores rank the stocks the wrong way round on the step that is traded ({figures})."
    return f"The scores do not visibly rank the stocks on the step that is traded ({figures})."


def _uncertainty(standing: Standing) -> str:
    years = standing.sessions / 252
    error = 1 / math.sqrt(years) if years > 0 else math.nan
    spread = interval(standing.sharpe_low, standing.sharpe_high)
    return (
        f"All this rests on {count(standing.sessions)} {standing.part} sessions. Over so many, the standard error of "
        f"an annualised Sharpe ratio is about {number(error, 1)}; here the ratio is {number(standing.sharpe)}, with a "
        f"95% interval of {spread}."
    )


def _selection(standing: Standing) -> str:
    if standing.variants <= 1:
        return (
            "One variant has been tried on these sessions. The figures of a window that was looked at while choosing "
            "a variant are no test results."
        )
    chance = (
        f"the probability that its true Sharpe ratio beats the best of so many without skill is "
        f"{percent(standing.deflated, 0)}"
        if math.isfinite(standing.deflated)
        else "no correction for that could be computed"
    )
    return (
        f"{standing.variants} variants have been tried on these sessions: {chance}. Whatever was chosen by looking at "
        "this window makes its figures no test results."
    )

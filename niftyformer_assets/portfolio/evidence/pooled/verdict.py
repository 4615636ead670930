"""What the pooled figures allow one to say, in words and before any figure.

The claim that counts: do the scores order the stocks, on the first session that can be earned, better than chance?
It rests on every session and every stock, not on the few names that a portfolio holds. Whether that is more than
a plain model does, and whether it earns anything after costs, are the reservations.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.portfolio.backtest.returns import YEAR
from niftyformer_assets.portfolio.evidence.verdict import SIGNIFICANCE, SURE, TIE, Verdict
from niftyformer_assets.portfolio.formatting import count, interval, number, percent, probability, readable_name
from niftyformer_assets.words import counted

# A year: over less, no series of daily rank IC tells a skill as small as those that models have on real markets.
MIN_SESSIONS = YEAR
# The probability of backtest overfitting from which on the choice of the best grid point is luck.
OVERFITTED = 0.5


@dataclass(frozen=True)
class PooledStanding:
    """What the verdict rests on. Shares of 1, after costs; NaN = unknown.

    name: who is judged. windows: how many made its scores; missing: experiments of the study that are not there yet.
    sessions: those with a rank IC. rank_ic, t, t_needed: its mean over them, on the first session that can be
        earned; t by Newey and West, and what chance alone exceeds in 5% of cases. positive_years, years: in how
        many calendar years it is above 0.
    against: whom it is held against, the best plain one or another, as the words say; empty without one.
        against_rank_ic: its mean. ic_apart, ic_p: the mean daily
        difference to it and its p value, Holm-adjusted; return_apart, return_low, return_high: the difference
        of returns.
    equal_apart, equal_low, equal_high: the return above the equal-weight universe. span: a year or the window.
    sharpe, sharpe_low, sharpe_high: of the one equity curve, which has `earning` sessions.
    variants: how many were tried on these sessions; deflated: the probability that the true Sharpe ratio is
        above the best of so many without skill. overfitting: probability of backtest overfitting over the grid.
    """

    name: str
    windows: int
    missing: tuple[str, ...]
    sessions: int
    rank_ic: float
    t: float
    t_needed: float
    positive_years: int
    years: int
    against: str
    against_in_words: str
    against_rank_ic: float
    ic_apart: float
    ic_p: float
    return_apart: float
    return_low: float
    return_high: float
    equal_apart: float
    equal_low: float
    equal_high: float
    span: str
    sharpe: float
    sharpe_low: float
    sharpe_high: float
    earning: int
    variants: int
    deflated: float
    overfitting: float


def study_verdict(standing: PooledStanding) -> Verdict:
    """The verdict on a study."""
    said = [
        _headline(standing),
        _ranking(standing),
        _years(standing),
        _against(standing),
        _against_equal_weight(standing),
        _sharpe(standing),
        _selection(standing),
        _missing(standing),
    ]
    return Verdict(tuple(sentence for sentence in said if sentence), _outcome(standing))


def study_in_short(standing: PooledStanding) -> str:
    """A few words, for a table."""
    if standing.sessions == 0 or not math.isfinite(standing.rank_ic):
        return "not judged"
    if not abs(standing.t) >= standing.t_needed:
        if standing.sessions < MIN_SESSIONS:
            return "too few sessions"
        return "not distinguishable from random scores"
    if standing.t < 0:
        return "worse than random scores"
    with_them = ", with reservations" if _reservations(standing) else ""
    return f"distinguishable from random scores{with_them}"


def _outcome(standing: PooledStanding) -> Literal["good", "none", "bad"]:
    """Good only where every yardstick agrees; bad where the scores order the stocks the wrong way round."""
    short = study_in_short(standing)
    if short.startswith("worse"):
        return "bad"
    return "good" if short.startswith("distinguishable") and not _reservations(standing) else "none"


def _reservations(standing: PooledStanding) -> list[str]:
    """Which yardsticks do not agree that there is a skill worth having."""
    held = []
    if standing.sessions < MIN_SESSIONS:
        held.append(f"it rests on {counted(standing.sessions, 'session')}, less than a year")
    if standing.against and not (standing.ic_apart > 0 and standing.ic_p <= SIGNIFICANCE):
        held.append(f"it does not order the stocks visibly better than {readable_name(standing.against)}")
    if not standing.equal_low > TIE:
        held.append("after costs it may earn no more than the equal-weight universe")
    if standing.variants > 1 and not standing.deflated >= SURE:
        held.append(f"its Sharpe ratio is one of {counted(standing.variants, 'variant')} tried")
    if standing.overfitting >= OVERFITTED:
        held.append("the best of the grid in one half of the sessions is no better than the middle in the other")
    return held


def _headline(standing: PooledStanding) -> str:
    name = readable_name(standing.name)
    if standing.sessions == 0 or not math.isfinite(standing.rank_ic):
        return f"Not judged: the scores of {name} have no rank correlation with what could be earned."
    if not abs(standing.t) >= standing.t_needed:
        if standing.sessions < MIN_SESSIONS:
            return (
                f"Too few sessions to tell: {name} has a {_figures(standing)}; {_needed(standing)}, and in less than "
                f"{MIN_SESSIONS} sessions a skill as small as models have on real markets would not show."
            )
        return f"Not distinguishable from random scores: {name} has a {_figures(standing)}; {_needed(standing)}."
    if standing.t < 0:
        figures = f"{_figures(standing)}; {_needed(standing)}"
        return f"Worse than random scores: {name} orders the stocks the wrong way round ({figures})."
    if held := _reservations(standing):
        return f"Distinguishable from random scores, with reservations: {'; '.join(held)}."
    return "Distinguishable from random scores."


def _ranking(standing: PooledStanding) -> str:
    """What the headline rests on, where that does not say it."""
    if not study_in_short(standing).startswith("distinguishable"):
        return ""
    return (
        f"{_capital(readable_name(standing.name))} has a {_figures(standing)}, on the first session that can be "
        f"earned; {_needed(standing)}."
    )


def _figures(standing: PooledStanding) -> str:
    return (
        f"mean rank IC of {number(standing.rank_ic, 3, signed=True)}, t = {number(standing.t, 2)}, over "
        f"{counted(standing.sessions, 'session')}"
    )


def _needed(standing: PooledStanding) -> str:
    return f"chance alone exceeds |t| = {number(standing.t_needed, 2)} in 5% of cases"


def _capital(text: str) -> str:
    first = text.split(" ", 1)[0]
    # A contender's key, as `k5.ic0.01`, is written as it is.
    return text if re.search(r"[\d._]", first) else text[:1].upper() + text[1:]


def _years(standing: PooledStanding) -> str:
    if standing.years < 2 or standing.sessions == 0:
        return ""
    return f"Its mean rank IC is above 0 in {standing.positive_years} of {standing.years} calendar years."


def _against(standing: PooledStanding) -> str:
    if not standing.against:
        return "No plain model stands beside it."
    against = f"{standing.against_in_words}, {readable_name(standing.against)}"
    if not math.isfinite(standing.ic_apart):
        return f"It cannot be compared with {against}: they have no session in common."
    more = "more" if standing.ic_apart > 0 else "less"
    sure = "" if not math.isfinite(standing.ic_p) else f", {probability(standing.ic_p)} with all comparisons counted"
    told = (
        f"{_capital(against)}, has a mean rank IC of {number(standing.against_rank_ic, 3, signed=True)}; on the "
        f"same sessions {readable_name(standing.name)} has {number(abs(standing.ic_apart), 3)} {more}{sure}"
    )
    if not math.isfinite(standing.return_apart):
        return f"{told}."
    return (
        f"{told}, and earned {_apart(standing.return_apart, standing.return_low, standing.return_high, standing.span)}."
    )


def _against_equal_weight(standing: PooledStanding) -> str:
    if not math.isfinite(standing.equal_apart):
        return ""
    told = _apart(standing.equal_apart, standing.equal_low, standing.equal_high, standing.span)
    return f"After costs it earned {told} than holding the whole universe in equal parts."


def _apart(value: float, low: float, high: float, span: str) -> str:
    side = "more" if value >= 0 else "less"
    how = f"a year {side}" if span == "year" else f"{side} over all sessions"
    spread = (
        f" (95% interval of the difference {interval(low, high, share=True, digits=1)})" if math.isfinite(low) else ""
    )
    return f"{number(100 * abs(value), 1)} percentage points {how}{spread}"


def _sharpe(standing: PooledStanding) -> str:
    if not math.isfinite(standing.sharpe):
        return "Nothing was earned or lost, so there is no Sharpe ratio."
    return (
        f"One equity curve over {counted(standing.windows, 'window')} and {counted(standing.earning, 'session')} has a "
        f"Sharpe ratio of {number(standing.sharpe)}, with a 95% interval of "
        f"{interval(standing.sharpe_low, standing.sharpe_high)}."
    )


def _selection(standing: PooledStanding) -> str:
    said = []
    if standing.variants > 1:
        chance = (
            f"the probability that its true Sharpe ratio beats the best of so many without skill is "
            f"{percent(standing.deflated)}"
            if math.isfinite(standing.deflated)
            else "no correction for that could be computed"
        )
        said.append(f"{counted(standing.variants, 'variant')} had been tried on these sessions: {chance}.")
    if math.isfinite(standing.overfitting):
        said.append(
            f"The probability of backtest overfitting over the grid is {percent(standing.overfitting, 0)}; without "
            "any difference in skill it would be about 50%."
        )
    return " ".join(said)


def _missing(standing: PooledStanding) -> str:
    if not standing.missing:
        return ""
    return f"Still missing of the study: {named(standing.missing)}."


def named(names: Sequence[str], shown: int = 8) -> str:
    """The first of them, and how many more."""
    more = f" and {count(len(names) - shown)} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more

"""What the figures allow one to say, in words and before any figure.

The claim that counts is a narrow one: do these scores pick better stocks than the same scores under
shuffled names, which trade as often and pay as much? Everything else (the market, the number of
stocks held, the costs) such random portfolios share.

The report, the metadata in the web UI, the terminal and the comparison all take their words from here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from niftyformer_assets.portfolio.backtest.returns import YEAR
from niftyformer_assets.portfolio.formatting import count, interval, number, percent, probability, readable_name
from niftyformer_assets.words import counted

SIGNIFICANCE = 0.05
SURE = 0.95
INVESTED = 0.9
DRAWN = 0.1
# Shares of 1 that are no difference: a rupee of ten lakh.
TIE = 1e-6
SPAN_NAMES = {"year": "a year", "window": "over the window"}


@dataclass(frozen=True)
class Standing:
    """What a verdict rests on. Shares of 1, after costs; NaN = unknown.

    unjudged: why the portfolio says nothing about the scores, in words; empty where it does.
    p_random, p_worse: chance that shuffled names do at least as well, and at least as badly;
        portfolios: how many were tried.
    excess, excess_low, excess_high: over the equal-weight universe, with its 95% interval, by
        `metrics.excess_return`; span: what it is over, year or window.
    baseline: the one that earned most, empty without one; baseline_excess, baseline_low, baseline_high: what the
        model earned more than it, with its 95% interval, on the same sessions.
    rank_ic, rank_ic_t: of the traded scores with the return of the session after they could trade.
    sharpe, sharpe_low, sharpe_high: with its 95% interval.
    exposure: the invested share of the value, mean over sessions. cash_yield: what the rest earned, a year.
    by_lot: the share of picks that a lot decided, among equal scores.
    part: test, validation, …; sessions: on how many of it something could be earned.
    variants: how many experiments had been tried on these sessions when this was counted; deflated:
        the probability that the true Sharpe ratio is above what the best of so many without skill
        would show.
    """

    unjudged: str
    p_random: float
    p_worse: float
    portfolios: int
    excess: float
    excess_low: float
    excess_high: float
    span: str
    baseline: str
    baseline_excess: float
    baseline_low: float
    baseline_high: float
    rank_ic: float
    rank_ic_t: float
    sharpe: float
    sharpe_low: float
    sharpe_high: float
    exposure: float
    cash_yield: float
    by_lot: float
    part: str
    sessions: int
    variants: int
    deflated: float


@dataclass(frozen=True)
class Verdict:
    """Sentences, the first one first, and whether they are good news."""

    sentences: tuple[str, ...]
    outcome: Literal["good", "none", "bad"]


def verdict(standing: Standing) -> Verdict:
    """The verdict on one strategy."""
    if standing.unjudged:
        said = [_headline(standing), _exposure(standing), _uncertainty(standing), _selection(standing)]
    else:
        said = [
            _headline(standing),
            _against_random(standing),
            against_baseline(standing),
            _against_equal_weight(standing),
            _exposure(standing),
            _ranking(standing),
            _lots(standing),
            _uncertainty(standing),
            _selection(standing),
        ]
    return Verdict(tuple(sentence for sentence in said if sentence), outcome(standing))


def outcome(standing: Standing) -> Literal["good", "none", "bad"]:
    """Good only where every yardstick agrees; bad where shuffled names are significantly better."""
    if standing.unjudged:
        return "none"
    if standing.p_worse <= SIGNIFICANCE:
        return "bad"
    return "good" if standing.p_random <= SIGNIFICANCE and not _reservations(standing) else "none"


def in_short(standing: Standing) -> str:
    """Three words or so, for a table."""
    if standing.unjudged:
        return "not judged"
    if not math.isfinite(standing.p_random):
        return "not compared"
    if standing.p_worse <= SIGNIFICANCE:
        return "worse than random"
    if standing.p_random > SIGNIFICANCE:
        return "not distinguishable from random"
    return "better than random, with reservations" if _reservations(standing) else "better than random"


def _reservations(standing: Standing) -> list[str]:
    """Which yardsticks do not agree that it is better."""
    reservations = []
    if not standing.excess_low > TIE:
        reservations.append("the return above equal weight may be none")
    if standing.baseline and not standing.baseline_excess > TIE:
        reservations.append(f"the baseline {readable_name(standing.baseline)} did as well or better")
    if standing.variants > 1 and not standing.deflated >= SURE:
        reservations.append(f"it is one of {counted(standing.variants, 'variant')}")
    return reservations


def _headline(standing: Standing) -> str:
    p = probability(standing.p_random)
    if standing.unjudged:
        return f"Not judged: {standing.unjudged}."
    if not math.isfinite(standing.p_random):
        return "Not compared with random scores."
    if standing.p_worse <= SIGNIFICANCE:
        return f"Worse than random scores: {probability(standing.p_worse)}."
    if standing.p_random > SIGNIFICANCE:
        return f"Not distinguishable from random scores: {p}."
    if reservations := _reservations(standing):
        return f"Better than random scores at the 95% level ({p}), with reservations: {'; '.join(reservations)}."
    return f"Better than random scores at the 95% level: {p}."


def _against_random(standing: Standing) -> str:
    if not math.isfinite(standing.p_random):
        return "No portfolios of shuffled names were run, so luck cannot be told from skill."
    # p counts the strategy itself among the portfolios, so that it is never 0.
    as_good = max(round(standing.p_random * (standing.portfolios + 1)) - 1, 0)
    return (
        f"Of {counted(standing.portfolios, 'portfolio')} that follow the same scores under shuffled names, with "
        "the same "
        f"turnover and costs, {count(as_good)} earned as much or more."
    )


def against_baseline(standing: Standing) -> str:
    """The model against the best baseline; empty where none was traded."""
    if not standing.baseline:
        return ""
    told = _difference(standing.baseline_excess, standing.baseline_low, standing.baseline_high, standing.span)
    return f"On the same sessions it earned {told} the best baseline, {readable_name(standing.baseline)}."


def _against_equal_weight(standing: Standing) -> str:
    if not math.isfinite(standing.excess):
        return "It was not compared with the equal-weight universe."
    told = _difference(standing.excess, standing.excess_low, standing.excess_high, standing.span)
    return f"It earned {told} holding all stocks of the universe in equal parts."


def _difference(value: float, low: float, high: float, span: str) -> str:
    """`3.1 percentage points a year more (…) than`."""
    size = number(100 * abs(value), 1)
    if size == number(0, 1):
        amount, joined = "as much, to a tenth of a percentage point,", "as"
    else:
        side = "more" if value > 0 else "less"
        when = f"{SPAN_NAMES[span]} {side}" if span == "year" else f"{side} {SPAN_NAMES[span]}"
        amount, joined = f"{size} percentage points {when}", "than"
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{amount} {joined}"
    zero = "leaves out" if low > TIE or high < -TIE else "includes"
    spread = interval(low, high, share=True, digits=1)
    return f"{amount} (95% interval of the difference {spread}: it {zero} zero) {joined}"


def _exposure(standing: Standing) -> str:
    if not standing.exposure < INVESTED:
        return ""
    rest = f"{percent(standing.cash_yield)} a year" if standing.cash_yield else "nothing"
    return (
        f"Only {percent(standing.exposure)} of the value was invested on average; the rest lay in cash, which "
        f"earned {rest}."
    )


def _ranking(standing: Standing) -> str:
    if not math.isfinite(standing.rank_ic):
        return "The scores have no rank correlation with returns, because they do not tell stocks apart."
    figures = f"mean rank IC {number(standing.rank_ic, 3, signed=True)}, t = {number(standing.rank_ic_t, 2)}"
    if standing.rank_ic_t >= 2:
        return f"The scores rank the stocks better than chance on the step that is traded ({figures})."
    if standing.rank_ic_t <= -2:
        return f"The scores rank the stocks the wrong way round on the step that is traded ({figures})."
    return f"The scores do not visibly rank the stocks on the step that is traded ({figures})."


def _lots(standing: Standing) -> str:
    if not standing.by_lot > DRAWN:
        return ""
    return f"Of the names bought, {percent(standing.by_lot, 0)} were drawn by lot among equal scores."


def _uncertainty(standing: Standing) -> str:
    if standing.sessions == 0:
        return f"There is no {standing.part} session on which something could be earned."
    error = 1 / math.sqrt(standing.sessions / YEAR)
    told = (
        f"here the ratio is {number(standing.sharpe)}, with a 95% interval of "
        f"{interval(standing.sharpe_low, standing.sharpe_high)}"
        if math.isfinite(standing.sharpe)
        else "here it has none"
    )
    return (
        f"All this rests on {counted(standing.sessions, standing.part + ' session')} on which something could be "
        "earned. "
        f"Over so many, the standard error of an annualised Sharpe ratio is about {number(error, 1)}; {told}."
    )


def _selection(standing: Standing) -> str:
    if standing.variants <= 1:
        return (
            "One variant had been tried on these sessions when this was written. The figures of a window that was "
            "looked at while choosing a variant are no test results."
        )
    if standing.unjudged:
        chance = ""
    elif math.isfinite(standing.deflated):
        chance = (
            ": the probability that its true Sharpe ratio beats the best of so many without skill is "
            f"{percent(standing.deflated)}"
        )
    else:
        chance = ": no correction for that could be computed"
    return (
        f"{standing.variants} variants had been tried on these sessions when this was written{chance}. Whatever was "
        "chosen by looking at this window makes its figures no test results."
    )

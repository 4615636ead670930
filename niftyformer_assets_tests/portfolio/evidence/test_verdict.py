"""The verdict says no more than the figures allow."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from niftyformer_assets.portfolio.evidence.verdict import Standing, in_short, verdict
from niftyformer_assets.portfolio.formatting import interval, number, p_value, percent, probability, rupees

LUCK = Standing(
    unjudged="",
    p_random=0.4,
    p_worse=0.601,
    portfolios=1000,
    excess=0.05,
    excess_low=-0.2,
    excess_high=0.3,
    span="window",
    baseline="momentum",
    baseline_excess=0.02,
    baseline_low=-0.1,
    baseline_high=0.15,
    rank_ic=0.01,
    rank_ic_t=0.6,
    sharpe=0.8,
    sharpe_low=-2.1,
    sharpe_high=3.7,
    exposure=0.98,
    cash_yield=0.0,
    by_lot=0.0,
    part="test",
    sessions=84,
    variants=1,
    deflated=0.6,
)
SKILL = replace(LUCK, p_random=1 / 1001, excess_low=0.02, rank_ic=0.04, rank_ic_t=4.0)


def test_luck_is_called_luck() -> None:
    said = verdict(LUCK)
    assert said.sentences[0] == "Not distinguishable from random scores: p = 0.40."
    assert said.outcome == "none"
    text = " ".join(said.sentences)
    assert "400 earned as much or more" not in text  # p counts the strategy itself: 0.4 of 1001 is 400, less one
    assert "399 earned as much or more" in text
    assert "includes zero" in text
    assert "84 test sessions on which something could be earned" in text
    assert "about 1.7" in text  # the standard error of an annualised Sharpe ratio over 84 sessions
    assert in_short(LUCK) == "not distinguishable from random"


def test_skill_is_called_skill_when_everything_agrees() -> None:
    said = verdict(SKILL)
    assert said.sentences[0] == "Better than random scores at the 95% level: p < 0.001."
    assert "0 earned as much or more" in said.sentences[1]
    assert said.outcome == "good"
    assert in_short(SKILL) == "better than random"


@pytest.mark.parametrize(
    ("doubt", "why"),
    [
        ({"excess_low": -0.01}, "equal weight may be none"),
        ({"excess_low": math.nan}, "equal weight may be none"),
        ({"variants": 12, "deflated": 0.8}, "one of 12 variants"),
        ({"variants": 12, "deflated": math.nan}, "one of 12 variants"),
        ({"baseline_excess": -0.01}, "the baseline momentum did as well or better"),
    ],
)
def test_one_yardstick_that_disagrees_is_a_doubt(doubt: dict, why: str) -> None:
    said = verdict(replace(SKILL, **doubt))
    assert "with reservations" in said.sentences[0]
    assert why in said.sentences[0]
    assert said.outcome == "none"
    assert in_short(replace(SKILL, **doubt)) == "better than random, with reservations"


def test_the_best_baseline_is_named_with_its_difference_whoever_did_better() -> None:
    better = verdict(LUCK).sentences[2]
    assert better == (
        "On the same sessions it earned 2.0 percentage points more over the window (95% interval of the difference "
        "−10.0% to 15.0%: it includes zero) than the best baseline, momentum."
    )
    worse = replace(
        LUCK,
        baseline="gradient_boosting",
        baseline_excess=-0.3,
        baseline_low=-0.5,
        baseline_high=-0.1,
        span="year",
    )
    assert verdict(worse).sentences[2] == (
        "On the same sessions it earned 30.0 percentage points a year less (95% interval of the difference "
        "−50.0% to −10.0%: it leaves out zero) than the best baseline, gradient boosting."
    )
    assert (
        "earned as much, to a tenth of a percentage point," in verdict(replace(LUCK, baseline_excess=1e-7)).sentences[2]
    )
    assert not any(
        "baseline" in said for said in verdict(replace(LUCK, baseline="", baseline_excess=math.nan)).sentences
    )


def test_a_rupee_of_ten_lakh_decides_no_word() -> None:
    hair = replace(SKILL, excess=3e-7, excess_low=1e-7, excess_high=5e-7, baseline_excess=2e-7, baseline_low=1e-7)
    said = verdict(hair)
    assert "may be none" in said.sentences[0]
    assert "momentum did as well or better" in said.sentences[0]
    assert "leaves out zero" not in " ".join(said.sentences)


def test_picks_by_lot_are_told_where_they_are_many() -> None:
    assert not any("by lot" in said for said in verdict(replace(LUCK, by_lot=0.05)).sentences)
    assert not any("by lot" in said for said in verdict(replace(LUCK, by_lot=math.nan)).sentences)
    many = verdict(replace(LUCK, by_lot=0.62)).sentences
    assert "Of the names bought, 62% were drawn by lot among equal scores." in many


def test_idle_cash_is_told() -> None:
    assert not any("cash" in said for said in verdict(LUCK).sentences)
    idle = " ".join(verdict(replace(LUCK, exposure=0.06)).sentences)
    assert "Only 6.0% of the value was invested on average; the rest lay in cash, which earned nothing." in idle
    paid = " ".join(verdict(replace(LUCK, exposure=0.5, cash_yield=0.065)).sentences)
    assert "which earned 6.5% a year." in paid


def test_where_nothing_could_differ_nothing_is_judged() -> None:
    for p_random, p_worse in ((1.0, 0.001), (0.001, 1.0), (math.nan, math.nan)):
        standing = replace(SKILL, unjudged="nothing was traded", p_random=p_random, p_worse=p_worse, variants=12)
        said = verdict(standing)
        assert said.sentences[0] == "Not judged: nothing was traded."
        assert said.outcome == "none"
        assert in_short(standing) == "not judged"
        text = " ".join(said.sentences)
        assert "12 variants had been tried" in text
        assert not any(word in text for word in ("probability", "Better", "Worse", "more", "less", "rank the stocks"))


def test_many_variants_are_told() -> None:
    text = " ".join(verdict(replace(SKILL, variants=12, deflated=0.97)).sentences)
    assert "12 variants" in text
    assert "97.0%" in text
    assert "no test results" in text


def test_worse_than_random_is_bad_news() -> None:
    said = verdict(replace(LUCK, p_random=0.98, p_worse=0.021, rank_ic_t=-3.0))
    assert said.sentences[0] == "Worse than random scores: p = 0.021."
    assert said.outcome == "bad"
    assert "the wrong way round" in " ".join(said.sentences)


def test_few_that_did_worse_are_not_many_that_tie() -> None:
    """A p above 0.95 says only that most did as well: the lower tail has its own probability."""
    tied = replace(LUCK, p_random=1.0, p_worse=0.4)
    assert verdict(tied).sentences[0].startswith("Not distinguishable")
    assert verdict(tied).outcome == "none"
    assert in_short(tied) == "not distinguishable from random"


def test_what_is_unknown_is_said_to_be() -> None:
    nothing = replace(LUCK, p_random=math.nan, p_worse=math.nan, excess=math.nan, rank_ic=math.nan)
    text = " ".join(verdict(nothing).sentences)
    assert "Not compared with random scores." in text
    assert "do not tell stocks apart" in text
    assert "nan" not in text


def test_figures_are_written_as_people_read_them() -> None:
    assert rupees(1234567.4) == "₹12,34,567"
    assert rupees(-1234.5, 2) == "−₹1,234.50"
    assert rupees(999) == "₹999"
    assert rupees(100000) == "₹1,00,000"
    assert rupees(-0.2) == "₹0"
    assert number(-0.0001) == number(-0.0001, grouped=True) == "0.00"
    assert number(-12345.6, grouped=True) == "−12,345.60"
    assert number(-1.256, signed=True) == "−1.26"
    assert number(float("nan")) == "–"
    assert percent(0.1234, signed=True) == "+12.3%"
    assert percent(float("inf")) == "–"
    assert interval(-0.5, 0.25, share=True, digits=0) == "−50% to 25%"
    assert probability(0.0004) == "p < 0.001"
    assert probability(0.012) == "p = 0.012"
    for value, told in ((1 / 1001, "< 0.001"), (2 / 1001, "0.002"), (0.4, "0.40"), (math.nan, "–")):
        assert p_value(value) == told  # in tables
        assert told in probability(value)  # as in words

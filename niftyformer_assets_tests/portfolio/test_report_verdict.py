"""The verdict says no more than the figures allow."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from niftyformer_assets.portfolio.report_format import interval, number, percent, probability, rupees
from niftyformer_assets.portfolio.verdict import Standing, in_short, verdict

LUCK = Standing(
    p_random=0.4,
    portfolios=1000,
    excess=0.05,
    excess_low=-0.2,
    excess_high=0.3,
    rank_ic=0.01,
    rank_ic_t=0.6,
    sharpe=0.8,
    sharpe_low=-2.1,
    sharpe_high=3.7,
    part="test",
    sessions=84,
    variants=1,
    deflated=0.6,
)
SKILL = replace(LUCK, p_random=1 / 1001, excess_low=0.02, rank_ic=0.04, rank_ic_t=4.0)


def test_luck_is_called_luck() -> None:
    said = verdict(LUCK)
    assert said.sentences[0] == "Not distinguishable from random scores: p = 0.40."
    assert said.mood == "none"
    text = " ".join(said.sentences)
    assert "400 earned as much or more" not in text  # p counts the strategy itself: 0.4 of 1001 is 400, less one
    assert "399 earned as much or more" in text
    assert "includes zero" in text
    assert "84 test sessions" in text
    assert "about 1.7" in text  # the standard error of an annualised Sharpe ratio over 84 sessions
    assert in_short(LUCK) == "not distinguishable from random"


def test_skill_is_called_skill_when_everything_agrees() -> None:
    said = verdict(SKILL)
    assert said.sentences[0] == "Better than random scores: p < 0.001."
    assert "0 earned as much or more" in said.sentences[1]
    assert said.mood == "good"
    assert in_short(SKILL) == "better than random"


@pytest.mark.parametrize(
    "doubt", [{"excess_low": -0.01}, {"variants": 12, "deflated": 0.8}, {"variants": 12, "deflated": math.nan}]
)
def test_one_yardstick_that_disagrees_is_a_doubt(doubt: dict) -> None:
    said = verdict(replace(SKILL, **doubt))
    assert "not beyond doubt" in said.sentences[0]
    assert said.mood == "none"


def test_many_variants_are_told() -> None:
    text = " ".join(verdict(replace(SKILL, variants=12, deflated=0.97)).sentences)
    assert "12 variants" in text
    assert "97%" in text
    assert "no test results" in text


def test_worse_than_random_is_bad_news() -> None:
    said = verdict(replace(LUCK, p_random=0.98, rank_ic_t=-3.0))
    assert said.sentences[0].startswith("Worse than random scores")
    assert said.mood == "bad"
    assert "the wrong way round" in " ".join(said.sentences)


def test_what_is_unknown_is_said_to_be() -> None:
    nothing = replace(LUCK, p_random=math.nan, excess=math.nan, rank_ic=math.nan)
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
    assert number(-0.0001) == "0.00"
    assert number(-1.256, signed=True) == "−1.26"
    assert number(float("nan")) == "–"
    assert percent(0.1234, signed=True) == "+12.3%"
    assert percent(float("inf")) == "–"
    assert interval(-0.5, 0.25, share=True, digits=0) == "−50% to 25%"
    assert probability(0.0004) == "p < 0.001"
    assert probability(0.012) == "p = 0.012"

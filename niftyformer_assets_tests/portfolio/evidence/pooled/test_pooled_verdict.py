"""The verdict on a study, in words, for each thing that the figures can say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from niftyformer_assets.portfolio.evidence.pooled.verdict import PooledStanding, study_in_short, study_verdict

SOUND = PooledStanding(
    name="model",
    windows=14,
    missing=(),
    sessions=1176,
    rank_ic=0.04,
    t=8.0,
    t_needed=2.0,
    positive_years=5,
    years=5,
    against_in_words="the best plain one",
    against="ridge",
    against_rank_ic=0.03,
    ic_apart=0.01,
    ic_p=0.004,
    return_apart=0.05,
    return_low=0.01,
    return_high=0.09,
    equal_apart=0.06,
    equal_low=0.01,
    equal_high=0.11,
    span="year",
    sharpe=1.2,
    sharpe_low=0.3,
    sharpe_high=2.1,
    earning=1174,
    variants=6,
    deflated=0.99,
    overfitting=0.1,
)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("random_forest", "Random forest has a"), ("k5.ic0.01", "k5.ic0.01 has a"), ("k5", "k5 has a")],
)
def test_a_sentence_begins_with_a_capital_but_a_key_stays_as_it_is(name: str, begins: str) -> None:
    assert any(sentence.startswith(begins) for sentence in study_verdict(replace(SOUND, name=name)).sentences)


@pytest.mark.parametrize(("span", "words"), [("year", "a year less"), ("whole", "less over all sessions")])
def test_who_has_less_than_the_best_plain_one_is_named(span: str, words: str) -> None:
    behind = replace(SOUND, name="mean_of_seeds", ic_apart=-0.02, return_apart=-0.134, span=span)
    said = " ".join(study_verdict(behind).sentences)
    assert "on the same sessions mean of seeds has 0.020 less, " in said
    assert f"and earned 13.4 percentage points {words} (95% interval" in said


def test_a_skill_that_every_yardstick_shows() -> None:
    told = study_verdict(SOUND)
    assert told.outcome == "good"
    assert told.sentences[0] == "Distinguishable from random scores."
    assert told.sentences[1].startswith("Model has a mean rank IC of +0.040, t = 8.00, over 1,176 sessions")
    assert "above 0 in 5 of 5 calendar years" in told.sentences[2]
    assert "ridge" in told.sentences[3]
    assert study_in_short(SOUND) == "distinguishable from random scores"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ic_p": 0.2}, "does not order the stocks visibly better than ridge"),
        ({"ic_apart": -0.01, "ic_p": 0.001}, "does not order the stocks visibly better than ridge"),
        ({"equal_low": -0.01}, "no more than the equal-weight universe"),
        ({"deflated": 0.5}, "one of 6 variants tried"),
        ({"deflated": math.nan}, "one of 6 variants tried"),
        ({"overfitting": 0.6}, "best of the grid"),
    ],
)
def test_each_reservation(changed: dict[str, float], told: str) -> None:
    standing = replace(SOUND, **changed)
    verdict = study_verdict(standing)
    assert verdict.outcome == "none"
    assert told in verdict.sentences[0]
    assert study_in_short(standing) == "distinguishable from random scores, with reservations"


def test_a_t_that_chance_reaches_says_nothing() -> None:
    standing = replace(SOUND, t=1.9)
    assert study_verdict(standing).sentences[0].startswith("Not distinguishable from random scores")
    assert study_verdict(standing).outcome == "none"
    assert study_in_short(replace(SOUND, t=math.nan)) == "not distinguishable from random scores"


def test_the_wrong_way_round_is_bad_news() -> None:
    told = study_verdict(replace(SOUND, t=-4.0, rank_ic=-0.03))
    assert told.outcome == "bad"
    assert told.sentences[0].startswith("Worse than random scores")


def test_too_few_sessions_are_said_where_no_skill_shows() -> None:
    few = replace(SOUND, sessions=84, t=1.9)
    told = study_verdict(few)
    assert told.outcome == "none"
    assert told.sentences[0].startswith("Too few sessions to tell: model has a mean rank IC of")
    assert study_in_short(few) == "too few sessions"


def test_a_skill_that_shows_in_less_than_a_year_is_told_with_that_reservation() -> None:
    told = study_verdict(replace(SOUND, sessions=84))
    assert told.outcome == "none"
    assert "Distinguishable from random scores, with reservations: it rests on 84 sessions" in told.sentences[0]
    assert study_verdict(replace(SOUND, sessions=84, t=-4.0, rank_ic=-0.03)).outcome == "bad"


def test_scores_without_a_rank_correlation_are_not_judged() -> None:
    told = study_verdict(replace(SOUND, sessions=0, rank_ic=math.nan, t=math.nan))
    assert told.sentences[0].startswith("Not judged")
    assert told.outcome == "none"


def test_what_is_missing_or_unknown_is_said_or_left_out() -> None:
    told = " ".join(study_verdict(replace(SOUND, missing=("wf.2019-01", "wf.2019-05"))).sentences)
    assert "Still missing of the study: wf.2019-01, wf.2019-05." in told
    many = replace(SOUND, missing=tuple(f"wf.{n}" for n in range(200)))
    assert study_verdict(many).sentences[-1].endswith("wf.6, wf.7 and 192 more.")
    alone = replace(SOUND, against="", ic_p=math.nan, overfitting=math.nan, variants=1, sharpe=math.nan)
    told = " ".join(study_verdict(alone).sentences)
    assert "No plain model stands beside it." in told
    assert "overfitting" not in told
    assert "nan" not in told
    assert study_verdict(alone).outcome == "good"

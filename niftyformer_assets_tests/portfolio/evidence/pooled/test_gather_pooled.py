"""The evidence of a study as a whole: what skill shows where, and what luck does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.evidence.joined import ensemble, join_scores, joined_market
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.evidence.pooled.evidence import PooledEvidence
from niftyformer_assets.portfolio.evidence.pooled.money import market_model, trade
from niftyformer_assets.portfolio.evidence.pooled.verdict import study_in_short, study_verdict
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT
from niftyformer_assets.portfolio.settings import CostSettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.study_example import LENGTH, STRATEGY, WINDOWS, Study, T, study


@pytest.fixture(scope="module")
def made() -> Study:
    return study()


@pytest.fixture(scope="module")
def skilled(made: Study) -> PooledEvidence:
    contenders = [
        made.contender("model", "model", made.joined(0.3, seed=1), top_k=5),
        made.contender("other", "model", made.joined(0.1, seed=2), top_k=10),
        *(made.contender(f"seed {n}", "seed", made.joined(0.2, seed=30 + n), seed=n) for n in (1, 2, 3)),
        made.contender("mean", "ensemble", ensemble([made.joined(0.2, seed=30 + n) for n in (1, 2, 3)])),
        *made.plain(),
    ]
    return made.evidence(contenders, variants=4, missing=("wf.9",))


def part(evidence: PooledEvidence, breakdown: str, name: str = "model") -> pd.DataFrame:
    table = evidence.ranking
    return table[(table["breakdown"] == breakdown) & (table["name"] == name)].set_index("group")


def test_random_scores_are_not_distinguishable(made: Study) -> None:
    told = [
        study_in_short(
            made.evidence([made.contender("model", "model", made.joined(seed=seed)), *made.plain()]).standing
        )
        for seed in range(4)
    ]
    assert told.count("not distinguishable from random scores") >= 3
    assert not any(words.startswith("distinguishable") for words in told)


def test_a_skill_shows_everywhere(skilled: PooledEvidence) -> None:
    standing = skilled.standing
    assert study_in_short(standing).startswith("distinguishable from random scores")
    assert (standing.positive_years, standing.windows, standing.missing) == (standing.years, WINDOWS, ("wf.9",))
    assert standing.ic_apart > 0.1
    assert standing.ic_p < 0.01
    assert standing.equal_low > 0
    assert (part(skilled, "window")["rank_ic"] > 0.1).all()
    assert (part(skilled, "sector")["t"] > 2).all()
    assert set(part(skilled, "size").index) == {"large third", "middle third", "small third"}


def test_an_oracle_planted_in_one_window_shows_in_that_window_alone(made: Study) -> None:
    planted = made.evidence([made.contender("model", "model", made.joined({2: 1000.0})), *made.plain()])
    random = made.evidence([made.contender("model", "model", made.joined()), *made.plain()])
    ours, theirs = part(planted, "window"), part(random, "window")
    assert ours.loc["wf.2", "rank_ic"] > 0.6
    others = ["wf.0", "wf.1", "wf.3"]
    assert (ours.loc[others, "rank_ic"].abs() < 0.1).all()
    # Not only small: the other windows' figures are those without it, to the bit.
    pd.testing.assert_frame_equal(ours.loc[others], theirs.loc[others])
    years = made.axes.dates[made.test_rows(2)].astype("datetime64[Y]").astype(str)
    for year, row in part(planted, "year").iterrows():
        if year not in years:
            assert row["rank_ic"] == part(random, "year").loc[year, "rank_ic"]
    by_window = planted.parts[(planted.parts["name"] == "model") & (planted.parts["breakdown"] == "window")]
    assert by_window.set_index("group")["return"].idxmax() == "wf.2"


@pytest.mark.parametrize(("skill", "told"), [(0.0, "Too few sessions to tell"), (1.0, "Distinguishable")])
def test_in_less_than_a_year_only_a_large_skill_shows(made: Study, skill: float, told: str) -> None:
    contender = made.contender("model", "model", made.joined(skill, windows=(0, 1)))
    assert study_verdict(made.evidence([contender]).standing).sentences[0].startswith(told)


def test_what_comes_after_a_windows_end_changes_no_figure_of_sessions_before(made: Study) -> None:
    cut = 1
    end = made.test_rows(cut).stop - 1
    later = made.garbled(end)

    def evidence(of: Study, seed: int) -> PooledEvidence:
        windows = [(made if n <= cut else of).window(n, 0.3, seed=1 if n <= cut else seed) for n in range(WINDOWS)]
        model = of.contender("model", "model", join_scores(of.axes, windows))
        return of.evidence([model, *of.plain()])

    ours, theirs = evidence(made, 1), evidence(later, 55)
    sessions = (cut + 1) * LENGTH
    for horizon, values in ours.daily["model"].earnable.items():
        known = sessions - 1 - horizon
        np.testing.assert_array_equal(values[:known], theirs.daily["model"].earnable[horizon][:known])
        assert not np.array_equal(values, theirs.daily["model"].earnable[horizon], equal_nan=True)
    for name, parts in ours.divisions.items():
        np.testing.assert_array_equal(parts[:sessions], theirs.divisions[name][:sessions], err_msg=name)
    for name in ("model", "momentum", EQUAL_WEIGHT, "NIFTY 50 (price)"):
        curves = [each.nav[each.nav["name"] == name][["nav", "drawdown"]].to_numpy() for each in (ours, theirs)]
        np.testing.assert_array_equal(curves[0][:sessions], curves[1][:sessions])
    first = part(ours, "window").loc["wf.0"]
    pd.testing.assert_series_equal(first, part(theirs, "window").loc["wf.0"])


def test_one_curve_of_each_and_what_it_is_measured_against(skilled: PooledEvidence, made: Study) -> None:
    model = skilled.contenders[0]
    again = trade(model.scores, joined_market(made.panel, made.axes, model.scores), STRATEGY, CostSettings(), 0)
    np.testing.assert_array_equal(skilled.result.nav, again.nav)
    assert len(skilled.dates) == WINDOWS * LENGTH
    assert set(skilled.nav["name"]) == {c.name for c in skilled.contenders} | {EQUAL_WEIGHT, "NIFTY 50 (price)"}
    assert skilled.figure("beta") == pytest.approx(1.0, abs=0.3)
    assert skilled.figure("beta", column="t") > 5
    assert "Alpha and beta are to NIFTY 50 (price)." in skilled.notes


def test_alpha_and_beta_by_hand() -> None:
    rng = np.random.default_rng(0)
    index = rng.normal(0.0004, 0.01, 3000)
    returns = 0.0003 + 1.5 * index + rng.normal(0, 0.005, 3000)
    told = market_model(returns, index, 0.0)
    slope, intercept = np.polyfit(index, returns, 1)
    assert told.beta == pytest.approx(slope)
    assert told.alpha == pytest.approx(252 * intercept)
    # Without dependence the errors are those of least squares, nearly.
    error = np.sqrt(0.005**2 / 3000)
    assert told.alpha_t == pytest.approx(intercept / error, rel=0.15)
    assert told.r2 == pytest.approx(np.corrcoef(index, returns)[0, 1] ** 2)
    assert np.isnan(market_model(returns, np.zeros(3000), 0.0).beta)


def test_an_index_with_dividends_is_preferred_where_it_covers_all_sessions(made: Study) -> None:
    contenders = [made.contender("model", "model", made.joined())]
    price, full = made.index, made.index * np.linspace(1, 1.02, T)
    evidence = made.evidence(contenders)
    assert evidence.benchmark == "NIFTY 50 (price)"
    both = {"NIFTY 50 (price)": price, "NIFTY 50 (with dividends)": full}
    assert made.evidence(contenders, indices=both).benchmark == "NIFTY 50 (with dividends)"
    late = both | {"NIFTY 50 (with dividends)": full[300:]}
    told = made.evidence(contenders, indices=late)
    assert told.benchmark == "NIFTY 50 (price)"
    assert any("with dividends) does not cover all sessions" in note for note in told.notes)


def test_the_best_plain_one_is_compared_pair_by_pair(skilled: PooledEvidence) -> None:
    means = {name: np.nanmean(skilled.daily[name].step) for name in ("momentum", "random")}
    assert skilled.against == max(means, key=lambda name: means[name])
    table = skilled.paired.set_index("name")
    assert skilled.against not in table.index
    apart = skilled.daily["model"].step - skilled.daily[skilled.against].step
    assert table.loc["model", "rank_ic_difference"] == pytest.approx(np.nanmean(apart))
    assert np.isnan(table.loc[next(n for n in ("momentum", "random") if n != skilled.against), "rank_ic_p_holm"])
    candidates = table[table["kind"] != "baseline"]
    assert len(candidates) == 6
    assert (candidates["rank_ic_p_holm"] >= candidates["rank_ic_p"]).all()
    assert (
        table.loc["model", "return_low"] < table.loc["model", "return_difference"] < table.loc["model", "return_high"]
    )


def test_a_study_may_name_whom_the_others_are_held_against(made: Study) -> None:
    contenders = [made.contender("model", "model", made.joined(0.3)), *made.plain()]
    named = made.evidence(contenders, main="model", against="random")
    assert (named.against, named.against_in_words) == ("random", "the one to beat")
    assert set(named.paired["against"]) == {"random"}
    row = named.paired.set_index("name").loc["model"]
    apart = named.daily["model"].earnable[5] - named.daily["random"].earnable[5]
    assert row["held_difference"] == pytest.approx(np.nanmean(apart)) and np.isfinite(row["held_t"])
    assert row["held_difference"] != row["rank_ic_difference"]
    assert "The one to beat, random scores, has a mean rank IC" in " ".join(study_verdict(named.standing).sentences)
    with pytest.raises(NiftyFormerError, match="no contender is called 'nobody'"):
        made.evidence(contenders, main="model", against="nobody")


def test_more_money_lapses_more(skilled: PooledEvidence) -> None:
    table = skilled.capacity
    assert table["capital"].tolist() == [1e6, 1e7, 1e8]
    assert table["lapsed"].is_monotonic_increasing
    assert table["lapsed"].iloc[0] < 0.05 < table["lapsed"].iloc[2]
    assert table["exposure"].is_monotonic_decreasing


def test_the_model_is_the_first_of_its_seeds(made: Study) -> None:
    contenders = [
        *(made.contender(f"k{k}", "model", made.joined(0.1, seed=k), top_k=k, seed=1) for k in (5, 10)),
        *(made.contender(f"k{k}, seed 2", "seed", made.joined(0.1, seed=70 + k), top_k=k, seed=2) for k in (5, 10)),
    ]
    evidence = made.evidence(contenders)
    assert evidence.seed_groups == {"top_k 5": ["k5", "k5, seed 2"], "top_k 10": ["k10", "k10, seed 2"]}
    assert evidence.seeds["seeds"].tolist() == [2, 2]


def test_seeds_and_the_grid(skilled: PooledEvidence) -> None:
    (row,) = skilled.seeds.to_dict("records")
    own = [np.nanmean(skilled.daily[f"seed {n}"].step) for n in (1, 2, 3)]
    assert row["seeds"] == 3
    assert row["rank_ic_mean"] == pytest.approx(np.mean(own))
    assert row["rank_ic_std"] == pytest.approx(np.std(own, ddof=1))
    assert (row["rank_ic_low"], row["rank_ic_high"]) == (pytest.approx(min(own)), pytest.approx(max(own)))
    assert skilled.overfitting.variants == 2


def test_the_long_table_holds_every_figure(skilled: PooledEvidence) -> None:
    table = skilled.figures
    row = table[
        (table["name"] == "model")
        & (table["breakdown"] == "all")
        & (table["metric"] == "rank_ic")
        & (table["horizon"] == 1)
    ]
    assert row["value"].tolist() == [skilled.figure("rank_ic")]
    keys = ["name", "breakdown", "group", "horizon", "metric"]
    assert not table.duplicated(keys).any()
    assert {"sharpe", "max_drawdown", "turnover", "cost", "alpha", "beta", "icir", "positive"} <= set(table["metric"])


def test_contenders_are_compared_on_sessions_that_all_have(made: Study) -> None:
    contenders = [
        made.contender("model", "model", made.joined(0.3)),
        made.contender("late", "model", made.joined(0.3, windows=(1, 3))),
    ]
    evidence = made.evidence(contenders)
    assert any(f"{2 * LENGTH} sessions that some contender has no window for" in note for note in evidence.notes)
    assert any(f"{LENGTH} sessions between the first and the last one" in note for note in evidence.notes)
    for name in ("model", "late"):
        assert int(np.isfinite(evidence.daily[name].step).sum()) == 2 * LENGTH
        assert len(evidence.results[name].nav) == 3 * LENGTH


def test_contenders_in_other_universes_take_part_with_their_own(made: Study) -> None:
    wide = replace(made, universes=tuple(np.arange(30) for _ in range(WINDOWS)))
    evidence = made.evidence(
        [made.contender("model", "model", made.joined(0.3)), made.contender("wide", "model", wide.joined(0.3))]
    )
    assert evidence.results["wide"].market.axes.shape[1] == 30
    assert evidence.figure("rank_ic", "wide") > 0.1


def test_what_cannot_be_judged_is_named(made: Study) -> None:
    model = made.contender("model", "model", made.joined())
    with pytest.raises(NiftyFormerError, match="no experiment of it"):
        made.evidence([], main="model")
    with pytest.raises(NiftyFormerError, match="two contenders are called 'model'"):
        made.evidence([model, model])
    with pytest.raises(NiftyFormerError, match="no contender is called 'x'"):
        made.evidence([model], main="x")
    with pytest.raises(NiftyFormerError, match="trade at different moments"):
        made.evidence(
            [model, Contender("o", "model", model.scores, replace(STRATEGY, trade_at="open"), CostSettings())]
        )
    with pytest.raises(NiftyFormerError, match="no session in common"):
        made.evidence(
            [
                made.contender("early", "model", made.joined(windows=(0,))),
                made.contender("late", "model", made.joined(windows=(1,))),
            ]
        )


def test_a_single_window_is_the_single_backtest(made: Study) -> None:
    joined = made.joined(0.3, windows=(1,))
    evidence = made.evidence([made.contender("model", "model", joined)])
    market = replace(joined_market(made.panel, made.axes, joined), outside=None)
    single = run_backtest(joined.traded, market.rows(slice(LENGTH)), STRATEGY, CostSettings())
    np.testing.assert_array_equal(evidence.result.nav, single.nav)
    assert isinstance(market.axes, Axes)


def test_baselines_that_tell_no_stocks_apart_are_left_out(made: Study) -> None:
    scores = made.joined()
    flat = replace(scores, score=np.where(np.isfinite(scores.score), 0.0, np.nan))
    evidence = made.evidence(
        [made.contender("model", "model", scores), made.contender("zero", "baseline", flat), *made.plain()]
    )
    assert [each.name for each in evidence.contenders] == ["model", "momentum", "random"]
    alone = made.evidence([made.contender("model", "model", flat)])
    assert study_verdict(alone.standing).sentences[0].startswith("Not judged")

"""Rank IC of joined scores over horizons and parts, against the definitions one session at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from niftyformer_assets.factors.ic import rank_ic_by_group
from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.portfolio.evidence.joined import join_scores, joined_market
from niftyformer_assets.portfolio.evidence.pooled.ranking import (
    Outcomes,
    daily_rank_ic,
    ranking_table,
)
from niftyformer_assets_tests.portfolio.study_example import FIRST, LENGTH, WINDOWS, Study, study


@pytest.fixture(scope="module")
def made() -> Study:
    return study()


def test_the_coefficients_of_groups_are_those_of_their_stocks_alone() -> None:
    rng = np.random.default_rng(0)
    values, outcome = np.round(rng.normal(size=(40, 60)), 1), np.round(rng.normal(size=(40, 60)), 2)
    values[rng.random(values.shape) < 0.1] = np.nan
    outcome[rng.random(values.shape) < 0.1] = np.inf
    values[7] = np.nan
    groups = np.array(["a", "b", "c", "rare"])[rng.choice(4, values.shape, p=[0.5, 0.3, 0.15, 0.05])]
    told = rank_ic_by_group(values, outcome, groups, min_stocks=5)
    for group in ("a", "b", "c", "rare"):
        expected = rank_ic(np.where(groups == group, values, np.nan), outcome, 5)
        np.testing.assert_allclose(told[group], expected, atol=1e-12)
    assert np.isnan(told["a"][7])


def test_without_a_pair_there_is_no_group() -> None:
    nothing = np.full((3, 4), np.nan)
    assert rank_ic_by_group(nothing, nothing, np.full((3, 4), "a")) == {}


def test_returns_are_from_the_first_fill_and_may_end_in_a_later_window_or_after_the_last(made: Study) -> None:
    joined = made.joined(0.3)
    outcomes = Outcomes(joined_market(made.panel, made.axes, joined), "close")
    daily = daily_rank_ic(joined.score, outcomes, joined.sessions, {})
    columns = [made.axes.symbols.index(name) for name in joined.axes.symbols]
    close = made.panel["close"][:, columns]
    # The last session of a window, and the last of all: their returns lie in another window, and in none.
    for t in (0, LENGTH - 1, 2 * LENGTH + 3, WINDOWS * LENGTH - 1):
        score = np.where(joined.member[t], joined.score[t], np.nan)
        at = FIRST + t
        for horizon in (1, 2, 5, 10, 20):
            earned = close[at + 1 + horizon] / close[at + 1] - 1
            assert daily.earnable[horizon][t] == pytest.approx(float(rank_ic(score, earned)))
        assert daily.too_early[t] == pytest.approx(float(rank_ic(score, close[at + 1] / close[at] - 1)))
    assert all(np.isfinite(values).all() for values in daily.earnable.values())


def test_plain_ic_is_pearsons_of_the_scores_at_each_horizon(made: Study) -> None:
    joined = made.joined(0.3)
    outcomes = Outcomes(joined_market(made.panel, made.axes, joined), "close")
    daily = daily_rank_ic(joined.score, outcomes, joined.sessions, {})
    columns = [made.axes.symbols.index(name) for name in joined.axes.symbols]
    close = made.panel["close"][:, columns]
    for horizon in (0, 1, 2, 5, 10, 20):
        for t in (0, LENGTH - 1, WINDOWS * LENGTH - 1):
            first = FIRST + t + (horizon > 0)
            earned = close[first + max(horizon, 1)] / close[first] - 1
            both = joined.member[t] & np.isfinite(joined.score[t])
            expected = np.corrcoef(joined.score[t][both], earned[both])[0, 1]
            assert daily.plain[horizon][t] == pytest.approx(expected), (horizon, t)
    table = ranking_table(["m"], ["model"], [daily], {"half": np.repeat(["a", "b"], WINDOWS * LENGTH // 2)})
    whole = table[table["breakdown"] == "all"]
    early = whole[~whole["earnable"]]["ic"].item()
    assert early == pytest.approx(np.nanmean(daily.plain[0])) and early != whole["rank_ic"].iloc[0]
    for horizon in (1, 2, 5, 10, 20):
        row = whole[whole["earnable"] & (whole["horizon"] == horizon)].iloc[0]
        assert row["ic"] == pytest.approx(np.nanmean(daily.plain[horizon])) and np.isfinite(row["ic_t"])
    half = table[(table["breakdown"] == "half") & (table["group"] == "b")]["ic"].item()
    assert half == pytest.approx(np.nanmean(daily.plain[1][WINDOWS * LENGTH // 2 :]))


def test_only_scores_whose_return_is_not_yet_known_are_left_out(made: Study) -> None:
    known = FIRST + WINDOWS * LENGTH + 6  # six sessions after the last score
    panel = {name: array[:known] for name, array in made.panel.items()}
    axes = type(made.axes)(made.axes.dates[:known], made.axes.symbols)
    joined = join_scores(axes, [made.window(number) for number in range(WINDOWS)])
    daily = daily_rank_ic(joined.score, Outcomes(joined_market(panel, axes, joined), "close"), joined.sessions, {})
    n = WINDOWS * LENGTH
    lacking = {horizon: int(np.isnan(values).sum()) for horizon, values in daily.earnable.items()}
    assert lacking == {1: 0, 2: 0, 5: 0, 10: 5, 20: 15}
    assert np.isnan(daily.earnable[20][n - 15 :]).all()


def test_the_table_tells_means_over_all_sessions_and_over_parts(made: Study) -> None:
    joined = made.joined(0.3)
    outcomes = Outcomes(joined_market(made.panel, made.axes, joined), "close")
    groups = {
        "sector": np.tile(np.where(np.arange(len(joined.axes.symbols)) % 2 == 0, "A", "B"), (len(joined.axes.dates), 1))
    }
    daily = daily_rank_ic(joined.score, outcomes, joined.sessions, groups)
    parts = np.array([f"part {t // 150}" for t in range(joined.sessions)])
    table = ranking_table(["m"], ["model"], [daily], {"part": parts})
    whole = table[(table["breakdown"] == "all") & table["earnable"]].set_index("horizon")
    assert list(whole.index) == [1, 2, 5, 10, 20]
    series = daily.step
    assert whole.loc[1, "rank_ic"] == pytest.approx(series.mean())
    assert whole.loc[1, "icir"] == pytest.approx(series.mean() / series.std(ddof=1))
    assert whole.loc[1, "positive"] == pytest.approx((series > 0).mean())
    assert whole.loc[1, "sessions"] == joined.sessions
    early = table[(table["breakdown"] == "all") & ~table["earnable"]]
    assert early["rank_ic"].tolist() == pytest.approx([daily.too_early.mean()])
    for part in np.unique(parts):
        row = table[(table["breakdown"] == "part") & (table["group"] == part)].iloc[0]
        assert row["rank_ic"] == pytest.approx(series[parts == part].mean())
        assert row["sessions"] == (parts == part).sum()
    sector = table[table["breakdown"] == "sector"].set_index("group")
    assert sector.loc["A", "rank_ic"] == pytest.approx(np.nanmean(daily.by_group["sector"]["A"]))


def test_lags_are_at_least_the_horizon_and_too_few_windows_have_no_t(made: Study) -> None:
    joined = made.joined(0.3, windows=(0,))
    outcomes = Outcomes(joined_market(made.panel, made.axes, joined), "close")
    table = ranking_table(["m"], ["model"], [daily_rank_ic(joined.score, outcomes, LENGTH, {})], {})
    by = table[table["earnable"]].set_index("horizon")
    assert math.isfinite(by.loc[20, "t"])  # 100 sessions are five windows of 20
    short = ranking_table(["m"], ["model"], [daily_rank_ic(joined.score, outcomes, LENGTH - 1, {})], {})
    assert math.isnan(short[short["horizon"] == 20]["t"].iloc[0])
    # By hand with 2h - 1 lags.
    series = daily_rank_ic(joined.score, outcomes, LENGTH, {}).earnable[20]
    off, lags = series - series.mean(), 39
    variance = sum(
        (1 if lag == 0 else 2 * (1 - lag / (lags + 1))) * (off[lag:] @ off[: len(off) - lag]) for lag in range(lags + 1)
    )
    assert by.loc[20, "t"] == pytest.approx(series.mean() / math.sqrt(variance) * LENGTH)

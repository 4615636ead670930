"""Scores of many windows are one series, in which each session's are those of the window that tests it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.joined import TAIL, Window, ensemble, join_scores, joined_market
from niftyformer_assets.portfolio.evidence.pooled.money import trade
from niftyformer_assets.portfolio.settings import CostSettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.portfolio.study_example import FIRST, LENGTH, STRATEGY, WINDOWS, Study, study

COSTS = CostSettings()


@pytest.fixture(scope="module")
def made() -> Study:
    return study()


def test_each_sessions_scores_are_those_of_the_window_that_tests_it(made: Study) -> None:
    windows = [made.window(number) for number in range(WINDOWS)]
    joined = join_scores(made.axes, windows[::-1])
    assert joined.names == ("wf.0", "wf.1", "wf.2", "wf.3")
    assert joined.sessions == WINDOWS * LENGTH
    np.testing.assert_array_equal(joined.axes.dates, made.axes.dates[FIRST : FIRST + WINDOWS * LENGTH + TAIL])
    assert list(joined.axes.symbols) == sorted({made.axes.symbols[c] for u in made.universes for c in u})
    assert (joined.window[joined.sessions :] == -1).all()
    assert not np.isfinite(joined.score[joined.sessions :]).any()
    # By hand, row by row of the tables.
    for number, window in enumerate(windows):
        rows = window.predictions[window.predictions["horizon"] == 2]
        for t in range(number * LENGTH, (number + 1) * LENGTH):
            assert joined.window[t] == number
            day = pd.Timestamp(joined.axes.dates[t])
            told = rows[rows["date_made"] == day].set_index("symbol")["return"]
            own = pd.Series(joined.score[t], index=list(joined.axes.symbols)).dropna()
            pd.testing.assert_series_equal(own, told, check_names=False)
            member = window.scope.member[window.scope.axes.dates == joined.axes.dates[t]][0]
            inside = {symbol for symbol, yes in zip(window.scope.axes.symbols, member, strict=True) if yes}
            assert inside == {s for s, yes in zip(joined.axes.symbols, joined.member[t], strict=True) if yes}


def test_the_tail_ends_with_the_panel(made: Study) -> None:
    short = Axes(made.axes.dates[: FIRST + WINDOWS * LENGTH + 3], made.axes.symbols)
    joined = join_scores(short, [made.window(number) for number in range(WINDOWS)])
    assert len(joined.axes.dates) == WINDOWS * LENGTH + 3


def test_windows_concatenated_by_hand_give_the_same_equity_curve(made: Study) -> None:
    joined = made.joined(0.2)
    result = trade(joined, joined_market(made.panel, made.axes, joined), STRATEGY, COSTS, 0)
    names = joined.axes.symbols
    column = [made.axes.symbols.index(name) for name in names]
    rows = slice(FIRST, FIRST + WINDOWS * LENGTH)
    values, member = np.full((WINDOWS * LENGTH, len(names)), np.nan), np.zeros((WINDOWS * LENGTH, len(names)), bool)
    universe = np.zeros(member.shape, dtype=bool)
    for number in range(WINDOWS):
        window = made.window(number, 0.2)
        table = window.predictions[window.predictions["horizon"] == 2]
        wide = table.pivot_table(index="date_made", columns="symbol", values="return").reindex(columns=list(names))
        own = slice(number * LENGTH, (number + 1) * LENGTH)
        values[own] = wide.loc[pd.DatetimeIndex(made.axes.dates[made.test_rows(number)])].to_numpy()
        place = np.searchsorted(window.scope.axes.dates, made.axes.dates[made.test_rows(number)])
        for j, name in enumerate(window.scope.axes.symbols):
            member[own, names.index(name)] = window.scope.member[place, j]
            universe[own, names.index(name)] = True
    panel = {name: array[rows][:, column] for name, array in made.panel.items()}
    axes = Axes(made.axes.dates[rows], names)
    market = Market(axes=axes, member=member, outside=~universe, **panel)
    by_hand = run_backtest(Scores(axes, values), market, STRATEGY, COSTS)
    np.testing.assert_array_equal(result.nav, by_hand.nav)
    assert (result.orders["reason"] == "outside_universe").any()


def test_holdings_carry_over_and_those_outside_the_next_universe_leave_at_the_first_fill(made: Study) -> None:
    joined = made.joined(0.2)
    result = trade(joined, joined_market(made.panel, made.axes, joined), STRATEGY, COSTS, 0)
    for number in range(1, WINDOWS):
        t = number * LENGTH  # makes the first score of the window; the first fill is at t + 1
        held = {joined.axes.symbols[j] for j in np.flatnonzero(result.holdings[t])}
        now = set(made.window(number).scope.axes.symbols)
        after = {joined.axes.symbols[j] for j in np.flatnonzero(result.holdings[t + 1])}
        assert held
        assert not after - now
        sold = result.orders[result.orders["session"] == pd.Timestamp(joined.axes.dates[t + 1])]
        assert set(sold.loc[sold["reason"] == "outside_universe", "symbol"]) == held - now


def test_without_a_change_of_universe_the_rule_changes_nothing(made: Study) -> None:
    same = replace(made, universes=(made.universes[0],) * WINDOWS)
    joined = same.joined(0.2)
    market = joined_market(same.panel, same.axes, joined)
    result = trade(joined, market, STRATEGY, COSTS, 0)
    without = run_backtest(joined.traded, replace(market, outside=None).rows(slice(joined.sessions)), STRATEGY, COSTS)
    np.testing.assert_array_equal(result.nav, without.nav)


def test_on_sessions_without_a_window_nothing_trades_and_holdings_stay(made: Study) -> None:
    joined = made.joined(0.2, windows=(0, 2))
    gap = slice(LENGTH, 2 * LENGTH)
    assert (joined.window[gap] == -1).all()
    result = trade(joined, joined_market(made.panel, made.axes, joined), STRATEGY, COSTS, 0)
    assert (result.holdings[LENGTH + 1 : 2 * LENGTH] == result.holdings[LENGTH]).all()
    assert result.holdings[LENGTH].any()


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_what_comes_after_a_windows_end_changes_no_score_and_no_value_up_to_there(made: Study, cut: int) -> None:
    end = made.test_rows(cut).stop - 1
    later = made.garbled(end)
    windows = []
    for number in range(WINDOWS):
        window = (made if number <= cut else later).window(number, 0.2, seed=0 if number <= cut else 77)
        after = window.predictions["date_made"] > pd.Timestamp(made.axes.dates[end])
        table = window.predictions.copy()
        table.loc[after, "return"] = np.random.default_rng(3).normal(size=int(after.sum()))
        windows.append(replace(window, predictions=table))
    joined, garbled = made.joined(0.2), join_scores(made.axes, windows)
    sessions = (cut + 1) * LENGTH
    np.testing.assert_array_equal(joined.score[:sessions], garbled.score[:sessions])
    np.testing.assert_array_equal(joined.member[:sessions], garbled.member[:sessions])
    assert not np.array_equal(joined.score, garbled.score, equal_nan=True)
    ours = trade(joined, joined_market(made.panel, made.axes, joined), STRATEGY, COSTS, 0)
    theirs = trade(garbled, joined_market(later.panel, later.axes, garbled), STRATEGY, COSTS, 0)
    np.testing.assert_array_equal(ours.nav[:sessions], theirs.nav[:sessions])
    np.testing.assert_array_equal(ours.holdings[:sessions], theirs.holdings[:sessions])


# --- ensembles ------------------------------------------------------------------------------------------


def test_an_ensemble_is_the_mean_of_standardised_scores_of_stocks_that_all_parts_have(made: Study) -> None:
    parts = [made.joined(seed=seed) for seed in (1, 2)]
    scaled = replace(parts[1], score=parts[1].score * 1000 + 5)
    holed = parts[0].score.copy()
    holed[5, np.flatnonzero(np.isfinite(holed[5]))[:3]] = np.nan
    first = replace(parts[0], score=holed)
    joined = ensemble([first, scaled])
    for t in (0, 5, 150):
        both = np.isfinite(first.score[t]) & np.isfinite(scaled.score[t])
        z = [(part[both] - part[both].mean()) / part[both].std() for part in (first.score[t], scaled.score[t])]
        np.testing.assert_allclose(joined.score[t][both], np.mean(z, axis=0), atol=1e-12)
        assert np.isnan(joined.score[t][~both]).all()
    np.testing.assert_allclose(ensemble([first, parts[1]]).score, joined.score, atol=1e-9)


def test_equal_scores_of_a_part_say_nothing_in_an_ensemble(made: Study) -> None:
    part = made.joined(seed=1)
    flat = replace(part, score=np.where(np.isfinite(part.score), 0.1, np.nan))
    joined = ensemble([part, flat])
    np.testing.assert_allclose(2 * joined.score, ensemble([part]).score, atol=1e-12)


@pytest.mark.parametrize("there", [(0, 1, 2), (1, 2, 3), (0, 2, 3)])
def test_an_ensemble_has_the_windows_that_all_parts_have(made: Study, there: tuple[int, ...]) -> None:
    some = made.joined(0.3, seed=1, windows=there)
    expected = ensemble([made.joined(0.3, windows=there), some])
    for parts in ([made.joined(0.3), some], [some, made.joined(0.3)]):
        found = ensemble(parts)
        assert found.names == expected.names == some.names
        assert found.axes.difference(expected.axes) is None
        np.testing.assert_array_equal(found.window, expected.window)
        np.testing.assert_array_equal(found.member, expected.member)
        np.testing.assert_allclose(found.score, expected.score, atol=1e-12)


def test_parts_without_a_window_in_common_make_no_ensemble(made: Study) -> None:
    with pytest.raises(NiftyFormerError, match="no parts"):
        ensemble([])
    with pytest.raises(NiftyFormerError, match="no window in common"):
        ensemble([made.joined(windows=(0, 1)), made.joined(windows=(2, 3))])
    other_sessions = replace(made.joined(), window=np.roll(made.joined().window, 1))
    with pytest.raises(NiftyFormerError, match="different windows"):
        ensemble([made.joined(), other_sessions])


# --- refusals ---------------------------------------------------------------------------------------------


def test_what_cannot_be_joined_is_named(made: Study) -> None:
    zero, one = made.window(0), made.window(1)
    with pytest.raises(NiftyFormerError, match="no window"):
        join_scores(made.axes, [])
    with pytest.raises(NiftyFormerError, match=r"wf\.0 is tested until .* and wf\.1 from"):
        join_scores(made.axes, [zero, replace(one, first=zero.last)])
    with pytest.raises(NiftyFormerError, match=r"wf\.0 is tested from 1999-01-04"):
        join_scores(made.axes, [replace(zero, first=pd.Timestamp("1999-01-04").date())])
    with pytest.raises(NiftyFormerError, match=r"wf\.0.*Materialize|wf\.0.*materialize"):
        join_scores(made.axes, [replace(zero, predictions=zero.predictions.iloc[:0])])
    renamed = zero.predictions.assign(symbol=zero.predictions["symbol"].replace(zero.scope.axes.symbols[3], "XYZ"))
    with pytest.raises(NiftyFormerError, match=r"window wf\.0: .*XYZ"):
        join_scores(made.axes, [replace(zero, predictions=renamed)])
    shorter = replace(one, scope=zero.scope)
    with pytest.raises(NiftyFormerError, match=r"wf\.1 does not have all sessions"):
        join_scores(made.axes, [shorter])


def test_one_window_is_itself(made: Study) -> None:
    window: Window = made.window(2)
    joined = join_scores(made.axes, [window])
    assert joined.sessions == LENGTH
    assert joined.axes.symbols == window.scope.axes.symbols
    assert not joined.outside[:, 1:].any()

"""The 93 factors: against a second, plain implementation, cut, garbled, broken, listed late and a session at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.exchange.made_up import make_market
from niftyformer_assets.exchange.settings import MadeUpSettings, made_up_symbols
from niftyformer_assets.factors.catalogue import ALPHA158, ALPHA360
from niftyformer_assets.factors.checks import implausible_values, sound_factors
from niftyformer_assets.factors.nse93.catalogue import GROUPS, NSE93, NSE93_SECTORS, SECTORS
from niftyformer_assets.factors.nse93.compute import looked_back_to, nse93, nse93_sectors
from niftyformer_assets.factors.nse93.dates import later_date, refit_rows, turn_of_month, weekday
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.panel import ARRAYS, Panel
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets_tests.factors.leak import factors_that_look_ahead
from niftyformer_assets_tests.factors.nse93_by_definition import by_definition
from niftyformer_assets_tests.factors.panels import FIELDS, panel_of, sectors_of
from niftyformer_assets_tests.shared_data import shared

# Stocks of the simulated market with something the matter: breaks, a late listing, no move or no candle for long.
BROKEN, LATE, STILL, LONG_GAP = 2, 39, 5, 7
BREAKS = (460, 700)


@lru_cache(maxsize=1)
def simulated() -> Panel:
    """40 stocks of the simulated exchange over four years, with gaps, breaks, sessions without volume or a move."""
    settings = MadeUpSettings(stocks=40, late_listings=1, listing_gap=400)
    dates = sessions(date(2018, 1, 1), date(2021, 12, 31))
    market, symbols = make_market(dates, settings), made_up_symbols(settings)
    axes = Axes(dates, symbols)
    arrays = {name: np.full(axes.shape, np.nan) for name in FIELDS}
    for column, symbol in enumerate(symbols):
        candles = market.candles[symbol]
        for name in FIELDS:
            arrays[name][np.searchsorted(dates, candles.dates), column] = getattr(candles, name)
    random = np.random.default_rng(0)
    arrays["volume"][random.random(axes.shape) < 0.01] = 0.0
    for name in FIELDS[:4]:
        arrays[name][300:340, STILL] = arrays["close"][300, STILL]
    segment = np.where(np.isfinite(arrays["close"]).cumsum(axis=0) > 0, 0, -1).astype(np.int32)
    for row in BREAKS:
        segment[row:, BROKEN] += 1
    gaps = (random.random(axes.shape) < 0.02) & (np.diff(segment, axis=0, prepend=-1) == 0)
    gaps[800:900, LONG_GAP] = True
    for values in arrays.values():
        values[gaps] = np.nan
    return Panel(axes, **arrays, segment=segment)


@lru_cache(maxsize=1)
def full() -> np.ndarray:
    return nse93(simulated(), dtype=np.float64)


@lru_cache(maxsize=1)
def by_sectors() -> np.ndarray:
    return nse93_sectors(simulated(), sectors=sectors_of(simulated()), dtype=np.float64)


def real() -> Panel:
    """60 of the stocks of 2010 to 2013."""
    candles = pd.read_parquet(shared("market_data/nse_daily_2010_2019.parquet"))
    candles = candles[candles["date"] < "2014-01-01"]
    days = candles["symbol"].value_counts()
    some = [*sorted(days.index[:400])[::8], *sorted(days[days.between(300, 600)].index)[:10]]
    return panel_of(candles[candles["symbol"].isin(some)].astype(dict.fromkeys(FIELDS, float)))


def test_there_are_93_and_no_name_is_another_sets() -> None:
    assert len(NSE93) == len(set(NSE93)) == 93
    assert [len(group) for group in GROUPS.values()] == [16, 13, 17, 23, 5, 6, 9, 4]
    assert not {*NSE93} & {*ALPHA158, *ALPHA360}
    assert FACTOR_SETS["alpha158_nse93"].names == (*ALPHA158, *NSE93)
    assert len(set(NSE93_SECTORS)) == 93 and {*NSE93} - {*NSE93_SECTORS} == {*GROUPS["clusters"]}
    assert [*GROUPS["clusters"]] == [name.replace("SEC", "CL", 1) for name in SECTORS]


def assert_equal_to_the_definition(ours: np.ndarray, panel: Panel, columns: list[int]) -> None:
    sectors = sectors_of(panel)
    expected = by_definition(panel, [panel.axes.symbols[column] for column in columns], sectors)
    assert set(expected) == {*NSE93, *SECTORS}
    theirs_by_sector = nse93_sectors(panel, sectors=sectors, dtype=np.float64)
    both = dict(zip(NSE93_SECTORS, theirs_by_sector, strict=True)) | dict(zip(NSE93, ours, strict=True))
    for name, of_all in both.items():
        values = of_all[:, columns]
        theirs = expected[name].to_numpy()
        assert np.isfinite(theirs).any(), name
        scale = np.nanstd(theirs)
        ours_only, theirs_only = (np.isnan(b) & ~np.isnan(a) for a, b in ((values, theirs), (theirs, values)))
        assert not ours_only.any(), (name, np.argwhere(ours_only)[:3])
        assert not theirs_only.any(), (name, np.argwhere(theirs_only)[:3])
        off = np.nanmax(np.abs(values - theirs)) / scale
        assert off < 1e-7, (name, off)


def test_the_simulated_market_equals_the_definition() -> None:
    assert_equal_to_the_definition(full(), simulated(), [BROKEN, STILL, LONG_GAP, 20, LATE])


def test_real_stocks_equal_the_definition() -> None:
    panel = real()
    ours = nse93(panel, dtype=np.float64)
    late = np.argsort((panel.segment < 0).sum(axis=0), kind="stable")
    assert_equal_to_the_definition(ours, panel, late[[0, 20, -1]].tolist())
    assert implausible_values(ours, NSE93, panel.axes).empty


@pytest.mark.parametrize("since", [0, 1, 249, 500, 501, 743, 744, 760, 979, len(simulated().axes.dates) - 1])
def test_newest_sessions_alone_give_the_same_bits(since: int) -> None:
    panel, sectors = simulated(), sectors_of(simulated())
    np.testing.assert_array_equal(
        nse93_sectors(panel, since, sectors=sectors, dtype=np.float64), by_sectors()[:, since:]
    )
    np.testing.assert_array_equal(nse93(panel, since, dtype=np.float64), full()[:, since:])
    # And nothing earlier is looked at.
    start = looked_back_to(panel.axes.dates, since)
    blind = {name: getattr(panel, name).copy() for name in FIELDS}
    for values in blind.values():
        values[:start] = 1e9
    np.testing.assert_array_equal(nse93(replace(panel, **blind), since, dtype=np.float64), full()[:, since:])


def test_an_empty_span_and_a_session_that_is_none() -> None:
    panel = simulated()
    last = len(panel.axes.dates)
    assert nse93(panel, last).shape == (93, 0, 40)
    with pytest.raises(ValueError, match="is not one of the panel's"):
        nse93(panel, last + 1)


def test_cutting_the_candles_changes_no_earlier_bit() -> None:
    # In the middle of a refit's 20 days, at a turn of the year, of a month, and a session after each.
    cuts = (130, 400, *BREAKS, 743, 744, 745, 761, 950)
    for name in ("nse93", "nse93_sectors"):
        assert factors_that_look_ahead(FACTOR_SETS[name], simulated(), cuts) == ()


def test_garbled_later_sessions_change_no_earlier_bit() -> None:
    panel, cut = simulated(), 755
    garbled = {name: getattr(panel, name).copy() for name in FIELDS}
    for values in garbled.values():
        values[cut:] = np.random.default_rng(1).permutation(values[cut:], axis=1) * 3
    again = nse93(replace(panel, **garbled), dtype=np.float64)
    np.testing.assert_array_equal(again[:, :cut], full()[:, :cut])
    # And they do change the sessions themselves.
    changed = (again[:, cut:] != full()[:, cut:]) & np.isfinite(again[:, cut:])
    assert {name for name, any_changed in zip(NSE93, changed.any(axis=(1, 2)), strict=True) if any_changed} == {*NSE93}


def test_a_break_restarts_every_window_but_the_market() -> None:
    """With the market given, a stretch has the values that it has without what came before it."""
    panel = simulated()
    row = BREAKS[0]
    shorter = {name: getattr(panel, name).copy() for name in ARRAYS}
    for name in FIELDS:
        shorter[name][:row, BROKEN] *= np.where(name == "volume", 7.0, 0.5)
    # What lies before the break is another price level: nothing after it notices, whatever the stocks beside it are.
    again = nse93(replace(panel, **shorter), dtype=np.float64)
    cluster = [NSE93.index(name) for name in GROUPS["clusters"]]
    np.testing.assert_array_equal(
        np.delete(again, cluster, 0)[:, row:, BROKEN], np.delete(full(), cluster, 0)[:, row:, BROKEN]
    )
    beta = NSE93.index("MBETA60")
    assert np.isnan(full()[beta, row : row + 30, BROKEN]).all() and np.isfinite(full()[beta, row - 1, BROKEN])


def test_a_stock_that_lists_late_has_nothing_before() -> None:
    panel = simulated()
    listed = int(np.argmax(panel.segment[:, LATE] >= 0))
    assert listed > 300
    assert np.isnan(full()[:, :listed, LATE]).all()
    there = np.isfinite(full()[:, :, LATE]).any(axis=1)
    assert {name for name, has in zip(NSE93, there, strict=True) if not has} <= {"CMONTH5"}
    # Before it lists, the others are as if it were not there.
    others = np.arange(40) != LATE
    arrays = {name: getattr(panel, name)[:, others] for name in ARRAYS}
    symbols = tuple(np.array(panel.axes.symbols)[others].tolist())
    alone = nse93(Panel(Axes(panel.axes.dates, symbols), **arrays), dtype=np.float64)
    np.testing.assert_allclose(alone[:, :listed], full()[:, :listed, others], rtol=1e-9, atol=1e-12)


def test_only_the_nine_look_at_sectors_and_a_stock_without_one_lacks_them() -> None:
    places = [NSE93_SECTORS.index(name) for name in SECTORS]
    np.testing.assert_array_equal(
        np.delete(by_sectors(), places, 0), np.delete(full(), [NSE93.index(name) for name in GROUPS["clusters"]], 0)
    )
    assert np.isnan(by_sectors()[places, :, -1]).all() and np.isfinite(by_sectors()[places, -1, 0]).all()
    # A sector that changes later changes nothing before.
    other = sectors_of(simulated())
    other[700:, :10] = 3
    again = nse93_sectors(simulated(), sectors=other, dtype=np.float64)
    np.testing.assert_array_equal(again[:, :700], by_sectors()[:, :700])
    assert not np.array_equal(again[:, 700:], by_sectors()[:, 700:], equal_nan=True)


def test_sectors_must_be_given_for_the_panel() -> None:
    for sectors in (None, sectors_of(simulated())[1:]):
        with pytest.raises(ValueError, match="sectors are to be given"):
            FACTOR_SETS["alpha158_nse93_sectors"].compute(simulated(), 0, None, sectors)


def test_threads_do_not_matter() -> None:
    np.testing.assert_array_equal(nse93(simulated(), threads=1, dtype=np.float64), full())


def test_dates_of_refits_and_turns_do_not_depend_on_the_panel() -> None:
    dates = sessions(date(2018, 1, 1), date(2021, 12, 31))
    whole = refit_rows(dates)
    inner = refit_rows(dates[300:700])
    later = whole[300:700] > 300
    np.testing.assert_array_equal(inner[later], (whole[300:700] - 300)[later])
    runs = np.diff(np.unique(whole))
    assert runs.max() == 20 and np.median(runs) >= 18
    assert set(weekday(dates)) <= set(range(7)) and weekday(np.array(["2021-01-04"], "datetime64[D]"))[0] == 0
    days = np.array(
        ["2021-01-29", "2021-02-01", "2021-02-03", "2021-02-04", "2021-02-26", "2021-02-06"], "datetime64[D]"
    )
    assert turn_of_month(days).tolist() == [1, 1, 1, 0, 1, 0]
    friday_and_saturday = np.array(["2021-02-05", "2021-02-06"], "datetime64[D]")
    assert later_date(friday_and_saturday, 1).astype(str).tolist() == ["2021-02-08", "2021-02-08"]


def test_a_sound_panel_is_found_sound_and_a_factor_that_never_comes_is_named() -> None:
    panel, chosen = simulated(), FACTOR_SETS["nse93"]
    values = nse93(panel)
    found = sound_factors("nse93", chosen, values, panel)
    assert found.passed, found.tables
    values[NSE93.index("IVOL60"), 500:] = np.nan
    found = sound_factors("nse93", chosen, values, panel)
    assert not found.passed and found.tables["often missing"]["factor"].tolist() == ["IVOL60"]


def test_too_few_stocks_have_no_components_and_no_clusters() -> None:
    panel = simulated()
    few = {name: getattr(panel, name)[:, :20] for name in ARRAYS}
    values = nse93(Panel(Axes(panel.axes.dates, panel.axes.symbols[:20]), **few))
    missing = {name for name, each in zip(NSE93, values, strict=True) if np.isnan(each).all()}
    assert missing == {*GROUPS["principal components"], *GROUPS["clusters"]}

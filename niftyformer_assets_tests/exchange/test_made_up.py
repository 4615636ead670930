"""The made-up market: deterministic, extendable, consistent, and predictable exactly when it says so."""

from __future__ import annotations

import csv
import io
import subprocess
import sys

import numpy as np
import pytest

from niftyformer_assets.exchange.made_up import make_market, planted_score
from niftyformer_assets.exchange.market import BENCHMARK, BENCHMARK_TOKEN, Candles, ServedMarket
from niftyformer_assets.exchange.settings import INDUSTRIES, MadeUpSettings, made_up_symbols
from niftyformer_assets.indices import INDICES
from niftyformer_assets_tests.exchange.conftest import weekdays

SESSIONS = weekdays("2022-01-03", "2024-09-01")
FIELDS = tuple(Candles.__dataclass_fields__)


def aligned(market: ServedMarket, settings: MadeUpSettings, field: str) -> np.ndarray:
    """[T, N] of one field, NaN before the listing."""
    values = np.full((len(SESSIONS), settings.stocks), np.nan)
    for stock, symbol in enumerate(made_up_symbols(settings)):
        candles = market.candles[symbol]
        values[np.searchsorted(SESSIONS, candles.dates), stock] = getattr(candles, field)
    return values


def returns(close: np.ndarray) -> np.ndarray:
    result = np.full_like(close, np.nan)
    result[1:] = close[1:] / close[:-1] - 1
    return result


def rank_ic(score: np.ndarray, outcome: np.ndarray, ahead: int) -> np.ndarray:
    """Spearman correlation over the stocks of each session's score with the return `ahead` sessions later."""
    daily = []
    for now, later in zip(score[:-ahead], outcome[ahead:], strict=True):
        both = np.isfinite(now) & np.isfinite(later)
        if both.sum() >= 10:
            ranks = [values[both].argsort().argsort() for values in (now, later)]
            daily.append(np.corrcoef(ranks)[0, 1])
    return np.array(daily)


def place_in_range(market: ServedMarket, settings: MadeUpSettings) -> np.ndarray:
    """KSFT2 of Alpha158: (2 close - high - low) / (high - low)."""
    high, low, close = (aligned(market, settings, field) for field in ("high", "low", "close"))
    return (2 * close - high - low) / (high - low + 1e-12)


def test_same_settings_give_the_same_market_and_another_seed_another():
    first, again = (make_market(SESSIONS[:80], MadeUpSettings()) for _ in range(2))
    other = make_market(SESSIONS[:80], MadeUpSettings(seed=7))
    assert first.instruments == again.instruments
    assert first.index_lists == again.index_lists
    for symbol, candles in first.candles.items():
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(candles, field), getattr(again.candles[symbol], field))
    assert not np.array_equal(first.candles["DEMO001"].close, other.candles["DEMO001"].close)


def test_more_sessions_leave_the_history_as_it_was():
    short, long = make_market(SESSIONS[:150], MadeUpSettings()), make_market(SESSIONS, MadeUpSettings())
    for symbol, candles in short.candles.items():
        assert len(candles)
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(candles, field), getattr(long.candles[symbol], field)[: len(candles)])
    np.testing.assert_array_equal(
        planted_score(SESSIONS[:150], MadeUpSettings()), planted_score(SESSIONS, MadeUpSettings())[:150]
    )


@pytest.mark.parametrize("seed", [0, 42])
def test_candles_are_consistent_and_look_like_stocks(seed: int):
    settings = MadeUpSettings(seed=seed)
    market = make_market(SESSIONS, settings)
    for symbol, candles in market.candles.items():
        assert candles.low.min() > 0
        assert (candles.low <= np.minimum(candles.open, candles.close)).all()
        assert (candles.high >= np.maximum(candles.open, candles.close)).all()
        np.testing.assert_array_equal(np.round(candles.close, 2), candles.close)
        assert (candles.volume == 0).all() if symbol == BENCHMARK else (candles.volume > 0).all()
        gaps = candles.open[1:] / candles.close[:-1] - 1
        assert np.abs(gaps).max() < 0.2
    change = returns(aligned(market, settings, "close"))
    assert 0.015 < np.nanstd(change) < 0.025
    volume = aligned(market, settings, "volume")
    moves = np.abs(change[1:, :40]).ravel()
    usual = np.log(volume / np.nanmean(volume, axis=0))[1:, :40].ravel()
    assert np.corrcoef(moves, usual)[0, 1] > 0.2


def test_sectors_correlate_more_than_strangers():
    settings = MadeUpSettings(late_listings=0)
    correlation = np.corrcoef(returns(aligned(make_market(SESSIONS, settings), settings, "close"))[1:].T)
    sector = np.arange(settings.stocks) % len(INDUSTRIES)
    same = (sector[:, None] == sector) & ~np.eye(settings.stocks, dtype=bool)
    other = sector[:, None] != sector
    assert 0.35 < correlation[same].mean() < 0.6
    assert 0.15 < correlation[other].mean() < correlation[same].mean() - 0.1


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_the_planted_score_is_seen_in_the_candles_and_predicts_two_sessions_ahead(seed: int):
    settings = MadeUpSettings(seed=seed)
    market = make_market(SESSIONS, settings)
    outcome = returns(aligned(market, settings, "close"))
    seen = place_in_range(market, settings)
    score = planted_score(SESSIONS, settings)
    both = np.isfinite(score)
    np.testing.assert_array_equal(both, np.isfinite(seen))
    assert np.corrcoef(score[both], seen[both])[0, 1] > 0.97
    for ahead, least in ((1, 0.13), (2, 0.12)):
        for predictor in (seen, score):
            assert rank_ic(predictor, outcome, ahead).mean() > least
    assert rank_ic(score, outcome, 1).mean() < 0.2


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_switched_off_nothing_is_predicted(seed: int):
    settings = MadeUpSettings(seed=seed, predictability=False)
    market = make_market(SESSIONS, settings)
    outcome = returns(aligned(market, settings, "close"))
    for ahead in (1, 2):
        daily = rank_ic(place_in_range(market, settings), outcome, ahead)
        assert abs(daily.mean()) < 4 * daily.std() / np.sqrt(len(daily))
        assert abs(daily.mean()) < 0.03


def test_switching_off_leaves_the_noise_alone():
    on, off = (planted_score(SESSIONS[:90], MadeUpSettings(predictability=choice)) for choice in (True, False))
    np.testing.assert_array_equal(on, off)


def test_late_stocks_start_where_the_settings_say():
    settings = MadeUpSettings(stocks=10, late_listings=3, listing_gap=20)
    candles = make_market(SESSIONS[:50], settings).candles
    symbols = made_up_symbols(settings)
    assert [len(candles[symbol]) for symbol in symbols] == [50] * 7 + [30, 10, 0]
    assert candles[symbols[7]].dates[0] == SESSIONS[20]


def test_the_index_is_the_mean_of_the_stocks():
    settings = MadeUpSettings(stocks=6, late_listings=1, listing_gap=3)
    market = make_market(SESSIONS[:6], settings)
    index = market.candles[BENCHMARK]
    close = np.full((6, 6), np.nan)
    for stock, symbol in enumerate(made_up_symbols(settings)):
        candles = market.candles[symbol]
        close[6 - len(candles) :, stock] = candles.close
    by_hand = np.nanmean(returns(close)[1:], axis=1)
    np.testing.assert_allclose(index.close[1:] / index.close[:-1] - 1, by_hand, atol=2e-4)
    instrument = market.instruments[BENCHMARK]
    assert (instrument.token, instrument.segment) == (BENCHMARK_TOKEN, "INDICES")


def test_names_are_plainly_made_up_and_known_without_prices():
    settings = MadeUpSettings()
    market = make_market(SESSIONS[:2], settings)
    symbols = made_up_symbols(settings)
    assert len(symbols) == len(set(symbols)) == 48
    assert set(symbols) | {BENCHMARK} == set(market.instruments) == set(market.candles)
    assert all(symbol.startswith("DEMO") for symbol in symbols)
    assert any("&" in symbol for symbol in symbols)
    assert any("-" in symbol for symbol in symbols)
    rows = list(csv.DictReader(io.StringIO(market.index_lists["ind_nifty200list.csv"])))
    assert list(rows[0]) == ["Company Name", "Industry", "Symbol", "Series", "ISIN Code"]
    assert [row["Symbol"] for row in rows] == symbols
    assert all(row["Company Name"].startswith("Made-up ") for row in rows)
    assert all(len(row["ISIN Code"]) == 12 and row["ISIN Code"].startswith("XX") for row in rows)
    assert {row["Industry"] for row in rows} == set(INDUSTRIES)
    assert len({instrument.token for instrument in market.instruments.values()}) == 49


def test_symbols_are_known_without_loading_numpy():
    code = (
        "import sys; from niftyformer_assets.exchange.settings import MadeUpSettings, made_up_symbols;"
        "made_up_symbols(MadeUpSettings()); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "wrong",
    [{"stocks": 1}, {"seed": -1}, {"strength": 1.0}, {"persistence": 1.0}, {"late_listings": 48}, {"listing_gap": 0}],
)
def test_settings_that_make_no_market_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MadeUpSettings(**wrong)


@pytest.mark.parametrize("sessions", [[], ["2024-01-02", "2024-01-01"], ["2024-01-01", "2024-01-01"]])
def test_sessions_must_increase(sessions: list[str]):
    with pytest.raises(ValueError, match="strictly increasing"):
        make_market(np.array(sessions, dtype="datetime64[D]"), MadeUpSettings())


def symbols_of(market: ServedMarket, file: str) -> list[str]:
    return [row["Symbol"] for row in csv.DictReader(io.StringIO(market.index_lists[file]))]


def test_each_index_has_a_list_and_others_change_nothing_of_the_first_stocks():
    alone, more = (make_market(SESSIONS[:80], MadeUpSettings(stocks=12, others=others)) for others in (0, 5))
    assert set(alone.index_lists) == {index.list_file for index in INDICES.values()}
    assert symbols_of(more, "ind_nifty200list.csv") == symbols_of(alone, "ind_nifty200list.csv")
    assert len(symbols_of(more, "ind_nifty50list.csv")) == 6
    assert set(symbols_of(more, "ind_nifty500list.csv")) == more.candles.keys() - {BENCHMARK}
    for symbol, candles in alone.candles.items():
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(candles, field), getattr(more.candles[symbol], field))
    fewer = make_market(SESSIONS[:60], MadeUpSettings(stocks=12, others=2))
    for symbol in ("DEMO013", "DEMO014"):
        np.testing.assert_array_equal(fewer.candles[symbol].close, more.candles[symbol].close[:60])
    # They move with their sector: DEMO013 is of the industry of DEMO005.
    change = {name: np.diff(np.log(more.candles[name].close)) for name in ("DEMO013", "DEMO005", "DEMO006")}
    assert np.corrcoef(change["DEMO013"], change["DEMO005"])[0, 1] > 0.2

"""A stock that moves to the series BE or BZ, and back: candles of both, and a break where nothing joins them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.exchange.market import ServedMarket, instruments_of
from niftyformer_assets.market.candle_files import (
    CandleFile,
    from_rows,
    load_breaks,
    read_candle_file,
    write_candle_file,
)
from niftyformer_assets.market.cleaning import clean
from niftyformer_assets.market.corporate_actions import CorporateAction, CorporateActions, Span
from niftyformer_assets.market.ingest import Fetched
from niftyformer_assets.market.kite import BrokenAnswer
from niftyformer_assets.market.refresh import refreshed
from niftyformer_assets.market.series import with_breaks
from niftyformer_assets_tests.market.test_refresh import DAYS, Server, rows, wanted
from niftyformer_assets_tests.market.world import at, made_up, world


def held_in(series: str, days: list[date]) -> CandleFile:
    return CandleFile(rows(days), DAYS[0], days[-1], days[-1], series=series)


def in_be(server_days: list[date], scale: float = 1.0, file: CandleFile | None = None, through: int = 12) -> CandleFile:
    """What becomes of sessions 0 to 10 of EQ when these days are asked of BE."""
    file = file or held_in("", DAYS[:11])
    return refreshed(file, wanted(through, through), Server(rows(server_days, scale)), overlap=3, series="BE")


def test_a_series_that_begins_at_the_move_goes_on_as_a_new_segment() -> None:
    first = in_be(DAYS[11:])
    pd.testing.assert_frame_equal(first.candles, rows(DAYS[:13]))
    assert (first.series, first.joined, first.breaks) == ("BE", DAYS[11], (DAYS[11],))
    assert "new segment" in first.changes[0]
    later = in_be(DAYS[11:], file=first, through=15)
    pd.testing.assert_frame_equal(later.candles, rows(DAYS[:16]))
    assert (later.breaks, later.changes) == (first.breaks, first.changes)


def test_before_its_first_session_is_over_nothing_changes() -> None:
    file = held_in("", DAYS[:11])
    kept = in_be([])
    pd.testing.assert_frame_equal(kept.candles, file.candles)
    assert (kept.series, kept.through, kept.changes) == ("", DAYS[12], ())
    # Nor does a first session whose close was not final say anything of the ones before.
    first = refreshed(file, wanted(11, 10), Server(rows(DAYS[11:])), overlap=3, series="BE")
    second = refreshed(first, wanted(12, 11), Server(rows(DAYS[11:])), overlap=3, series="BE")
    assert second.changes == first.changes
    assert second.breaks == (DAYS[11],)


def test_sessions_in_both_tell_whether_they_are_adjusted_alike() -> None:
    alike = in_be(DAYS[8:])
    pd.testing.assert_frame_equal(alike.candles, rows(DAYS[:13]))
    assert (alike.joined, alike.breaks, alike.changes) == (DAYS[8], (), ())
    halved = in_be(DAYS[8:], scale=0.5)
    pd.testing.assert_frame_equal(halved.candles[8:].reset_index(drop=True), rows(DAYS[8:13], 0.5))
    assert halved.breaks == (DAYS[8],)


def test_a_series_with_the_whole_history_replaces_it_and_heals_a_break() -> None:
    whole = in_be(DAYS)
    assert (whole.joined, whole.breaks, whole.changes) == (None, (), ())
    broken = in_be(DAYS[11:])
    healed = in_be(DAYS, scale=0.5, file=broken, through=13)
    pd.testing.assert_frame_equal(healed.candles, rows(DAYS[:14], 0.5))
    assert (healed.joined, healed.breaks) == (None, ())
    assert "changed by Kite" in healed.changes[-1]


def test_back_in_the_first_series_no_session_is_lost() -> None:
    away = in_be(DAYS[11:14], through=13)
    back = refreshed(away, wanted(16, 16), Server(rows([*DAYS[:11], *DAYS[14:]])), overlap=3)
    pd.testing.assert_frame_equal(back.candles, rows(DAYS[:17]))
    # Its own old sessions read as they did, so all that is at hand is adjusted alike but for the break at the move.
    assert (back.series, back.joined, back.breaks) == ("", DAYS[14], (DAYS[11],))
    split = refreshed(away, wanted(16, 16), Server(rows([*DAYS[:11], *DAYS[14:]], 0.5)), overlap=3)
    assert split.breaks == (DAYS[11], DAYS[14])
    pd.testing.assert_frame_equal(split.candles[:14], rows(DAYS[:14]))


def test_an_adjustment_after_the_move_takes_its_own_sessions_only() -> None:
    moved = in_be(DAYS[11:], through=14)
    split = in_be(DAYS[11:], scale=0.5, file=moved, through=16)
    pd.testing.assert_frame_equal(split.candles[:11], rows(DAYS[:11]))
    pd.testing.assert_frame_equal(split.candles[11:].reset_index(drop=True), rows(DAYS[11:17], 0.5))
    assert split.breaks == (DAYS[11],)
    assert "changed by Kite" in split.changes[-1]


def test_an_answer_that_lost_its_own_sessions_replaces_nothing() -> None:
    moved = in_be(DAYS[11:], through=16)
    for answer in ([], DAYS[15:], DAYS[11:13]):
        with pytest.raises(BrokenAnswer, match="of series BE: those are kept"):
            in_be(answer, file=moved, through=17)


def test_the_file_keeps_what_is_known_of_series(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.parquet" for name in ("MOVED", "PLAIN", "DAMAGED", "ABSENT")}
    moved = in_be(DAYS[11:])
    write_candle_file(paths["MOVED"], moved)
    write_candle_file(paths["PLAIN"], held_in("", DAYS))
    paths["DAMAGED"].write_bytes(b"no parquet")
    again = read_candle_file(paths["MOVED"])
    assert (again.series, again.joined, again.breaks) == ("BE", DAYS[11], (DAYS[11],))
    assert load_breaks(paths) == {"MOVED": (DAYS[11],)}


def test_a_break_starts_a_new_segment_and_is_reported() -> None:
    days = np.array([np.datetime64("2024-01-01") + n for n in range(10)])
    candles = {name: from_rows([(day.item(), 10, 12, 9, 11, 5) for day in days]) for name in ("MOVED", "PLAIN")}
    market = with_breaks(clean(candles, days), {"MOVED": (date(2024, 1, 5),), "GONE": (date(2024, 1, 5),)})
    np.testing.assert_array_equal(market.segment[:, 0], [0] * 4 + [1] * 6)
    np.testing.assert_array_equal(market.segment[:, 1], [0] * 10)
    (found,) = market.quarantine.to_dict("records")
    assert (found["symbol"], found["what"]) == ("MOVED", "other series")
    assert found["effect"] == "return dropped, new segment"
    (cut,) = market.breaks.to_dict("records")
    assert (cut["symbol"], str(cut["last_session"].date()), cut["confirmed"]) == ("MOVED", "2024-01-04", "")
    assert cut["move"] == pytest.approx(10 / 11 - 1)
    twice = with_breaks(market, {"MOVED": (date(2024, 1, 5), date(2024, 1, 1))})
    np.testing.assert_array_equal(twice.segment, market.segment)
    assert len(twice.quarantine) == len(twice.breaks) == 1


@pytest.mark.parametrize(
    ("named", "until", "cut"),
    [
        ((), 10, False),  # the list would know of an action since, and knows of none
        ((("MOVED", 7, 0.5),), 10, True),  # it knows of one
        ((("MOVED", 4, 0.5), ("PLAIN", 7, 0.5)), 10, False),  # of one before, adjusted for in both
        ((), 8, True),  # it ends before the candles do
    ],
)
def test_a_list_of_corporate_actions_tells_whether_series_are_adjusted_alike(
    named: tuple[tuple[str, int, float], ...], until: int, cut: bool
) -> None:
    days = np.array([np.datetime64("2024-01-01") + n for n in range(10)])
    candles = {name: from_rows([(day.item(), 10, 12, 9, 11, 5) for day in days]) for name in ("MOVED", "PLAIN")}
    by_symbol = {name: (CorporateAction(name, date(2024, 1, day), "Bonus", ratio, 0),) for name, day, ratio in named}
    span = Span(date(2024, 1, 1), date(2024, 1, until), frozenset(f"S{n}" for n in range(20)))
    breaks = {"MOVED": (date(2024, 1, 5),)}
    market = with_breaks(clean(candles, days), breaks, CorporateActions(by_symbol, (span,)))
    assert (market.segment[-1, 0], len(market.quarantine), len(market.acquitted)) == ((1, 1, 0) if cut else (0, 0, 1))


@pytest.mark.parametrize("series", ["BE", "BZ"])
def test_a_stock_that_moves_is_found_through_the_client(tmp_path: Path, series: str) -> None:
    market = made_up()
    before, moved = market.candles["DEMO001"], np.datetime64("2024-05-31")
    new = f"DEMO001-{series}"
    others = {name: candles for name, candles in market.candles.items() if name != "DEMO001"}
    candles = {**others, new: before.take(before.dates >= moved)}
    after = ServedMarket(instruments_of({name: name for name in candles}), candles, None)
    with world(tmp_path, at("2024-05-31", "07:00")) as (it, clock):
        it.ingest(clock.now)
        symbols = it.symbols
    for day in ("2024-05-31", "2024-06-03", "2024-06-04"):
        with world(tmp_path, at(day), market=after) as (it, clock):
            outcome = it.ingest(clock.now, symbols)["DEMO001"]
            assert isinstance(outcome, Fetched)
            assert outcome.new_rows == 1
            assert str(outcome.last) == day
    file = read_candle_file(it.workspace.candles("DEMO001"))
    assert (file.series, file.breaks) == (series, (date(2024, 5, 31),))
    # The last close is final the next morning only.
    assert file.candles["close"].tolist()[:-1] == before.close[: file.rows - 1].tolist()
    assert len(file.changes) == 1

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.market.cleaning import clean
from niftyformer_assets.market.quality import assess, report_markdown
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.market.moving import SESSIONS, gapped, market, moving, with_copies

SATURDAY = "2024-03-09"  # after 48 sessions


def spells(**since: str) -> pd.DataFrame:
    """A universe in which each symbol is a member from its date on."""
    frame = pd.DataFrame(since.items(), columns=["symbol", "member_from"])
    frame = frame.assign(member_to=pd.NaT, lists_from="2024-01-01", index="nifty200")
    return frame.astype(dict.fromkeys(("member_from", "member_to", "lists_from"), "datetime64[ms]"))


def traded_on(day: str, frames: dict[str, pd.DataFrame], only: int | None = None) -> dict[str, pd.DataFrame]:
    """Candles with real trading on one more date, of the first `only` stocks."""
    days = np.union1d(SESSIONS, np.array([day], dtype="datetime64[D]"))
    names = list(frames)[:only]
    return frames | {name: moving(100, seed=int(name[1:]), days=days) for name in names}


def test_a_session_the_calendar_lacks_counts_if_most_traded() -> None:
    found = clean(traded_on(SATURDAY, market()), SESSIONS)
    assert found.unknown_sessions.astype(str).tolist() == [SATURDAY]
    assert found.quarantine.empty and found.suspects.empty
    few = clean(traded_on(SATURDAY, market(), only=5), SESSIONS)
    assert few.unknown_sessions.size == 0
    assert few.quarantine["what"].tolist() == ["no session"] * 5
    assert SATURDAY not in few.axes.dates.astype(str)


def test_stocks_that_are_gone_do_not_vote() -> None:
    frames = traded_on(SATURDAY, market(4))
    gone = {f"D{number}": moving(20, seed=number) for number in range(9)}
    assert clean({**frames, **gone}, SESSIONS).unknown_sessions.astype(str).tolist() == [SATURDAY]
    # Those that had a candle a few sessions ago do.
    quiet = {f"Q{number}": moving(40, seed=number) for number in range(9)}
    assert clean({**frames, **quiet}, SESSIONS).unknown_sessions.size == 0


def test_stocks_that_join_later_do_not_vote() -> None:
    frames = traded_on(SATURDAY, market(6))
    later = {f"L{number}": moving(seed=number) for number in range(9)}
    universe = spells(**dict.fromkeys(frames, "2024-01-01"), **dict.fromkeys(later, "2024-09-30"))
    found = clean({**frames, **later}, SESSIONS, universe=universe)
    assert found.unknown_sessions.astype(str).tolist() == [SATURDAY]
    assert clean({**frames, **later}, SESSIONS).unknown_sessions.size == 0


def test_later_listings_and_delistings_change_no_earlier_verdict() -> None:
    frames = traded_on(SATURDAY, market(6))
    ended = {name: frame.iloc[:60] for name, frame in frames.items()}
    assert clean(ended, SESSIONS).unknown_sessions.astype(str).tolist() == [SATURDAY]


@pytest.mark.parametrize(
    "days",
    [["2024-03-09"], ["2024-03-09", "2024-03-10"], ["2024-03-23", "2024-03-24", "2024-03-25"], ["2024-05-20"]],
)
@pytest.mark.parametrize("changes", [{}, {"volume": 0}, {"volume": 12345}])
def test_the_last_session_copied_on_a_day_without_trading(days: list[str], changes: dict[str, float]) -> None:
    plain = market()
    found = clean({name: with_copies(frame, days, **changes) for name, frame in plain.items()}, SESSIONS)
    assert found.unknown_sessions.size == 0
    assert found.axes.dates.tolist() == SESSIONS[:100].tolist()
    np.testing.assert_array_equal(found.close, clean(plain, SESSIONS).close)
    assert set(found.quarantine["what"]) == {"no session"}
    assert "it repeats the candle of" in found.quarantine["reason"].iloc[0]


def test_the_last_close_alone_filled_in_is_a_copy_too() -> None:
    filled = {}
    for name, frame in market().items():
        last = float(frame[frame["date"] < SATURDAY]["close"].iloc[-1])
        filled[name] = with_copies(frame, [SATURDAY], open=last, high=last, low=last)
    assert clean(filled, SESSIONS).unknown_sessions.size == 0


def test_copies_of_some_stocks_beside_trading_of_others() -> None:
    frames = traded_on(SATURDAY, market())
    some = {f"C{number}": with_copies(moving(seed=number), [SATURDAY]) for number in range(3)}
    found = clean({**frames, **some}, SESSIONS)
    assert found.unknown_sessions.astype(str).tolist() == [SATURDAY]
    assert found.suspects[["symbol", "what"]].to_numpy().tolist() == [[name, "repeated candle"] for name in some]


def test_copies_on_every_weekend_cost_a_stock_nothing() -> None:
    days = np.arange("2024-01-06", "2024-05-20", dtype="datetime64[D]")
    weekends = [str(day) for day in days[~np.is_busday(days) & ~np.isin(days, SESSIONS)]]
    found = clean({name: with_copies(frame, weekends) for name, frame in market(6).items()}, SESSIONS)
    assert found.axes.dates.tolist() == SESSIONS[:100].tolist()
    quality = assess(found, {})
    assert set(quality.table["verdict"]) == {"ok"}
    assert quality.table["quarantined"].sum() == 0
    assert f"Dropped: {6 * len(weekends)} candles of 6 symbols (S00, " in report_markdown(quality)


def test_stocks_that_always_stand_still_say_nothing() -> None:
    days = np.union1d(SESSIONS, np.array([SATURDAY], dtype="datetime64[D]"))
    still = {name: moving(100, days=days).assign(open=9.0, high=9.0, low=9.0, close=9.0, volume=7) for name in "ABCD"}
    found = clean(still, SESSIONS)
    assert found.unknown_sessions.astype(str).tolist() == [SATURDAY]
    assert found.stale_sessions.size == 0 and found.suspects.empty and found.quarantine.empty


def repeating(frame: pd.DataFrame, row: int, **changes: float) -> pd.DataFrame:
    """A stale answer: on a session of the calendar the candle is the one before."""
    frame = frame.copy()
    for name in frame.columns[1:]:
        frame.loc[row, name] = changes.get(name, frame.loc[row - 1, name])
    return frame


@pytest.mark.parametrize("row", [30, 99])
def test_a_session_that_most_stocks_repeat_is_not_yet_final(row: int) -> None:
    frames = market()
    stale = {name: repeating(frame, row) if name < "S12" else frame for name, frame in frames.items()}
    found = clean(stale, SESSIONS)
    assert found.stale_sessions.tolist() == [SESSIONS[row].item()]
    assert SESSIONS[row] not in found.axes.dates
    assert found.quarantine["what"].tolist() == ["not yet final"] * 20
    quality = assess(found, {})
    assert f"On {SESSIONS[row]} most stocks' candles" in report_markdown(quality)
    assert set(quality.table["verdict"]) == {"ok"} and set(quality.table["quarantined"]) == {1}


def test_a_session_that_a_few_stocks_repeat_is_suspected_of_them() -> None:
    frames = market() | {"A": repeating(moving(), 30), "B": repeating(moving(seed=1), 40, volume=3)}
    found = clean(frames, SESSIONS)
    assert found.stale_sessions.size == 0 and found.quarantine.empty
    (row,) = found.suspects.to_dict("records")
    assert (row["symbol"], row["what"], row["effect"]) == ("A", "repeated candle", "kept")
    assert f"repeats the candle of {SESSIONS[29]}" in row["reason"]


@pytest.mark.parametrize("days", [-1, 1, 2])
@pytest.mark.parametrize("count", [20, 100])
def test_a_folder_of_shifted_dates_is_refused(days: int, count: int) -> None:
    shifted = {
        name: frame.assign(date=frame["date"] + pd.Timedelta(days=days)) for name, frame in market(count=count).items()
    }
    with pytest.raises(NiftyFormerError, match=r"the dates of the candles are wrong: .* NSE did not trade"):
        clean(shifted, SESSIONS)


def test_a_folder_of_which_most_is_shifted_is_refused() -> None:
    frames = market() | {
        f"X{number:02d}": frame.assign(date=frame["date"] + pd.Timedelta(days=1))
        for number, frame in enumerate(market(30).values())
    }
    with pytest.raises(NiftyFormerError, match="dates of the candles are wrong"):
        clean(frames, SESSIONS)


def test_a_stock_with_holes_is_not_shifted_by_sessions_the_calendar_lacks() -> None:
    specials = [SATURDAY, "2024-03-16", "2024-03-30", "2024-04-06"]
    days = np.union1d(SESSIONS, np.array(specials, dtype="datetime64[D]"))
    frames = market(days=days) | {"X": moving(days=days).drop(index=range(20, 30))}
    found = clean(frames, SESSIONS)
    assert found.unknown_sessions.astype(str).tolist() == specials
    assert found.quarantine.empty


def test_one_stock_of_shifted_dates_fails_alone() -> None:
    frame = moving()
    frames = market() | {"X": frame.assign(date=frame["date"] + pd.Timedelta(days=-1))}
    found = clean(frames, SESSIONS)
    column = found.axes.symbols.index("X")
    # Three weeks pass before it is plain.
    assert np.isfinite(found.close[:, column]).sum() < 20
    assert "wrong dates" in set(found.quarantine["what"])
    row = assess(found, {}).table.set_index("symbol").loc["X"]
    assert row["verdict"] == "fail" and row["reason"].startswith("its dates are wrong")
    # Later candles change no earlier verdict.
    cut = str(SESSIONS[40])
    part = clean({name: candles[candles["date"] <= cut] for name, candles in frames.items()}, SESSIONS)
    np.testing.assert_array_equal(part.close, found.close[: len(part.axes.dates)])


@pytest.mark.parametrize("cut", [25, 31, 40, 48, 49, 60, 75])
def test_later_candles_change_nothing_earlier(cut: int) -> None:
    """Copies, a session too many, a stale one, breaks, a pause and wrong dates: all told from what was before."""
    frames = traded_on(SATURDAY, market())
    frames = {name: repeating(with_copies(frame, ["2024-02-10"]), 45) for name, frame in frames.items()}
    frames["B"] = gapped(gapped(moving(seed=1), 30, 0.6), 60, 1.5)
    frames["P"] = gapped(moving(seed=2), 50, 0.5).drop(index=range(40, 50))
    frames["W"] = moving(seed=3).assign(date=moving()["date"] + pd.Timedelta(days=1))
    whole = clean(frames, SESSIONS)
    last = np.datetime64(SESSIONS[cut], "ms")
    part = clean({name: frame[frame["date"] <= last] for name, frame in frames.items()}, SESSIONS)
    count = len(part.axes.dates)
    assert part.axes.dates.tolist() == whole.axes.dates[:count].tolist()
    for name in ("open", "close", "volume", "segment"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:count])
    for name in ("quarantine", "suspects", "breaks"):
        known = getattr(whole, name)
        pd.testing.assert_frame_equal(
            getattr(part, name), known[known["session"] <= last].reset_index(drop=True), check_dtype=False
        )
    assert {"overnight gap", "gap after a pause", "not yet final", "no session", "wrong dates"} <= set(
        whole.quarantine["what"]
    )


def test_moved_holidays_and_special_sessions_are_no_shift() -> None:
    """A holiday kept a day later than the calendar has it, and two special sessions more in a year."""
    days = np.setdiff1d(SESSIONS, np.array(["2024-04-10"], dtype="datetime64[D]"))
    days = np.union1d(days, np.array(["2024-04-11", SATURDAY, "2024-04-20"], dtype="datetime64[D]"))
    found = clean(market(count=200, days=days), SESSIONS)
    assert found.unknown_sessions.astype(str).tolist() == [SATURDAY, "2024-04-11", "2024-04-20"]
    assert found.silent_sessions.astype(str).tolist() == ["2024-04-10"]


def test_a_date_before_the_calendar_begins_is_no_shift() -> None:
    found = clean(market(), SESSIONS[40:])
    assert len(found.axes.dates) == 100
    assert date(2024, 1, 2) in found.unknown_sessions.tolist()

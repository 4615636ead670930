from __future__ import annotations

import runpy
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.market.cleaning import CleanMarket, QualitySettings, clean
from niftyformer_assets.market.corporate_actions import CorporateActions, read_corporate_actions
from niftyformer_assets.market.quality import assess, report_markdown
from niftyformer_assets_tests.market.moving import SESSIONS, gapped, market, moving
from niftyformer_assets_tests.shared_data import ROOT, shared

ROW = 70
DAY: date = SESSIONS[ROW].item()
HEADER = (
    "SYMBOL,COMPANY NAME,SERIES,PURPOSE,FACE VALUE,EX-DATE,RECORD DATE,BOOK CLOSURE START DATE,BOOK CLOSURE END DATE"
)


def cleaned(frame: pd.DataFrame, actions: CorporateActions | None = None, **settings: float) -> CleanMarket:
    """The stock X among others that only move."""
    more = {} if actions is None else {"actions": actions}
    return clean({"X": frame, **market()}, SESSIONS, QualitySettings(**settings), **more)


def segments(found: CleanMarket) -> int:
    others = np.delete(found.segment, found.axes.symbols.index("X"), axis=1)
    assert others.max() == 0
    return int(found.segment[-1, found.axes.symbols.index("X")]) + 1


@pytest.fixture
def listed(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Write NSE's list of these (symbol, purpose, ex-date) and of others that span the year, and read it."""

    def write(*rows: tuple[str, str, date], others: int = 12) -> CorporateActions:
        dividends = [
            (f"OTHER{n}", "Dividend - Rs 2 Per Share", day)
            for n in range(others)
            for day in (date(2024, 1, 2), date(2024, 12, 20))
        ]
        lines = [f"{s},{s} Limited,EQ,{what},10,{day:%d-%b-%Y},-,-,-" for s, what, day in (*rows, *dividends)]
        (tmp_path / "CF-CA-equities.csv").write_text("\n".join([HEADER, *lines]), encoding="utf-8")
        return read_corporate_actions(tmp_path)

    return write


@pytest.mark.parametrize(
    ("factor", "cut"), [(1.34, False), (1.36, True), (0.79, False), (0.77, True), (0.70, True), (2 / 3, True)]
)
def test_falls_are_judged_more_strictly_than_rises(factor: float, cut: bool) -> None:
    found = cleaned(gapped(moving(), ROW, factor))
    assert segments(found) == 1 + cut
    assert found.quarantine["what"].tolist() == ["overnight gap"] * cut


def test_the_thresholds_are_settings() -> None:
    frame = gapped(moving(), ROW, 0.6)
    assert segments(cleaned(frame, max_overnight_fall=0.5)) == 1
    assert segments(cleaned(gapped(moving(), ROW, 1.25), max_overnight_rise=0.22)) == 2
    for wrong in ({"max_overnight_fall": 0.1}, {"max_overnight_rise": 0.1}, {"suspect_overnight_gap": 0.0}):
        with pytest.raises(ValueError, match="overnight"):
            QualitySettings(**wrong)


@pytest.mark.parametrize(
    ("factor", "deviation", "suspected"),
    [
        (0.80, 0.01, True),  # a 1:4 bonus
        (0.83, 0.01, True),  # a 1:5 bonus
        (0.80, 0.06, True),  # 20% are worth a word however a stock moves
        (0.83, 0.06, False),  # as this stock moves, nothing special
        (0.87, 0.01, False),
        (0.95, 0.01, False),
        (1.18, 0.01, False),
        (1.25, 0.01, True),
    ],
)
def test_smaller_gaps_are_suspected_and_kept(factor: float, deviation: float, suspected: bool) -> None:
    found = cleaned(gapped(moving(deviation=deviation), ROW, factor * 0.999))
    assert segments(found) == 1
    assert found.suspects["what"].tolist() == ["suspected adjustment"] * suspected


def test_a_fall_that_the_session_takes_back_is_not_suspected() -> None:
    assert cleaned(gapped(moving(), ROW, 0.83)).suspects["session"].tolist() == [pd.Timestamp(DAY)]
    assert cleaned(gapped(moving(), ROW, 0.83, until=ROW)).suspects.empty


def test_a_break_says_what_its_return_would_have_been() -> None:
    found = cleaned(gapped(moving(), ROW, 0.62))
    (row,) = found.breaks.to_dict("records")
    assert (row["symbol"], row["confirmed"]) == ("X", "")
    assert (row["session"], row["last_session"]) == (pd.Timestamp(DAY), pd.Timestamp(SESSIONS[ROW - 1]))
    assert row["move"] == pytest.approx(-0.38, abs=1e-4)
    assert "had it been real, the holder's return was -38.0%" in found.quarantine["reason"].iloc[0]
    text = report_markdown(assess(found, {}))
    assert f"| X | {DAY} | {SESSIONS[ROW - 1]} | -38.0% |" in text


def test_only_members_speak_for_the_market() -> None:
    """Stocks that join the index later do not change what is decided about a session before."""
    falling = {name: gapped(frame, ROW, 0.8) for name, frame in market(7).items()}
    frames = {"X": gapped(moving(), ROW, 0.65), **falling}
    later = {f"L{number}": moving(seed=number) for number in range(9)}
    spells = [(name, date(2024, 1, 1)) for name in frames] + [(name, date(2024, 11, 1)) for name in later]
    universe = pd.DataFrame(spells, columns=["symbol", "member_from"])
    universe = universe.assign(member_to=pd.NaT, lists_from=date(2024, 1, 1), index="nifty200")
    universe = universe.astype(dict.fromkeys(("member_from", "member_to", "lists_from"), "datetime64[ms]"))
    alone = clean(frames, SESSIONS, universe=universe)
    together = clean({**frames, **later}, SESSIONS, universe=universe)
    assert alone.quarantine.empty and together.quarantine.empty
    assert len(clean({**frames, **later}, SESSIONS).quarantine) == 1


def paused(factor: float, sessions: int, deviation: float = 0.01) -> pd.DataFrame:
    frame = gapped(moving(deviation=deviation), ROW, factor)
    return frame.drop(index=range(ROW - sessions, ROW))


def test_a_gap_after_a_pause_names_the_last_session() -> None:
    frame = paused(0.5, 20)
    found = cleaned(frame)
    (row,) = found.quarantine.to_dict("records")
    assert row["what"] == "gap after a pause"
    assert f"from its last close, of {SESSIONS[ROW - 21]}, 21 sessions before" in row["reason"]
    # Also where nobody else has a candle in between.
    alone = clean({"X": frame}, SESSIONS)
    assert f"of {SESSIONS[ROW - 21]}, 21 sessions before" in alone.quarantine["reason"].iloc[0]


def test_after_a_pause_the_market_may_have_moved_as_far() -> None:
    fallen = {name: gapped(gapped(gapped(frame, 60, 0.84), 62, 0.84), 64, 0.84) for name, frame in market().items()}
    frame = paused(0.6, 20)
    assert clean({"X": frame, **fallen}, SESSIONS).quarantine.empty
    assert len(clean({"X": frame, **market()}, SESSIONS).quarantine) == 1
    # A stock that stays where it was while the market moves is no break either.
    assert clean({"X": paused(1.0, 20), **fallen}, SESSIONS).quarantine.empty


def test_after_a_pause_a_stock_may_have_moved_as_it_usually_does() -> None:
    assert segments(cleaned(paused(0.7, 20, deviation=0.01))) == 2
    assert segments(cleaned(paused(0.7, 20, deviation=0.04))) == 1


@pytest.mark.parametrize(
    ("purpose", "factor"),
    [
        ("Bonus 1:2", 0.65),
        ("Bonus 1:10", 0.915),
        ("Bonus 1:4", 0.81),
        ("Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share", 0.21),
        ("Consolidation Of Shares From Re 1/- To Rs 10/-", 9.5),
        ("Demerger", 0.85),
        ("Scheme Of Arrangement", 1.6),
        ("Bonus 1:2", 1.48),  # adjusted for twice
    ],
)
def test_a_listed_action_confirms(listed, purpose: str, factor: float) -> None:  # type: ignore[no-untyped-def]
    found = cleaned(gapped(moving(), ROW, factor), listed(("X", purpose, DAY)))
    assert segments(found) == 2
    assert purpose in found.breaks["confirmed"].iloc[0] and str(DAY) in found.breaks["confirmed"].iloc[0]
    assert found.suspects.empty
    text = report_markdown(assess(found, {}))
    assert "without confirmation" not in text
    assert assess(found, {}).table.set_index("symbol").loc["X", "confirmed_breaks"] == str(DAY)


@pytest.mark.parametrize("purpose", ["Bonus 1:2", "Bonus 1:10", "Demerger", "Dividend - Rs 300 Per Share"])
def test_a_listed_action_that_was_adjusted_for_leaves_no_break(listed, purpose: str) -> None:  # type: ignore[no-untyped-def]
    found = cleaned(moving(), listed(("X", purpose, DAY)))
    assert segments(found) == 1 and found.quarantine.empty


def test_a_dividend_may_be_large(listed) -> None:  # type: ignore[no-untyped-def]
    """Rs 150 of about Rs 500."""
    frame = gapped(moving(), ROW, 0.7)
    found = cleaned(frame, listed(("X", "Special Dividend - Rs 150 Per Share", DAY)))
    assert "Special Dividend" in found.breaks["confirmed"].iloc[0]


def test_a_rise_on_the_day_of_a_small_bonus_is_real(listed) -> None:  # type: ignore[no-untyped-def]
    assert segments(cleaned(gapped(moving(), ROW, 1.08), listed(("X", "Bonus 1:10", DAY)))) == 1


def test_an_action_shows_on_the_first_candle_from_its_ex_date_on(listed) -> None:  # type: ignore[no-untyped-def]
    frame = paused(0.5, 3)
    for days_before in (0, 1):
        found = cleaned(frame, listed(("X", "Bonus 1:1", SESSIONS[ROW - days_before].item())))
        assert "Bonus 1:1" in found.breaks["confirmed"].iloc[0]
    # One that showed before the pause is not this gap's, only near it.
    earlier = cleaned(frame, listed(("X", "Bonus 1:1", SESSIONS[ROW - 5].item())))
    assert earlier.breaks["confirmed"].tolist() == [""]


def test_a_renamed_stock_is_found_under_its_old_symbol(listed) -> None:  # type: ignore[no-untyped-def]
    frames = {"ETERNAL": gapped(moving(), ROW, 0.5), **market()}
    found = clean(frames, SESSIONS, actions=listed(("ZOMATO", "Bonus 1:1", DAY)))
    assert "Bonus 1:1" in found.breaks["confirmed"].iloc[0]


def test_a_list_that_knows_nothing_of_a_gap_acquits_it(listed) -> None:  # type: ignore[no-untyped-def]
    for factor in (0.62, 1.5):
        found = cleaned(gapped(moving(), ROW, factor), listed())
        assert segments(found) == 1
        assert found.quarantine.empty
        assert found.acquitted["symbol"].tolist() == ["X"]
        assert "Kept, because NSE's list" in report_markdown(assess(found, {}))
    # Nor is anything suspected then.
    assert cleaned(gapped(moving(), ROW, 0.8), listed()).suspects.empty


def test_a_list_acquits_only_what_it_would_know(listed) -> None:  # type: ignore[no-untyped-def]
    frame = gapped(moving(), ROW, 0.62)
    # Too few companies: a list of these alone.
    assert segments(cleaned(frame, listed(others=3))) == 2
    # Of this company, but it ends before.
    before = DAY - timedelta(days=30)
    own = [("X", "Dividend - Rs 1 Per Share", day) for day in (date(2024, 1, 3), before)]
    assert segments(cleaned(frame, listed(*own, others=0))) == 2
    # It spans the session.
    assert segments(cleaned(frame, listed(*own, ("X", "Dividend - Rs 1 Per Share", date(2024, 9, 2)), others=0))) == 1
    # A dividend on the day explains no such gap, and does not keep it from being real.
    assert segments(cleaned(frame, listed(("X", "Dividend - Rs 2 Per Share", DAY)))) == 1
    # An action a few days off: the ex-date may have been moved.
    assert segments(cleaned(frame, listed(("X", "Bonus 1:1", DAY + timedelta(days=3))))) == 2


def test_the_documented_table_is_what_real_actions_give() -> None:
    folder = shared("market_data/corporate_actions")
    measure = runpy.run_path(str(ROOT / "benchmarks" / "confusion_of_breaks.py"))
    candles, actions, gaps = measure["read"](folder)
    documented = (ROOT / "docs" / "corporate_actions.md").read_text(encoding="utf-8")
    for listed_actions in (measure["NONE"], measure["list_of"](actions)):
        table = measure["confusion"](candles, actions, gaps, listed_actions)
        for name, counts in table.iterrows():
            assert f"| {name} | {' | '.join(map(str, counts))} |" in documented
    alone = measure["confusion"](candles, actions, gaps, measure["NONE"])
    assert alone.loc["1:2 bonus (0.67)", "quarantined"] == 12
    assert alone.loc["1:3 bonus (0.75)", "quarantined"] >= 4
    assert alone.loc[measure["REST"], "quarantined"] == 106
    assert alone.loc["genuine gaps beyond 15%", "quarantined"] <= 1

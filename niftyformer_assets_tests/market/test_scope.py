from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.market.scope import Scope, membership_at, scope
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.market.split import Period, SplitByDate
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

DATES = np.arange("2024-01-01", "2024-01-21", dtype="datetime64[D]")
PANEL = Axes(DATES, ("AAA", "BBB", "CCC", "DDD"))
SPLIT = SplitByDate(
    Period(date(2024, 1, 3), date(2024, 1, 12)),
    Period(date(2024, 1, 13), date(2024, 1, 15)),
    Period(date(2024, 1, 16), date(2024, 1, 18)),
)
SETTINGS = UniverseSettings(min_training_sessions=5)


def universe(lists_from: str = "2023-01-01") -> pd.DataFrame:
    rows = [
        ("AAA", "2023-01-01", None),
        ("BBB", "2023-01-01", "2024-01-06"),
        ("CCC", "2024-01-05", None),
        ("DDD", "2023-01-01", None),
        ("EEE", "2023-01-01", None),
    ]
    frame = pd.DataFrame(rows, columns=["symbol", "member_from", "member_to"])
    frame["lists_from"] = lists_from
    frame["index"], frame["quality"] = "nifty200", "list"
    for column in ("member_from", "member_to", "lists_from"):
        frame[column] = pd.to_datetime(frame[column])
    return frame


def close() -> np.ndarray:
    values = np.ones(PANEL.shape)
    values[:10, 3] = np.nan  # DDD lists on 2024-01-11: two candles up to the training end
    return values


def run(values: np.ndarray, settings: UniverseSettings = SETTINGS, lists_from: str = "2023-01-01") -> Scope:
    return scope(values, PANEL, universe(lists_from), SPLIT, settings)


def test_fixed_at_the_training_start() -> None:
    found = run(close())
    assert found.axes.symbols == ("AAA", "BBB")
    assert found.axes.dates[0] == np.datetime64("2024-01-03")
    assert len(found.axes.dates) == 18
    assert found.member.all()
    assert set(found.left_out) == {"DDD", "EEE"}
    # EEE is in no file: it was delisted since.
    assert found.survivorship.startswith("1 of 4 members have no candles")
    assert "carry survivorship bias" in found.survivorship
    listed = universe()[lambda frame: frame["symbol"] != "EEE"]
    assert "stocks that left the index since are in it" in scope(close(), PANEL, listed, SPLIT, SETTINGS).survivorship
    assert found.cut(np.arange(80).reshape(20, 4))[0].tolist() == [8, 9]


def test_at_each_session() -> None:
    found = run(close(), UniverseSettings(membership="each_session", min_training_sessions=5))
    assert found.axes.symbols == ("AAA", "BBB", "CCC")
    assert found.member[:, 1].tolist() == [True] * 4 + [False] * 14
    assert found.member[:, 2].tolist() == [False] * 2 + [True] * 16


def test_lists_that_do_not_reach_back_are_said() -> None:
    found = run(close(), lists_from="2024-01-05")
    assert "2024-01-05" in found.survivorship
    assert found.survivorship.endswith("no part: not listed then, or delisted since.")
    # The earliest list stands in: CCC was on it.
    assert found.axes.symbols == ("AAA", "BBB", "CCC")


def test_candles_after_the_training_end_decide_nothing() -> None:
    later = close()
    later[12:, 0] = np.nan
    assert run(later).axes == run(close()).axes


def test_a_stock_with_too_many_holes_in_training_is_left_out() -> None:
    holes = close()
    holes[3:6, 0] = np.nan
    assert "25% of its sessions" in run(holes).left_out["AAA"]


def test_nobody_left_is_an_error() -> None:
    with pytest.raises(NiftyFormerError, match="none of the 4 members"):
        run(np.full(PANEL.shape, np.nan))


def test_membership_joins_several_spells() -> None:
    again = universe().iloc[[0]].assign(symbol="BBB", member_from=pd.Timestamp("2024-01-10"))
    frame = pd.concat([universe(), again])
    assert membership_at(frame, DATES)["BBB"].tolist() == [True] * 6 + [False] * 3 + [True] * 11


def test_at_the_training_end() -> None:
    found = run(close(), UniverseSettings(membership="training_end", min_training_sessions=5))
    # BBB left in training; CCC came in it, and counts from the beginning.
    assert found.axes.symbols == ("AAA", "CCC")
    assert found.member.all()
    # What the lists must reach back to is the training end.
    settings = UniverseSettings(membership="training_end", min_training_sessions=5)
    assert "reach back" not in run(close(), settings, lists_from="2024-01-12").survivorship
    assert "after the training end 2024-01-12" in run(close(), settings, lists_from="2024-01-13").survivorship


def test_only_members_of_the_index_take_part() -> None:
    both = pd.concat([universe(), universe().query("symbol == 'CCC'").assign(index="nifty50", lists_from="2023-01-01")])
    both["lists_from"] = pd.to_datetime(both["lists_from"])
    settings = UniverseSettings(index="nifty50", membership="training_end", min_training_sessions=5)
    assert scope(close(), PANEL, both, SPLIT, settings).axes.symbols == ("CCC",)
    assert scope(close(), PANEL, both, SPLIT, SETTINGS).axes.symbols == ("AAA", "BBB")
    with pytest.raises(NiftyFormerError, match=r"no list of the NIFTY-500 is at hand \(NIFTY-200, NIFTY-50\)"):
        scope(close(), PANEL, both, SPLIT, UniverseSettings(index="nifty500"))
    # Who speaks for the market is a member of any of them.
    assert membership_at(both, DATES)["CCC"].tolist() == [False] * 4 + [True] * 16


@pytest.mark.parametrize("membership", ["training_start", "training_end", "each_session"])
def test_lists_after_a_session_change_no_membership_up_to_it(membership: str) -> None:
    settings = UniverseSettings(membership=membership, min_training_sessions=5)  # type: ignore[arg-type]
    known = universe()
    garbled = universe()
    cut = pd.Timestamp("2024-01-12")  # the training end
    garbled.loc[garbled["member_to"].isna(), "member_to"] = cut
    garbled = pd.concat([garbled, known.iloc[[1]].assign(member_from=cut + pd.Timedelta(days=1), member_to=pd.NaT)])
    before, after = (scope(close(), PANEL, frame, SPLIT, settings) for frame in (known, garbled))
    assert before.axes.symbols == after.axes.symbols
    np.testing.assert_array_equal(before.member[:10], after.member[:10])
    # What is decided up to the training end stays; at each session later lists decide later.
    assert (before.member[10:] == after.member[10:]).all() == (membership != "each_session")

"""A universe drawn by trading: whom it draws, and that it looks at nothing later than the year before."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.most_traded import most_traded_at
from niftyformer_assets.market.scope import scope
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.market.split import Period, SplitByDate
from niftyformer_assets.market.universe import build_universe
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

DATES = sessions(date(2020, 1, 1), date(2023, 12, 29))
YEARS = DATES.astype("datetime64[Y]").astype(int) + 1970
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
PANEL = Axes(DATES, SYMBOLS)
NOBODY = build_universe([], others=SYMBOLS)
SPLIT = SplitByDate(
    Period(date(2021, 6, 1), date(2022, 6, 30)),
    Period(date(2022, 7, 1), date(2022, 12, 30)),
    Period(date(2023, 1, 2), date(2023, 12, 29)),
)


def market() -> tuple[np.ndarray, np.ndarray]:
    """Closes of 100 and volumes by which AAA and BBB lead in 2020, CCC and BBB in 2021, DDD and CCC in 2022."""
    close, volume = np.full(PANEL.shape, 100.0), np.full(PANEL.shape, 1e3)
    for year, leaders in ((2020, (0, 1)), (2021, (2, 1)), (2022, (3, 2)), (2023, (4, 3))):
        for rank, column in enumerate(leaders):
            volume[year == YEARS, column] = 1e6 / (rank + 1)
    return close, volume


def drawn(day: str, n: int = 2, **changed: np.ndarray) -> set[str]:
    close, volume = market()
    member = most_traded_at(
        changed.get("close", close), changed.get("volume", volume), DATES, np.array([day], dtype="datetime64[D]"), n
    )
    return {symbol for symbol, is_in in zip(SYMBOLS, member[0], strict=True) if is_in}


def test_the_year_before_draws_and_no_other() -> None:
    assert drawn("2021-01-01") == drawn("2021-12-31") == {"AAA", "BBB"}
    assert drawn("2022-01-03") == {"BBB", "CCC"}
    assert drawn("2023-06-01", 1) == {"DDD"}
    assert drawn("2023-06-01", 99) == set(SYMBOLS)


def test_it_is_the_median_of_rupees() -> None:
    close, _ = market()
    close[YEARS == 2020, 4] = 200_000.0  # few shares of a high price are many rupees
    assert drawn("2021-03-01", 1, close=close) == {"EEE"}
    _, volume = market()
    volume[np.flatnonzero(YEARS == 2020)[:20], 4] = 1e12  # a few sessions do not make a year
    assert drawn("2021-03-01", 2, volume=volume) == {"AAA", "BBB"}


@pytest.mark.parametrize(("missing", "counts"), [(0, True), (-1, True), (1, False)])
def test_half_of_the_sessions_are_enough(missing: int, counts: bool) -> None:
    close, _ = market()
    of_year = np.flatnonzero(YEARS == 2020)
    close[of_year[: len(of_year) // 2 + missing], 0] = np.nan
    assert len(of_year) % 2 == 0
    assert ("AAA" in drawn("2021-03-01", 2, close=close)) is counts


def test_of_equals_the_first_in_the_alphabet_counts() -> None:
    assert drawn("2021-03-01", 3) == {"AAA", "BBB", "CCC"}


def test_without_candles_of_the_year_before_it_is_refused() -> None:
    with pytest.raises(NiftyFormerError, match=r"stocks of 2020 by the trading of 2019, of which 0 sessions"):
        drawn("2020-06-01")
    close, volume = market()
    late = np.flatnonzero(YEARS == 2020)[-59:][0]
    asked = np.array(["2021-03-01"], dtype="datetime64[D]")
    with pytest.raises(NiftyFormerError, match="59 sessions are at hand and 60 are needed"):
        most_traded_at(close[late:], volume[late:], DATES[late:], asked, 2)


@pytest.mark.parametrize(
    ("membership", "taking_part"),
    [
        ("training_start", ("AAA", "BBB")),
        ("training_end", ("BBB", "CCC")),
        ("each_session", ("AAA", "BBB", "CCC")),
    ],
)
def test_a_scope_drawn_by_trading(membership: str, taking_part: tuple[str, ...]) -> None:
    close, volume = market()
    settings = UniverseSettings(most_traded=2, membership=membership)  # type: ignore[arg-type]
    found = scope(close, PANEL, NOBODY, SPLIT, settings, volume)
    assert found.axes.symbols == taking_part
    if membership != "each_session":
        assert found.member.all()
    else:
        years = YEARS[found.rows]
        assert [found.member[years == year].all(axis=0).tolist() for year in (2021, 2022, 2023)] == [
            [True, True, False],
            [False, True, True],
            [False, False, True],  # DDD was no member in training
        ]
    assert "carry survivorship bias" in found.survivorship
    stopped = close.copy()
    stopped[-100:, 4] = np.nan
    assert "1 of these stopped trading" in scope(stopped, PANEL, NOBODY, SPLIT, settings, volume).survivorship


@pytest.mark.parametrize("membership", ["training_start", "training_end", "each_session"])
@pytest.mark.parametrize("seed", range(3))
def test_garbled_candles_after_a_session_change_no_membership_up_to_it(membership: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    close, volume = generator.lognormal(5, 1, PANEL.shape), generator.lognormal(10, 1, PANEL.shape)
    settings = UniverseSettings(most_traded=3, membership=membership)  # type: ignore[arg-type]
    cut = int(np.searchsorted(DATES, np.datetime64("2022-06-30"))) + 1  # the training end, in the middle of a year
    before = scope(close, PANEL, NOBODY, SPLIT, settings, volume)
    other_close, other_volume = close.copy(), volume.copy()
    other_close[cut:] = generator.lognormal(5, 3, close[cut:].shape)
    other_volume[cut:] = generator.lognormal(10, 3, volume[cut:].shape)
    other_close[cut:][generator.random(close[cut:].shape) < 0.2] = np.nan
    after = scope(other_close, PANEL, NOBODY, SPLIT, settings, other_volume)
    assert after.axes.symbols == before.axes.symbols
    known = cut - before.rows.start
    np.testing.assert_array_equal(after.member[:known], before.member[:known])
    if membership != "each_session":
        np.testing.assert_array_equal(after.member, before.member)
    # In a year after the cut the draw does look at what was garbled: the test can fail.
    later = np.array(["2023-06-01"], dtype="datetime64[D]")
    draws = [most_traded_at(c, v, DATES, later, 3) for c, v in ((close, volume), (other_close, other_volume))]
    assert seed or (draws[0] != draws[1]).any()


def test_index_and_trading_together_are_refused() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        UniverseSettings(index="nifty200", most_traded=50)
    with pytest.raises(ValueError, match="at least 2"):
        UniverseSettings(most_traded=1)
    assert UniverseSettings() == UniverseSettings(index="nifty200")
    assert UniverseSettings(most_traded=50).index is None

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.candle_files import from_rows
from niftyformer_assets.market.cleaning import CleanMarket, clean
from niftyformer_assets.market.panel import build_panel, load_panel, save_panel
from niftyformer_assets.market.quality import assess, report_markdown, save_quality
from niftyformer_assets.market.size_proxy import load_size_proxy, save_size_proxy, size_proxy
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets_tests.market.real import real_candles

SESSIONS = sessions(date(2024, 1, 1), date(2024, 12, 31))


def stock(opens: list[float], volume: int = 100) -> pd.DataFrame:
    """A candle a session; each closes where the next one opens."""
    rows = [
        (day, price, max(price, after), min(price, after), after, volume)
        for day, price, after in zip(SESSIONS.tolist(), opens, [*opens[1:], opens[-1]], strict=False)
    ]
    return from_rows(rows)


def flat(count: int, price: float = 100.0) -> pd.DataFrame:
    return stock([price] * count)


def cell(market: CleanMarket, symbol: str, session: int, name: str = "close") -> float:
    return float(getattr(market, name)[session, market.axes.symbols.index(symbol)])


def test_candles_lie_on_their_sessions() -> None:
    late = flat(10).iloc[4:8]
    market = clean({"B": late, "A": flat(10)}, SESSIONS)
    assert market.axes.symbols == ("A", "B")
    assert market.axes.dates.tolist() == SESSIONS[:10].tolist()
    assert np.isfinite(market.close[:, 1]).tolist() == [False] * 4 + [True] * 4 + [False] * 2
    assert market.segment[:, 1].tolist() == [-1] * 4 + [0] * 6
    assert market.quarantine.empty


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("low", -1.0, "non-positive price"),
        ("open", 0.0, "non-positive price"),
        ("volume", -5, "negative volume"),
        ("high", 99.0, "high below open, low or close"),
        ("low", 101.0, "low above open, high or close"),
    ],
)
def test_an_impossible_candle_is_taken_out(column: str, value: float, what: str) -> None:
    spoilt = flat(10)
    if column == "low" and value > 0:
        spoilt["high"] = 102.0
    spoilt.loc[5, column] = value
    market = clean({"A": spoilt, "B": flat(10)}, SESSIONS)
    assert market.quarantine["what"].tolist() == [what]
    assert str(market.quarantine["session"].iloc[0])[:10] == str(SESSIONS[5])
    assert all(np.isnan(cell(market, "A", 5, name)) for name in ("open", "high", "low", "close", "volume"))
    assert cell(market, "A", 6) == 100
    assert market.segment[:, 0].tolist() == [0] * 10


def test_a_candle_below_a_rupee_or_without_volume_is_one() -> None:
    market = clean({"A": flat(10, price=0.05), "B": flat(10).assign(volume=0)}, SESSIONS)
    assert market.quarantine.empty and np.isfinite(market.close).all() and np.isfinite(market.volume).all()


def test_doubled_and_disordered_candles() -> None:
    doubled = pd.concat([flat(10), flat(10).iloc[[3]]], ignore_index=True)
    contradictory = pd.concat([flat(10), flat(10, 101.0).iloc[[3]]], ignore_index=True)
    disordered = flat(10).iloc[[0, 1, 3, 2, 4, 5, 6, 7, 8, 9]]
    market = clean({"A": doubled, "B": contradictory, "C": disordered}, SESSIONS)
    assert cell(market, "A", 3) == 100
    assert np.isnan(cell(market, "B", 3))
    assert np.isfinite(market.close[:, 2]).all()
    assert market.quarantine[["symbol", "what"]].to_numpy().tolist() == [["B", "duplicate"]]
    suspects = [list(row) for row in market.suspects[["symbol", "what"]].to_numpy()]
    assert ["A", "duplicate"] in suspects
    assert ["C", "out of order"] in suspects


def test_a_candle_twice_in_a_row_is_doubled_and_not_out_of_order() -> None:
    market = clean({"A": flat(10).iloc[[0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9]], "B": flat(10)}, SESSIONS)
    assert market.suspects[["symbol", "what"]].to_numpy().tolist() == [["A", "duplicate"]]


def test_on_a_date_without_trading_only_those_that_have_a_candle_are_noted() -> None:
    saturday = flat(10).iloc[[4]].assign(date=pd.Timestamp("2024-01-06"))
    whole = pd.concat([flat(10).iloc[:5], saturday, flat(10).iloc[5:]], ignore_index=True)
    market = clean({"A": whole, "B": flat(10), "C": flat(10)}, SESSIONS)
    assert market.quarantine[["symbol", "what"]].to_numpy().tolist() == [["A", "no session"]]
    assert market.axes.dates.tolist() == SESSIONS[:10].tolist()


def test_a_session_without_any_candle_is_left_out() -> None:
    holed = flat(10).drop(index=4)
    market = clean({"A": holed, "B": holed}, SESSIONS)
    assert market.silent_sessions.tolist() == [SESSIONS[4].item()]
    assert len(market.axes.dates) == 9


def test_a_gap_no_market_explains_starts_a_segment() -> None:
    split = stock([100.0] * 5 + [50.0] * 5)
    split.loc[4, ["close", "low"]] = 100.0  # closed at 100, opens at 50
    market = clean({"A": split, "B": flat(10)}, SESSIONS)
    assert market.segment[:, 0].tolist() == [0] * 5 + [1] * 5
    assert market.segment[:, 1].tolist() == [0] * 10
    assert cell(market, "A", 5, "open") == 50
    (row,) = market.quarantine.to_dict("records")
    assert (row["what"], row["effect"]) == ("overnight gap", "return dropped, new segment")
    assert "-50.0%" in row["reason"]


def gapped(factor: float, count: int = 6) -> dict[str, pd.DataFrame]:
    """`count` stocks that all open at `factor` times the last close on session 5."""
    frames = {}
    for number in range(count):
        frame = stock([100.0] * 5 + [100.0 * factor] * 5)
        frame.loc[4, ["close", "low", "high"]] = [100.0, 100.0, 100.0]
        frames[f"S{number}"] = frame
    return frames


@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_a_stray_open_is_no_break(factor: float) -> None:
    """The close is where it was: shares held across it must stay as many as they are."""
    spoilt = flat(10)
    spoilt.loc[5, "open"] = 100 * factor
    spoilt.loc[5, "low"], spoilt.loc[5, "high"] = min(100, 100 * factor), max(100, 100 * factor)
    market = clean({"A": spoilt, "B": flat(10)}, SESSIONS)
    assert np.isnan(cell(market, "A", 5))
    assert (market.segment == 0).all()
    assert market.quarantine[["symbol", "what", "effect"]].to_numpy().tolist() == [
        ["A", "stray open", "candle dropped"]
    ]


def test_a_break_followed_by_a_rise_within_the_session_is_a_break() -> None:
    rising = gapped(0.6, 1)["S0"]
    rising.loc[5:, ["high", "close"]] = 72.0
    rising.loc[6:, ["open", "low"]] = 72.0
    market = clean({"A": rising, "B": flat(10)}, SESSIONS)
    assert market.segment[:, 0].tolist() == [0] * 5 + [1] * 5
    assert cell(market, "A", 5) == 72


def test_a_market_wide_gap_is_no_break() -> None:
    assert clean(gapped(0.6), SESSIONS).quarantine.empty
    # Too few to speak of a market: then the gap counts as the stock's own.
    assert len(clean(gapped(0.6, count=2), SESSIONS).quarantine) == 2


def test_verdicts() -> None:
    holed = flat(100).drop(index=range(10, 40))
    market = clean(
        {
            "GOOD": flat(100),
            "HOLED": holed,
            "ALLOWED": flat(100).drop(index=range(10, 29)),
            "QUIET": pd.concat([flat(100).iloc[:85], stock([100.0] * 100, 0).iloc[85:]]),
            "ENDED": flat(100).iloc[:80],
            "BROKEN": flat(100).assign(low=-1.0),
        },
        SESSIONS,
    )
    quality = assess(market, {"ABSENT": "not in Kite's list"})
    verdicts = dict(zip(quality.table["symbol"], quality.table["verdict"], strict=True))
    assert verdicts == {
        "ABSENT": "unavailable",
        "ALLOWED": "ok",
        "BROKEN": "fail",
        "ENDED": "warn",
        "GOOD": "ok",
        "HOLED": "fail",
        "QUIET": "warn",
    }
    assert quality.final_universe == ["ALLOWED", "ENDED", "GOOD", "QUIET"]
    row = quality.table.set_index("symbol").loc["HOLED"]
    assert row["missing_share"] == pytest.approx(0.3)
    assert row["coverage"] == pytest.approx(0.7)
    assert quality.table.set_index("symbol").loc["QUIET", "zero_volume_share"] == pytest.approx(0.15)
    text = report_markdown(quality)
    assert text.index("**4 of 7 symbols can be used**") < text.index("HOLED: 30.0% of the sessions")
    assert "ABSENT: not in Kite's list" in text


def test_real_candles_lose_nmdc_and_nothing_else(tmp_path) -> None:  # type: ignore[no-untyped-def]
    market = clean(real_candles(), sessions(date(2022, 1, 1), date(2024, 8, 31)))
    assert market.axes.shape == (660, 191)
    (row,) = market.quarantine.to_dict("records")
    assert (row["symbol"], str(row["session"])[:10]) == ("NMDC", "2022-10-27")
    # All that is real stays: every other cell and every other segment.
    assert market.breaks[["symbol", "confirmed"]].to_numpy().tolist() == [["NMDC", ""]]
    assert market.breaks["move"].tolist() == [pytest.approx(0.710, abs=5e-4)]
    assert set(market.suspects["what"]) == {"suspected adjustment"}
    assert sorted(set(market.suspects["symbol"])) == ["BSE", "PATANJALI", "PAYTM"]
    assert market.stale_sessions.size == market.unknown_sessions.size == 0
    column = market.axes.symbols.index("NMDC")
    others = np.delete(market.segment, column, axis=1)
    assert others.max() == 0
    assert market.segment[:, column].max() == 1
    days = market.axes.dates.astype(str).tolist()
    change = market.close[1:] / market.close[:-1] - 1
    adani = market.axes.symbols.index("ADANIENT")
    assert (np.sort(change[:, adani])[:2] < -0.26).all()
    fall = days.index("2024-06-04")
    assert np.isfinite(market.close[fall]).sum() > 185
    assert np.nanmedian(change[fall - 1]) < -0.04
    quality = assess(market, {})
    assert quality.count("fail") == 0
    assert len(quality.final_universe) == 191
    save_quality(tmp_path / "q.parquet", tmp_path / "q.md", quality)
    table = read_parquet(tmp_path / "q.parquet").set_index("symbol")
    assert "2022-10-27 overnight gap: opens +71.0%" in table.loc["NMDC", "details"]
    text = (tmp_path / "q.md").read_text()
    assert "## Taken for wrong adjustments without confirmation" in text
    assert "| NMDC | 2022-10-27 | 2022-10-25 | +71.0% |" in text


def test_the_panel_and_the_size_proxy_round_trip(tmp_path) -> None:  # type: ignore[no-untyped-def]
    panel = build_panel(clean({"A": flat(40), "M&M": flat(30)}, SESSIONS))
    save_panel(tmp_path / "market_panel.npz", panel)
    again = load_panel(tmp_path / "market_panel.npz")
    assert again.axes == panel.axes
    assert again.segment.dtype == np.int32
    np.testing.assert_array_equal(again.close, panel.close)
    size = size_proxy(panel)
    save_size_proxy(tmp_path / "size_proxy.parquet", size, panel.axes)
    np.testing.assert_array_equal(load_size_proxy(tmp_path / "size_proxy.parquet", panel.axes), size)


def test_no_candles_no_panel() -> None:
    with pytest.raises(NiftyFormerError, match="raw_ohlcv"):
        build_panel(clean({}, SESSIONS))


def test_size_by_hand() -> None:
    frame = stock([10.0] * 30)
    frame["volume"] = np.arange(1, 31)
    size = size_proxy(build_panel(clean({"A": frame}, SESSIONS)), window=5, min_sessions=3)[:, 0]
    assert np.isnan(size[:2]).all()
    assert size[2] == pytest.approx(np.log(10 * 2))
    assert size[29] == pytest.approx(np.log(10 * 28))
    default = size_proxy(build_panel(clean({"A": frame}, SESSIONS)))[:, 0]
    assert np.flatnonzero(np.isfinite(default))[0] == 19


def test_size_skips_missing_sessions_and_silence() -> None:
    frame = flat(30).drop(index=[10, 11])
    panel = build_panel(clean({"A": frame, "B": flat(30), "C": stock([5.0] * 30, 0)}, SESSIONS))
    size = size_proxy(panel, window=5, min_sessions=4)
    assert np.isnan(size[10:12, 0]).all()
    # Of the five sessions up to 12 only three have a candle.
    assert np.isnan(size[12:14, 0]).all() or np.isnan(size[12, 0])
    assert size[15, 0] == pytest.approx(np.log(100 * 100))
    assert np.isnan(size[:, 2]).all()


def test_size_restarts_at_a_segment() -> None:
    frame = gapped(0.5, 1)["S0"]
    frame["volume"] = [1000] * 5 + [10] * 5
    size = size_proxy(build_panel(clean({"A": frame, "B": flat(10)}, SESSIONS)), window=4, min_sessions=2)[:, 0]
    assert size[4] == pytest.approx(np.log(100 * 1000))
    assert np.isnan(size[5])
    assert size[6] == pytest.approx(np.log(50 * 10))


@pytest.mark.parametrize("cut", ["2022-06-30", "2022-10-26", "2022-10-27", "2024-06-04"])
def test_later_candles_change_nothing_earlier(cut: str) -> None:
    candles = spoilt(real_candles())
    known = {symbol: frame[frame["date"] <= cut] for symbol, frame in candles.items()}
    calendar = sessions(date(2022, 1, 1), date(2024, 8, 31))
    whole, part = clean(candles, calendar), clean(known, calendar[calendar <= np.datetime64(cut)])
    count = len(part.axes.dates)
    columns = [whole.axes.symbols.index(symbol) for symbol in part.axes.symbols]
    assert part.axes.dates.tolist() == whole.axes.dates[:count].tolist()
    for name in ("open", "high", "low", "close", "volume", "segment"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:count][:, columns])
    np.testing.assert_array_equal(size_proxy(build_panel(part)), size_proxy(build_panel(whole))[:count][:, columns])
    early = whole.quarantine[whole.quarantine["session"] <= cut]
    pd.testing.assert_frame_equal(part.quarantine, early.reset_index(drop=True))


def spoilt(candles: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Real candles with every kind of fault strewn over them."""
    draw = np.random.default_rng(7)
    result = {}
    for symbol, frame in list(candles.items())[:60]:
        frame = frame.copy()
        bad = draw.random(len(frame))
        frame.loc[bad < 0.01, "low"] *= -1
        frame.loc[(bad > 0.01) & (bad < 0.015), ["open", "high", "low", "close"]] *= 3
        frame = pd.concat([frame[bad < 0.98], frame[(bad > 0.9) & (bad < 0.92)]], ignore_index=True)
        result[symbol] = frame
    result["NMDC"] = candles["NMDC"]
    return result

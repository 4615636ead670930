from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.market.benchmark import (
    empty_benchmark,
    fetch_benchmark,
    load_benchmark,
    must_be_no_worse,
    read_benchmark_file,
    save_benchmark,
    shortcomings,
    with_total_return,
)
from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.pictures import benchmark_picture
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.market.world import at, made_up, world
from niftyformer_assets_tests.shared_data import shared


def test_through_kite(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31", "11:00")) as (it, clock):
        benchmark = fetch_benchmark(it.session(), it.pacer(), it.settings, clock.now)
        assert str(benchmark["date"].iloc[-1])[:10] == "2024-05-30"
        truth = it.exchange.exchange.market.candles["NIFTY 50"]
        assert benchmark["close"].tolist() == truth.close[: len(benchmark)].tolist()
        assert benchmark["total_return"].isna().all()
        save_benchmark(tmp_path / "benchmark_index.parquet", benchmark, "Kite")
        again, source = load_benchmark(tmp_path / "benchmark_index.parquet")
        pd.testing.assert_frame_equal(again, benchmark, check_dtype=False)
        assert source == "Kite"
        it.exchange.faults = Faults(duplicated_candles=0.2, negative_candles=0.1)
        spoilt = fetch_benchmark(it.session(), it.pacer(), it.settings, clock.now)
        assert (spoilt["close"] > 0).all()
        assert spoilt["date"].is_unique
        assert len(fetch_benchmark(it.session(), it.pacer(), it.settings, clock.now, "SENSEX")) == 0


def test_an_answer_with_holes_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "benchmark_index.parquet"
    days = pd.date_range("2024-01-01", periods=100)
    whole = empty_benchmark().reindex(range(100)).assign(date=days.astype("datetime64[ms]"), close=1.0)
    must_be_no_worse(path, empty_benchmark())
    save_benchmark(path, whole, "Kite's instrument NIFTY 50")
    must_be_no_worse(path, whole[4:])
    for worse in (whole[:50], empty_benchmark()):
        with pytest.raises(NiftyFormerError, match="of the 100 sessions"):
            must_be_no_worse(path, worse)
    for scale in (100, 0.01, 1.01):
        with pytest.raises(NiftyFormerError, match="100 of 100 closes at hand read otherwise"):
            must_be_no_worse(path, whole.assign(close=scale))
    must_be_no_worse(path, whole.assign(close=[1.5, *[1.0] * 99]))
    with pytest.raises(NiftyFormerError, match="the index jumps"):
        must_be_no_worse(path, whole.assign(close=[*[1.0] * 99, 100.0]))
    save_benchmark(path, whole, "my.csv")  # what a person chose is theirs to change
    must_be_no_worse(path, whole[:50])


def test_from_real_files(tmp_path: Path) -> None:
    benchmark = read_benchmark_file(shared("market_data/reference/nifty50_price_index_2010_2026.parquet"))
    benchmark = with_total_return(benchmark, shared("market_data/reference/nse_tri_2015_2026.parquet"))
    known = benchmark[(benchmark["date"] >= "2022-01-01") & (benchmark["date"] <= "2024-08-30")]
    assert len(known) > 650
    assert known["total_return"].notna().all()
    growth = known[["close", "total_return"]].iloc[-1] / known[["close", "total_return"]].iloc[0]
    assert growth["total_return"] > growth["close"] > 1.3
    assert benchmark_picture(known).startswith(b"\x89PNG")
    assert benchmark_picture(empty_benchmark()).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Date,Open\n2024-01-01,5\n", "no column 'close'"),
        ("Date,Close\n2024-01-01,x\n", "no number"),
        ("Date,Close\n2024-01-01,5\nyesterday,5\n", "line 3: a date cannot be read: 'yesterday' is no date"),
        ("Date,Close\n01-02-2024,5\n", r"'01-02-2024' is 2024-02-01 \(day first\) or 2024-01-02 \(month first\)"),
        ('Date,Close\n2024-01-01,"1,234"\n', r"can be read as 1,234\.50 or as 1\.234,50"),
        ("Date,Close\n2024-01-01 18:30:00,5\n", "no midnight in India"),
        ("Date,Close\n2024-01-01,5\n2024-01-01,5\n", "2024-01-01 is there twice"),
        ("Date,Close\n2024-01-01,-5\n", "not above 0"),
        ("", "could not be read"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "index.csv"
    path.write_text(content)
    with pytest.raises(NiftyFormerError, match=said) as caught:
        read_benchmark_file(path)
    assert "index.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_csv_with_dates_and_closes_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_text("Date,Close\n2024-01-02,6\n2024-01-01,5\n")
    benchmark = read_benchmark_file(path)
    assert benchmark["close"].tolist() == [5, 6]
    assert benchmark["date"].iloc[0].date() == date(2024, 1, 1)
    with pytest.raises(NiftyFormerError, match="does not exist"):
        read_benchmark_file(tmp_path / "absent.csv")


def test_a_file_as_nse_or_yahoo_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_text('"Date ","Close "\n"03-JAN-2024","21,517.35"\n"02-JAN-2024","21,665.80"\n')
    assert read_benchmark_file(path)["close"].tolist() == [21665.80, 21517.35]
    path.write_text("Date,Open,Close\n15-01-2024,null,null\n16-01-2024,9,5\n17-01-2024,9,6\n")
    benchmark = read_benchmark_file(path)
    assert [str(day.date()) for day in benchmark["date"]] == ["2024-01-16", "2024-01-17"]


DAYS = sessions(date(2024, 1, 1), date(2024, 12, 31))
LEVELS = 21700.0 + np.arange(len(DAYS))


def index_file(folder: Path, dates: object, name: str = "index.csv", column: str = "Close") -> Path:
    path = folder / name
    frame = pd.DataFrame({"Date": dates, column: LEVELS[: len(dates)]})  # type: ignore[arg-type]
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["index.csv", "index.parquet"])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "UTC", "America/New_York", None, "UTC, not written"])
def test_each_level_is_on_its_session_whatever_the_zone(tmp_path: Path, name: str, zone: str | None) -> None:
    stamps = pd.DatetimeIndex(DAYS)
    if zone == "UTC, not written":
        stamps = stamps - pd.Timedelta(hours=5.5)
    elif zone is not None:
        stamps = stamps.tz_localize("Asia/Kolkata").tz_convert(zone)
    benchmark = read_benchmark_file(index_file(tmp_path, stamps, name))
    np.testing.assert_array_equal(benchmark["date"].to_numpy().astype("datetime64[D]"), DAYS)
    np.testing.assert_array_equal(benchmark["close"], LEVELS)
    with_dividends = with_total_return(benchmark, index_file(tmp_path, stamps, f"tri-{name}", "TRI"))
    np.testing.assert_array_equal(with_dividends["total_return"], LEVELS)


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (DAYS - np.timedelta64(1, "D"), "are no sessions of NSE, as 2023-12-31"),
        (DAYS + np.timedelta64(1, "D"), "are no sessions of NSE"),
        (pd.DatetimeIndex(DAYS[:3]) - pd.Timedelta(hours=5.5), "no midnight in India"),
        (np.r_[DAYS[:60], DAYS[121:]], rf"lacks 61 sessions in a row \({DAYS[60]} to {DAYS[120]}\)"),
        (np.r_[DAYS[:60], DAYS[66:]], "lacks 6 sessions in a row"),
        (DAYS[::5], "lacks 196 of the 246 sessions from 2024-01-01 to 2024-12-26"),
        (np.r_[DAYS, DAYS[:1]], "2024-01-01 is there twice"),
    ],
)
def test_files_with_wrong_days_or_a_hole_are_refused_by_name(tmp_path: Path, dates: np.ndarray, said: str) -> None:
    whole = read_benchmark_file(index_file(tmp_path, DAYS, "whole.csv"))
    levels = index_file(tmp_path, dates[: len(LEVELS)] if len(dates) > len(LEVELS) else dates)
    if "twice" in said:
        levels.write_text(levels.read_text() + "2024-01-01,5\n")
    with pytest.raises(NiftyFormerError, match=rf"index\.csv.* {said}"):
        read_benchmark_file(levels)
    tri = index_file(tmp_path, DAYS, "tri.csv", "TRI")
    tri.write_text(levels.read_text().replace("Close", "TRI"))
    with pytest.raises(NiftyFormerError, match=rf"tri\.csv.* {said}"):
        with_total_return(whole, tri)


def test_a_total_return_file_that_ends_elsewhere_is_said(tmp_path: Path) -> None:
    whole = read_benchmark_file(index_file(tmp_path, DAYS[60:]))
    assert shortcomings(whole) == []
    for dates, said in (
        (DAYS, None),
        (DAYS[60:-10], f"tri.csv covers {len(DAYS) - 70} of the {len(DAYS) - 60} sessions"),
        (DAYS[63:], f"from {DAYS[63]} to {DAYS[-1]}."),
        (
            DAYS[:60],
            f"tri.csv covers 0 of the {len(DAYS) - 60} sessions of the price index ({DAYS[60]} to {DAYS[-1]}).",
        ),
    ):
        tri = index_file(tmp_path, dates, "tri.csv", "TRI")
        joined = with_total_return(whole, tri)
        lacks = shortcomings(joined, tri)
        assert len(lacks) == (said is not None)
        assert said is None or said in lacks[0]


def test_an_answer_with_a_hole_is_asked_for_again_and_the_hole_noted(tmp_path: Path) -> None:
    market = made_up()
    truth = market.candles["NIFTY 50"]
    gone = (truth.dates >= np.datetime64("2024-03-01")) & (truth.dates < np.datetime64("2024-04-01"))
    holed = ServedMarket(market.instruments, {**market.candles, "NIFTY 50": truth.take(np.flatnonzero(~gone))}, {})
    with world(tmp_path, at("2024-06-27"), market=holed) as (it, clock):
        benchmark = fetch_benchmark(it.session(), it.pacer(), it.settings, clock.now)
        assert it.exchange.traffic.by_symbol["NIFTY 50"] == 2
        (said,) = shortcomings(benchmark)
        assert f"lacks {gone.sum()} sessions in a row (2024-03-01 to 2024-03-28)" in said
        # One that comes only once is mended by asking again.
        it.exchange.traffic.clear()
    with world(tmp_path, at("2024-06-27"), market=market) as (it, clock):
        assert shortcomings(fetch_benchmark(it.session(), it.pacer(), it.settings, clock.now)) == []
        assert it.exchange.traffic.by_symbol["NIFTY 50"] == 1

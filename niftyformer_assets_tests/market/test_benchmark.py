from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.market.benchmark import (
    empty_benchmark,
    fetch_benchmark,
    load_benchmark,
    must_not_shrink,
    read_benchmark_file,
    save_benchmark,
    with_total_return,
)
from niftyformer_assets.market.pictures import benchmark_picture
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.market.world import at, world
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
    must_not_shrink(path, empty_benchmark())
    save_benchmark(path, whole, "Kite's instrument NIFTY 50")
    must_not_shrink(path, whole[4:])
    for worse in (whole[:50], empty_benchmark()):
        with pytest.raises(NiftyFormerError, match="of the 100 sessions"):
            must_not_shrink(path, worse)
    save_benchmark(path, whole, "my.csv")  # what a person chose is theirs to change
    must_not_shrink(path, whole[:50])


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
        ("Date,Close\nyesterday,5\n", "a date cannot be read"),
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

"""A folder of CSVs becomes a market, or one line that says what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.exchange.market import BENCHMARK, BENCHMARK_TOKEN
from niftyformer_assets.exchange.replay import read_replay
from niftyformer_assets.exchange.server import run_exchange
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.exchange.conftest import client, token_of
from niftyformer_assets_tests.shared_data import shared

HEADER = "Date,Open,High,Low,Close,Volume\n"
ROW = "2024-01-01,10,11,9.5,10.5,1000\n"
LIST = "Company Name,Industry,Symbol,Series,ISIN Code\nMade-up Power 1 Ltd.,Power,{},EQ,XX0000000001\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "candles"
    path.mkdir()
    return path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_candles_come_back_as_they_are(folder: Path, tmp_path: Path):
    write(folder, "M&M.csv", HEADER + "2024-01-02,10.5,12,10,11.25,2000.0\n" + ROW)
    write(
        folder, "BAJAJ-AUTO.csv", "volume,CLOSE,low,High,open,date,Adj Close\n7,3,1,4,2,2024-01-01 00:00:00+05:30,3\n"
    )
    listed = write(tmp_path, "list.csv", LIST.format("M&M"))
    market = read_replay(folder, listed).market
    assert set(market.instruments) == {"M&M", "BAJAJ-AUTO"}
    assert market.instruments["M&M"].name == "Made-up Power 1 Ltd."
    assert market.index_lists["ind_nifty200list.csv"] == LIST.format("M&M")
    candles = market.candles["M&M"]
    np.testing.assert_array_equal(candles.dates, np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"))
    np.testing.assert_array_equal(candles.close, [10.5, 11.25])
    np.testing.assert_array_equal(candles.volume, [1000, 2000])
    other = market.candles["BAJAJ-AUTO"]
    assert (other.open[0], other.high[0], other.low[0], other.close[0], other.volume[0]) == (2, 4, 1, 3, 7)


def test_midnights_of_india_written_as_utc(folder: Path):
    write(folder, "UTC.csv", HEADER + "2023-12-31 18:30:00+00:00,10,11,9.5,10.5,1000\n2024-01-01T18:30:00Z,1,1,1,1,1\n")
    dates = read_replay(folder).market.candles["UTC"].dates
    np.testing.assert_array_equal(dates, np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"))


def test_prices_that_make_no_sense_are_served_for_others_to_judge(folder: Path):
    write(folder, "ODD.csv", HEADER + "2024-01-01,-10,1,9,0,0\n")
    assert read_replay(folder).market.candles["ODD"].open[0] == -10


def test_a_file_without_rows_is_a_stock_without_candles(folder: Path):
    write(folder, "NEW.csv", HEADER)
    assert len(read_replay(folder).market.candles["NEW"]) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column 'Date'"),
        ("Date,Open,High,Low,Volume\n2024-01-01,1,1,1,1\n", "has no column 'Close'"),
        (HEADER + ROW + "2024-01-02,10,11,9.5,n/a,1000\n", "column 'Close', line 3: 'n/a' is no number"),
        (HEADER + "2024-01-02,10,,9.5,10,1000\n", "column 'High', line 2: '' is no number"),
        (HEADER + "2024-01-02,10,nan,9.5,10,1000\n", "column 'High', line 2: 'nan' is no number"),
        (HEADER + "2024-01-02,10,11,9.5,10,inf\n", "column 'Volume', line 2: 'inf' is no number"),
        (HEADER + "2024-13-02,10,11,9.5,10,1000\n", "column 'Date', line 2: '2024-13-02' is no date"),
        (
            HEADER + "02/01/2024,10,11,9.5,10,1000\n",
            "line 2: '02/01/2024' is 2024-01-02 (day first) or 2024-02-01 (month first)",
        ),
        (HEADER + "2024-01,10,11,9.5,10,1000\n", "'2024-01' is no date"),
        (HEADER + "2024-01-01 18:30:00,10,11,9.5,10,1000\n", "'2024-01-01 18:30:00' is no midnight in India"),
        (HEADER + ROW + "\n" + ROW, "has session 2024-01-01 twice (lines 2 and 4)"),
        (HEADER + "2024-01-02,10,11\n", "line 2 has 3 fields, the first line 6"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(folder: Path, text: str, words: str):
    write(folder, "GOOD.csv", HEADER + ROW)
    wrong = write(folder, "WRONG.csv", text)
    with pytest.raises(NiftyFormerError) as error:
        read_replay(folder)
    line = str(error.value)
    assert str(wrong) in line
    assert words in line
    assert line.endswith("then start again.")
    assert "\n" not in line


def test_a_file_that_is_no_text_is_named(folder: Path):
    (folder / "BYTES.csv").write_bytes(b"\xff\x00\x01")
    with pytest.raises(NiftyFormerError, match=r"BYTES\.csv is not UTF-8"):
        read_replay(folder)


def no_folder(folder: Path) -> Path:
    return folder / "absent"


def a_file(folder: Path) -> Path:
    return write(folder, "file", "")


def empty(folder: Path) -> Path:
    write(folder, "notes.txt", "no candles")
    return folder


def only_an_index(folder: Path) -> Path:
    write(folder, "NIFTY 50.csv", HEADER + ROW)
    return folder


def two_for_one(folder: Path) -> Path:
    write(folder, "ABC.csv", HEADER + ROW)
    write(folder, "abc.CSV", HEADER + ROW)
    return folder


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (no_folder, "is not a folder: give a folder"),
        (a_file, "is not a folder: give a folder"),
        (empty, r"holds no SYMBOL\.csv"),
        (only_an_index, r"holds no SYMBOL\.csv of a stock"),
        (two_for_one, "are both for ABC"),
    ],
)
def test_a_wrong_folder_is_one_line(folder: Path, make: Callable[[Path], Path], words: str):
    with pytest.raises(NiftyFormerError, match=words):
        read_replay(make(folder))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Company Name,Industry,Series,ISIN Code\n", "has no column 'Symbol'"),
        ("Company Name,Industry,Symbol,Series,ISIN Code\n", "names no symbol"),
        ("", "has no column 'Company Name'"),
    ],
)
def test_a_wrong_index_list_is_one_line(folder: Path, tmp_path: Path, text: str, words: str):
    write(folder, "ABC.csv", HEADER + ROW)
    with pytest.raises(NiftyFormerError, match=words):
        read_replay(folder, write(tmp_path, "list.csv", text))


def test_a_missing_index_list_is_one_line(folder: Path, tmp_path: Path):
    write(folder, "ABC.csv", HEADER + ROW)
    with pytest.raises(NiftyFormerError, match=r"list\.csv cannot be read: No such file"):
        read_replay(folder, tmp_path / "list.csv")


def test_a_stock_is_listed_under_its_newest_name_with_its_older_candles(folder: Path):
    write(folder, "LTI.csv", HEADER + "2022-01-03,1,1,1,1,1\n2022-12-05,9,9,9,9,9\n")
    write(folder, "LTIM.csv", HEADER + "2022-12-05,2,2,2,2,2\n2022-12-06,3,3,3,3,3\n")
    write(folder, "TATAMOTORS.csv", HEADER + ROW)
    renames = {"LTI": "LTIM", "LTIM": "LTM", "TATAMOTORS": "TMPV", "ZOMATO": "ETERNAL"}
    market = read_replay(folder, renames=renames).market
    assert set(market.instruments) == {"LTM", "TMPV"}
    np.testing.assert_array_equal(market.candles["LTM"].close, [1, 2, 3])
    np.testing.assert_array_equal(
        market.candles["LTM"].dates, np.array(["2022-01-03", "2022-12-05", "2022-12-06"], dtype="datetime64[D]")
    )


def test_renames_in_a_circle_are_refused(folder: Path):
    write(folder, "A.csv", HEADER + ROW)
    with pytest.raises(NiftyFormerError, match="A -> B -> A"):
        read_replay(folder, renames={"A": "B", "B": "A"})


@pytest.mark.parametrize("beside", [False, True])
def test_the_benchmark_comes_from_the_folder_or_beside_it(folder: Path, tmp_path: Path, beside: bool):
    write(folder, "ABC.csv", HEADER + ROW)
    path = write(tmp_path if beside else folder, "NIFTY 50.csv", HEADER + "2024-01-01,100,110,90,105,0\n")
    market = read_replay(folder, benchmark=path if beside else None).market
    instrument = market.instruments[BENCHMARK]
    assert (instrument.token, instrument.segment) == (BENCHMARK_TOKEN, "INDICES")
    assert market.candles[BENCHMARK].close[0] == 105


def test_an_index_needs_a_close_only_and_is_served_for_the_time_of_the_stocks(folder: Path, tmp_path: Path):
    write(folder, "ABC.csv", HEADER + ROW + "2024-01-03,10,11,9.5,10.5,1000\n")
    days = pd.to_datetime(["2023-12-29", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"])
    frame = pd.DataFrame({"Date": days, "Close": [1.0, 2.0, 3.0, 4.0, 5.0]})
    frame.to_parquet(tmp_path / "index.parquet")
    frame.to_csv(tmp_path / "index.csv", index=False)
    frame.to_json(tmp_path / "index.json", orient="records", date_format="iso")
    frame.assign(Symbol="NIFTY 50").to_csv(tmp_path / "named.csv", index=False)
    for name in ("index.parquet", "index.csv", "index.json", "named.csv"):
        candles = read_replay(folder, benchmark=tmp_path / name).market.candles[BENCHMARK]
        for field in ("open", "high", "low", "close"):
            np.testing.assert_array_equal(getattr(candles, field), [2, 3, 4])
        np.testing.assert_array_equal(candles.volume, [0, 0, 0])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("index.csv", "Date,Open\n2024-01-01,1\n", r"index\.csv has no column 'Close'"),
        ("index.csv", "Date,Close\n2024-01-01,x\n", "column 'Close', line 2: 'x' is no number"),
        ("index.csv", "Date,Close\n2024-01-01\n", "line 2 has 1 fields, the first line 2"),
        ("index.json", '{"status": "error"}', r"index\.json holds no table of dates and closes"),
        ("index.txt", "mine", r"index\.txt holds no table of dates and closes"),
        ("index.csv", "Symbol,Date,Close\nA,2024-01-01,1\nB,2024-01-01,1\n", r"holds several indices or stocks"),
        ("index.csv", "Date,A_Close,B_Close,A_Open,B_Open\n2024-01-01,1,1,1,1\n", r"holds several indices or stocks"),
        ("index.parquet", "no parquet", r"index\.parquet is missing or no Parquet file"),
        ("absent/index.parquet", None, r"index\.parquet is missing or no Parquet file"),
        ("absent/index.csv", None, r"index\.csv cannot be read"),
    ],
)
def test_a_wrong_benchmark_is_one_line(folder: Path, tmp_path: Path, name: str, text: str | None, words: str):
    write(folder, "ABC.csv", HEADER + ROW)
    path = tmp_path / name if text is None else write(tmp_path, name, text)
    with pytest.raises(NiftyFormerError, match=words):
        read_replay(folder, benchmark=path)


def test_without_candles_of_it_no_benchmark_is_listed(folder: Path):
    write(folder, "ABC.csv", HEADER + ROW)
    assert set(read_replay(folder).market.instruments) == {"ABC"}


def test_tokens_do_not_depend_on_the_other_files(folder: Path):
    write(folder, "MMM.csv", HEADER + ROW)
    alone = read_replay(folder).market.instruments["MMM"].token
    for name in ("AAA", "ZZZ"):
        write(folder, f"{name}.csv", HEADER + ROW)
    assert read_replay(folder).market.instruments["MMM"].token == alone


def test_replayed_candles_come_through_the_client(folder: Path):
    write(folder, "M&M.csv", HEADER + ROW)
    with run_exchange(read_replay(folder).market) as running:
        kite = client(running)
        (candle,) = kite.historical_data(token_of(kite, "M&M"), "2024-01-01", "2024-01-01", "day")
    assert (candle["open"], candle["high"], candle["low"], candle["close"], candle["volume"]) == (
        10,
        11,
        9.5,
        10.5,
        1000,
    )


def test_real_candles_load_quickly():
    folder = shared("market_data/kite_daily_2022_2024")
    listed = shared("market_data/index_lists/ind_nifty200list_2025-10-02.csv")
    start = time.process_time()
    market = read_replay(folder, listed, {"TATAMOTORS": "TMPV"}).market
    assert time.process_time() - start < 4
    assert len(market.instruments) == 191
    assert len(market.candles["TMPV"]) == 660
    assert "TATAMOTORS" not in market.instruments
    assert BENCHMARK not in market.instruments
    assert market.index_lists["ind_nifty200list.csv"] == listed.read_text(encoding="utf-8")

"""What a text means is decided by the whole folder, and what stays open is refused with both readings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.dates import OpenDateError, read_dates
from niftyformer_assets.vendors.folder import read_folder
from niftyformer_assets.vendors.numbers import styles_of

HEADER = "Date,Open,High,Low,Close,Volume\n"


def rows(*days: str, prices: str = "10,11,9,10,5") -> str:
    return HEADER + "".join(f"{day},{prices}\n" for day in days)


def dates_of(folder: Path, symbol: str) -> list[str]:
    return [str(day) for day in read_folder(folder).candles[symbol].dates]


def refusal(folder: Path) -> str:
    with pytest.raises(NiftyFormerError) as error:
        read_folder(folder)
    said = str(error.value)
    assert "\n" not in said
    return said


def test_one_date_that_is_plain_decides_for_every_file(folder: Callable[..., Path]) -> None:
    path = folder(AAA=rows("02-01-2024", "03-01-2024"), BBB=rows("13-01-2024"))
    assert dates_of(path, "AAA") == ["2024-01-02", "2024-01-03"]
    path = folder(BBB=rows("01-13-2024"))
    assert dates_of(path, "AAA") == ["2024-02-01", "2024-03-01"]


def test_what_one_shape_tells_holds_for_the_others(folder: Callable[..., Path]) -> None:
    path = folder(AAA=rows("02-01-24", "03-01-24"), BBB=rows("13/01/2024"))
    assert dates_of(path, "AAA") == ["2024-01-02", "2024-01-03"]


@pytest.mark.parametrize("other", ["05/05/2024", "20240513"])
def test_what_a_shape_does_not_tell_decides_no_other(folder: Callable[..., Path], other: str) -> None:
    assert "'02-01-05' is 2005-01-02 (day first)" in refusal(folder(AAA=rows("02-01-05"), BBB=rows(other)))


def test_dates_that_contradict_each_other_are_both_shown(folder: Callable[..., Path]) -> None:
    said = refusal(folder(AAA=rows("13-01-2024"), BBB=rows("01-16-2024")))
    assert "BBB.csv column 'Date', line 2" in said
    assert "'01-16-2024' is month first, but '13-01-2024' elsewhere in the folder is day first" in said


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("02/01/2024", "2024-01-02 (day first) or 2024-02-01 (month first)"),
        ("02.01.2024 00:00", "2024-01-02 (day first) or 2024-02-01 (month first)"),
        ("02-01-24", "2024-01-02 (day first) or 2024-02-01 (month first) or 2002-01-24 (year first)"),
        ("04-01-05", "2005-01-04 (day first) or 2005-04-01 (month first) or 2004-01-05 (year first)"),
        ("04012005", "2005-01-04 (day first) or 2005-04-01 (month first)"),
    ],
)
def test_a_folder_of_which_no_date_tells_is_refused(folder: Callable[..., Path], text: str, readings: str) -> None:
    said = refusal(folder(AAA=rows(text)))
    assert f"AAA.csv column 'Date', line 2: {text!r} is {readings}, and no date of the folder tells which" in said


def test_a_stamp_without_a_zone_is_decided_by_weekends(folder: Callable[..., Path]) -> None:
    monday = date(2024, 1, 1)
    days = [monday + timedelta(days=day) for day in range(21) if (monday + timedelta(days=day)).weekday() < 5]
    eves = [f"{day - timedelta(days=1)} 18:30:00" for day in days]
    assert dates_of(folder(AAA=rows(*eves)), "AAA") == [str(day) for day in days]
    evenings = [f"{day} 18:30:00" for day in days]
    assert dates_of(folder(AAA=rows(*evenings)), "AAA") == [str(day) for day in days]


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-02", " 2024-01-02 ", "2024-01-02 00:00", "2024-01-02T00:00:00.000", "2024-01-02 15:30"),
        *("2024-01-02 00:00:00+05:30", "2024-01-02T00:00:00+0530", "2024-01-02 00:00:00 IST"),
        *("2024-01-01 18:30:00+00:00", "2024-01-01T18:30:00Z", "2024-01-01 18:30 UTC", "2024-01-01 13:30:00-05:00"),
        *("2024-01-02T00:00:00Z", "2024-01-02 15:30:00+05:30", "2024-01-02 00:00:00-05:00"),
        *("02-Jan-2024", "2 January 2024", "02/JAN/2024", "02JAN2024", "02-Jan-24", "January 2, 2024"),
        *("20240102", "2024/1/2", "1704133800", "1704133800000", "1704167100"),
    ],
)
def test_what_can_be_read_in_one_way_only(text: str) -> None:
    assert read_dates([text]).sessions[text] == date(2024, 1, 2)


@pytest.mark.parametrize("zeros", ["", "000", "000000", "000000000"])
def test_seconds_since_1970_have_nine_digits_until_2001(zeros: str) -> None:
    assert read_dates([f"820434600{zeros}"]).sessions[f"820434600{zeros}"] == date(1996, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        *("2024-13-02", "2024-02-30", "30-Feb-2024", "02-Foo-2024", "2024-01", "32-01-2024", "2024-01-02 25:00"),
        *("x", "", "nan", "NaT", "45292", "9999999999"),
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(OpenDateError, match=r"is no date$"):
        read_dates([text])


def test_candles_of_minutes_are_refused(folder: Callable[..., Path]) -> None:
    said = refusal(folder(AAA=rows("2024-01-01 09:15", "2024-01-01 09:16")))
    assert "has session 2024-01-01 twice (lines 2 and 3)" in said
    assert "daily candles" in said


@settings(deadline=None)
@given(
    start=st.dates(date(2015, 1, 1), date(2024, 1, 1)),
    shape=st.sampled_from(["%d-%m-%Y", "%m/%d/%Y", "%d.%m.%y", "%m-%d-%y", "%Y%m%d", "%d%m%Y", "%d %b %Y"]),
)
def test_two_months_of_sessions_are_never_open(start: date, shape: str) -> None:
    days = [start + timedelta(days=day) for day in range(62) if (start + timedelta(days=day)).weekday() < 5]
    found = read_dates(day.strftime(shape) for day in days)
    assert [found.sessions[day.strftime(shape)] for day in days] == days


@settings(deadline=None)
@given(text=st.text(max_size=25))
def test_any_text_is_a_date_or_refused(text: str) -> None:
    try:
        found = read_dates([text])
    except OpenDateError as error:
        assert repr(text) in error.reason
    else:
        assert 1980 <= found.sessions[text].year < 2101


@pytest.mark.parametrize(
    ("prices", "close", "volume"),
    [
        ('"1,234.50","1,300","999.5","1,234.50","12,34,567"', 1234.5, 1234567),
        ('"1.234,50","1.300","999,5","1.234,50","1.234.567"', 1234.5, 1234567),
        ('"1234,5","1300,25","999,5","1234,50","1234567"', 1234.5, 1234567),
        ("1 234.50,1 300.00,999.5,1 234.50,1 234 567", 1234.5, 1234567),
        ("₹1234.50,₹1300,₹999.5,₹1234.50,1.5M", 1234.5, 1500000),
        ('"₹ 1,234.50","₹ 1,300","₹ 999.5","₹ 1,234.50","1,500.5K"', 1234.5, 1500500),
        ("+1.2345e3, 1300 ,999.5,1234.5,1234567.0", 1234.5, 1234567),
    ],
)
def test_numbers_in_the_style_of_the_folder(
    folder: Callable[..., Path], prices: str, close: float, volume: int
) -> None:
    found = read_folder(folder(AAA=rows("2024-01-01", prices=prices))).candles["AAA"]
    assert (found.close[0], found.volume[0]) == (close, volume)
    assert found.close.dtype == np.float64
    assert found.volume.dtype == np.int64


@settings(deadline=None)
@given(
    prices=st.lists(st.integers(1, 10**8), min_size=1, max_size=5),
    style=st.sampled_from([(",", "."), (".", ","), (" ", "."), (" ", ","), ("'", ".")]),
)
def test_numbers_in_one_style_come_back(prices: list[int], style: tuple[str, str]) -> None:
    # 98,765,432.10 is in one style only.
    texts = ["98,765,432.10", *(f"{price / 100:,.2f}" for price in prices)]
    written = pa.array([text.translate(str.maketrans(",.", "".join(style))) for text in texts])
    (found,) = styles_of([(written, False)])
    assert found.floats(written).to_pylist() == [98765432.10, *(price / 100 for price in prices)]


def test_a_small_price_in_one_file_is_read_in_the_style_of_the_others(folder: Callable[..., Path]) -> None:
    path = folder(
        AAA=rows("2024-01-01", prices='"1.234,50","1.300,00","1.000,00","1.234,50","10"'),
        BBB=rows("2024-01-01", prices="1.234,1.300,1.000,1.250,1.000"),
    )
    found = read_folder(path).candles["BBB"]
    assert (found.open[0], found.close[0], found.volume[0]) == (1234, 1250, 1000)


def test_numbers_that_can_be_read_in_two_ways_are_refused(folder: Callable[..., Path]) -> None:
    said = refusal(folder(AAA=rows("2024-01-01", prices='"1,234","1,300","1,000","1,234","5"')))
    assert "column 'Open', line 2: '1,234' is 1234 or 1.234, and no number of the folder tells which" in said


def test_numbers_in_two_styles_are_both_shown(folder: Callable[..., Path]) -> None:
    path = folder(
        AAA=rows("2024-01-01", prices='"1,234.50","1,300","999.5","1,234.50","5"'),
        BBB=rows("2024-01-01", prices='"1.234,50","1.300,0","999,5","1.234,50","5"'),
    )
    said = refusal(path)
    assert "BBB.csv column 'Open', line 2: '1.234,50' is written otherwise than '1,234.50' elsewhere" in said


def test_rows_without_any_price_are_no_candles_and_told(folder: Callable[..., Path]) -> None:
    text = rows("2024-01-01") + "2024-01-02,null,null,null,null,null\n2024-01-03,,,,,0\n"
    found = read_folder(folder(AAA=text))
    assert [str(day) for day in found.candles["AAA"].dates] == ["2024-01-01"]
    assert any("rows without any price, left out: 2, the first in" in line for line in found.told)


@pytest.mark.parametrize(
    "headings", ["Close,close", "Close,Close", "Close,Close.1", "Close (₹),close", "Close,Close Price"]
)
def test_a_column_given_twice_is_said_or_refused(folder: Callable[..., Path], headings: str) -> None:
    text = f"Date,Open,High,Low,{headings},Volume\n2024-01-01,10,11,9,10,10,5\n"
    found = read_folder(folder(AAA=text))
    first, second = headings.split(",")
    assert any(f"one column twice, {first!r} and {second!r}" in line for line in found.told)
    said = refusal(folder(AAA=text.replace("10,10,5", "10,10.5,5")))
    assert f"AAA.csv has close twice, in columns {first!r} and {second!r}, and they differ" in said


def test_adjusted_close_is_used_where_asked_for_and_said_otherwise(folder: Callable[..., Path]) -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-01,10,12,8,10,5,7\n"
    path = folder(AAA=text)
    plain = read_folder(path)
    assert plain.candles["AAA"].close[0] == 10
    assert any("Adj Close is there and not used" in line for line in plain.told)
    found = read_folder(path, adjusted_close=True).candles["AAA"]
    assert (found.open[0], found.high[0], found.low[0], found.close[0], found.volume[0]) == (5, 6, 4, 5, 7)
    with pytest.raises(NiftyFormerError, match=r"BBB\.csv has no column 'Adj Close'"):
        read_folder(folder(BBB=rows("2024-01-01")), adjusted_close=True)


LONG = "symbol,date,open,high,low,close,volume\n"
DAY = "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,PREVCLOSE,TOTTRDQTY,TIMESTAMP\n"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"AAA": rows("2024-01-01"), "long": LONG}, "long.csv has a column of symbols and "),
        (
            {"one": LONG + "AAA,2024-01-01,1,1,1,1,1\n", "two": LONG + "AAA,2024-01-01,2,2,2,2,2\n"},
            "both have session 2024-01-01 of AAA (lines 2 and 2)",
        ),
        ({"day": DAY + "AAA,BE,1,1,1,1,1,1,01-JAN-2024\n"}, "has no row of series EQ, only of BE"),
        ({"RELIANCE.NS.csv": rows("2024-01-01"), "RELIANCE": rows("2024-01-01")}, "are both for RELIANCE"),
        ({"AAA.parquet": "no Parquet"}, "AAA.parquet is missing or no Parquet file"),
        ({"AAA.csv.gz": "no gzip"}, "AAA.csv.gz cannot be unpacked"),
        ({"AAA.zip": "no ZIP"}, "AAA.zip is no ZIP file"),
    ],
)
def test_a_folder_that_cannot_be_one_is_refused(folder: Callable[..., Path], files: dict[str, str], words: str) -> None:
    assert words in refusal(folder(**files))


def test_a_constituent_list_and_notes_in_the_folder_are_left_out_and_told(folder: Callable[..., Path]) -> None:
    listed = "Company Name,Industry,Symbol,Series,ISIN Code\nA Ltd.,Power,AAA,EQ,INE000A01010\n"
    found = read_folder(folder(**{"AAA": rows("2024-01-01"), "ind_nifty200list": listed, "notes.txt": "mine\n"}))
    assert list(found.candles) == ["AAA"]
    assert "ind_nifty200list.csv, notes.txt: no candles, left out." in found.told


def test_files_of_one_symbol_are_joined_and_told(folder: Callable[..., Path]) -> None:
    days = {f"AAA_{year}": rows(f"{year}-12-29", f"{year + 1}-01-03") for year in (2021, 2022)}
    path = folder(**days, BBB=rows("2022-01-03"))
    assert dates_of(path, "AAA") == ["2021-12-29", "2022-01-03", "2022-12-29", "2023-01-03"]
    (line,) = read_folder(path).told
    assert line == f"2 files of AAA are joined ({path}/AAA_2021.csv and {path}/AAA_2022.csv)."


def test_a_candle_in_several_files_is_one_if_it_is_the_same_in_all(folder: Callable[..., Path]) -> None:
    path = folder(AAA_2021=rows("2021-12-31", "2022-01-03"), AAA_2022=rows("2022-01-03", "2022-01-04"))
    assert dates_of(path, "AAA") == ["2021-12-31", "2022-01-03", "2022-01-04"]
    assert "candles that several files have with the same values, taken once: 1." in read_folder(path).told
    said = refusal(folder(AAA_2022=rows("2022-01-03", prices="10,11,9,10,6")))
    assert "AAA_2021.csv and " in said
    assert "AAA_2022.csv both have session 2022-01-03 (lines 3 and 2)" in said
    assert "has session 2022-01-03 twice (lines 2 and 3)" in refusal(
        folder(AAA_2021=rows("2022-01-03", "2022-01-03"), AAA_2022=rows("2022-01-03"))
    )


def test_folders_beside_an_index_and_a_list_are_read_and_beside_a_stock_are_told(folder: Callable[..., Path]) -> None:
    path = folder(**{"NIFTY 50": rows("2022-01-03"), "ind_nifty200list": "Symbol,Industry\nAAA,Power\n"})
    for year in (2021, 2022):
        (path / str(year)).mkdir()
        (path / str(year) / "AAA.csv").write_text(rows(f"{year}-01-04"))
    assert dates_of(path, "AAA") == ["2021-01-04", "2022-01-04"]
    folder(BBB=rows("2022-01-04"))
    found = read_folder(path)
    assert "AAA" not in found.candles
    assert any(line.startswith("Not read: folder 2021, folder 2022.") for line in found.told)


@pytest.mark.parametrize("ending", [".xlsx", ".xls", ".feather", ".csv.zst", ""])
def test_files_of_other_kinds_are_named(folder: Callable[..., Path], ending: str) -> None:
    path = folder()
    (path / f"AAA{ending}").write_text("x")
    assert f"Not read: AAA{ending}. Candles are .csv, .txt, .json, " in refusal(path)
    found = read_folder(folder(BBB=rows("2022-01-04")))
    assert any(line.startswith(f"Not read: AAA{ending}.") for line in found.told)


def test_a_table_of_closes_is_refused_with_what_is_needed(folder: Callable[..., Path]) -> None:
    said = refusal(folder(close="Date,TCS,INFY,SBIN\n2022-01-03,1,2,3\n"))
    assert "close.csv has one column of numbers a name (INFY, SBIN, TCS)" in said
    assert "a long table of Symbol, Date, Open, High, Low, Close, Volume" in said


def test_a_list_of_symbols_is_no_candles(folder: Callable[..., Path]) -> None:
    found = read_folder(folder(AAA=rows("2022-01-03"), EQUITY_L="SYMBOL,NAME OF COMPANY, SERIES\nTCS,Tata,EQ\n"))
    assert list(found.candles) == ["AAA"]
    assert "EQUITY_L.csv: no candles, left out." in found.told


def test_files_without_headings_are_read_in_the_usual_order(folder: Callable[..., Path]) -> None:
    days = {f"2024-01-{day}": f"AAA,202401{day},10,12,9,11,500,0\nBBB,202401{day},1,2,1,2,3,0\n" for day in (30, 31)}
    found = read_folder(folder(**{f"{name}-NSE-EQ.txt": text for name, text in days.items()}))
    daily = found.candles["AAA"]
    assert [str(day) for day in daily.dates] == ["2024-01-30", "2024-01-31"]
    assert (daily.open[0], daily.high[0], daily.low[0], daily.close[0], daily.volume[0]) == (10, 12, 9, 11, 500)
    assert "there are no headings: columns are taken for Symbol, Date, Open, High, Low, Close, Volume." in found.told


def test_columns_without_headings_in_another_order_are_refused(folder: Callable[..., Path]) -> None:
    said = refusal(folder(AAA="2024-01-31,11,10,12,9,500\n2024-02-01,11,10,12,9,500\n"))
    assert "AAA.csv has no headings, and its columns are not Date, Open, High, Low, Close, Volume in this order" in said


def test_a_price_with_a_suffix_is_no_number_and_a_broken_volume_is_told(folder: Callable[..., Path]) -> None:
    assert "column 'Close', line 2: '11K' is no number" in refusal(
        folder(AAA=rows("2024-01-31", prices="10,12,9,11K,5"))
    )
    found = read_folder(folder(AAA=rows("2024-01-31", prices="10,12,9,11,123.456")))
    assert "volumes that are no whole numbers of shares, rounded: 1." in found.told


def test_a_row_without_a_symbol_is_refused(folder: Callable[..., Path]) -> None:
    assert "column 'Symbol', line 2: '' is no symbol" in refusal(folder(long=LONG + ",2024-01-01,1,1,1,1,1\n"))


@pytest.mark.parametrize("heading", ["Volume (in lakhs)", "Volume ('000)", "Vol. (Cr)", "Volume [mn]", "Volume (M)"])
def test_a_volume_in_another_unit_is_refused(folder: Callable[..., Path], heading: str) -> None:
    said = refusal(folder(AAA=rows("2024-01-31").replace("Volume", heading)))
    assert "AAA.csv has volume in another unit, " in said
    assert f"(column {heading!r}). Write prices in rupees and volumes in shares" in said


@pytest.mark.parametrize("heading", ["Close (paise)", "Close ($)", "Close (in thousands)"])
def test_a_price_in_another_unit_is_refused(folder: Callable[..., Path], heading: str) -> None:
    said = refusal(folder(AAA=rows("2024-01-31").replace("Close", heading)))
    assert f"AAA.csv has close in another unit, {heading[7:-1]!r} (column {heading!r})" in said


def test_units_of_rupees_and_shares_are_read(folder: Callable[..., Path]) -> None:
    text = (
        rows("2024-01-31").replace("Close", "Close (Rs.)").replace("Open", "Open (₹)").replace("Volume", "Vol (shares)")
    )
    assert read_folder(folder(AAA=text)).candles["AAA"].close[0] == 10


def test_a_volume_that_is_whole_but_for_its_last_bit_is_not_rounded(folder: Callable[..., Path]) -> None:
    found = read_folder(folder(AAA=rows("2024-01-31", prices="10,12,9,11,1.29M"), BBB=rows("2024-01-31")))
    assert found.candles["AAA"].volume[0] == 1_290_000
    assert not found.told


def test_bhavcopies_of_bse_are_named(folder: Callable[..., Path]) -> None:
    head = "SC_CODE,SC_NAME,OPEN,HIGH,LOW,CLOSE,PREVCLOSE,NO_OF_SHRS,TRADING_DATE\n"
    said = refusal(folder(EQ_ISINCODE_010424=head + "500325,RELIANCE,1,1,1,1,1,5,01-APR-24\n"))
    assert "is a bhavcopy of BSE. Give those of NSE" in said
    head = "Date,Open Price,High Price,Low Price,Close Price,WAP,No.of Shares,No. of Trades,Spread High-Low\n"
    path = folder()
    (path / "EQ_ISINCODE_010424.csv").unlink()
    found = read_folder(folder(AAA=head + "1-April-2024,10,11,9,10,10,5,1,2\n"))
    assert "these are BSE's candles: volumes are those of that exchange alone." in found.told


def test_lines_above_the_headings_are_titles_only_if_these_are_known(folder: Callable[..., Path]) -> None:
    assert "has no column 'Date' in its first line" in refusal(folder(AAA="A,B,C,D,E,F\n" + rows("2024-01-31")))
    assert "has no column 'Date' in its first line" in refusal(folder(AAA="A\nDate,Close\n2024-01-31,1\n"))
    said = refusal(folder(AAA="A\n\n" + rows("2024-01-31", prices="10,12,9,x,5")))
    assert "column 'Close', line 4: 'x' is no number" in said

"""Vendors' names become NSE's symbols; which stand on one side only is said before anything is fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from niftyformer_assets.exchange.market import BENCHMARK
from niftyformer_assets.exchange.replay import read_replay
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.folder import read_folder
from niftyformer_assets.vendors.names import cleaned, matched, name_of_file, without_common

ROWS = "Date,Open,High,Low,Close,Volume\n2024-01-01,10,11,9,10,5\n"


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("RELIANCE", "RELIANCE"),
        ("reliance.ns", "RELIANCE"),
        ("RELIANCE.NSE", "RELIANCE"),
        ("NSE:RELIANCE", "RELIANCE"),
        ("NSE:RELIANCE-EQ", "RELIANCE"),
        ("NSE_RELIANCE", "RELIANCE"),
        ("NSE_RELIANCE, 1D", "RELIANCE"),
        ("NSE_DLY_RELIANCE, 1D_0f3ab", "RELIANCE"),
        ("RELIANCE-EQ", "RELIANCE"),
        ("RELIANCE_EQ", "RELIANCE"),
        ("RELIANCE (1)", "RELIANCE"),
        ("RELIANCE_1D", "RELIANCE"),
        ("Reliance Historical Data", "RELIANCE"),
        ("reliance_historical_data", "RELIANCE"),
        ("RELIANCE_daily_data", "RELIANCE"),
        ("NSE-EQ", "NSE"),
        ("NSE.NS", "NSE"),
        ("Quote-Equity-RELIANCE-EQ-01-01-2023-to-31-12-2023", "RELIANCE"),
        ("RELIANCE_2022", "RELIANCE"),
        ("2022-RELIANCE", "RELIANCE"),
        ("RELIANCE.NS_2022", "RELIANCE"),
        ("RELIANCE_2022.NS", "RELIANCE"),
        ("RELIANCE_2022-01-01_2022-12-31", "RELIANCE"),
        ("RELIANCE_01012022_31122022", "RELIANCE"),
        ("RELIANCE_FY2022-23", "RELIANCE"),
        ("RELIANCE Jan 2022", "RELIANCE"),
        ("RELIANCE_Daily_202201030000_202408300000", "RELIANCE"),
        ("RELIANCE_738561_day", "RELIANCE"),
        ("RELIANCE_500325", "RELIANCE"),
        ("RELIANCE1440", "RELIANCE"),
        ("NIFTY 200", "NIFTY 200"),
        ("3MINDIA", "3MINDIA"),
        ("360ONE", "360ONE"),
        ("M&M.NS", "M&M"),
        ("BAJAJ-AUTO", "BAJAJ-AUTO"),
        ("BAJAJ-AUTO-EQ", "BAJAJ-AUTO"),
        ("MCDOWELL-N.NS", "MCDOWELL-N"),
        ("NSLNISP", "NSLNISP"),
        ("DATAPATTNS", "DATAPATTNS"),
        ("^NSEI", BENCHMARK),
        ("NSE_NIFTY, 1D", BENCHMARK),
        ("NIFTY 50", BENCHMARK),
        ("NIFTYBEES", "NIFTYBEES"),
    ],
)
def test_what_vendors_put_around_a_symbol_is_taken_off(name: str, symbol: str) -> None:
    assert cleaned(name) == symbol


def test_what_all_files_are_called_is_taken_off() -> None:
    names = ["stock_RELIANCE_2016-2024", "stock_BAJAJ-AUTO_2016-2024", "stock_M&M_2016-2024"]
    assert without_common(names) == ["RELIANCE", "BAJAJ-AUTO", "M&M"]
    # The rest would be no symbols, or two files are too few to tell.
    assert without_common(["M_M", "M_MFIN"]) == ["M_M", "M_MFIN"]


@pytest.mark.parametrize(
    ("stem", "folders", "name"),
    [
        ("RELIANCE_2022", ("candles",), "RELIANCE"),
        ("2022", ("candles", "RELIANCE"), "RELIANCE"),
        ("daily", ("candles", "RELIANCE"), "RELIANCE"),
        ("01", ("candles", "RELIANCE", "2022"), "RELIANCE"),
        ("part-0", ("symbol=M%26M", "year=2022"), "M&M"),
        ("500325", ("bse",), "500325"),
        ("data", ("data",), "data"),
    ],
)
def test_a_file_whose_name_says_nothing_is_called_as_its_folder(stem: str, folders: tuple[str, ...], name: str) -> None:
    assert name_of_file(stem, folders) == name


def test_what_all_symbols_have_in_common_is_told_and_that_they_are_of_another_exchange(
    folder: Callable[..., Path],
) -> None:
    found = read_folder(folder(**{f"{name}.BO.csv": ROWS for name in ("AAA", "BBB", "CCC")}))
    assert list(found.candles) == ["AAA", "BBB", "CCC"]
    assert any("in common is cut: AAA.BO is AAA. These seem to be BSE's candles" in line for line in found.told)


def test_a_company_stands_for_its_symbol(folder: Callable[..., Path], tmp_path: Path) -> None:
    path = folder(**{"Tata Consultancy Historical Data.csv": ROWS, "Infosys Limited.csv": ROWS})
    listed = tmp_path / "ind_nifty200list_2024-01-01.csv"
    listed.write_text(
        "Company Name,Industry,Symbol,Series,ISIN Code\nTata Consultancy Ltd.,IT,TCS,EQ,INE1\n"
        "Infosys Limited,IT,INFY,EQ,INE2\n"
    )
    found = read_replay(path, listed)
    assert found.matched == {"TCS", "INFY"}
    assert "names are taken for symbols: INFOSYS LIMITED as INFY, TATA CONSULTANCY as TCS." in found.told


def test_an_isin_stands_for_the_symbol_of_a_list_or_a_table(folder: Callable[..., Path], tmp_path: Path) -> None:
    path = folder(**{"NSE_EQ|INE000A01010.csv": ROWS, "INE123A01016.csv": ROWS, "INE999A01019.csv": ROWS})
    found = read_replay(path, list_of(tmp_path, "RELIANCE"), others={"TCS": "INE123A01016", "INFY": ""})
    assert found.market.candles.keys() == {"RELIANCE", "TCS", "INE999A01019"}
    assert "names are taken for symbols: INE000A01010 as RELIANCE, INE123A01016 as TCS." in found.told


def test_a_name_is_the_only_symbol_with_its_letters() -> None:
    known = {"M&M", "BAJAJ-AUTO", "AB-C", "A-BC"}
    assert matched(["M_M", "BAJAJ_AUTO", "ABC", "M&M2"], known) == {
        "M_M": "M&M",
        "BAJAJ_AUTO": "BAJAJ-AUTO",
        "ABC": "ABC",
        "M&M2": "M&M2",
    }


def list_of(tmp_path: Path, *symbols: str) -> Path:
    path = tmp_path / "ind_nifty200list_2024-01-01.csv"
    rows = "".join(f"{symbol} Ltd.,Power,{symbol},EQ,INE{n:03d}A01010\n" for n, symbol in enumerate(symbols))
    path.write_text("Company Name,Industry,Symbol,Series,ISIN Code\n" + rows)
    return path


def test_a_folder_of_which_no_name_is_listed_is_refused_with_the_nearest(
    folder: Callable[..., Path], tmp_path: Path
) -> None:
    path = folder(RELIANC=ROWS, ZZZ=ROWS)
    with pytest.raises(NiftyFormerError) as error:
        read_replay(path, list_of(tmp_path, "RELIANCE", "TCS"))
    said = str(error.value)
    assert f"none of the 2 symbols of {path} (RELIANC, ZZZ) is one of the 2 of" in said
    assert "(RELIANCE, TCS). RELIANC is nearest to RELIANCE." in said


def test_a_folder_of_which_few_names_are_listed_warns(folder: Callable[..., Path], tmp_path: Path) -> None:
    path = folder(AAA=ROWS, TATAMOTR=ROWS, ZZZ=ROWS)
    found = read_replay(path, list_of(tmp_path, "AAA", "TATAMOTORS", "TCS"))
    assert found.few
    assert found.warnings[0] == (
        "only 1 of the 3 symbols of ind_nifty200list_2024-01-01.csv have candles; without any: TATAMOTORS, TCS; "
        "not in the list: TATAMOTR, ZZZ. TATAMOTR is nearest to TATAMOTORS."
    )


def test_renamed_stocks_are_matched_under_either_name(folder: Callable[..., Path], tmp_path: Path) -> None:
    found = read_replay(
        folder(MCDOWELL_N=ROWS, NSE_TMPV=ROWS),
        list_of(tmp_path, "UNITDSPR", "TATAMOTORS"),
        {"MCDOWELL-N": "UNITDSPR", "TATAMOTORS": "TMPV"},
    )
    assert found.matched == {"UNITDSPR", "TMPV"}
    assert "names are taken for symbols: MCDOWELL_N as MCDOWELL-N." in found.told


def test_two_names_of_one_symbol_are_refused(folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(NiftyFormerError, match="are both for M&M"):
        read_replay(folder(M_M=ROWS, MM=ROWS), list_of(tmp_path, "M&M"))

from __future__ import annotations

import zlib
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from niftyformer_assets.exchange.faults import Faults, Rename
from niftyformer_assets.market.identities import aliases_of_lists, symbols_of_lists
from niftyformer_assets.market.index_lists import install_list, parse_list
from niftyformer_assets.market.list_fetching import fetch_list
from niftyformer_assets.market.membership_files import read_lists
from niftyformer_assets.market.renames import renames
from niftyformer_assets.market.universe import (
    build_universe,
    describe_reach,
    load_universe,
    save_universe,
)
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.market.members import members_on
from niftyformer_assets_tests.market.world import at, world
from niftyformer_assets_tests.shared_data import shared

HEADER = "Company Name,Industry,Symbol,Series,ISIN Code\n"


def line(symbol: str, isin: str = "", industry: str = "Power") -> str:
    isin = isin or f"INE{zlib.crc32(symbol.encode()) % 10**9:09d}"
    return f"{symbol} Ltd.,{industry},{symbol},EQ,{isin}\n"


def drop(folder: Path, day: str, *lines: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"ind_nifty200list_{day}.csv").write_text(HEADER + "".join(lines))


def test_spells_across_lists(tmp_path: Path) -> None:
    drop(tmp_path, "2022-01-29", line("AAA"), line("BBB"))
    drop(tmp_path, "2023-01-28", line("AAA"), line("CCC"))
    drop(tmp_path, "2024-01-27", line("AAA"), line("BBB"), line("CCC"))
    universe = build_universe(read_lists([tmp_path]))
    spells = [
        (row.symbol, str(row.member_from)[:10], str(row.member_to)[:10]) for row in universe.itertuples(index=False)
    ]
    assert spells == [
        ("AAA", "2022-01-29", "NaT"),
        ("BBB", "2022-01-29", "2023-01-27"),
        ("BBB", "2024-01-27", "NaT"),
        ("CCC", "2023-01-28", "NaT"),
    ]
    assert members_on(universe, date(2023, 6, 1)) == ["AAA", "CCC"]
    assert members_on(universe, date(2023, 1, 27)) == ["AAA", "BBB"]
    assert members_on(universe, date(2020, 1, 1)) == ["AAA", "BBB"]
    assert "reach back to 2022-01-29" in describe_reach(universe)
    save_universe(tmp_path / "universe.parquet", universe)
    pd.testing.assert_frame_equal(load_universe(tmp_path / "universe.parquet"), universe, check_dtype=False)


def test_one_identity_by_the_table_of_renames_and_by_isin(tmp_path: Path) -> None:
    drop(tmp_path, "2022-01-29", line("LTI", "INE214T01019"), line("OLDNAME", "INE000000001"), line("TATAMOTORS"))
    drop(tmp_path, "2025-10-02", line("LTIM", "INE214T01019"), line("NEWNAME", "INE000000001"), line("TATAMOTORS"))
    assert symbols_of_lists([tmp_path, tmp_path / "absent"]) == ["LTM", "NEWNAME", "TMPV"]
    universe = build_universe(read_lists([tmp_path]))
    assert universe["symbol"].tolist() == ["LTM", "NEWNAME", "TMPV"]
    assert universe["member_to"].isna().all()
    aliases = aliases_of_lists([tmp_path])
    assert aliases["LTM"] == ("LTIM", "LTI")
    assert aliases["NEWNAME"] == ("OLDNAME",)


def test_a_stock_renamed_under_each_of_two_isins_is_one(tmp_path: Path) -> None:
    drop(tmp_path, "2022-01-29", line("FIRST", "INE000000001"))
    drop(tmp_path, "2023-01-29", line("SECOND", "INE000000001"))
    drop(tmp_path, "2024-01-29", line("SECOND", "INE000000002"))
    drop(tmp_path, "2025-01-29", line("THIRD", "INE000000002"))
    assert symbols_of_lists([tmp_path]) == ["THIRD"]


FIRST, SECOND, OTHER = "INE180A01020", "INE0CG601016", "INE009A01021"


@pytest.mark.parametrize(
    ("lists", "members"),
    [
        # The old company became NEW, and another one got its symbol: in the same list, or a year later.
        ({"2016-09-01": {"NEW": FIRST, "OLD": SECOND}}, ["NEW"]),
        ({"2016-09-01": {"NEW": FIRST}, "2017-09-01": {"NEW": FIRST, "OLD": SECOND}}, ["NEW"]),
        # It left the index, and nobody knows what became of it.
        ({"2016-09-01": {"OLD": SECOND}}, [f"OLD.{FIRST}"]),
        ({"2016-09-01": {}, "2018-09-01": {"OLD": SECOND}}, [f"OLD.{FIRST}"]),
        # It came back under its symbol, or with the ISIN that a split of the face value gave it.
        ({"2016-09-01": {}, "2018-09-01": {"OLD": FIRST}}, ["OLD"]),
        ({"2016-09-01": {"OLD": "INE180A01038"}}, ["OLD"]),
        ({"2016-09-01": {}, "2018-09-01": {"OLD": "INE180A01038"}}, ["OLD"]),
        ({"2016-09-01": {"NEW": FIRST}, "2017-09-01": {"NEW": "INE180A01038", "OLD": SECOND}}, ["NEW"]),
        # Shares with other rights are another paper of the same issuer.
        ({"2016-09-01": {"NEW": FIRST, "OLD": "IN9180A01028"}}, ["NEW"]),
        # The other company was renamed in its turn.
        ({"2016-09-01": {"NEW": FIRST, "OLD": SECOND}, "2017-09-01": {"NEW": FIRST, "NEWER": SECOND}}, ["NEW"]),
    ],
)
def test_a_symbol_taken_over_by_another_company(
    tmp_path: Path, lists: dict[str, dict[str, str]], members: list[str]
) -> None:
    drop(tmp_path, "2016-01-01", line("OLD", FIRST), line("INFY", OTHER))
    for day, stocks in lists.items():
        drop(tmp_path, day, line("INFY", OTHER), *(line(symbol, isin) for symbol, isin in stocks.items()))
    universe = build_universe(read_lists([tmp_path]))
    assert members_on(universe, date(2016, 3, 1)) == ["INFY", *members]
    assert set(universe["symbol"]) == set(symbols_of_lists([tmp_path]))
    newest = list(lists)[-1]
    assert members_on(universe, date.fromisoformat(newest)) == sorted(["INFY", *lists[newest]])
    # A split of the face value or a rename starts no new spell.
    assert len(universe[universe["symbol"] == "INFY"]) == 1


def test_a_symbol_that_the_table_of_renames_gave_up(tmp_path: Path) -> None:
    # LTI became LTIM in December 2022, and LTM in 2026.
    drop(tmp_path, "2022-01-29", line("LTI", FIRST))
    drop(tmp_path, "2025-10-02", line("LTI", SECOND))
    universe = build_universe(read_lists([tmp_path]))
    assert members_on(universe, date(2022, 2, 1)) == ["LTM"]
    assert members_on(universe, date(2025, 10, 2)) == ["LTI"]
    aliases = aliases_of_lists([tmp_path])
    assert aliases["LTM"] == ("LTIM",)
    assert aliases["LTI"] == ()
    # Another ISIN under the new symbol is the same stock, for the table says so.
    drop(tmp_path / "other", "2022-01-29", line("LTI", FIRST))
    drop(tmp_path / "other", "2023-01-29", line("LTIM", SECOND))
    assert symbols_of_lists([tmp_path / "other"]) == ["LTM"]


def test_lists_go_on_with_an_old_symbol_for_a_while_but_not_for_years(tmp_path: Path) -> None:
    for day, symbol in (("2024-08-10", "UNITDSPR"), ("2025-08-10", "MCDOWELL-N")):
        drop(tmp_path / day, day, line("MCDOWELL-N", "INE854D01024"))
        assert symbols_of_lists([tmp_path / day]) == [symbol]
    drop(tmp_path / "both", "2024-08-10", line("MCDOWELL-N", SECOND), line("UNITDSPR", "INE854D01024"))
    assert symbols_of_lists([tmp_path / "both"]) == ["MCDOWELL-N", "UNITDSPR"]


def test_an_earlier_symbol_is_no_stocks_own_once_it_was_given_up_long_ago(tmp_path: Path) -> None:
    drop(tmp_path, "2022-01-29", line("OLD", FIRST))
    drop(tmp_path, "2023-01-29", line("NEW", FIRST))
    assert aliases_of_lists([tmp_path], date(2023, 3, 1))["NEW"] == ("OLD",)
    assert aliases_of_lists([tmp_path], date(2024, 3, 1))["NEW"] == ()
    assert aliases_of_lists([tmp_path], date(2024, 3, 1))["OLD"] == ("NEW",)
    assert aliases_of_lists([], date(2024, 6, 1))["LTM"] == ("LTIM",)
    assert aliases_of_lists([], date(2024, 6, 1))["LTI"] == ("LTM", "LTIM")


def test_the_renames_that_are_facts_are_known() -> None:
    latest = renames()
    for old, new in (
        ("LTI", "LTM"),
        ("MCDOWELL-N", "UNITDSPR"),
        ("GMRINFRA", "GMRAIRPORT"),
        ("ZOMATO", "ETERNAL"),
        ("TATAMOTORS", "TMPV"),
        ("LTIM", "LTM"),
    ):
        assert latest[old] == new


def test_a_sector_is_that_of_the_list_in_force(tmp_path: Path) -> None:
    drop(tmp_path, "2022-01-29", line("TITAN", industry="CONSUMER GOODS"), line("GONE", industry="CONSUMER GOODS"))
    drop(tmp_path, "2023-09-09", line("TITAN", industry="Consumer Durables"))
    drop(tmp_path, "2024-09-09", line("TITAN", industry="CONSUMER DURABLES"))
    universe = build_universe(read_lists([tmp_path]))
    spells = [
        (row.symbol, row.sector, str(row.member_from)[:10], str(row.member_to)[:10]) for row in universe.itertuples()
    ]
    assert spells == [
        ("GONE", "Fast Moving Consumer Goods", "2022-01-29", "2023-09-08"),
        ("TITAN", "Fast Moving Consumer Goods", "2022-01-29", "2023-09-08"),
        ("TITAN", "Consumer Discretionary", "2023-09-09", "NaT"),
    ]
    assert members_on(universe, date(2023, 9, 8)) == ["GONE", "TITAN"]
    assert members_on(universe, date(2023, 9, 9)) == ["TITAN"]


def test_real_lists() -> None:
    folder = shared("market_data/index_lists")
    found = read_lists([folder])
    universe = build_universe(found)
    assert len(members_on(universe, date(2026, 8, 15), "nifty50")) == 50
    assert len(members_on(universe, date(2026, 8, 15), "nifty500")) >= 500
    assert set(members_on(universe, date(2026, 8, 15))) < set(members_on(universe, date(2026, 8, 15), "nifty500"))
    lists = [kept for kept in found if kept.index.name == "nifty200"]
    assert [str(index_list.as_of) for index_list in lists][:2] == ["2022-01-29", "2023-09-09"]
    universe = build_universe(lists)
    assert universe["sector"].notna().all()
    assert len(members_on(universe, date(2022, 3, 1))) == 200
    candles = {path.stem for path in shared("market_data/kite_daily_2022_2024").glob("*.csv")}
    lacking = {"BAJAJHFL", "HYUNDAI", "ITCHOTELS", "NTPCGREEN", "PREMIERENE", "ENRIN", "SWIGGY", "VMM", "WAAREEENER"}
    in_2025 = set(members_on(build_universe([lists[3]]), date(2025, 10, 2)))
    # LTIM's candles lie under the symbol of 2024.
    assert in_2025 - candles == {*lacking, "LTM"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html><body>Access denied</body></html>", "web page"),
        ("", "no column 'company name'"),
        ("Company Name,Symbol,Series,ISIN Code\nA,A,EQ,INE000000001\n", "no column 'industry'"),
        (HEADER, "no member"),
        (HEADER + line("AAA") + "BBB Ltd.,Pow", "line 3"),
        (HEADER + line("AAA") + line("AAA"), "AAA is there twice"),
        (HEADER + line("AAA", "INE000A01010") + line("BBB", "INE000A01010"), "BBB and AAA have one ISIN, INE000A01010"),
        (HEADER + line("AAA", industry="Space Travel"), "'Space Travel'"),
        (HEADER + line("AAA", isin="12"), "'12' is not the ISIN of AAA"),
    ],
)
def test_a_broken_list_is_one_clear_line(content: str, said: str) -> None:
    with pytest.raises(NiftyFormerError, match=said) as caught:
        parse_list(content.encode(), "list.csv")
    assert "\n" not in str(caught.value)
    assert "list.csv" in str(caught.value)


def test_headers_in_any_case_and_placeholders(tmp_path: Path) -> None:
    content = "COMPANY NAME,INDUSTRY,SYMBOL,SERIES,ISIN CODE\n" + line("M&M", "INE101A01026")
    content += line("DUMMYITC") + line("DUMMYMM", "INE101A01026")
    assert [member.symbol for member in parse_list(content.encode(), "x")] == ["M&M"]


def test_a_dropped_file_needs_its_date_in_its_name(tmp_path: Path) -> None:
    source = tmp_path / "download.csv"
    source.write_text(HEADER + line("AAA"))
    with pytest.raises(NiftyFormerError, match="YYYY-MM-DD"):
        install_list(source, tmp_path / "lists")
    target = install_list(source, tmp_path / "lists", date(2024, 1, 1))
    assert read_lists([tmp_path / "lists"])[0].path == target
    with pytest.raises(NiftyFormerError, match=r"absent\.csv could not be read"):
        install_list(tmp_path / "absent.csv", tmp_path, date(2024, 1, 1))


def test_no_list_says_what_to_do() -> None:
    with pytest.raises(NiftyFormerError, match="niftyformer universe"):
        build_universe([])


def test_fetching_keeps_lists_by_date_and_only_when_they_change(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-03-01")) as (it, _):
        first = fetch_list(tmp_path / "lists", date(2024, 3, 1), it.exchange.url)
        assert first.name == "ind_nifty200list_2024-03-01.csv"
        assert fetch_list(tmp_path / "lists", date(2024, 3, 4), it.exchange.url) == first
        it.exchange.faults = Faults(renames=(Rename("DEMO005", "DEMONEW"),))
        second = fetch_list(tmp_path / "lists", date(2024, 3, 5), it.exchange.url)
        assert second != first
    # The same ISIN under another symbol is the same stock.
    symbols = symbols_of_lists([tmp_path / "lists"])
    assert "DEMONEW" in symbols
    assert "DEMO005" not in symbols
    assert aliases_of_lists([tmp_path / "lists"])["DEMONEW"] == ("DEMO005",)


@pytest.mark.parametrize("fault", ["html_pages", "cut_off_bodies", "server_errors"])
def test_a_broken_answer_never_replaces_a_list(tmp_path: Path, fault: str) -> None:
    with world(tmp_path, at("2024-03-01")) as (it, _):
        good = fetch_list(tmp_path / "lists", date(2024, 3, 1), it.exchange.url)
        before = good.read_bytes()
        it.exchange.faults = Faults(**{fault: 1.0}, paths=("/IndexConstituent",))  # type: ignore[arg-type]
        with pytest.raises(NiftyFormerError):
            fetch_list(tmp_path / "lists", date(2024, 3, 2), it.exchange.url, attempts=1)
        assert [path.read_bytes() for path in (tmp_path / "lists").glob("*.csv")] == [before]


def of(count: int) -> list[str]:
    return [line(f"S{number:03d}") for number in range(count)]


@pytest.mark.parametrize("lacking", [5, 20, 199])
@pytest.mark.parametrize("others", [("2023-01-28",), ("2025-01-28",), ("2023-01-28", "2025-01-28")])
def test_a_list_that_was_cut_at_a_line_among_whole_ones_is_refused(
    tmp_path: Path, lacking: int, others: tuple[str, ...]
) -> None:
    for day in others:
        drop(tmp_path, day, *of(200))
    drop(tmp_path, "2024-01-27", *of(200 - lacking))
    with pytest.raises(NiftyFormerError, match=rf"list_2024-01-27\.csv has {200 - lacking} of the 200 names"):
        read_lists([tmp_path])
    wrong: list[str] = []
    assert [str(kept.as_of) for kept in read_lists([tmp_path], wrong)] == list(others)
    assert len(wrong) == 1 and "download it again" in wrong[0]


@pytest.mark.parametrize("sizes", [(200, 196, 201), (30, 45, 12), (195, 190)])
def test_lists_of_ones_own_and_those_around_a_demerger_are_read(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    for year, size in enumerate(sizes, 2022):
        drop(tmp_path, f"{year}-01-27", *of(size))
    assert [len(kept.members) for kept in read_lists([tmp_path])] == list(sizes)


def test_a_fetched_list_with_fewer_names_than_the_one_before_is_refused(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-03-01")) as (it, _):
        before = fetch_list(tmp_path / "lists", date(2024, 3, 1), it.exchange.url)
        lines = before.read_text().splitlines(keepends=True)
        longer = tmp_path / "longer" / "ind_nifty200list_2024-03-01.csv"
        longer.parent.mkdir()
        longer.write_text("".join(lines) + line("MORE1") + line("MORE2"))
        with pytest.raises(NiftyFormerError, match="was cut short"):
            fetch_list(longer.parent, date(2024, 3, 2), it.exchange.url)
        assert [path.name for path in longer.parent.glob("*.csv")] == [longer.name]


def test_two_members_of_one_list_that_others_tie_to_one_stock_are_refused(tmp_path: Path) -> None:
    """A face value split changed its ISIN; later a list has both, under two symbols."""
    drop(tmp_path, "2022-01-29", line("AAA", "INE111A01016"), line("BBB"))
    drop(tmp_path, "2023-01-28", line("AAA", "INE111A01024"), line("BBB"))
    assert len(build_universe(read_lists([tmp_path]))) == 2
    drop(tmp_path, "2024-01-27", line("AAA", "INE111A01024"), line("CCC", "INE111A01016"), line("BBB"))
    with pytest.raises(NiftyFormerError, match=r"list_2024-01-27\.csv: AAA \(INE111A01024\) and CCC \(INE111A01016\)"):
        build_universe(read_lists([tmp_path]))


def test_a_short_first_list_is_refused(tmp_path: Path) -> None:
    with (
        world(tmp_path, at("2024-03-01")) as (it, _),
        pytest.raises(NiftyFormerError, match="at least 180 were expected"),
    ):
        fetch_list(tmp_path / "lists", date(2024, 3, 1), it.exchange.url, min_members=180)
    assert not (tmp_path / "lists").exists()

"""Tables of membership: what they say, beside the lists, and what is refused by name."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.indices import INDICES
from niftyformer_assets.market.identities import aliases_of_lists, symbols_of_lists
from niftyformer_assets.market.membership_files import kind_of, read_lists, read_sectors
from niftyformer_assets.market.scope import scope
from niftyformer_assets.market.sectors import UNKNOWN, sector_dummies
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.market.split import Period, SplitByDate
from niftyformer_assets.market.universe import build_universe
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.market.members import members_on
from niftyformer_assets_tests.market.test_universe import drop, line
from niftyformer_assets_tests.shared_data import shared

HEAD = "from_close_of,to_close_of,symbol_then,symbol_2026,isin,nse_industry_then,quality\n"
A, B, C = "INE000A01010", "INE000B01010", "INE000C01010"


def table(folder: Path, *rows: str, head: str = HEAD, name: str = "nifty200_membership.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(head + "".join(f"{row}\n" for row in rows))
    return path


def members(folder: Path, day: str, index: str = "nifty200") -> list[str]:
    return members_on(build_universe(read_lists([folder])), date.fromisoformat(day), index)


def test_a_row_holds_from_close_to_close(tmp_path: Path) -> None:
    table(
        tmp_path,
        f"2019-03-29,2019-09-27,AAA,AAA,{A},Power,official list",
        f"2019-03-29,,BBB,BBB,{B},Power,official list",
        f"2019-09-27,2020-03-27,CCC,CCC,{C},Power,official list",
    )
    assert members(tmp_path, "2019-03-30") == members(tmp_path, "2019-09-27") == ["AAA", "BBB"]
    assert members(tmp_path, "2019-09-28") == members(tmp_path, "2020-03-27") == ["BBB", "CCC"]
    assert members(tmp_path, "2020-03-28") == ["BBB"]
    # Before its beginning the earliest members stand in, as with lists.
    assert members(tmp_path, "2015-01-01") == ["AAA", "BBB"]


def test_from_and_to_are_included_and_headings_may_be_in_any_case(tmp_path: Path) -> None:
    head = "From,To,Symbol Then,Symbol Now,ISIN\n"
    table(tmp_path, f"2019-04-01,2019-09-27,AAA,AAA,{A}", f"2019-09-28,,BBB,BBB,{B}", head=head)
    assert members(tmp_path, "2019-04-01") == members(tmp_path, "2019-09-27") == ["AAA"]
    assert members(tmp_path, "2019-09-28") == ["BBB"]


def test_a_dated_list_speaks_from_its_date_until_the_table_changes(tmp_path: Path) -> None:
    table(
        tmp_path,
        f"2019-03-29,2019-09-27,AAA,AAA,{A},Power,official",
        f"2019-09-27,2020-03-27,BBB,BBB,{B},Power,approx",
    )
    drop(tmp_path, "2019-06-03", line("CCC", C))
    drop(tmp_path, "2020-06-01", line("DDD"))
    assert members(tmp_path, "2019-06-02") == ["AAA"]
    assert members(tmp_path, "2019-06-03") == members(tmp_path, "2019-09-27") == ["CCC"]
    assert members(tmp_path, "2019-09-28") == ["BBB"]
    assert members(tmp_path, "2020-06-01") == ["DDD"]
    universe = build_universe(read_lists([tmp_path])).set_index("symbol")
    assert universe["quality"].to_dict() == {"AAA": "official", "BBB": "approximate", "CCC": "list", "DDD": "list"}
    # Of a list and a table of one date the list counts.
    drop(tmp_path, "2019-09-28", line("CCC", C))
    assert members(tmp_path, "2019-09-28") == ["CCC"]


def test_identity_by_isin_by_latest_symbol_and_by_the_table_of_renames(tmp_path: Path) -> None:
    table(
        tmp_path,
        "2016-02-22,2018-03-28,OLD,NEW,,,approx",
        f"2018-03-28,2019-03-28,OLD,NEW,{A},Power,official",
        f"2019-03-28,2020-03-28,NEW,NEW,{B},Power,official",  # a split gave it another ISIN
        "2016-02-22,2020-03-28,LTI,LTM,,,approx",
        "2016-02-22,2017-03-28,GONE,GONE,,,approx",
    )
    drop(tmp_path, "2020-06-01", line("NEW", B), line("LTI", "INE214T01019"), line("OTHER", C))
    assert symbols_of_lists([tmp_path]) == ["GONE", "LTM", "NEW", "OTHER"]
    assert members(tmp_path, "2016-03-01") == ["GONE", "LTM", "NEW"]
    assert aliases_of_lists([tmp_path], date(2019, 6, 1))["NEW"] == ("OLD",)
    assert build_universe(read_lists([tmp_path])).query("symbol == 'GONE'")["isin"].tolist() == [""]


def test_sectors_are_the_nearest_known_or_a_tables_or_unknown(tmp_path: Path) -> None:
    table(tmp_path, f"2016-02-22,2018-03-28,AAA,AAA,{A},,approx", "2016-02-22,2018-03-28,BBB,BBB,,,approx")
    table(tmp_path, "2016-02-22,2018-03-28,CCC,CCC,,,approx", name="other_nifty200.csv")
    drop(tmp_path, "2019-06-03", line("AAA", A, "Power"))
    table(tmp_path, "BBB,Textiles,2026", head="symbol,nse_sector,as_of\n", name="sectors.csv")
    assert kind_of(tmp_path / "sectors.csv") == "sectors"
    universe = build_universe(read_lists([tmp_path]), read_sectors([tmp_path]))
    sectors = universe.drop_duplicates("symbol").set_index("symbol")["sector"].to_dict()
    assert sectors == {"AAA": "Utilities", "BBB": "Consumer Discretionary", "CCC": UNKNOWN}
    dummies = sector_dummies(universe).set_index("symbol")
    assert dummies.loc["CCC", UNKNOWN] == 1
    assert UNKNOWN not in sector_dummies(universe[universe["symbol"] != "CCC"])


def test_several_indices_have_spells_of_their_own(tmp_path: Path) -> None:
    drop(tmp_path, "2022-01-29", line("AAA"), line("BBB"))
    for index, day, symbols in (("nifty50", "2021-06-01", ["AAA"]), ("nifty500", "2023-01-02", ["AAA", "BBB", "CCC"])):
        shutil.copy(tmp_path / "ind_nifty200list_2022-01-29.csv", tmp_path / INDICES[index].dated(day))
        head = (tmp_path / INDICES[index].dated(day)).read_text().splitlines()[0]
        (tmp_path / INDICES[index].dated(day)).write_text(f"{head}\n" + "".join(line(name) for name in symbols))
    table(tmp_path, f"2019-03-29,2020-03-27,ZZZ,ZZZ,{C},Power,official", name="nifty-500.csv", head=HEAD)
    with pytest.raises(NiftyFormerError, match="which index it is of is not told"):
        read_lists([tmp_path])
    table(
        tmp_path,
        f"2019-03-29,2020-03-27,ZZZ,ZZZ,{C},NIFTY 500",
        name="nifty-500.csv",
        head="from,to,symbol_then,symbol_now,isin,index\n",
    )
    assert members(tmp_path, "2022-06-01") == ["AAA", "BBB"]
    assert members(tmp_path, "2022-06-01", "nifty50") == ["AAA"]
    assert members(tmp_path, "2019-06-03", "nifty500") == ["ZZZ"]
    assert members(tmp_path, "2023-06-01", "nifty500") == ["AAA", "BBB", "CCC"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([f"2019-01-01,2019-06-28,AAA,AAA,{A},,", f"2019-03-01,,AAA,AAA,{A},,"], "rows of one stock must not overlap"),
        (
            [f"2019-01-01,,OLD,AAA,{A},,", f"2019-03-01,,AAA,AAA,{A},,"],
            "AAA is there from 2019-03-02, .* without an end",
        ),
        ([f"2019-01-01,,AAA,AAA,{A},,", f"2019-03-01,,AAA,BBB,{B},,"], "rows of one symbol must not overlap"),
        ([f"2019-01-01,,AAA,AAA,{A},,", f"2019-03-01,,BBB,BBB,{A},,"], "rows of one ISIN must not overlap"),
        ([f"2019-01-01,2018-01-01,AAA,AAA,{A},,"], "line 2: it ends .2018-01-01. before it begins"),
        (["2019-01-01,,AAA,AAA,12,,"], "'12' is not the ISIN of AAA"),
        ([f"01.02.2019,,AAA,AAA,{A},,"], "'01.02.2019' is not a date"),
        ([f"2019-01-01,,A A,AAA,{A},,"], "'A A' is not a symbol"),
        ([f"2019-01-01,,AAA,AAA,{A},,sure"], "'sure' is neither official nor approximate"),
        ([f"2019-01-01,,AAA,AAA,{A},Space Travel,"], "'Space Travel'"),
        ([f"2019-01-01,,AAA,AAA,{A}"], "line 2: 5 fields under 7 headings"),
    ],
)
def test_wrong_rows_are_one_line_with_the_place(tmp_path: Path, rows: list[str], said: str) -> None:
    table(tmp_path, *rows)
    with pytest.raises(NiftyFormerError, match=said) as caught:
        read_lists([tmp_path])
    assert "nifty200_membership.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    drop(tmp_path, "2020-01-01", line("CCC", C))
    wrong: list[str] = []
    assert symbols_of_lists([tmp_path], wrong) == ["CCC"]
    assert len(wrong) == 1


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("from,to,symbol_then,symbol_now,isin,weight", "column 'weight' is unknown"),
        ("from,to,symbol_them,symbol_now,isin", "has no column 'symbol_then'"),
        ("from,to,symbol_then,isin", "has no column 'symbol_now'"),
        ("from,to,symbol_then,symbol_now", "has no column 'isin'"),
        ("from,from_close_of,to,symbol_then,symbol_now,isin", "columns 'from' and 'from_close_of' say the same"),
        ("from,symbol_then,symbol_now,isin", "neither a constituent list"),
        ("date,member", "neither a constituent list"),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, head: str, said: str) -> None:
    table(tmp_path, head=head + "\n")
    with pytest.raises(NiftyFormerError, match=said):
        read_lists([tmp_path])


def test_a_list_of_an_index_that_is_not_known_is_named(tmp_path: Path) -> None:
    drop(tmp_path, "2020-01-01", line("AAA"))
    (tmp_path / "ind_nifty200list_2020-01-01.csv").rename(tmp_path / "ind_nifty100list_2020-01-01.csv")
    with pytest.raises(NiftyFormerError, match=r"ind_nifty100list_2020-01-01\.csv: no index of that name is known"):
        read_lists([tmp_path])


def test_its_quality_is_said_where_it_decides(tmp_path: Path) -> None:
    dates = np.arange("2019-01-01", "2019-02-10", dtype="datetime64[D]")
    split = SplitByDate(
        Period(date(2019, 1, 1), date(2019, 1, 20)),
        Period(date(2019, 1, 21), date(2019, 1, 25)),
        Period(date(2019, 1, 26), date(2019, 2, 9)),
    )
    table(
        tmp_path,
        f"2018-12-01,2019-01-10,AAA,AAA,{A},Power,approx",
        f"2019-01-10,2019-03-01,AAA,AAA,{A},Power,official list",
        f"2018-12-01,2019-03-01,BBB,BBB,{B},Power,official list",
    )
    universe = build_universe(read_lists([tmp_path]))
    panel = Axes(dates, ("AAA", "BBB"))

    def said(membership: str) -> str:
        settings = UniverseSettings(membership=membership, min_training_sessions=5)  # type: ignore[arg-type]
        return scope(np.ones(panel.shape), panel, universe, split, settings).survivorship

    assert "On 2019-01-01 members are those of a table of membership that is approximate" in said("training_start")
    assert "approximate" not in said("training_end")
    assert "On 2019-01-20 members are those of a table of membership that is of official lists" in said("training_end")
    assert "Between 2019-01-01 and 2019-01-10 members are those of a table of membership that is approximate" in said(
        "each_session"
    )


def test_the_real_table() -> None:
    path = shared("market_data/reference/nifty200_membership_2016_2026.csv")
    universe = build_universe(read_lists([path, shared("market_data/index_lists")]))
    assert len(members_on(universe, date(2016, 3, 1))) == 209
    assert len(members_on(universe, date(2022, 6, 1))) == 200
    # Each stock once at a time: a renamed one has one symbol through all years.
    of_index = universe[universe["index"] == "nifty200"].sort_values(["symbol", "member_from"])
    following = of_index.groupby("symbol")["member_from"].shift(-1)
    assert (following.isna() | (of_index["member_to"] < following)).all()
    assert {"LTM", "TMPV", "ETERNAL"} <= set(universe["symbol"])
    assert not {"LTI", "LTIM", "TATAMOTORS", "ZOMATO"} & set(universe["symbol"])
    assert pd.Timestamp("2016-02-23") == of_index["lists_from"].min()

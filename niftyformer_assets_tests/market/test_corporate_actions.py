from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from niftyformer_assets.market import reference
from niftyformer_assets.market.corporate_actions import effect_of, read_corporate_actions
from niftyformer_assets.store.errors import NiftyFormerError

HEADER = (
    '"SYMBOL","COMPANY NAME","SERIES","PURPOSE","FACE VALUE","EX-DATE","RECORD DATE","BOOK CLOSURE START DATE",'
    '"BOOK CLOSURE END DATE"'
)


@pytest.mark.parametrize(
    ("purpose", "ratio", "cash"),
    [
        ("Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 5/- Per Share", 0.5, 0),
        ("Face Value Split (Sub-Division) - From Rs 2/- Per Share To Re 1/- Per Share", 0.5, 0),
        ("Fv Split Rs.10/- To Re.1/-", 0.1, 0),
        ("Consolidation Of Equity Shares From Re 1/- To Rs 10/-", 10, 0),
        ("Bonus 1:2", 2 / 3, 0),
        ("Bonus 3:1", 0.25, 0),
        ("Annual General Meeting/Bonus 1:1", 0.5, 0),
        ("Bonus 1:1/ Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share", 0.1, 0),
        ("Bonus 1:3 And Dividend - Rs 5 Per Share", 0.75, 5),
        ("Interim Dividend - Rs 8 Per Share/ Special Dividend - Rs 67 Per Share", 1, 75),
        ("Interim Dividend Rs - 5.50 Per Share", 1, 5.5),
        ("Special Dividend - Rs 1,250 Per Share", 1, 1250),
        ("Annual General Meeting", 1, 0),
        ("Buy Back", 1, 0),
        ("Interest Payment", 1, 0),
        ("Rights 1:4 @ Premium Rs 65/-", None, 0),
        ("Demerger", None, 0),
        ("Scheme Of Arrangement/Bonus 1:1", None, 0),
        ("Bonus Debentures 1:1", None, 0),
        ("Capital Reduction", None, 0),
        ("Face Value Split", None, 0),
    ],
)
def test_what_a_purpose_does_to_the_price(purpose: str, ratio: float | None, cash: float) -> None:
    told, paid = effect_of(purpose)
    assert told == (None if ratio is None else pytest.approx(ratio))
    assert paid == pytest.approx(cash)


def test_a_list_is_known_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "symbol_renames.csv").write_text("old,new,first_session\n")
    rows = [
        '"ABC","ABC Limited","EQ","Bonus 1:1","10","03-Nov-2025","03-Nov-2025","-","-"',
        '"ABC","ABC Limited","EQ","Annual General Meeting","10","10-Nov-2025","-","-","-"',
        '"LATE","Late Limited","EQ","Bonus 1:1","10","-","-","-","-"',
        "",
    ]
    (tmp_path / "whatever.csv").write_text("\ufeff" + "\n".join([HEADER, *rows]), encoding="utf-8")
    found = read_corporate_actions(tmp_path)
    assert [path.name for path in found.files] == ["whatever.csv"]
    assert set(found.by_symbol) == {"ABC"}
    (action,) = found.of("ABC", date(2025, 11, 3), date(2025, 11, 3))
    assert (action.ratio, action.purpose) == (0.5, "Bonus 1:1")
    assert not found.of("ABC", date(2025, 11, 4), date(2025, 12, 1))
    assert found.covers("ABC", date(2025, 11, 4), date(2025, 11, 5))
    assert not found.covers("ABC", date(2025, 11, 4), date(2025, 11, 11))
    assert not found.covers("DEF", date(2025, 11, 4), date(2025, 11, 5))


def test_an_action_in_two_lists_counts_once(tmp_path: Path) -> None:
    row = "ABC,ABC Limited,EQ,Bonus 1:1,10,03-Nov-2025,-,-,-"
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(f"{HEADER}\n{row}\n")
    assert len(read_corporate_actions(tmp_path).by_symbol["ABC"]) == 1


def test_an_action_is_that_of_the_company_that_bore_the_symbol(tmp_path: Path) -> None:
    """ZOMATO is ETERNAL from 2025-04-09 on; whoever is called ZOMATO a year later is not."""
    rows = [f'"ZOMATO","A Limited","EQ","Bonus 1:1","10","{day}","-","-","-"' for day in ("03-Mar-2025", "01-Jun-2026")]
    (tmp_path / "list.csv").write_text("\n".join([HEADER, *rows]))
    found = read_corporate_actions(tmp_path).by_symbol
    assert {symbol: [action.ex_date.year for action in actions] for symbol, actions in found.items()} == {
        "ETERNAL": [2025],
        "ZOMATO": [2026],
    }


def test_the_committed_reference_tables_are_no_lists() -> None:
    assert reference.REFERENCE.is_dir()
    committed = {"symbol_renames.csv", "special_sessions.csv", "holidays.csv"}
    assert not committed & {path.name for path in read_corporate_actions().files}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("CF-CA-equities-2025.csv", "<html>", "no column 'SYMBOL'"),
        ("x.csv", f"{HEADER}\nABC,x,EQ,Bonus 1:1,10,2025-11-03,-,-,-", "line 2: '2025-11-03' is not a date"),
        ("x.csv", f"{HEADER}\nABC,x,EQ,Bonus", "line 2 is cut off"),
        ("x.csv", f"{HEADER}\nABC,x,EQ,Bonus 1:1,10,31-Feb-2025,-,-,-", "line 2: '31-Feb-2025' is not a date"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(NiftyFormerError, match=said):
        read_corporate_actions(tmp_path)

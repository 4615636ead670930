"""JSON and files of one field: what is no candle is said, what is broken is refused, never half read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.vendors.folder import read_folder

ROW = ["2024-01-01", 10, 11, 9, 10, 5]
NEXT = ["2024-01-02", 10, 11, 9, 10, 5]
RECORD = dict(zip(("date", "open", "high", "low", "close", "volume"), ROW, strict=True))
CSV = "Date,Open,High,Low,Close,Volume\n2024-01-01,10,11,9,10,5\n"


def refusal(folder: Path) -> str:
    with pytest.raises(NiftyFormerError) as error:
        read_folder(folder)
    said = str(error.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([ROW, NEXT[:3]], "AAA.json row 2 has 3 fields, the first 6"),
        ([ROW, [*NEXT, 0]], "AAA.json row 2 has 7 fields, the first 6"),
        ([ROW, ROW], "AAA.json has session 2024-01-01 twice (rows 1 and 2)"),
        ([["2024-01-01", None, 11, 9, 10, 5]], "AAA.json column 'Open', row 1: '' is no number"),
        ([RECORD | {"high": "x"}], "AAA.json column 'High', row 1: 'x' is no number"),
        ([RECORD | {"high": True}], "AAA.json column 'High', row 1: 'true' is no number"),
        ([{"date": "2024-01-01", "close": 10}], "AAA.json has no column 'Open'. Add the column"),
        ({"status": "error", "message": "Token is invalid"}, "AAA.json: no candles, left out."),
        ([RECORD | {"date": {"$date": "2024-01-01"}}], "AAA.json: no candles, left out."),
        ("text", "AAA.json: no candles, left out."),
    ],
)
def test_a_document_that_is_no_candles_is_refused(folder: Callable[..., Path], document: Any, words: str) -> None:
    assert words in refusal(folder(**{"AAA.json": json.dumps(document)}))


@pytest.mark.parametrize("text", ["", '{"candles":[[1,', "cb([[1]])", '{"a": 1}\n{"b":', "[" * 100_000])
def test_what_is_no_json_is_refused(folder: Callable[..., Path], text: str) -> None:
    assert "AAA.json is no JSON (" in refusal(folder(**{"AAA.json": text}))


def test_documents_without_candles_beside_others_are_told(folder: Callable[..., Path]) -> None:
    error, empty = json.dumps({"status": "error"}), json.dumps({"data": {"candles": []}})
    found = read_folder(folder(**{"AAA": CSV, "BBB.json": error, "CCC.json": empty}))
    assert list(found.candles) == ["AAA"]
    assert "BBB.json, CCC.json: no candles, left out." in found.told


def test_parts_of_an_answer_are_joined_and_the_same_in_two_formats_is_one(folder: Callable[..., Path]) -> None:
    lines = "\n".join(json.dumps({"data": {"candles": [row]}}) for row in (ROW, NEXT))
    path = folder(**{"AAA.json": lines})
    assert [str(day) for day in read_folder(path).candles["AAA"].dates] == ["2024-01-01", "2024-01-02"]
    found = read_folder(folder(AAA=CSV))
    assert "read as files of one symbol each (2 files, CSV with commas and JSON)" in found.recognised
    assert "candles that several files have with the same values, taken once: 1." in found.told


def test_json_is_known_whatever_it_is_called(folder: Callable[..., Path]) -> None:
    found = read_folder(folder(**{"AAA": json.dumps([ROW]), "BBB": CSV, "notes.txt": "[mine]", "more.txt": '{"a": '}))
    assert list(found.candles) == ["AAA", "BBB"]
    assert "more.txt, notes.txt: no candles, left out." in found.told
    assert found.candles["AAA"].high[0] == 11


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00\xb5\xff", "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook"),
        (b"\r\n<!DOCTYPE html><html><head>", "a web page"),
    ],
)
def test_what_is_no_text_is_said(folder: Callable[..., Path], content: bytes, kind: str) -> None:
    path = folder()
    (path / "AAA.csv").write_bytes(content)
    assert f"AAA.csv is {kind}, not text. Save its table as CSV" in refusal(path)


FIELDS = {
    "open": "Date,AAA,BBB\n13-01-2024,10,20\n02-01-2024,10,20\n",
    "high": "Date,AAA,BBB\n13-01-2024,11,21\n02-01-2024,11,\n",
    "low": "Date,AAA,BBB\n13-01-2024,9,19\n02-01-2024,9,19\n",
    "close": "Date,BBB,AAA\n13-01-2024,20,10\n02-01-2024,20,10\n",
    "volume": "Date,AAA,BBB\n13-01-2024,5,6\n02-01-2024,7,8\n",
}
GOOD = FIELDS | {"high": FIELDS["high"].replace("11,\n", "11,21\n")}


def test_files_of_a_field_each_are_one_market(folder: Callable[..., Path]) -> None:
    found = read_folder(folder(**GOOD, **{"Adj Close": GOOD["close"], "returns": GOOD["close"], "NIFTY 50": CSV}))
    assert "is read as one file a field (6 files, CSV with commas); dates: DD-MM-YYYY (day first)" in found.recognised
    assert found.candles.keys() == {"AAA", "BBB", "NIFTY 50"}
    daily = found.candles["AAA"]
    assert [str(day) for day in daily.dates] == ["2024-01-02", "2024-01-13"]
    assert (daily.open[0], daily.high[0], daily.low[0], daily.close[0], list(daily.volume)) == (10, 11, 9, 10, [7, 5])
    assert any("Adj Close is there and not used" in line for line in found.told)
    assert "returns.csv: no candles, left out." in found.told


@pytest.mark.parametrize("name", ["AAA_{}", "AAA/{}", "{}/AAA"])
def test_a_stocks_fields_in_files_of_their_own(folder: Callable[..., Path], name: str) -> None:
    path = folder()
    for column, field in enumerate(FIELDS, start=1):
        rows = "".join(f"{row[0]},{row[column]}\n" for row in (ROW, NEXT))
        (path / name.format(field)).parent.mkdir(exist_ok=True)
        (path / f"{name.format(field)}.csv").write_text(f"Date,{field.capitalize()}\n{rows}")
    (daily,) = read_folder(path).candles.items()
    assert daily[0] == "AAA"
    assert [daily[1].open[0], daily[1].high[0], daily[1].low[1], daily[1].close[0], daily[1].volume[1]] == [
        10,
        11,
        9,
        10,
        5,
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "high.csv column 'BBB', line 3: '' is no number"),
        ({"low": "Date,AAA,BBB\n13-01-2024,9,19\n"}, "low.csv has other dates than "),
        (
            {"low": "Date,AAA,BBB\n02-01-2024,9,19\n13-01-2024,9,19\n"},
            "close.csv: the one of row 1 is 02-01-2024 here and 13-01-2024 there. Give all files of a folder the same",
        ),
        ({"low": "Date,AAA\n13-01-2024,9\n02-01-2024,9\n"}, "low.csv has no column of BBB, which other files"),
        (
            {"close": "Symbol,2024-01-02,2024-01-03\nAAA,1,2\n"},
            "close.csv has a column a date. Turn it: rows are dates",
        ),
        ({"low": None}, "has one column of numbers a name (AAA, BBB): candles need open, high, low, close and volume"),
    ],
)
def test_files_of_a_field_that_do_not_go_together_are_refused(
    folder: Callable[..., Path], changed: dict[str, str | None], words: str
) -> None:
    texts = {name: text for name, text in {**FIELDS, **changed}.items() if text is not None}
    assert words in refusal(folder(**texts))


def test_a_stock_whose_name_has_a_fields_word_is_a_stock(folder: Callable[..., Path]) -> None:
    found = read_folder(folder(HIGHTECH=CSV, LOWVOL=CSV, CLOSEX=CSV, OPENX=CSV, VOLUMEX=CSV))
    assert found.candles.keys() == {"HIGHTECH", "LOWVOL", "CLOSEX", "OPENX", "VOLUMEX"}

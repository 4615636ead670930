"""The rows of the indices agree with what settings take, and files are known by their names."""

from __future__ import annotations

from typing import get_args

import pytest

from niftyformer_assets.indices import DEFAULT, INDICES, IndexName, index_of_list, indices_named_in


def test_a_whole_list_may_lack_a_few_names() -> None:
    assert [index.fewest for index in INDICES.values()] == [49, 196, 490]


def test_settings_take_the_rows_and_no_other() -> None:
    assert get_args(IndexName) == tuple(INDICES)
    assert DEFAULT in INDICES


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("ind_nifty50list.csv", "nifty50"),
        ("ind_nifty500list.csv", "nifty500"),
        ("ind_nifty200list_2024-01-01.csv", "nifty200"),
        ("ind_nifty200list_yesterday.csv", "nifty200"),
        ("ind_nifty100list.csv", None),
        ("ind_nifty50list.txt", None),
        ("list.csv", None),
    ],
)
def test_a_list_is_of_the_index_in_its_name(file: str, name: str | None) -> None:
    found = index_of_list(file)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nifty50_members", ["nifty50"]),
        ("Nifty500-since-2010", ["nifty500"]),
        ("nifty50 and nifty500", ["nifty50", "nifty500"]),
        ("nifty5000", []),
        ("mynifty50", []),
    ],
)
def test_names_are_found_whole(text: str, names: list[str]) -> None:
    assert [index.name for index in indices_named_in(text)] == names

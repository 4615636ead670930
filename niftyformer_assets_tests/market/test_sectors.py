from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.market.identities import identities
from niftyformer_assets.market.index_lists import read_list
from niftyformer_assets.market.membership_files import read_lists
from niftyformer_assets.market.sectors import SECTORS, sector_dummies, sector_of, sectors_in_force
from niftyformer_assets.market.universe import build_universe
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.shared_data import shared


def test_agrees_with_nse_on_every_stock() -> None:
    with shared("market_data/reference/nse_sectors.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 700
    assert [row["symbol"] for row in rows if sector_of(row["nse_sector"]) != row["nse_macro_sector"]] == []
    assert {row["nse_macro_sector"] for row in rows} == set(SECTORS)


def test_every_stock_of_every_list_has_a_sector() -> None:
    lists = sorted(shared("market_data/index_lists").glob("ind_nifty*list_*.csv"))
    for path in lists:
        members = read_list(path, pd.Timestamp(path.stem[-10:]).date()).members
        assert all(sector_of(member.industry) in SECTORS for member in members), path


def test_older_and_newer_names_map_to_the_same_sector() -> None:
    pairs = [
        ("AUTOMOBILE", "Automobile and Auto Components"),
        ("PHARMA", "Healthcare"),
        ("IT", "Information Technology"),
    ]
    assert [sector_of(old) == sector_of(new) for old, new in pairs] == [True] * 3
    assert sector_of("Oil, Gas & Consumable Fuels") == "Energy"


def test_an_unknown_industry_is_named() -> None:
    with pytest.raises(NiftyFormerError, match="'Space Travel'"):
        sector_of("Space Travel")


def spells(*rows: tuple[str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "sector", "member_from"])
    return frame.assign(member_from=pd.to_datetime(frame["member_from"]))


def test_dummies_have_one_one_a_row() -> None:
    dummies = sector_dummies(
        spells(("B", "Energy", "2022-01-29"), ("A", "Healthcare", "2022-01-29"), ("B", "Energy", "2024-01-29"))
    )
    assert dummies["symbol"].tolist() == ["A", "B"]
    assert list(dummies.columns) == ["symbol", "since", *SECTORS]
    assert dummies.loc[0, "Healthcare"] == 1
    assert dummies.loc[1, "Energy"] == 1
    assert (dummies[list(SECTORS)].sum(axis=1) == 1).all()


def test_the_sector_in_force_on_each_session() -> None:
    dummies = sector_dummies(
        spells(
            ("B", "Energy", "2022-01-29"),
            ("A", "Healthcare", "2023-01-29"),
            ("B", "Utilities", "2023-06-01"),
            ("B", "Energy", "2024-01-29"),
        )
    )
    dates = np.array(["2020-01-01", "2023-05-31", "2023-06-01", "2024-01-28", "2024-01-29"], dtype="datetime64[D]")
    sectors = sectors_in_force(dummies, ("B", "A"), dates)
    # Before its first list a stock is where that list has it.
    assert sectors[:, 0].tolist() == ["Energy", "Energy", "Utilities", "Utilities", "Energy"]
    assert sectors[:, 1].tolist() == ["Healthcare"] * 5
    with pytest.raises(NiftyFormerError, match="no row for C"):
        sectors_in_force(dummies, ("C",), dates)


def test_real_stocks_that_nse_classified_anew() -> None:
    lists = [kept for kept in read_lists([shared("market_data/index_lists")]) if kept.index.name == "nifty200"]
    dummies = sector_dummies(build_universe(lists))
    members = [identities(lists)[member.isin] for member in lists[0].members]
    then, now = sectors_in_force(dummies, members, np.array(["2022-02-01", "2026-08-17"], dtype="datetime64[D]"))
    assert len(members) == 200
    assert [sector_of(member.industry) for member in lists[0].members] == then.tolist()
    assert (then != now).sum() == 18


def test_dummies_of_the_real_universe(tmp_path: Path) -> None:
    path = shared("market_data/index_lists/ind_nifty200list_2025-10-02.csv")
    dummies = sector_dummies(build_universe([read_list(path)]))
    assert len(dummies) == 200
    assert dummies.set_index("symbol").loc["TMPV", "Consumer Discretionary"] == 1

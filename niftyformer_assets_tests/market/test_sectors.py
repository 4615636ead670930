from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from niftyformer_assets.market.index_lists import read_list
from niftyformer_assets.market.sectors import SECTORS, sector_dummies, sector_of
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


def test_dummies_have_one_one_a_row() -> None:
    universe = pd.DataFrame({"symbol": ["B", "A", "B"], "sector": ["Energy", "Healthcare", "Energy"]})
    dummies = sector_dummies(universe)
    assert dummies["symbol"].tolist() == ["A", "B"]
    assert list(dummies.columns) == ["symbol", *SECTORS]
    assert dummies.loc[0, "Healthcare"] == 1
    assert dummies.loc[1, "Energy"] == 1
    assert (dummies[list(SECTORS)].sum(axis=1) == 1).all()


def test_dummies_of_the_real_universe(tmp_path: Path) -> None:
    path = shared("market_data/index_lists/ind_nifty200list_2025-10-02.csv")
    dummies = sector_dummies(build_universe([read_list(path)]))
    assert len(dummies) == 200
    assert dummies.set_index("symbol").loc["TMPV", "Consumer Discretionary"] == 1

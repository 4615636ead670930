"""Other universes through the graph: each index that experiments ask for, and stocks drawn by trading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.bodies.market.index_lists import lists_at_hand, require_list
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.experiments.opened import OpenedExperiment, open_experiment
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.sources import simulated_market
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, Graph, failure_of, tiny_settings
from niftyformer_assets_tests.defs.conftest import Live
from niftyformer_assets_tests.market.members import members_on

UNIVERSE = "universe: {min_training_sessions: 40}"
MARKET = MadeUpSettings(stocks=10, late_listings=0, others=4)


def with_experiments(settings: Settings, universes: Mapping[str, str]) -> Settings:
    """The workspace with these experiments and no other: name -> what stands in their section `universe`."""
    for path in settings.experiments.glob("*.yaml"):
        path.unlink()
    market = "real" if settings.source == "replay" else "simulated"
    for name, universe in universes.items():
        text = TINY_EXPERIMENT.replace(UNIVERSE, f"universe: {{min_training_sessions: 40, {universe}}}")
        (settings.experiments / f"{name}.yaml").write_text(text.replace("market: simulated", f"market: {market}"))
    return settings


def opened_experiment(settings: Settings, name: str) -> OpenedExperiment:
    return open_experiment(settings.workspace, find_experiment(settings, name))


@pytest.fixture
def made(instance: dg.DagsterInstance) -> Iterator[Callable[..., Graph]]:
    """Runs jobs of a workspace; the definitions are loaded anew for each, as `niftyformer run` does."""

    def make(settings: Settings, *jobs: str, faults: Faults | None = None) -> Graph:
        for job in jobs:
            source = CandleSource(settings, faults, backoff_s=0.01)
            graph = Graph(settings, build(settings, {"candle_source": source}), instance)
            result = graph.run(job)
            assert result.success, failure_of(result)
        return graph

    yield make


def test_the_members_of_each_index_that_experiments_ask_for(tmp_path: Path, made: Callable[..., Graph]) -> None:
    settings = tiny_settings(tmp_path, made_up=MARKET)
    with_experiments(settings, {"small": "index: nifty50", "usual": "", "large": "index: nifty500"})
    made(settings, "reference", "candles", "panels")
    universe = load_universe(settings.workspace.universe)
    counts = {
        index: len(members_on(universe, date(2023, 1, 1), index)) for index in ("nifty50", "nifty200", "nifty500")
    }
    assert counts == {"nifty50": 5, "nifty200": 10, "nifty500": 14}
    # The ingest covers the union.
    assert len(list(settings.workspace.raw.glob("*.parquet"))) == 14
    taking_part = {name: opened_experiment(settings, name).axes.symbols for name in ("small", "usual", "large")}
    assert {name: len(symbols) for name, symbols in taking_part.items()} == {"small": 5, "usual": 10, "large": 14}
    assert set(taking_part["small"]) < set(taking_part["usual"]) < set(taking_part["large"])
    assert sorted(path.name.partition("_2")[0] for path in settings.workspace.index_lists.glob("*.csv")) == [
        "ind_nifty200list",
        "ind_nifty500list",
        "ind_nifty50list",
    ]


def test_what_nobody_asks_for_is_not_fetched_and_refused_by_name(tmp_path: Path, made: Callable[..., Graph]) -> None:
    settings = with_experiments(tiny_settings(tmp_path, made_up=MARKET), {"usual": ""})
    made(settings, "reference", "candles", "panels")
    assert set(load_universe(settings.workspace.universe)["index"]) == {"nifty200"}
    assert len(list(settings.workspace.raw.glob("*.parquet"))) == 10
    with_experiments(settings, {"usual": "", "small": "index: nifty50"})
    with pytest.raises(
        NiftyFormerError, match=r"no list of the NIFTY-50 is at hand \(NIFTY-200\).*niftyformer universe"
    ):
        opened_experiment(settings, "small")
    assert len(opened_experiment(settings, "usual").axes.symbols) == 10


def test_a_list_that_cannot_be_fetched_fails_the_universe(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = with_experiments(tiny_settings(tmp_path, made_up=MARKET), {"small": "index: nifty50", "usual": ""})
    faults = Faults(server_errors=1.0, paths=("/IndexConstituent/ind_nifty50list",))
    source = CandleSource(settings, faults, backoff_s=0.01)
    result = Graph(settings, build(settings, {"candle_source": source}), instance).run("reference")
    assert "ind_nifty50list.csv gave no constituent list (HTTP status 50" in failure_of(result)


def replay_settings(folder: Path, **given: object) -> Settings:
    """A folder with the candles of a made-up market, and nothing beside them."""
    made_up = tiny_settings(folder / "made_up", made_up=MARKET, made_up_start=date(2021, 8, 2))
    candles = folder / "candles"
    candles.mkdir()
    for symbol, daily in simulated_market(made_up).candles.items():
        columns = {name: getattr(daily, name.lower()) for name in ("Open", "High", "Low", "Close", "Volume")}
        pd.DataFrame({"Date": daily.dates, **columns}).to_csv(candles / f"{symbol}.csv", index=False)
    places = {name: folder / name for name in ("data", "storage", "experiments")}
    places["experiments"].mkdir()
    return read_settings(_env_file=None, replay=candles, **(places | given))


def test_a_folder_without_a_list_is_drawn_by_trading(tmp_path: Path, made: Callable[..., Graph]) -> None:
    settings = replay_settings(tmp_path)
    with_experiments(settings, {"traded": "most_traded: 6, membership: training_end", "usual": ""})
    require_list(settings, find_experiment(settings, "traded"))
    with pytest.raises(NiftyFormerError, match="a replay needs the constituent list"):
        require_list(settings, find_experiment(settings, "usual"))
    made(settings, "reference", "candles", "panels")
    opened = opened_experiment(settings, "traded")
    close, volume, dates = opened.panel["close"], opened.panel["volume"], opened.panel_axes.dates
    assert close.shape[1] == 14
    before = dates.astype("datetime64[Y]") == np.datetime64("2021")
    value = np.nanmedian(close[before] * volume[before], axis=0)
    highest = sorted(np.array(opened.panel_axes.symbols)[np.argsort(value)[-6:]].tolist())
    assert list(opened.axes.symbols) == highest
    assert set(opened.sectors_in_force().ravel()) == {"Unknown"}
    assert "No list or table at hand has the sector of 6 of the 6 stocks" in opened.unknown_sectors
    assert "drawn by the trading of the year before, 6 of the 14 stocks" in opened.scope.survivorship
    with pytest.raises(NiftyFormerError, match=r"no list of the NIFTY-200 is at hand \(nor of another index\)"):
        opened_experiment(settings, "usual")


def test_a_folder_without_a_list_is_refused_where_nobody_draws(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = with_experiments(replay_settings(tmp_path), {"usual": ""})
    result = Graph(settings, build(settings), instance).run("reference")
    assert "give NSE's file with --index-list" in failure_of(result)


def test_a_replay_takes_several_lists_and_tables(tmp_path: Path, made: Callable[..., Graph]) -> None:
    given = tmp_path / "given"
    given.mkdir()
    market = simulated_market(tiny_settings(tmp_path / "lists", made_up=MARKET))
    (given / "ind_nifty50list_2021-06-01.csv").write_text(market.index_lists["ind_nifty50list.csv"])
    (given / "ind_nifty200list.csv").write_text(market.index_lists["ind_nifty200list.csv"])
    table = tmp_path / "nifty500_members.csv"
    rows = "".join(f"2020-12-31,,DEMO{stock:03d},DEMO{stock:03d},,official\n" for stock in (11, 12, 13))
    table.write_text("from_close_of,to_close_of,symbol_then,symbol_now,isin,quality\n" + rows)
    (tmp_path / "sectors.csv").write_text("symbol,nse_sector\nDEMO011,Power\nDEMO012,Textiles\n")
    settings = replay_settings(tmp_path, index_list=[given, table, tmp_path / "sectors.csv"])
    with_experiments(
        settings, {"small": "index: nifty50", "usual": "", "large": "index: nifty500", "all": "most_traded: 14"}
    )
    made(settings, "reference", "candles", "panels")
    opened = {name: opened_experiment(settings, name) for name in ("small", "usual", "large", "all")}
    assert {name: len(it.axes.symbols) for name, it in opened.items()} == {
        "small": 5,
        "usual": 10,
        "large": 3,
        "all": 14,
    }
    assert opened["large"].sectors_in_force()[0].tolist() == ["Utilities", "Consumer Discretionary", "Unknown"]
    assert "is of official lists" in opened["large"].scope.survivorship
    said: list[str] = []
    lists_at_hand(settings, CandleSource(settings), said.append)
    assert len(said) == 2 and all("of your own making" in line for line in said), "both are shorter than NSE's"
    # DEMO014 is in no list, and trading alone draws it.
    assert load_universe(settings.workspace.universe).query("index == ''")["symbol"].tolist() == ["DEMO014"]


def test_a_replay_is_refused_before_anything_runs_where_its_index_is_not_among_the_lists(tmp_path: Path) -> None:
    given = tmp_path / "ind_nifty50list_2021-06-01.csv"
    market = simulated_market(tiny_settings(tmp_path / "lists", made_up=MARKET))
    given.write_text(market.index_lists["ind_nifty50list.csv"])
    settings = with_experiments(replay_settings(tmp_path, index_list=given), {"small": "index: nifty50", "usual": ""})
    require_list(settings, find_experiment(settings, "small"))
    with pytest.raises(
        NiftyFormerError, match=r"usual takes the members of the NIFTY-200, .* add NSE's ind_nifty200list"
    ):
        require_list(settings, find_experiment(settings, "usual"))


def test_without_any_symbol_at_hand_a_draw_is_refused(live: Live) -> None:
    settings = with_experiments(live.settings, {"traded": "most_traded: 3"})
    for path in settings.workspace.index_lists.glob("*"):
        path.unlink()
    live.log_in()
    result = live.graph.run("reference")
    assert "put NSE's ind_nifty500list_YYYY-MM-DD.csv into" in failure_of(result)
    # And nothing was asked for that no experiment takes.
    assert not [path for path in live.asked() if path.startswith("/IndexConstituent")]


def test_where_one_list_cannot_be_fetched_the_one_at_hand_stands(live: Live) -> None:
    settings = with_experiments(live.settings, {"usual": "", "small": "index: nifty50"})
    live.exchange.faults = Faults(server_errors=1.0, paths=("/IndexConstituent/ind_nifty200list",))
    live.log_in()
    result = live.graph.run("reference")
    assert result.success, failure_of(result)
    universe = load_universe(settings.workspace.universe)
    assert {index: len(rows) for index, rows in universe.groupby("index")} == {"nifty200": 5, "nifty50": 3}


def test_names_are_matched_to_those_of_a_table(tmp_path: Path) -> None:
    candles = tmp_path / "candles"
    candles.mkdir()
    for name in ("M_M", "OLDNAME"):
        (candles / f"{name}.csv").write_text("Date,Open,High,Low,Close,Volume\n2024-01-01,10,11,9,10,5\n")
    table = tmp_path / "nifty200.csv"
    table.write_text("from,to,symbol_then,symbol_now,isin\n2020-01-01,,M&M,M&M,\n2020-01-01,,OLDNAME,NEWNAME,\n")
    settings = read_settings(_env_file=None, data=tmp_path / "data", replay=candles, index_list=table)
    assert set(simulated_market(settings).candles) == {"M&M", "OLDNAME"}

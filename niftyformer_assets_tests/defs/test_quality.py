"""Quality report and panel as assets, on candles made by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.defs.bodies.market.quality import make_panel, report_quality
from niftyformer_assets.market import reference
from niftyformer_assets.market.candle_files import CandleFile, write_candle_file
from niftyformer_assets.market.index_lists import IndexList, Member
from niftyformer_assets.market.panel import load_panel
from niftyformer_assets.market.universe import build_universe, save_universe
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets_tests.conftest import tiny_settings
from niftyformer_assets_tests.market.moving import SESSIONS, gapped, market, moving

ROW = 70


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two stocks that fall by half overnight, among seven others, and nine that join the index later."""
    shutil.copytree(reference.REFERENCE, tmp_path / "reference")
    monkeypatch.setattr(reference, "REFERENCE", tmp_path / "reference")
    made = tiny_settings(tmp_path)
    members = market(7) | {"X": gapped(moving(), ROW, 0.5), "Y": gapped(moving(seed=1), ROW, 0.5)}
    later = {f"L{number}": gapped(moving(seed=number), ROW, 0.5) for number in range(12)}
    lists = [
        IndexList(day, tmp_path, tuple(Member(name, name, isin, "Financial Services") for name, isin in isins.items()))
        for day, isins in ((date(2024, 1, 1), _isins(members)), (date(2024, 11, 1), _isins(members | later)))
    ]
    save_universe(made.workspace.universe, build_universe(lists))
    for name, frame in (members | later).items():
        frame = frame.astype({"volume": "int64"})
        through = SESSIONS[99].item()
        write_candle_file(made.workspace.candles(name), CandleFile(frame, SESSIONS[0].item(), through, through))
    return made


def _isins(names: Iterable[str]) -> dict[str, str]:
    return {name: f"INE{name:0>9}" for name in names}


def listed(*rows: tuple[str, str]) -> None:
    """Drop NSE's list into the reference folder."""
    spans = [
        (f"O{n}", "Dividend - Re 1 Per Share", day) for n in range(10) for day in (date(2024, 1, 2), date(2024, 12, 2))
    ]
    lines = [*((symbol, purpose, SESSIONS[ROW].item()) for symbol, purpose in rows), *spans]
    text = "\n".join(f"{symbol},EQ,{purpose},{day:%d-%b-%Y}" for symbol, purpose, day in lines)
    (reference.REFERENCE / "list.csv").write_text(f"SYMBOL,SERIES,PURPOSE,EX-DATE\n{text}\n")


def test_members_of_the_time_speak_for_the_market(settings: Settings) -> None:
    report_quality(settings)
    table = read_parquet(settings.workspace.data_quality_report).set_index("symbol")
    # Were those that join later asked, the market would have fallen by half, and nobody more than it.
    assert table.loc[["X", "Y"], "quarantined"].tolist() == [1, 1]
    assert "market's gap is +0." in table.loc["X", "details"] or "market's gap is -0." in table.loc["X", "details"]
    assert table.loc["X", "confirmed_breaks"] == ""


def test_a_list_in_the_reference_folder_has_the_last_word(settings: Settings) -> None:
    listed(("X", "Bonus 1:1"))
    for make in (report_quality, make_panel):
        assert any("list.csv" in path.name for path in make(settings).given)
    workspace = settings.workspace
    table = read_parquet(workspace.data_quality_report).set_index("symbol")
    assert table.loc["X", "confirmed_breaks"] == str(SESSIONS[ROW])
    assert table.loc["Y", "quarantined"] == 0
    panel = load_panel(workspace.market_panel)
    segment = dict(zip(panel.axes.symbols, panel.segment[-1], strict=True))
    assert (segment["X"], segment["Y"]) == (1, 0)
    assert np.isfinite(panel.close).all()

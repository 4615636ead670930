"""Candles of one market are never taken for those of another."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.sources import forget_candles_of_another_market, simulated_market
from niftyformer_assets_tests.conftest import tiny_settings


def with_raw_file(settings: Settings) -> Path:
    path = settings.workspace.candles("AAA")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"candles")
    return path


def test_a_longer_made_up_market_keeps_its_candles_another_seed_does_not(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    forget_candles_of_another_market(settings, simulated_market(settings))
    path = with_raw_file(settings)
    longer = tiny_settings(tmp_path, until=date(2023, 2, 28))
    assert not forget_candles_of_another_market(longer, simulated_market(longer))
    assert path.exists()
    other = tiny_settings(tmp_path, made_up=MadeUpSettings(stocks=14, seed=1))
    assert forget_candles_of_another_market(other, simulated_market(other))
    assert not path.exists()


def test_a_replay_of_other_candles_forgets_the_first_ones(tmp_path: Path) -> None:
    folder = tmp_path / "candles"
    folder.mkdir()
    csv = folder / "AAA.csv"
    settings = read_settings(_env_file=None, data=tmp_path / "data", storage=tmp_path / "storage", replay=folder)
    csv.write_text("Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,1,5\n")
    forget_candles_of_another_market(settings, simulated_market(settings))
    path = with_raw_file(settings)
    assert not forget_candles_of_another_market(settings, simulated_market(settings))
    csv.write_text("Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,2,5\n")
    assert forget_candles_of_another_market(settings, simulated_market(settings))
    assert not path.exists()

"""Candles of one market are never taken for those of another."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.sources import (
    claim_for_live_candles,
    forget_candles_of_another_market,
    simulated_market,
)
from niftyformer_assets.store.errors import NiftyFormerError
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


@pytest.mark.parametrize("given", [True, False])
def test_a_benchmark_stays_if_a_person_named_its_file(tmp_path: Path, given: bool) -> None:
    """The benchmark comes first, and the market is looked at when the first candle is asked for."""
    named = tmp_path / "nifty50.csv" if given else None
    settings = tiny_settings(tmp_path, benchmark=named)
    made = settings.workspace.benchmark_index
    made.parent.mkdir(parents=True)
    for seed in (3, 4):
        made.write_bytes(b"levels")
        settings = settings.model_copy(update={"made_up": MadeUpSettings(stocks=14, seed=seed)})
        forget_candles_of_another_market(settings, simulated_market(settings))
        assert made.exists() == given


def live_settings(folder: Path) -> Settings:
    return read_settings(
        _env_file=None,
        data=folder / "data",
        storage=folder / "storage",
        workspace_name="tryout",
        kite_api_key="key",
        kite_root="http://127.0.0.1:1",
    )


def test_a_forgotten_key_costs_no_live_candles(tmp_path: Path) -> None:
    live = live_settings(tmp_path)
    assert live.is_live
    claim_for_live_candles(live)
    path = with_raw_file(live)
    claim_for_live_candles(live)
    simulated = tiny_settings(tmp_path, workspace_name="tryout")
    assert not simulated.is_live
    with pytest.raises(NiftyFormerError, match=r"live candles of elsewhere.*KITE_API_KEY"):
        forget_candles_of_another_market(simulated, simulated_market(simulated))
    # Nor those of which nobody wrote down whose they are.
    (live.workspace.root / "source.txt").unlink()
    with pytest.raises(NiftyFormerError, match="an unknown source"):
        forget_candles_of_another_market(simulated, simulated_market(simulated))
    assert path.read_bytes() == b"candles"


def test_live_candles_are_not_put_behind_made_up_ones(tmp_path: Path) -> None:
    simulated = tiny_settings(tmp_path, workspace_name="tryout")
    forget_candles_of_another_market(simulated, simulated_market(simulated))
    path = with_raw_file(simulated)
    with pytest.raises(NiftyFormerError, match="must not be mixed"):
        claim_for_live_candles(live_settings(tmp_path))
    path.unlink()
    claim_for_live_candles(live_settings(tmp_path))


def replayed(folder: Path, days: pd.DatetimeIndex, repeated: bool = False) -> Settings:
    """A replay of one good stock and one that has candles on these days."""
    candles = folder / "candles"
    candles.mkdir()
    good = pd.DatetimeIndex(sessions(date(2024, 1, 1), date(2024, 3, 28)))
    for name, dates in (("GOOD", good), ("ODD", days)):
        rising = 100.0 + np.cumsum(np.isin(dates, good)) if repeated else 100.0 + np.arange(len(dates))
        prices = dict.fromkeys(("Open", "High", "Low", "Close"), rising)
        frame = pd.DataFrame({"Date": dates.strftime("%Y-%m-%d"), **prices, "Volume": 10})
        frame.to_csv(candles / f"{name}.csv", index=False)
    return read_settings(_env_file=None, data=folder / "data", storage=folder / "storage", replay=candles)


def test_a_file_whose_dates_are_shifted_is_named(tmp_path: Path) -> None:
    good = pd.DatetimeIndex(sessions(date(2024, 1, 1), date(2024, 3, 28)))
    for shift in (-1, 1):
        folder = tmp_path / str(shift)
        folder.mkdir()
        with pytest.raises(NiftyFormerError, match=r"candles of ODD: \d+ of its 62 dates are no sessions"):
            simulated_market(replayed(folder, good + pd.Timedelta(days=shift)))


def test_a_candle_repeated_on_holidays_is_for_the_quality_report(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", "2024-03-28")
    assert len(simulated_market(replayed(tmp_path, days, repeated=True)).candles["ODD"]) == len(days)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        # Zomato became ETERNAL on 2025-04-09; a file under the old name is its own, whenever its candles are.
        ({"ETERNAL": "INE758T01015"}, {"ETERNAL": 9}),
        # Another company got the old symbol: what is in the file from then on is that one's.
        ({"ETERNAL": "INE758T01015", "ZOMATO": "INE0CG601016"}, {"ETERNAL": 6, "ZOMATO": 3}),
    ],
)
def test_candles_of_a_symbol_that_was_taken_over(
    tmp_path: Path, members: dict[str, str], expected: dict[str, int]
) -> None:
    candles = tmp_path / "candles"
    candles.mkdir()
    days = np.r_[sessions(date(2025, 3, 3), date(2025, 3, 10)), sessions(date(2025, 9, 1), date(2025, 9, 3))]
    rows = "".join(f"{day},10,11,9,10,5\n" for day in days)
    (candles / "ZOMATO.csv").write_text("Date,Open,High,Low,Close,Volume\n" + rows)
    lines = "".join(f"{symbol} Ltd.,Services,{symbol},EQ,{isin}\n" for symbol, isin in members.items())
    index_list = tmp_path / "ind_nifty200list_2025-10-02.csv"
    index_list.write_text("Company Name,Industry,Symbol,Series,ISIN Code\n" + lines)
    settings = read_settings(_env_file=None, data=tmp_path / "data", replay=candles, index_list=index_list)
    market = simulated_market(settings)
    assert {symbol: len(found) for symbol, found in market.candles.items()} == expected

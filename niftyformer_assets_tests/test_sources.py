"""Candles of one market are never taken for those of another."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.sources import (
    claim_for_live_candles,
    set_aside_candles_of_another_market,
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
    set_aside_candles_of_another_market(settings, simulated_market(settings))
    path = with_raw_file(settings)
    longer = tiny_settings(tmp_path, until=date(2023, 2, 28))
    assert not set_aside_candles_of_another_market(longer, simulated_market(longer))
    assert path.exists()
    record = (settings.workspace.root / "source.txt").read_text()
    for number in (1, 2):
        other = tiny_settings(tmp_path, made_up=MadeUpSettings(stocks=14, seed=number))
        aside = set_aside_candles_of_another_market(other, simulated_market(other))
        assert aside == settings.workspace.root / "set_aside" / f"{number:03d}"
        assert not path.exists()
        # Nothing is lost, and it says whose it is.
        assert (aside / "raw" / path.name).read_bytes() == b"candles"
        assert (aside / "source.txt").read_text() == record
        record = (settings.workspace.root / "source.txt").read_text()
        with_raw_file(settings)


def test_a_replay_of_other_candles_puts_the_first_ones_aside(tmp_path: Path) -> None:
    folder = tmp_path / "candles"
    folder.mkdir()
    csv = folder / "AAA.csv"
    settings = read_settings(_env_file=None, data=tmp_path / "data", storage=tmp_path / "storage", replay=folder)
    csv.write_text("Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,1,5\n")
    set_aside_candles_of_another_market(settings, simulated_market(settings))
    path = with_raw_file(settings)
    assert not set_aside_candles_of_another_market(settings, simulated_market(settings))
    csv.write_text("Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,2,5\n")
    assert set_aside_candles_of_another_market(settings, simulated_market(settings))
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
        set_aside_candles_of_another_market(settings, simulated_market(settings))
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
        set_aside_candles_of_another_market(simulated, simulated_market(simulated))
    assert path.read_bytes() == b"candles"


RECORDS = (
    b"live candles of elsewhere\n",
    b"made up from 2022-01-03: MadeUpSettings(stocks=14, seed=0)\n",
    b"replay of candles 0123456789abcdef01234567\n",
)
NO_RECORDS = {
    "missing": None,
    "empty": b"",
    "blank": b"\n",
    "another word": b"live cattle\n",
    "two lines": RECORDS[1] + RECORDS[0],
    "not UTF-8": b"\xff\xfe\n",
    "zeros": bytes(40),
    **{f"{record[:8].decode()} cut at {end}": record[:end] for record in RECORDS for end in (4, 12, len(record) - 2)},
}


@pytest.mark.parametrize("content", NO_RECORDS.values(), ids=NO_RECORDS)
@pytest.mark.parametrize("to", ["made up", "replay", "live"])
def test_a_record_that_is_not_whole_says_nothing_and_lets_nothing_in(
    tmp_path: Path, to: str, content: bytes | None
) -> None:
    settings = tiny_settings(tmp_path, workspace_name="tryout")
    if to == "replay":
        folder = tmp_path / "candles"
        folder.mkdir()
        (folder / "AAA.csv").write_text("Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,1,5\n")
        settings = settings.model_copy(update={"replay": folder})
    path = with_raw_file(settings)
    record = settings.workspace.root / "source.txt"
    if content is not None:
        record.write_bytes(content)
    with pytest.raises(
        NiftyFormerError, match=r"an unknown source: \S+source.txt (is missing|cannot be read)"
    ) as caught:
        if to == "live":
            claim_for_live_candles(live_settings(tmp_path))
        else:
            set_aside_candles_of_another_market(settings, simulated_market(settings))
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"candles"
    assert (record.read_bytes() if record.exists() else None) == content
    # Without candles there is nothing to keep.
    path.unlink()
    set_aside_candles_of_another_market(settings, simulated_market(settings))
    assert record.read_text().startswith("replay" if to == "replay" else "made up")


def test_the_benchmark_of_a_live_source_is_kept_as_its_stocks_are(tmp_path: Path) -> None:
    live = live_settings(tmp_path)
    claim_for_live_candles(live)
    live.workspace.benchmark_index.write_bytes(b"levels")
    simulated = tiny_settings(tmp_path, workspace_name="tryout")
    for record in (None, b""):
        if record is not None:
            (live.workspace.root / "source.txt").write_bytes(record)
        with pytest.raises(NiftyFormerError, match=r"the benchmark's candles"):
            set_aside_candles_of_another_market(simulated, simulated_market(simulated))
    assert live.workspace.benchmark_index.read_bytes() == b"levels"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_record_that_a_person_wrote_as_told_is_taken(tmp_path: Path, end: str) -> None:
    settings = live_settings(tmp_path)
    path = with_raw_file(settings)
    with pytest.raises(NiftyFormerError, match="write 'live candles of elsewhere' as the one line of"):
        claim_for_live_candles(settings)
    (settings.workspace.root / "source.txt").write_bytes(f"live candles of elsewhere{end}".encode())
    claim_for_live_candles(settings)
    assert path.read_bytes() == b"candles"


def test_one_live_source_is_not_put_behind_another(tmp_path: Path) -> None:
    elsewhere = live_settings(tmp_path)
    claim_for_live_candles(elsewhere)
    path = with_raw_file(elsewhere)
    zerodha = elsewhere.model_copy(update={"kite_root": "https://api.kite.trade"})
    with pytest.raises(NiftyFormerError, match="not known to be live candles of zerodha"):
        claim_for_live_candles(zerodha)
    path.unlink()
    claim_for_live_candles(zerodha)


def test_live_candles_are_not_put_behind_made_up_ones(tmp_path: Path) -> None:
    simulated = tiny_settings(tmp_path, workspace_name="tryout")
    set_aside_candles_of_another_market(simulated, simulated_market(simulated))
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


def test_candles_before_the_calendar_are_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "candles").mkdir()
    days = [
        *np.arange("2010-06-22", "2010-06-25", dtype="datetime64[D]"),
        *sessions(date(2010, 7, 1), date(2010, 7, 9)),
    ]
    rows = "".join(f"{day},10,11,9,10,5\n" for day in days)
    (tmp_path / "candles" / "AAA.csv").write_text("Date,Open,High,Low,Close,Volume\n" + rows)
    places = {"data": tmp_path / "data", "storage": tmp_path / "storage", "replay": tmp_path / "candles"}
    source = CandleSource(read_settings(_env_file=None, **places))
    with source.connect() as connection:
        assert connection.ingest.history_start == date(2010, 7, 1)
        assert any(line.endswith("begins, not used: 3.") for line in connection.said)
        found = connection.session().daily_candles(
            connection.session().instruments()["AAA"], connection.ingest.history_start, date(2010, 7, 9)
        )
    assert len(found) == len(days) - 3


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

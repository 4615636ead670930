"""What Kite may answer instead of candles: each is survived, and none reaches the panel."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.exchange.faults import Faults, Rename, Split
from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.candle_files import load_candles, readjustments
from niftyformer_assets.market.cleaning import CleanMarket, clean
from niftyformer_assets.market.quality import assess, report_markdown
from niftyformer_assets_tests.market.world import START, World, at, failures, kinds, world


def cleaned(it: World) -> CleanMarket:
    candles, _ = load_candles({symbol: it.workspace.candles(symbol) for symbol in it.symbols})
    return clean(candles, sessions(START, date(2024, 6, 28)))


@pytest.mark.parametrize(
    "faults",
    [
        Faults(too_many_requests=0.3),
        Faults(server_errors=0.3),
        Faults(html_pages=0.3),
        Faults(cut_off_bodies=0.3),
        Faults(no_content_type=0.3),
        Faults(stalls=0.1, stall_s=0.6),
        Faults(
            seed=3,
            too_many_requests=0.08,
            server_errors=0.08,
            html_pages=0.08,
            cut_off_bodies=0.08,
            no_content_type=0.03,
            stalls=0.03,
            stall_s=0.6,
        ),
    ],
    ids=lambda faults: ",".join(name for name, value in faults.as_json().items() if isinstance(value, float) and value),
)
def test_passing_trouble_leaves_no_trace(tmp_path: Path, faults: Faults) -> None:
    now = at("2024-05-31")
    with world(tmp_path / "calm", now) as (calm, _):
        calm.ingest(now)
    with world(tmp_path / "rough", now, faults) as (it, _):
        for _ in range(4):  # a symbol may be hit five times in a row; a rerun asks for what is missing
            if not failures(it.ingest(now, timeout_s=0.3)):
                break
        assert it.content() == calm.content()


def test_a_token_that_expires_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("niftyformer_assets.market.ingest.WORKERS", 2)
    now = at("2024-05-31")
    with world(tmp_path, now, Faults(expire_after=5)) as (it, _):
        outcomes = it.ingest(now)
        lost = failures(outcomes)
        got = set(it.symbols) - set(lost)
        assert 0 < len(got) < len(it.symbols)
        assert all("niftyformer login" in reason for reason in lost.values())
        assert not any(it.token in reason for reason in lost.values())
        # Nothing is asked once it is known: at most the requests that were under way.
        assert it.exchange.traffic.by_status[403] <= 2
        assert set(it.content()) == {it.workspace.candles(symbol).name for symbol in got}

        it.exchange.faults = Faults()
        again = it.ingest(now)
        assert not failures(again)
        assert set(it.exchange.traffic.by_symbol) == set(lost)


@pytest.mark.parametrize("share", ["missing_candles", "duplicated_candles", "negative_candles"])
def test_broken_candles_are_kept_out_and_mended_once_kite_mends_them(tmp_path: Path, share: str) -> None:
    now = at("2024-05-30")
    with world(tmp_path / "calm", now) as (calm, clock):
        clock.now = at("2024-05-31")
        calm.ingest(clock.now)
        truth = cleaned(calm)
    with world(tmp_path / "rough", now, Faults(**{share: 0.03})) as (it, clock):  # type: ignore[arg-type]
        assert not failures(it.ingest(now))
        market = cleaned(it)
        known = np.isfinite(market.close)
        assert (market.close[known] > 0).all()
        assert market.axes.shape[0] == 103
        quality = assess(market, {})
        if share == "missing_candles":
            assert (quality.table["missing_share"] > 0).any()
        elif share == "negative_candles":
            assert "non-positive price" in set(market.quarantine["what"])
        else:
            assert "duplicate" in set(market.suspects["what"])
            assert known.sum() == np.isfinite(truth.close[:103]).sum()
        # What is there agrees with the truth: no fault was ever used.
        rows = np.isin(truth.axes.dates, market.axes.dates)
        before_last = market.axes.dates < np.datetime64("2024-05-30")
        np.testing.assert_array_equal(
            market.close[before_last], np.where(known, truth.close[rows], np.nan)[before_last]
        )
        it.exchange.faults = Faults()
        clock.now = at("2024-05-31")
        assert not failures(it.ingest(clock.now))
        np.testing.assert_array_equal(cleaned(it).close, truth.close)


def test_good_candles_are_not_replaced_by_broken_ones(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-30")) as (it, clock):
        it.ingest(clock.now)
        before = it.content()
        clock.now = at("2024-05-31")
        it.exchange.faults = Faults(negative_candles=0.9)
        spoilt = it.ingest(clock.now)
        for symbol in failures(spoilt):
            name = it.workspace.candles(symbol).name
            assert it.content()[name] == before[name]
        assert len(failures(spoilt)) == len(it.symbols)


def test_a_split_that_is_adjusted_tomorrow(tmp_path: Path) -> None:
    ex_date = date(2024, 5, 31)
    with world(tmp_path, at("2024-05-30"), Faults(splits=(Split("DEMO004", ex_date, 5.0),))) as (it, clock):
        it.ingest(clock.now)
        clock.now = at("2024-05-31")
        assert getattr(it.ingest(clock.now)["DEMO004"], "kind", "") == "readjusted"
        market = cleaned(it)
        assert market.quarantine.empty
        column = market.axes.symbols.index("DEMO004")
        assert np.abs(np.diff(np.log(market.close[:, column]))).max() < 0.2


def test_a_split_that_kite_forgets_to_adjust_for(tmp_path: Path) -> None:
    broken = Faults(splits=(Split("DEMO004", date(2024, 5, 31), 5.0, adjusted=False),))
    with world(tmp_path, at("2024-05-30"), broken) as (it, clock):
        it.ingest(clock.now)
        clock.now = at("2024-06-03")
        assert kinds(it.ingest(clock.now)) == {"fetched"}
        market = cleaned(it)
        assert market.quarantine[["symbol", "what"]].to_numpy().tolist() == [["DEMO004", "overnight gap"]]
        assert market.segment[-2:, market.axes.symbols.index("DEMO004")].tolist() == [1, 1]


def test_a_split_that_kite_adjusts_for_late(tmp_path: Path) -> None:
    """The refresh that differs settles it, and the report says which gap it was."""
    ex_date = date(2024, 5, 31)
    broken = Faults(splits=(Split("DEMO004", ex_date, 5.0, adjusted=False),))
    with world(tmp_path, at("2024-05-30"), broken) as (it, clock):
        it.ingest(clock.now)
        clock.now = at("2024-06-03")
        it.ingest(clock.now)
        assert len(cleaned(it).breaks) == 1
        it.exchange.faults = Faults(splits=(Split("DEMO004", ex_date, 5.0),))
        clock.now = at("2024-06-05")
        it.ingest(clock.now)
        market = cleaned(it)
        assert market.breaks.empty
        noted = readjustments({symbol: it.workspace.candles(symbol) for symbol in it.symbols})
        assert set(noted) == {"DEMO004"}
        assert "the gap of -79.6% at" in noted["DEMO004"][-1]
        assert f"at {ex_date} is " in noted["DEMO004"][-1] and "corporate action" in noted["DEMO004"][-1]
        text = report_markdown(assess(market, {}, readjusted=noted))
        assert "## Re-adjusted by Kite" in text and noted["DEMO004"][-1] in text


def test_a_rename_keeps_what_is_there(tmp_path: Path) -> None:
    rename = Faults(renames=(Rename("DEMO005", "RENAMED", date(2024, 5, 31)),))
    with world(tmp_path, at("2024-05-30"), rename) as (it, clock):
        it.ingest(clock.now)
        held = it.candles("DEMO005")
        clock.now = at("2024-05-31")
        outcomes = it.ingest(clock.now, [*it.symbols, "RENAMED"])
        assert getattr(outcomes["DEMO005"], "kind", "") == "unavailable"
        assert it.candles("DEMO005").equals(held)
        # Under its new symbol it has its whole history.
        assert it.candles("RENAMED")["date"].iloc[0] == held["date"].iloc[0]
        assert len(it.candles("RENAMED")) == len(held) + 1


@pytest.mark.parametrize("damage", [b"", b"PAR1 not a table", None])
def test_a_damaged_file_is_named_and_fetched_again(tmp_path: Path, damage: bytes | None) -> None:
    now = at("2024-05-31")
    with world(tmp_path, now) as (it, _):
        it.ingest(now)
        before = it.content()
        path = it.workspace.candles("DEMO001")
        path.write_bytes(before[path.name][: len(before[path.name]) // 2] if damage is None else damage)
        outcome = it.ingest(now)["DEMO001"]
        assert "DEMO001.parquet was damaged" in outcome.reason
        assert getattr(outcome, "kind", "") == "fetched"
        assert it.content() == before
        assert it.requests == 2


def test_a_long_absence_is_made_up_for(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-02-01")) as (it, clock):
        it.ingest(clock.now)
        clock.now += timedelta(days=140)
        assert kinds(it.ingest(clock.now)) == {"fetched"}
        assert it.requests == len(it.symbols) + 1


def test_the_rate_limit_is_kept_without_a_single_429(tmp_path: Path) -> None:
    now = at("2024-05-31")
    with world(tmp_path, now, historical_per_second=3) as (it, _):
        outcomes = it.ingest(now, it.symbols[:8], requests_per_second=3.0)
        assert not failures(outcomes)
        assert it.exchange.traffic.over_limit == 0
        assert it.exchange.traffic.by_status == {200: 9}

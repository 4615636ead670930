"""Candles that are not those that were written: told as damage, fetched again, and nothing of them lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from niftyformer_assets.exchange.faults import Faults, Rename
from niftyformer_assets.market.benchmark import empty_benchmark, load_benchmark, must_be_no_worse, save_benchmark
from niftyformer_assets.market.candle_files import is_listed_with_candles, load_candles, readjustments
from niftyformer_assets.market.ingest import Fetched
from niftyformer_assets.store.errors import DamagedError
from niftyformer_assets.store.index import INDEX_NAME
from niftyformer_assets_tests.damage import cuts, flips
from niftyformer_assets_tests.market.world import World, at, failures, kinds, world

BEFORE, NOW = at("2024-05-30"), at("2024-05-31")


def test_every_flip_and_cut_is_told_as_damage_and_fetched_again(tmp_path: Path) -> None:
    with world(tmp_path, NOW) as (it, _):
        it.ingest(NOW)
        before, path = it.content(), it.workspace.candles("DEMO001")
        index = (it.workspace.raw / INDEX_NAME).read_bytes()
        damaged = [*flips(before[path.name], 25), *cuts(before[path.name], 4)]
        for count, changed in enumerate(damaged, 1):
            path.write_bytes(changed)
            candles, reasons = load_candles({"DEMO001": path})
            assert not candles and "DEMO001.parquet is damaged" in reasons["DEMO001"]
            assert not is_listed_with_candles(path) and readjustments({"DEMO001": path}) == {}
            outcome = it.ingest(NOW, ["DEMO001"])["DEMO001"]
            assert isinstance(outcome, Fetched) and outcome.kind == "fetched"
            assert outcome.reason.startswith("DEMO001.parquet was damaged: all of its candles were fetched again")
            assert "by Kite" not in outcome.reason
            # None that was kept before is overwritten.
            kept = sorted((it.workspace.root / "damaged").iterdir())
            assert len(kept) == count
            assert [each.read_bytes() for each in kept if str(each) in outcome.reason] == [changed]
            assert it.content() == before and (it.workspace.raw / INDEX_NAME).read_bytes() == index
        assert kinds(it.ingest(NOW)) == {"cached"} and it.requests == 0


def test_files_that_changed_places_are_both_fetched_again(tmp_path: Path) -> None:
    with world(tmp_path, NOW) as (it, _):
        it.ingest(NOW)
        before = it.content()
        first, second, *_ = it.symbols
        one, other = it.workspace.candles(first), it.workspace.candles(second)
        one.write_bytes(before[other.name])
        other.write_bytes(before[one.name])
        outcomes = it.ingest(NOW)
        damaged = [symbol for symbol, outcome in outcomes.items() if "was damaged" in outcome.reason]
        assert sorted(damaged) == [first, second]
        assert it.content() == before


def test_an_older_file_in_place_of_the_newer_is_noticed(tmp_path: Path) -> None:
    with world(tmp_path, BEFORE) as (it, clock):
        it.ingest(BEFORE)
        older, clock.now = it.content(), NOW
        it.ingest(NOW)
        path = it.workspace.candles("DEMO001")
        path.write_bytes(older[path.name])
        assert "was damaged" in it.ingest(NOW)["DEMO001"].reason


def test_one_that_cannot_be_fetched_again_is_kept_as_it_is(tmp_path: Path) -> None:
    with world(tmp_path, BEFORE) as (it, clock):
        it.ingest(BEFORE)
        path = it.workspace.candles("DEMO001")
        *_, changed = flips(path.read_bytes(), 3)
        path.write_bytes(changed)
        it.exchange.faults = Faults(renames=(Rename("DEMO001", "ELSE"),))
        clock.now = NOW
        failed = failures(it.ingest(NOW))
        assert list(failed) == ["DEMO001"] and f"restore {path}, or delete it" in failed["DEMO001"]
        assert path.read_bytes() == changed


def of_an_earlier_version(it: World) -> None:
    (it.workspace.raw / INDEX_NAME).unlink()


def torn(it: World) -> None:
    place = it.workspace.raw / INDEX_NAME
    place.write_bytes(place.read_bytes()[:100])


@pytest.mark.parametrize(
    ("lose", "said"), [(of_an_earlier_version, "there was no index.json yet"), (torn, "index.json was damaged")]
)
def test_candles_whose_hashes_are_not_known_are_taken_once_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lose: Callable[[World], None], said: str
) -> None:
    with world(tmp_path, BEFORE) as (it, clock):
        it.ingest(BEFORE)
        before, index = it.content(), (it.workspace.raw / INDEX_NAME).read_bytes()
        lose(it)
        _, reasons = load_candles({"DEMO001": it.workspace.candles("DEMO001")})
        assert "index.json" in reasons["DEMO001"]
        # One that Kite no longer lists is not to be had again.
        it.exchange.faults = Faults(renames=(Rename("DEMO001", "ELSE"),))
        with caplog.at_level(logging.WARNING):
            outcomes = it.ingest(BEFORE)
        assert not failures(outcomes) and said in caplog.text
        assert "taken as they are" in outcomes.pop("DEMO001").reason
        assert all(outcome.reason.endswith("they are the same at Kite") for outcome in outcomes.values())
        del before["DEMO001.parquet"]  # notes that it is listed no more
        assert {name: it.content()[name] for name in before} == before
        it.exchange.faults = Faults()
        it.ingest(BEFORE, ["DEMO001"])
        assert (it.workspace.raw / INDEX_NAME).read_bytes() != index
        assert kinds(it.ingest(BEFORE)) <= {"cached", "unavailable"} and it.requests == 0
        clock.now = NOW
        outcomes = it.ingest(NOW)
        assert not failures(outcomes)
        assert not any("nothing told" in outcome.reason for outcome in outcomes.values() if outcome.symbol != "DEMO001")


@pytest.mark.parametrize("lose", [of_an_earlier_version, torn])
def test_candles_damaged_together_with_their_index_are_kites_again(
    tmp_path: Path, lose: Callable[[World], None]
) -> None:
    with world(tmp_path, NOW) as (it, _):
        it.ingest(NOW)
        path, candles, content = it.workspace.candles("DEMO001"), it.candles("DEMO001"), it.content()
        told = set()
        for changed in flips(content[path.name], 25):
            lose(it)
            path.write_bytes(changed)
            outcome = it.ingest(NOW)["DEMO001"]
            assert isinstance(outcome, Fetched)
            assert "was damaged" in outcome.reason or "nothing told whether" in outcome.reason
            told.add(outcome.kind)
            pd.testing.assert_frame_equal(it.candles("DEMO001"), candles)
        assert "readjusted" in told  # some would have been read as other values
        assert {name: it.content()[name] for name in content if name != path.name} == {
            name: each for name, each in content.items() if name != path.name
        }


def test_a_file_that_is_not_in_the_index_is_fetched_again(tmp_path: Path) -> None:
    """Put there by hand: nothing says that it is what Kite gave."""
    with world(tmp_path, NOW) as (it, _):
        it.ingest(NOW)
        before, place = it.content(), it.workspace.raw / INDEX_NAME
        it.workspace.candles("DEMO001").unlink()
        assert "was damaged" not in it.ingest(NOW)["DEMO001"].reason  # its entry is gone with it
        assert json.loads(place.read_text())["files"].keys() == before.keys()
        it.workspace.candles("DEMO001").rename(it.workspace.raw / "DEMO099.parquet")
        outcomes = it.ingest(NOW, [*it.symbols, "DEMO099"])
        assert "was damaged and Kite does not list DEMO099" in outcomes["DEMO099"].reason
        assert (it.workspace.raw / "DEMO099.parquet").is_file()


def test_a_damaged_benchmark_does_not_stand_in_the_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "benchmark_index.parquet"
    save_benchmark(path, empty_benchmark(), "Kite's instrument NIFTY 50")
    for changed in (*flips(path.read_bytes(), 20), *cuts(path.read_bytes(), 4)):
        path.write_bytes(changed)
        with pytest.raises(DamagedError, match=r"benchmark_index\.parquet is damaged"):
            load_benchmark(path)
        caplog.clear()
        must_be_no_worse(path, empty_benchmark())
        assert "benchmark_index.parquet is damaged" in caplog.text

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.exchange.faults import Faults, Rename, Split
from niftyformer_assets.exchange.market import ServedMarket, instruments_of
from niftyformer_assets.market.asking import IngestSettings
from niftyformer_assets.market.candle_files import read_candle_file
from niftyformer_assets.market.ingest import Failed, Fetched, Outcome, ingest
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.market.world import START, World, at, failures, kinds, made_up, world


def test_a_first_fetch_then_nothing_then_one_request_each(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, clock):
        first = it.ingest(clock.now)
        assert kinds(first) == {"fetched"}
        assert it.requests == len(it.symbols) + 1
        got = first["DEMO001"]
        assert isinstance(got, Fetched)
        assert (got.first, got.last, got.rows) == (date(2024, 1, 1), date(2024, 5, 31), got.new_rows)

        assert kinds(it.ingest(at("2024-05-31", "20:00"))) == {"cached"}
        assert it.requests == 0

        # The next morning the close of the last session is final.
        before = it.candles("DEMO001")
        clock.now = at("2024-06-01", "07:00")
        correction = it.ingest(clock.now)
        assert kinds(correction) == {"fetched"}
        assert it.requests == len(it.symbols) + 1
        after = it.candles("DEMO001")
        assert len(after) == len(before)
        assert after["volume"].iloc[-1] > before["volume"].iloc[-1]
        assert after.iloc[:-1].equals(before.iloc[:-1])
        assert it.ingest(clock.now)["DEMO001"].kind == "cached"  # type: ignore[union-attr]

        clock.now = at("2024-06-03")
        evening = it.ingest(clock.now)
        assert {outcome.new_rows for outcome in evening.values() if isinstance(outcome, Fetched)} == {1}
        assert it.requests == len(it.symbols) + 1


def test_an_incremental_history_is_the_same_as_one_fetched_at_once(tmp_path: Path) -> None:
    with world(tmp_path / "a", at("2024-02-01")) as (it, clock):
        for day in ("2024-02-01", "2024-02-02", "2024-03-15", "2024-06-10"):
            clock.now = at(day)
            assert not failures(it.ingest(clock.now))
        with world(tmp_path / "b", clock.now) as (other, _):
            other.ingest(clock.now)
            assert it.content() == other.content()


def test_the_running_session_is_never_stored(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31", "11:00")) as (it, clock):
        for hour in ("11:00", "15:45"):
            clock.now = at("2024-05-31", hour)
            it.ingest(clock.now)
            assert str(it.candles("DEMO001")["date"].iloc[-1])[:10] == "2024-05-30"
        clock.now = at("2024-05-31", "16:05")
        it.ingest(clock.now)
        assert str(it.candles("DEMO001")["date"].iloc[-1])[:10] == "2024-05-31"


def test_failures_stay_with_their_symbols_and_a_rerun_asks_only_for_them(tmp_path: Path) -> None:
    bad = ("DEMO001", "DEMO&002")
    with world(tmp_path, at("2024-05-31"), Faults(failing_symbols=bad)) as (it, clock):
        outcomes = it.ingest(clock.now)
        assert set(failures(outcomes)) == set(bad)
        assert all("status 500" in reason for reason in failures(outcomes).values())
        assert it.exchange.traffic.by_symbol["DEMO001"] == 5
        it.exchange.faults = Faults()
        again = it.ingest(clock.now)
        assert {symbol for symbol, outcome in again.items() if getattr(outcome, "kind", "") == "fetched"} == set(bad)
        assert set(it.exchange.traffic.by_symbol) == set(bad)
        assert it.requests == 3


def test_a_stock_that_is_not_listed_is_an_answer(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-01-15")) as (it, clock):
        outcome = it.ingest(clock.now, ["DEMO001", "NOBODY"])["NOBODY"]
        assert isinstance(outcome, Fetched)
        assert (outcome.kind, outcome.rows) == ("unavailable", 0)
        assert "not in Kite's list" in outcome.reason
        assert it.candles("NOBODY").empty
        # And is asked for again only when there may be something new.
        assert it.ingest(clock.now, ["NOBODY"])["NOBODY"].reason == outcome.reason
        assert it.requests == 0


def test_a_file_that_cannot_be_read_now_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, at("2024-05-30")) as (it, clock):
        it.ingest(clock.now)
        path = it.workspace.candles("DEMO001")
        before = path.read_bytes()
        it.exchange.faults = Faults(renames=(Rename("DEMO001", "ELSE"),))
        clock.now = at("2024-05-31")

        def busy(self: Path) -> bytes:
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", busy)
            reason = failures(it.ingest(clock.now, ["DEMO001"]))["DEMO001"]
        assert "Too many open files" in reason
        assert path.read_bytes() == before


def test_a_damaged_file_of_a_stock_that_is_gone_is_kept(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-30")) as (it, clock):
        it.ingest(clock.now)
        path = it.workspace.candles("DEMO001")
        torn = path.read_bytes()[:-200]
        path.write_bytes(torn)
        it.exchange.faults = Faults(renames=(Rename("DEMO001", "ELSE"),))
        clock.now = at("2024-05-31")
        assert "was damaged and Kite does not list" in failures(it.ingest(clock.now))["DEMO001"]
        assert path.read_bytes() == torn
        it.exchange.faults = Faults()
        assert not failures(it.ingest(clock.now))
        assert len(it.candles("DEMO001")) > 100


def test_a_stock_that_leaves_keeps_its_candles(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-30")) as (it, clock):
        it.ingest(clock.now)
        held = it.candles("DEMO001")
        it.exchange.faults = Faults(renames=(Rename("DEMO001", "ELSE"),))
        clock.now = at("2024-05-31")
        outcomes = it.ingest(clock.now)
        gone = outcomes["DEMO001"]
        assert isinstance(gone, Fetched)
        assert (gone.kind, gone.rows) == ("unavailable", len(held))
        assert it.candles("DEMO001").equals(held)
        # Once known to be gone, it does not count against the list of instruments.
        clock.now = at("2024-06-03")
        it.exchange.faults = Faults(renames=(Rename("DEMO001", "ELSE"), Rename("DEMO005", "ELSE2")))
        assert not failures(it.ingest(clock.now))


def test_a_renamed_stock_keeps_its_history_under_its_latest_symbol(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31"), Faults(renames=(Rename("DEMO005", "LTIM"),))) as (it, clock):
        # Kite lists LTIM; the latest symbol is LTM, by the table of renames.
        outcome = it.ingest(clock.now, ["LTM"])["LTM"]
        assert isinstance(outcome, Fetched)
        assert (outcome.kind, outcome.first) == ("fetched", START)
        # A key from before the renames still finds the stock.
        assert getattr(it.ingest(clock.now, ["LTI"])["LTI"], "rows", 0) == outcome.rows
        settings = replace(it.settings, history_start=date(2024, 1, 2))
        aliases = {"NEW": ("DEMO006",)}
        (found,) = ingest(["NEW"], it.workspace, it.session, it.pacer(), settings, clock.now, aliases)
        assert getattr(found, "rows", 0) > 90


def test_a_symbol_that_is_another_companys_gets_candles_of_its_own(tmp_path: Path) -> None:
    """DEMO001 goes on as NEWNAME, and a company that was listed in April gets its symbol."""
    market = made_up()
    old, new = market.candles["DEMO001"], market.candles["DEMO005"]
    listed = new.take(new.dates >= np.datetime64("2024-04-01"))
    candles = {**market.candles, "NEWNAME": old, "DEMO001": listed}
    after = ServedMarket(instruments_of({name: name for name in candles}), candles, {})
    first, second = "INE180A01020", "INE0CG601016"

    def fetched(it: World, now: datetime, isins: dict[str, str]) -> dict[str, Outcome]:
        outcomes = ingest(list(isins), it.workspace, it.session, it.pacer(), it.settings, now, {}, isins)
        return {outcome.symbol: outcome for outcome in outcomes}

    with world(tmp_path, at("2024-05-30")) as (it, clock):
        fetched(it, clock.now, {"DEMO001": first})
        before = it.candles("DEMO001")
    with world(tmp_path, at("2024-05-31"), market=after) as (it, clock):
        # A split of the face value changes nothing; without a word from the lists nothing is overwritten.
        assert failures(fetched(it, clock.now, {"DEMO001": "INE180A01038"}))
        assert it.candles("DEMO001").equals(before)
        assert not failures(fetched(it, clock.now, {"DEMO001": second, "NEWNAME": first}))
        assert it.candles("DEMO001")["close"].tolist()[:-1] == listed.close[: len(it.candles("DEMO001")) - 1].tolist()
        assert len(it.candles("NEWNAME")) == len(before) + 1
        # Whoever asks for the company under the name that the lists give it, if they know no later one, finds it.
        kept = fetched(it, clock.now, {f"DEMO001.{first}": first})[f"DEMO001.{first}"]
        assert (getattr(kept, "kind", ""), getattr(kept, "rows", 0)) == ("unavailable", len(before))
        assert read_candle_file(it.workspace.candles("DEMO001")).isin == second


def test_an_earlier_symbol_that_another_company_bears_is_not_asked_for(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, clock):
        # LTI became LTIM in 2022. The stock is gone, and what Kite lists as LTI is another one.
        it.exchange.faults = Faults(renames=(Rename("DEMO005", "LTI"),))
        outcome = it.ingest(clock.now, ["LTM"])["LTM"]
        assert (getattr(outcome, "kind", ""), getattr(outcome, "rows", -1)) == ("unavailable", 0)
        # Nor does the other one go by the new symbol, if the lists know it as a stock of its own.
        it.exchange.faults = Faults(renames=(Rename("DEMO005", "LTIM"),))
        (alone,) = ingest(["LTI"], it.workspace, it.session, it.pacer(), it.settings, clock.now, {"LTI": ()})
        assert getattr(alone, "kind", "") == "unavailable"


def test_a_shortened_list_of_instruments_is_no_answer(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-30")) as (it, clock):
        it.ingest(clock.now)
        before = it.content()
        it.exchange.faults = Faults(shortened_instruments=0.4)
        clock.now = at("2024-05-31")
        outcomes = it.ingest(clock.now)
        assert kinds(outcomes) == {"failed"}
        assert any("was cut short" in reason for reason in failures(outcomes).values())
        assert it.exchange.traffic.by_path["/instruments/NSE"] == 5
        assert it.content() == before


def test_a_split_refetches_the_whole_history_and_is_recorded(tmp_path: Path) -> None:
    split = Faults(splits=(Split("DEMO004", date(2024, 5, 31), 2.0),))
    with world(tmp_path, at("2024-05-30"), split) as (it, clock):
        it.ingest(clock.now)
        before = it.candles("DEMO004")
        clock.now = at("2024-05-31")
        outcomes = it.ingest(clock.now)
        changed = outcomes["DEMO004"]
        assert isinstance(changed, Fetched)
        assert changed.kind == "readjusted"
        assert "were changed by Kite" in changed.reason
        assert kinds({s: o for s, o in outcomes.items() if s != "DEMO004"}) == {"fetched"}
        after = it.candles("DEMO004")
        assert after["close"].iloc[0] == pytest.approx(before["close"].iloc[0] / 2, abs=0.006)
        assert read_candle_file(it.workspace.candles("DEMO004")).changes == (changed.reason,)


def test_long_histories_come_in_parts(tmp_path: Path) -> None:
    market = made_up(stocks=4, first=date(2015, 1, 1))
    with world(tmp_path, at("2024-05-31"), market=market) as (it, clock):
        outcomes = it.ingest(clock.now, history_start=date(2015, 1, 1))
        assert kinds(outcomes) == {"fetched"}
        assert it.exchange.traffic.by_symbol["DEMO001"] == 2
        days = it.candles("DEMO001")["date"].to_numpy().astype("datetime64[D]")
        assert days.tolist() == market.candles["DEMO001"].dates[: len(days)].tolist()


def test_closing_the_ingest_stops_asking(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, clock):
        settings = replace(it.settings, requests_per_second=5)
        it.settings = settings
        outcomes = ingest(it.symbols, it.workspace, it.session, it.pacer(), settings, clock.now)
        next(iter(outcomes))
        outcomes.close()  # type: ignore[attr-defined]
        asked = it.requests
        assert asked < 6
        assert kinds(it.ingest(clock.now, requests_per_second=500)) == {"fetched", "cached"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with world(tmp_path, at("2024-05-31")) as (it, clock):
        it.workspace = Workspace(tmp_path / "data", "test")
        outcomes = ingest(["A"], it.workspace, it.session, Pacer(tmp_path / "pace", 500), it.settings, clock.now)
        with pytest.raises(NiftyFormerError, match="choose a data folder that is writable"):
            list(outcomes)


def test_past_the_calendar(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, _), pytest.raises(NiftyFormerError, match="past the NSE calendar"):
        it.ingest(at("2027-06-01"))


def test_no_session_no_candles_but_what_is_cached(tmp_path: Path) -> None:
    def nobody_logged_in() -> None:
        raise NiftyFormerError("nobody has logged in to Kite: run `niftyformer login`.")

    with world(tmp_path, at("2024-05-31")) as (it, clock):
        it.ingest(clock.now, ["DEMO001"])
        it.exchange.traffic.clear()
        outcomes = list(
            ingest(["DEMO001", "DEMO005"], it.workspace, nobody_logged_in, it.pacer(), it.settings, clock.now)  # type: ignore[arg-type]
        )
        by_symbol = {outcome.symbol: outcome for outcome in outcomes}
        assert getattr(by_symbol["DEMO001"], "kind", "") == "cached"
        assert isinstance(by_symbol["DEMO005"], Failed)
        assert "niftyformer login" in by_symbol["DEMO005"].reason
        assert it.requests == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attempts": 0}, "at least 1"),
        ({"requests_per_second": 0}, "above 0"),
        ({"timeout_s": 0}, "above 0"),
        ({"backoff_s": -1}, "at least 0"),
    ],
)
def test_settings_are_checked(change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        IngestSettings(**{"history_start": START, **change})


def test_candles_of_a_symbol_that_changes_hands_again_and_again_are_all_kept(tmp_path: Path) -> None:
    """Whatever the lists say of whose symbol it is, no candle is overwritten by those of another company."""
    isins = ("INE000A01010", "INE111B01010")
    with world(tmp_path, at("2024-05-31")) as (it, clock):
        contents = set()
        for number in range(5):
            isin = {"DEMO001": isins[number % 2]}
            outcomes = ingest(["DEMO001"], it.workspace, it.session, it.pacer(), it.settings, clock.now, isins=isin)
            assert kinds({outcome.symbol: outcome for outcome in outcomes}) == {"fetched"}
            contents.add(it.workspace.candles("DEMO001").read_bytes())
        kept = sorted(it.workspace.root.rglob("*.parquet"))
        assert [str(path.relative_to(it.workspace.root)) for path in kept] == [
            "raw/DEMO001.INE000A01010.parquet",
            "raw/DEMO001.INE111B01010.parquet",
            "raw/DEMO001.parquet",
            "set_aside/001/DEMO001.INE000A01010.parquet",
            "set_aside/002/DEMO001.INE111B01010.parquet",
        ]
        assert {path.read_bytes() for path in kept} == contents

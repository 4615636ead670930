"""The ingest as Dagster records it: failures isolated by symbol, nothing asked for twice."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster import AssetPartitionStatus

from niftyformer_assets.defs import build
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.market.login import find_token
from niftyformer_assets.settings import Settings
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings
from niftyformer_assets_tests.defs.conftest import FEW, Live

RAW = dg.AssetKey("raw_ohlcv")


def eight_stocks(folder: Path) -> Settings:
    """The client keeps to 3 requests a second, so fewer stocks are quicker."""
    return tiny_settings(folder, made_up=MadeUpSettings(stocks=8, late_listings=1, listing_gap=20))


def with_faults(folder: Path, instance: dg.DagsterInstance, faults: Faults | None = None) -> Graph:
    settings = eight_stocks(folder)
    source = CandleSource(settings, faults=faults, backoff_s=0.01)
    return Graph(settings, build(settings, {"candle_source": source}), instance)


def statuses(graph: Graph) -> dict[str, AssetPartitionStatus | None]:
    node = graph.definitions.resolve_asset_graph().get(RAW)
    assert node.partitions_def is not None
    found = graph.instance.get_status_by_partition(RAW, node.partitions_def.get_partition_keys(), node.partitions_def)
    assert found is not None
    return dict(found)


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    found = {}
    for event in result.asset_materializations_for_node("raw_ohlcv"):
        assert event.partition is not None
        found[event.partition] = str(event.metadata["outcome"].value)
    return found


def test_failed_symbols_are_red_the_others_green_and_a_rerun_asks_for_the_failed_only(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    bad = ("DEMO004", "DEMO-003")
    broken = with_faults(tmp_path, instance, Faults(failing_symbols=bad))
    assert broken.run("reference").success
    result = broken.run("candles")
    assert not result.success
    assert "2 of 8 symbols failed" in failure_of(result)
    red = {symbol for symbol, status in statuses(broken).items() if status == AssetPartitionStatus.FAILED}
    green = {symbol for symbol, status in statuses(broken).items() if status == AssetPartitionStatus.MATERIALIZED}
    assert red == set(bad)
    assert len(green) == 6
    assert not any(broken.settings.workspace.candles(symbol).exists() for symbol in bad)

    mended = with_faults(tmp_path, instance)
    result = mended.run("candles")
    assert result.success
    assert {symbol for symbol, kind in outcomes(result).items() if kind == "fetched"} == set(bad)
    assert {kind for symbol, kind in outcomes(result).items() if symbol not in bad} == {"cached"}
    assert set(statuses(mended).values()) == {AssetPartitionStatus.MATERIALIZED}


KEY = {"workspace_name": "nifty200", "kite_api_key": "key"}


def test_how_kite_is_asked_is_a_setting(tmp_path: Path) -> None:
    asked = {"kite_timeout_s": 1.5, "kite_requests_per_second": 2, "kite_attempts": 3}
    with CandleSource(tiny_settings(tmp_path, made_up=FEW, **asked)).connect() as connection:
        assert connection.session()._client.timeout == 1.5
    with CandleSource(tiny_settings(tmp_path / "live", **KEY, **asked)).connect() as connection:
        assert connection.ingest.timeout_s == 1.5
        assert connection.pacer._count == 2
        assert connection.ingest.attempts == 3


def test_a_backfill_of_one_symbol_leaves_the_others_alone(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    graph = with_faults(tmp_path, instance)
    result = graph.run("candles", symbols=("DEMO004",))
    assert result.success
    assert outcomes(result) == {"DEMO004": "fetched"}
    assert [path.name for path in graph.settings.workspace.raw.glob("*.parquet")] == ["DEMO004.parquet"]


def test_a_symbol_that_is_not_listed_is_an_answer(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = eight_stocks(tmp_path)
    settings.workspace.index_lists.mkdir(parents=True)
    (settings.workspace.index_lists / "ind_nifty200list_2021-01-01.csv").write_text(
        "Company Name,Industry,Symbol,Series,ISIN Code\nGone Ltd.,Power,GONE,EQ,INE000A01099\n"
    )
    graph = with_faults(tmp_path, instance)
    result = graph.run("candles")
    assert result.success
    assert outcomes(result)["GONE"] == "unavailable"


def test_a_shortened_list_of_instruments_is_a_failure_and_replaces_nothing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    assert with_faults(tmp_path, instance).run("candles").success
    before = {path: path.read_bytes() for path in eight_stocks(tmp_path).workspace.raw.glob("*.parquet")}
    cut = with_faults(tmp_path, instance, Faults(shortened_instruments=0.5))
    for path in list(before)[:1]:
        path.unlink()  # so that something has to be asked for
    result = cut.run("candles")
    assert not result.success
    assert "cut short" in failure_of(result)
    assert all(path.read_bytes() == content for path, content in list(before.items())[1:])


def test_no_secret_is_in_any_event(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    graph = with_faults(tmp_path, instance, Faults(expire_after=4))
    result = graph.run("candles")
    assert not result.success
    assert "niftyformer login" in failure_of(result)
    said = "\n".join(str(event) for event in result.all_events)
    said += "\n".join(entry.message for entry in instance.all_logs(result.run_id))
    assert "simulated-secret" not in said
    assert "access_token=" not in said


def test_a_token_that_expires_on_the_way_stops_the_asking_and_keeps_what_is_there(live: Live) -> None:
    live.log_in()
    live.exchange.faults = Faults(expire_after=3)  # the list of instruments and two symbols
    result = live.graph.run("candles")
    assert not result.success
    green = {symbol for symbol, status in statuses(live.graph).items() if status == AssetPartitionStatus.MATERIALIZED}
    red = {symbol for symbol, status in statuses(live.graph).items() if status == AssetPartitionStatus.FAILED}
    assert (len(green), len(red)) == (2, 3)
    assert {live.settings.workspace.symbol_of(path) for path in live.settings.workspace.raw.glob("*.parquet")} == green
    reasons = reasons_of(result)
    assert set(reasons) == red
    assert all("niftyformer login" in reason for reason in reasons.values())
    # Asking stops there: no symbol is tried a second time.
    assert all(count == 1 for count in live.exchange.traffic.by_symbol.values())

    # Without a new login the failed ones stay as they are, and nothing is asked for.
    live.log_out()
    live.asked()
    result = live.graph.run("candles")
    assert not result.success
    assert "3 of 5 symbols failed" in failure_of(result)
    assert "nobody has logged in to Kite: run `niftyformer login`" in failure_of(result)
    assert not live.asked()

    live.log_in()
    result = live.graph.run("candles")
    assert result.success
    assert {symbol for symbol, kind in outcomes(result).items() if kind == "fetched"} == red
    assert set(live.exchange.traffic.by_symbol) == red


def test_what_is_not_done_is_said_where_nothing_is(live: Live) -> None:
    said = failure_of(live.graph.run("candles"))
    assert "5 of 5 symbols failed" in said
    assert "The others are done" not in said


def test_the_access_token_is_in_no_event(live: Live) -> None:
    live.log_in()
    token = find_token(live.settings.token_file, datetime.now(IST), {}).value
    live.exchange.faults = Faults(expire_after=3)
    result = live.graph.run("candles")
    said = "\n".join(str(event) for event in result.all_events)
    said += "\n".join(str(entry) for entry in live.graph.instance.all_logs(result.run_id))
    run = live.graph.instance.get_run_by_id(result.run_id)
    said += str(run)
    assert "DEMO005" in said
    assert token not in said
    assert live.exchange.api_secret not in said


def reasons_of(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """The table of a failed run: each symbol's reason."""
    data = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert data.user_failure_data is not None
    rows = str(data.user_failure_data.metadata["failed"].value).splitlines()[2:]
    cells = (row.strip("| ").split(" | ") for row in rows)
    return {cell[0]: cell[1] for cell in cells}

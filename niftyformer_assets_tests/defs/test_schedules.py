"""What happens by itself: the daily refresh, the morning's correction, the second attempt, and what follows candles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.automation.schedules import request_reference
from niftyformer_assets.defs.automation.sensors import request_correction
from niftyformer_assets.defs.partitions import read_partitions
from niftyformer_assets.defs.resources import CandleSource, Connection
from niftyformer_assets.defs.run_tags import AGAIN_FOR
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.market.calendar import IST
from niftyformer_assets_tests.conftest import Graph, tiny_settings
from niftyformer_assets_tests.defs.conftest import Live

PANELS = phases(artifacts())["panels"]

TOKEN_TROUBLE = "niftyformer login"


class SourceAt(CandleSource):
    """A candle source at another time of day."""

    now: datetime | None = None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with super().connect() as connection:
            yield replace(connection, now=self.now or connection.now)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def refresh(graph: Graph, moment: datetime) -> Any:
    schedule = graph.definitions.resolve_schedule_def("daily_refresh")
    context = dg.build_schedule_context(instance=graph.instance, scheduled_execution_time=moment)
    return schedule(context)


def reason(answer: Any) -> str:
    assert isinstance(answer, dg.SkipReason), answer
    return answer.skip_message or ""


class Sensor:
    """A sensor that is evaluated again and again, as the daemon does."""

    def __init__(self, graph: Graph, name: str) -> None:
        self._graph, self._name = graph, name
        self._cursor: str | None = None

    def tick(self) -> Any:
        context = dg.build_sensor_context(
            instance=self._graph.instance, cursor=self._cursor, definitions=self._graph.definitions
        )
        answer = self.ask(context)
        self._cursor = context.cursor
        return answer

    def ask(self, context: dg.SensorEvaluationContext) -> Any:
        return self._graph.definitions.resolve_sensor_def(self._name)(context)


class CorrectionAt(Sensor):
    """The morning's correction at times that a test chooses."""

    def __init__(self, live: Live) -> None:
        super().__init__(live.graph, "morning_correction")
        self._live = live
        self._source = SourceAt(live.settings)

    def at(self, moment: str) -> Any:
        self._source.now = at(moment)
        return self.tick()

    def ask(self, context: dg.SensorEvaluationContext) -> Any:
        settings = self._live.settings
        return request_correction(context, settings, read_partitions(settings), self._source)


def launch(graph: Graph, request: Any) -> dg.ExecuteInProcessResult:
    """Execute what was requested, as the daemon does."""
    assert isinstance(request, dg.RunRequest), request
    return graph.definitions.resolve_job_def("candles").execute_in_process(
        instance=graph.instance, tags=request.tags, raise_on_error=False
    )


def test_every_trading_day_after_the_close_all_symbols_are_asked_for_in_one_run(live: Live) -> None:
    live.log_in()
    schedule = live.graph.definitions.resolve_schedule_def("daily_refresh")
    assert schedule.execution_timezone == "Asia/Kolkata"
    request = refresh(live.graph, at("2024-05-31 18:30"))
    assert request.run_key == "2024-05-31"
    assert request.tags["dagster/asset_partition_range_start"] == "DEMO&002"
    assert request.tags["dagster/asset_partition_range_end"] == "DEMO005"
    assert not live.asked()
    assert launch(live.graph, request).success
    assert len(list(live.settings.workspace.raw.glob("*.parquet"))) == 5


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("2024-05-25 18:30", "NSE does not trade on 2024-05-25"),
        ("2024-11-01 18:30", "in the evening"),  # Muhurat
        ("2099-05-29 18:30", "past the NSE calendar"),
    ],
)
def test_no_run_where_there_is_nothing_new(live: Live, moment: str, why: str) -> None:
    live.log_in()
    assert why in reason(refresh(live.graph, at(moment)))


def test_without_a_login_the_schedule_says_what_to_do(live: Live) -> None:
    said = reason(refresh(live.graph, at("2024-05-31 18:30")))
    assert "nobody has logged in" in said
    assert TOKEN_TROUBLE in said
    # Kept until 06:00 of the morning before: of no use, even to a tick that is made up for later.
    live.log_in(holds=timedelta(seconds=-1))
    said = reason(refresh(live.graph, at("2024-05-31 18:30")))
    assert "expired" in said
    assert TOKEN_TROUBLE in said


def test_without_symbols_the_schedule_says_what_to_do(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path, workspace_name="nifty200", kite_api_key="key")
    graph = Graph(settings, build(settings), instance)
    assert "niftyformer universe" in reason(refresh(graph, at("2024-05-31 18:30")))
    assert "niftyformer universe" in reason(Sensor(graph, "morning_correction").tick())


def test_the_made_up_market_needs_no_login(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path)
    graph = Graph(settings, build(settings), instance)
    assert isinstance(refresh(graph, at("2024-05-31 18:30")), dg.RunRequest)


def test_what_runs_by_itself_does_so_on_live_candles_only(
    tmp_path: Path, live: Live, instance: dg.DagsterInstance
) -> None:
    settings = tiny_settings(tmp_path / "made_up")
    for graph, status in ((live.graph, "RUNNING"), (Graph(settings, build(settings), instance), "STOPPED")):
        repository = graph.definitions.get_repository_def()
        defaults = {schedule.name: schedule.default_status.value for schedule in repository.schedule_defs}
        defaults |= {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs}
        # A killed run is in the way everywhere, and files are edited everywhere.
        assert defaults.pop("dead_runs") == defaults.pop("experiment_files") == "RUNNING"
        # Nobody is told unless somebody is named, and nothing is trained anew unless somebody says so.
        assert defaults.pop("alerts") == defaults.pop("retraining") == "STOPPED"
        assert defaults == dict.fromkeys(
            (
                "daily_refresh",
                "daily_reference",
                "refresh_after_new_candles",
                "morning_correction",
                "failed_symbols_again",
                "signal_after_new_panels",
            ),
            status,
        )


def test_with_everything_at_hand_no_token_is_needed(live: Live) -> None:
    live.log_in()
    assert live.graph.run("candles").success
    live.log_out()
    live.asked()
    assert live.graph.run("candles").success
    assert not live.asked()


def test_the_morning_after_a_session_candles_are_asked_for_once_more(live: Live) -> None:
    sensor = CorrectionAt(live)
    assert "no candles to correct" in reason(sensor.at("2023-01-20 09:00"))
    live.log_in()
    assert live.graph.run("candles").success
    live.log_out()
    live.exchange.traffic.clear()

    assert TOKEN_TROUBLE in reason(sensor.at("2023-01-20 06:00"))
    live.log_in(holds=timedelta(seconds=-1))
    assert "expired" in reason(sensor.at("2023-01-20 06:00"))
    assert not live.asked()

    live.log_in()
    request = sensor.at("2023-01-20 06:00")
    assert request.run_key == "2023-01-19"
    assert live.asked() == ["/user/profile"]
    assert launch(live.graph, request).success
    live.asked()
    # Once for a session, and what is known needs no request.
    assert "2023-01-19 has been requested" in reason(sensor.at("2023-01-20 06:05"))
    assert "has been requested" in reason(sensor.at("2023-01-21 05:59"))
    assert not live.asked()
    # From Saturday to Monday it is Friday's.
    assert sensor.at("2023-01-21 06:00").run_key == "2023-01-20"
    assert "2023-01-20 has been requested" in reason(sensor.at("2023-01-23 23:00"))


def test_the_correction_waits_for_an_api_that_takes_the_token(live: Live) -> None:
    live.log_in()
    assert live.graph.run("candles").success
    sensor = Sensor(live.graph, "morning_correction")
    live.exchange.faults = Faults(server_errors=1.0, paths=("/user",))
    assert "Kite is in trouble" in reason(sensor.tick())
    live.exchange.faults = Faults()
    live.exchange.exchange.login.end_all()
    assert TOKEN_TROUBLE in reason(sensor.tick())
    live.log_in()
    assert isinstance(sensor.tick(), dg.RunRequest)


def test_failed_symbols_are_asked_for_once_again_when_the_api_is_back(live: Live) -> None:
    sensor = Sensor(live.graph, "failed_symbols_again")
    live.log_in()
    assert "has not failed" in reason(sensor.tick())
    live.exchange.faults = Faults(failing_symbols=("DEMO-003", "DEMO005"))
    failed = live.graph.run("candles")
    assert not failed.success
    live.asked()

    live.exchange.faults = Faults(server_errors=1.0, paths=("/user", "/instruments"))
    said = reason(sensor.tick())
    assert "2 symbols are to be asked for again, but Kite is in trouble" in said
    assert live.asked() == ["/user/profile"]
    live.log_out()
    assert TOKEN_TROUBLE in reason(sensor.tick())
    assert not live.asked()

    live.log_in()
    live.exchange.faults = Faults()
    request = sensor.tick()
    assert request.run_key == failed.run_id
    assert request.tags[AGAIN_FOR] == failed.run_id
    assert request.tags["dagster/asset_partition_range_start"] == "DEMO-003"
    assert request.tags["dagster/asset_partition_range_end"] == "DEMO005"
    live.asked()
    assert "asked for again already" in reason(sensor.tick())
    assert not live.asked()
    assert launch(live.graph, request).success
    # The symbols between them are at hand and cost nothing.
    assert set(live.exchange.traffic.by_symbol) == {"DEMO-003", "DEMO005"}
    assert "has not failed" in reason(sensor.tick())


def test_a_second_attempt_that_fails_has_no_third(live: Live) -> None:
    sensor = Sensor(live.graph, "failed_symbols_again")
    live.log_in()
    live.exchange.faults = Faults(failing_symbols=("DEMO005",))
    assert not live.graph.run("candles").success
    assert not launch(live.graph, sensor.tick()).success
    assert "Partitions, Failed" in reason(sensor.tick())
    # A later run that fails has a second attempt of its own, however it was launched.
    later = live.graph.run("candles", symbols=("DEMO005",))
    assert sensor.tick().run_key == later.run_id


def test_the_panel_is_late_after_eight_in_the_evening(live: Live) -> None:
    node = live.graph.definitions.resolve_asset_graph().get(dg.AssetKey("market_panel"))
    policy = node.freshness_policy
    assert isinstance(policy, dg.FreshnessPolicy)
    assert (policy.deadline_cron, policy.timezone) == ("0 20 * * 1-5", "Asia/Kolkata")  # type: ignore[attr-defined]


def test_every_automatic_run_is_of_candles_and_what_goes_with_them(live: Live) -> None:
    graph = live.graph.definitions.resolve_asset_graph()
    automatic = {
        key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).automation_condition is not None
    }
    assert automatic == set(PANELS)
    repository = live.graph.definitions.get_repository_def()
    # Training anew by the month is switched on by a person.
    targets: list[Any] = [
        each
        for each in (*repository.schedule_defs, *(sensor for sensor in repository.sensor_defs if sensor.targets))
        if each.default_status.value == "RUNNING"
    ]
    assert [definition.name for definition in targets] == [
        "daily_reference",
        "daily_refresh",
        "failed_symbols_again",
        "morning_correction",
        "signal_after_new_panels",
    ]
    assert {definition.job_name for definition in targets} == {"candles", "reference", "signal"}
    made = live.graph.definitions.resolve_job_def("signal").asset_layer.executable_asset_keys
    fitted = {dg.AssetKey(name) for name in ("ic_summary", "trained_model", "baseline_predictions")}
    assert dg.AssetKey("predictions") in made and not fitted & {*made}


def test_the_reference_is_fetched_on_trading_days_only(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    monday, sunday = (datetime(2022, 11, day, 18, 20, tzinfo=IST) for day in (21, 20))
    asked = request_reference(settings, monday)
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_key == "2022-11-21"
    skipped = request_reference(settings, sunday)
    assert isinstance(skipped, dg.SkipReason)
    assert "does not trade on 2022-11-20" in (skipped.skip_message or "")

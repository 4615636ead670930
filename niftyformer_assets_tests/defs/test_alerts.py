"""Whom nobody has to look for: what is told, to a server that listens, each once for its cause and with no secret."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from niftyformer_assets.alerts.told import read_told
from niftyformer_assets.cli import app
from niftyformer_assets.defs import build
from niftyformer_assets.defs.automation.alerts import ALIVE, BESIDE, tell_what_is_new, told_path
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.market.login import AccessToken, store_token
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import Graph
from niftyformer_assets_tests.defs.conftest import Live
from niftyformer_assets_tests.defs.listener import PASSWORD, TOKEN, Listener, listening

SECRETS = (PASSWORD, TOKEN)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as started:
        yield started


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def told_by(settings: Settings, *addresses: str) -> Settings:
    return settings.model_copy(update={"alerts": SecretStr(" ".join(addresses))})


class Told:
    """The sensor's body, asked as the daemon asks it; begun long ago unless said otherwise."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, begun: str = "2020-01-01") -> None:
        self.settings, self.instance, self.source = settings, instance, CandleSource(settings, backoff_s=0.01)
        read_told(told_path(settings), at(begun)).begun()

    def tick(self, now: str | None = None) -> str:
        said = tell_what_is_new(self.instance, self.settings, self.source, at(now) if now else None)
        assert not any(secret in said for secret in SECRETS)
        return said


def failing(live: Live, faults: Faults, instance: dg.DagsterInstance) -> str:
    """A run over candles of which some fail, the seconds after which it may be looked for gone."""
    source = CandleSource(live.settings, backoff_s=0.01)
    live.exchange.faults = faults
    graph = Graph(live.settings, build(live.settings, {"candle_source": source}), instance)
    result = graph.run("candles")
    assert not result.success
    return result.run_id


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_failed_run_is_told_once_even_after_a_restart_and_no_secret_lies_anywhere(
    live: Live, listener: Listener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    live.log_in()
    settings, home = told_by(live.settings, listener.address), tmp_path / "home"
    home.mkdir()

    def restarted() -> str:
        """The daemon and the web UI, started anew on what lies on the disk."""
        with dg.DagsterInstance.local_temp(str(home)) as instance:
            definitions = build(settings)
            context = dg.build_sensor_context(instance=instance, definitions=definitions)
            answer = definitions.resolve_sensor_def("alerts")(context)
            assert isinstance(answer, dg.SkipReason)
            return answer.skip_message or ""

    assert restarted() == "0 told to json"
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        failing(live, Faults(failing_symbols=("DEMO005",)), instance)
    assert restarted() == "1 told to json"
    assert [restarted() for _ in range(3)] == ["0 told to json"] * 3
    (message,) = listener.heard
    assert message["title"] == "NiftyFormer elsewhere: run failed: candles"
    assert message["message"].startswith("raw_ohlcv: 1 ") and "DEMO005" in message["message"]
    lying = everything_in(tmp_path) + caplog.text.encode() + (repr(settings) + settings.model_dump_json()).encode()
    assert "elsewhere" in caplog.text or b"raw_ohlcv" in lying
    assert not any(secret.encode() in lying for secret in SECRETS)
    assert live.exchange.api_secret not in message["message"]


def test_what_is_asked_again_or_together_has_one_cause(live: Live, listener: Listener) -> None:
    live.log_in()
    told = Told(told_by(live.settings, listener.address), live.graph.instance)
    first = failing(live, Faults(failing_symbols=("DEMO005",)), live.graph.instance)
    job = live.graph.definitions.resolve_job_def("candles")
    for tags in ({"niftyformer/again_for": first}, {"dagster/backfill": "b1"}, {"dagster/backfill": "b1"}):
        run = live.graph.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
        live.graph.instance.report_run_failed(run, "Its process (12) is gone: it was killed.")
    assert told.tick() == "2 told to json" and told.tick() == "0 told to json"
    assert "is gone: it was killed" in listener.heard[1]["message"]


def test_failures_of_before_it_was_switched_on_are_not_told(live: Live, listener: Listener) -> None:
    live.log_in()
    failing(live, Faults(failing_symbols=("DEMO005",)), live.graph.instance)
    told = Told(told_by(live.settings, listener.address), live.graph.instance, begun="2099-01-01")
    assert told.tick() == "0 told to json"


def test_a_login_that_is_missing_is_told_before_each_refresh(live: Live, listener: Listener) -> None:
    told = Told(told_by(live.settings, listener.address), live.graph.instance)
    quiet, missing = "0 told to json", "1 told to json"
    ticks = ["2024-05-31 17:59", "2024-05-31 18:00", "2024-05-31 18:01", "2024-05-31 18:45", "2024-06-01 18:05"]
    assert [told.tick(now) for now in ticks] == [quiet, missing, quiet, quiet, quiet]  # 1 June is a Saturday
    assert told.tick("2024-06-03 18:05") == missing
    assert listener.titles[0].endswith("no login for the refresh of 2024-05-31")
    assert "18:30 IST. nobody has logged in to Kite: run `niftyformer login`" in listener.heard[0]["message"]
    live.log_in()
    assert told.tick("2024-06-04 18:05") == quiet
    live.log_in(holds=timedelta(seconds=-1))
    assert told.tick("2024-06-05 18:05") == missing and "expired" in listener.heard[-1]["message"]
    # A token that Kite does not know any more, whatever its file says.
    expires = datetime.now(IST) + timedelta(hours=1)
    store_token(live.settings.token_file, AccessToken("of another day", expires))
    assert told.tick("2024-06-06 18:05") == missing
    # Of a login that Kite does not speak of nothing is known.
    live.log_in()
    live.exchange.faults = Faults(server_errors=1.0, paths=("/user",))
    assert told.tick("2024-06-07 18:05") == quiet
    # The evening's session has no refresh before the morning.
    live.exchange.faults = Faults()
    live.log_out()
    assert told.tick("2024-11-01 18:05") == quiet


def test_stale_candles_are_told_an_hour_after_the_refresh_where_somebody_is_logged_in(
    live: Live, listener: Listener
) -> None:
    told = Told(told_by(live.settings, listener.address), live.graph.instance)
    quiet, stale = "0 told to json", "1 told to json"

    def panel(last: str) -> None:
        made = dg.AssetMaterialization("market_panel", metadata={"last_session": last})
        live.graph.instance.report_runless_asset_event(made)

    live.log_in()
    assert told.tick("2024-05-31 20:00") == quiet  # without a panel there is nothing to be stale
    panel("2024-05-30")
    logged_in = at("2024-05-31 09:00").timestamp()
    os.utime(live.settings.token_file, (logged_in, logged_in))
    ticks = ["2024-05-31 19:29", "2024-05-31 19:31", "2024-06-01 07:30", "2024-06-02 20:00"]
    assert [told.tick(now) for now in ticks] == [quiet, stale, quiet, quiet]
    assert "2024-05-31 is missing" in listener.titles[0] and "reaches to 2024-05-30" in listener.heard[0]["message"]
    panel("2024-05-31")
    assert told.tick("2024-06-03 12:00") == quiet
    # Who logs in late is given the hour, too.
    logged_in = at("2024-06-03 19:20").timestamp()
    os.utime(live.settings.token_file, (logged_in, logged_in))
    assert [told.tick(f"2024-06-03 {time}") for time in ("19:40", "20:30")] == [quiet, stale]
    live.log_out()
    assert told.tick("2024-06-04 20:30") == quiet


def test_a_signal_is_told_when_it_says_something_new(graph: Graph, listener: Listener, tmp_path: Path) -> None:
    settings = told_by(graph.settings.model_copy(update={"storage": tmp_path / "storage"}), listener.address)
    told = Told(settings, graph.instance)
    told.tick()
    assert told.tick() == "0 told to json"
    (message,) = [message for message in listener.heard if "the watch" not in message["title"]]
    assert message["title"] == "NiftyFormer demo: signal for 2023-01-23 (tiny)"
    assert message["message"].startswith("At the close of 2023-01-20, for 2023-01-23: hold 3 stocks; buy ")


def test_a_signal_that_is_withheld_is_told_with_its_reason_and_is_no_failed_run_beside(
    graph: Graph, listener: Listener, tmp_path: Path
) -> None:
    shutil.copytree(graph.settings.data, tmp_path / "data")
    given = {"data": tmp_path / "data", "storage": tmp_path / "storage", "signal_max_age_days": 3}
    settings = told_by(graph.settings.model_copy(update=given), listener.address)
    with dg.DagsterInstance.ephemeral() as instance:
        told = Told(settings, instance)
        job = build(settings).resolve_job_def("signal")
        for _ in range(2):
            of = [dg.AssetKey("daily_signals")]
            assert not job.execute_in_process(instance=instance, asset_selection=of, raise_on_error=False).success
        assert told.tick() == "1 told to json" and told.tick() == "0 told to json"
    (message,) = listener.heard
    assert message["title"] == "NiftyFormer demo: no signal of the newest session"
    assert "no signal for 2023-01-20: the model learned from sessions up to 2022-09-30" in message["message"]
    assert "NIFTYFORMER_SIGNAL_MAX_AGE_DAYS" in message["message"]


def looked(instance: dg.DagsterInstance, wrong: str) -> None:
    evaluation = dg.AssetCheckEvaluation(
        asset_key=ALIVE.asset_key,
        check_name=ALIVE.name,
        passed=not wrong,
        metadata={"wrong": wrong},
        severity=dg.AssetCheckSeverity.WARN,
        description=f"wrong: {wrong or 'nothing'}.",
    )
    instance.report_runless_asset_event(evaluation)


def test_the_watchs_warning_is_told_when_it_begins(graph: Graph, listener: Listener, tmp_path: Path) -> None:
    settings = told_by(graph.settings.model_copy(update={"storage": tmp_path / "storage"}), listener.address)
    with dg.DagsterInstance.ephemeral() as instance:
        told, heard = Told(settings, instance), []
        for wrong in (
            *("", "rank_ic", "rank_ic", "rank_ic, drift", "drift, rank_ic", "drift", "", "", "drift"),
            *["drift"] * 25,
        ):
            looked(instance, wrong)
            before = len(listener.heard)
            told.tick()
            told.tick()
            heard.append(len(listener.heard) - before)
    assert heard == [0, 1, 0, 1, 0, 0, 0, 0, 1] + [0] * 25
    assert listener.heard[0] | {"message": "wrong: rank_ic."} == listener.heard[0]


def test_what_came_of_a_retraining_is_told(graph: Graph, listener: Listener, tmp_path: Path) -> None:
    settings = told_by(graph.settings.model_copy(update={"storage": tmp_path / "storage"}), listener.address)
    with dg.DagsterInstance.ephemeral() as instance:
        told = Told(settings, instance)
        for given in ({}, {"retraining": "tiny-retrained-2023-01"}, {"retraining": "tiny-retrained-2023-01"}):
            evaluation = dg.AssetCheckEvaluation(
                asset_key=BESIDE.asset_key,
                check_name=BESIDE.name,
                passed=True,
                metadata=given,
                description="tiny-retrained-2023-01 is proposed in place of tiny.",
            )
            instance.report_runless_asset_event(evaluation)
        assert told.tick() == "1 told to json" and told.tick() == "0 told to json"
    assert listener.heard[0]["message"] == "tiny-retrained-2023-01 is proposed in place of tiny."


def test_a_dead_server_is_a_line_and_what_nobody_took_is_told_later(
    graph: Graph, listener: Listener, tmp_path: Path
) -> None:
    settings = graph.settings.model_copy(update={"storage": tmp_path / "storage"})
    with listening() as gone:
        pass
    with dg.DagsterInstance.ephemeral() as instance:
        looked(instance, "drift")
        dead = Told(told_by(settings, gone.address), instance).tick()
        assert dead == ("0 told to json; not taken by json: the watch on the model warns; nobody took it: tried again")
        assert not listener.heard
        listener.status = 500
        assert "nobody took it" in Told(told_by(settings, listener.address), instance).tick()
        listener.status = 200
        both = Told(told_by(settings, gone.address, listener.address), instance)
        assert both.tick() == "1 told to json, json; not taken by json: the watch on the model warns"
        assert both.tick() == "0 told to json, json" and len(listener.heard) == 1


def test_who_is_killed_while_sending_tells_nothing_twice(tmp_path: Path) -> None:
    path, now = tmp_path / "alerts.json", at("2024-05-31 18:00")
    sent = []

    def killed() -> bool:
        sent.append("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_told(path, now).once("cause", now, killed)
    again, heard = read_told(path, now).once("cause", now, lambda: bool(sent.append("y")))
    assert (sent, heard) == (["x"], False) and again.causes == {"cause": now.isoformat()}


def test_a_file_that_does_not_say_what_was_told_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    for content in ("", "[]", "{}", '{"since": "2024-05-31T18:00:00", "told": {}}', '{"since": 1, "told": {}}'):
        path.write_text(content)
        with pytest.raises(NiftyFormerError, match=r"alerts\.json cannot be read.*: remove it, and what happens from"):
            read_told(path, at("2024-05-31 18:00"))


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, addresses: str, *words: str) -> tuple[int, str]:
    monkeypatch.setenv("NIFTYFORMER_ALERTS", addresses)
    monkeypatch.setenv("NIFTYFORMER_WORKSPACE", "demo")
    monkeypatch.setenv("NIFTYFORMER_DATA", str(folder / "data"))
    monkeypatch.setenv("NIFTYFORMER_STORAGE", str(folder / "storage"))
    result = CliRunner().invoke(app, ["alert", *words])
    assert not any(secret in result.output for secret in SECRETS)
    return result.exit_code, result.output


def test_the_command_says_kinds_alone(listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said = command(monkeypatch, tmp_path, listener.address, "--test")
    assert (status, said) == (0, "a test message was taken by: json\n") and len(listener.heard) == 1
    status, said = command(monkeypatch, tmp_path, listener.address)
    assert status == 0 and said.startswith("told to: json\n") and said.endswith("0 to be told; nothing was sent\n")
    assert len(listener.heard) == 1
    listener.status = 401
    status, said = command(monkeypatch, tmp_path, listener.address, "--test")
    assert status == 1 and said.startswith("error: json did not take the message")
    wrong = f"{listener.address} telegrm://{PASSWORD}/{TOKEN}, jsn://{TOKEN}"
    status, said = command(monkeypatch, tmp_path, wrong, "--test")
    assert status == 1 and "of 3 addresses number 2 and 3 cannot be understood" in said
    status, said = command(monkeypatch, tmp_path, "", "--test")
    assert status == 1 and "nobody is to be told" in said

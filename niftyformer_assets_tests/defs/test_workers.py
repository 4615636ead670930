"""Where the steps of a run are made, and what is wrong with the broker in one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.assets.model import POOL
from niftyformer_assets.defs.workers import AT_A_TIME, DEFAULT, GPU, KITE, QUEUE, executor, work
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import tiny_settings
from niftyformer_assets_tests.deploy.servers import PASSWORD, redis

SECRET = "not-a-word-in-any-message"


def with_broker(folder: Path, address: str) -> Settings:
    return tiny_settings(folder, broker=address)


def test_each_asset_goes_where_what_it_needs_is(tmp_path: Path) -> None:
    assets = build(tiny_settings(tmp_path)).resolve_asset_graph().assets_defs
    nodes = {definition.op: definition for definition in assets if definition.is_executable}
    for op, definition in nodes.items():
        queue = op.tags.get(QUEUE, DEFAULT)
        assert queue in AT_A_TIME, op.name
        assert (queue == GPU) == (op.pool == POOL), op.name
        # Whoever asks Kite or NSE is where the pace of requests is kept.
        assert (queue == KITE) == ("candle_source" in definition.required_resource_keys), op.name
    assert {op.name for op in nodes if op.tags.get(QUEUE) == KITE} >= {"universe", "raw_ohlcv", "benchmark_index"}


def test_without_a_broker_a_run_makes_its_assets_itself(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    assert executor(settings) is dg.in_process_executor
    assert build(settings).resolve_job_def("experiment").executor_def is dg.in_process_executor


def test_with_a_broker_runs_hand_them_to_workers_and_its_password_stands_in_no_definition(tmp_path: Path) -> None:
    pytest.importorskip("dagster_celery", reason="needs dagster-celery: install the extra `deploy`")
    settings = with_broker(tmp_path, f"redis://:{SECRET}@127.0.0.1:1/0")
    job = build(settings).resolve_job_def("experiment")
    assert job.executor_def.name == "celery"
    assert SECRET not in repr(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(job)
        snapshots = (instance.get_job_snapshot(run.job_snapshot_id), instance.get_execution_plan_snapshot)
        assert SECRET not in repr((run, snapshots))
        assert SECRET not in dg.serialize_value(instance.get_job_snapshot(str(run.job_snapshot_id)))


def test_without_the_extra_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dagster_celery", None)
    with pytest.raises(NiftyFormerError, match="install the extra `deploy`"):
        build(with_broker(tmp_path, "redis://127.0.0.1:1/0"))


def test_what_is_wrong_with_a_worker_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NiftyFormerError, match="there is no queue 'cpu': name one of default, gpu, kite"):
        work(tiny_settings(tmp_path), "cpu")
    with pytest.raises(NiftyFormerError, match="no broker is set: put its address into NIFTYFORMER_BROKER"):
        work(tiny_settings(tmp_path), GPU)
    pytest.importorskip("dagster_celery", reason="needs dagster-celery: install the extra `deploy`")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for address, said in (
            (f"redis://:{SECRET}@127.0.0.1:{port}/0", "refused"),
            (f"redis://:{SECRET}@no-such-host.invalid:6379/0", "no-such-host.invalid"),
        ):
            with pytest.raises(NiftyFormerError, match="NIFTYFORMER_BROKER") as caught:
                work(with_broker(tmp_path, address), GPU)
            assert said in str(caught.value) and SECRET not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1:6379", "amqp://:{}@127.0.0.1", "redis://:{}@127.0.0.1:port/0", "redis://:a/{}@127.0.0.1/0"],
)
def test_what_is_no_address_is_refused_without_its_password(tmp_path: Path, address: str) -> None:
    with pytest.raises(NiftyFormerError, match="broker: it is no address of a Redis") as caught:
        with_broker(tmp_path, address.format(SECRET))
    assert SECRET not in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_password_is_one_line(tmp_path: Path) -> None:
    with redis(tmp_path) as server:
        for password in ("wrong", ""):
            with pytest.raises(NiftyFormerError, match="NIFTYFORMER_BROKER names cannot be used") as caught:
                work(with_broker(tmp_path, server.address.replace(PASSWORD, password)), GPU)
            assert "auth" in str(caught.value).lower() or "password" in str(caught.value)
            assert PASSWORD not in str(caught.value) and "\n" not in str(caught.value)


def test_a_second_worker_of_a_queue_on_a_machine_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("dagster_celery", reason="needs dagster-celery: install the extra `deploy`")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        # The first waits for an answer that does not come.
        first = subprocess.Popen(
            [sys.executable, "-c", "from niftyformer_assets.cli import app; app()", "worker", GPU],
            env={**os.environ, "NIFTYFORMER_WORKSPACE": "demo", "NIFTYFORMER_BROKER": address},
            stderr=subprocess.DEVNULL,
        )
        try:
            silent.settimeout(120)
            connection, _ = silent.accept()
            with pytest.raises(
                NiftyFormerError, match=f"queue gpu on this machine is in the hands of process {first.pid}"
            ):
                work(with_broker(tmp_path, address), GPU)
            connection.close()
        finally:
            first.kill()
            first.wait()

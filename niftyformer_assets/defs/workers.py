"""Steps on several machines: Dagster's Celery executor, and the workers that take steps from its queues.

Without `NIFTYFORMER_BROKER` runs make their assets in their own process; with it, a run hands each asset to the queue
of its tag, and a worker of that queue makes it. What a worker had begun when it was killed, it begins again when it is
started again under its name: then a training goes on after its last finished epoch, in the same run.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line
from niftyformer_assets.store.holding import held
from niftyformer_assets.store.private import private_temporary_folder

if TYPE_CHECKING:
    from celery import Celery

QUEUE = "dagster-celery/queue"
DEFAULT, GPU, KITE = "default", "gpu", "kite"
# How many steps a worker of each queue makes at a time, unless told. One GPU trains one; the pace of requests to Kite
# is kept by machine, so one worker asks it, on one machine.
AT_A_TIME: Mapping[str, int | None] = {DEFAULT: None, GPU: 1, KITE: 1}
# Longer than any training: only a worker of the same name takes up what one had begun.
_NEVER_S = 10 * 365 * 86400


def executor(settings: Settings) -> dg.ExecutorDefinition:
    """Where the steps of a run are made: in its process, or by the workers of a broker.

    Raises:
        NiftyFormerError: there is a broker, and the extra `deploy` is not installed.
    """
    if settings.broker is None:
        # The light assets take longer to start in a process of their own than to compute.
        return dg.in_process_executor
    _require_extra()
    from dagster_celery import celery_executor

    # What is configured here stands in no run and in no event, as the address with its password must not.
    return celery_executor.configured(_configuration(settings), name="celery")


def work(settings: Settings, queue: str, at_a_time: int | None = None) -> None:
    """Make the steps of a queue until the process is ended.

    Raises:
        NiftyFormerError: there is no such queue, no broker is set or it does not answer, the history cannot be used, or
            a worker of this queue runs on this machine already.
    """
    if queue not in AT_A_TIME:
        raise NiftyFormerError(f"there is no queue {queue!r}: name one of {', '.join(AT_A_TIME)}")
    if settings.broker is None:
        raise NiftyFormerError("no broker is set: put its address into NIFTYFORMER_BROKER, as redis://127.0.0.1:6379/0")
    _require_extra()
    from niftyformer_assets.defs.home import usable_home

    usable_home(settings)
    name = f"{queue}@{socket.gethostname()}"
    number = at_a_time or AT_A_TIME[queue] or os.cpu_count() or 1
    broker = hashlib.sha256(settings.broker.get_secret_value().encode()).hexdigest()[:16]
    lock = private_temporary_folder() / f"worker-{broker}-{settings.workspace.name}-{queue}"
    with held(lock, f"queue {queue} on this machine"):
        app = _app(settings, name)
        _take_up_again(app)
        app.worker_main(["worker", "-Q", queue, "-n", name, "-c", str(number), "--without-mingle", "-l", "INFO"])


def _require_extra() -> None:
    try:
        import dagster_celery  # noqa: F401
    except ImportError:
        raise NiftyFormerError(
            "NIFTYFORMER_BROKER is set, and dagster-celery is not installed: install the extra `deploy`, or remove it"
        ) from None


def _configuration(settings: Settings) -> dict[str, Any]:
    """What executor and workers know of the broker alike."""
    assert settings.broker is not None
    address = settings.broker.get_secret_value()
    return {
        "broker": address,
        "backend": address,
        "config_source": {
            "task_default_queue": DEFAULT,
            "broker_connection_retry_on_startup": True,
            "broker_transport_options": {
                "visibility_timeout": _NEVER_S,
                # A worker knows the files of its own workspace alone.
                "global_keyprefix": f"{settings.workspace.name}:",
            },
            "redis_retry_on_timeout": True,
        },
    }


def _app(settings: Settings, name: str) -> Celery:
    """The application of a worker of this name."""
    from dagster_celery.make_app import make_app
    from dagster_celery.tasks import create_task

    configuration = _configuration(settings)
    app = make_app(configuration)
    app.conf.update(
        # What is begun stays in the broker, in a place of this worker's own, until it is done.
        broker_transport_options={
            **configuration["config_source"]["broker_transport_options"],
            "unacked_key": f"{name}-begun",
            "unacked_index_key": f"{name}-begun-index",
            "unacked_mutex_key": f"{name}-begun-mutex",
        },
        # A process a step: it knows the files of experiments as they are then, and gives the GPU's memory back.
        worker_max_tasks_per_child=1,
        worker_prefetch_multiplier=1,
    )
    create_task(app, base=_once(app), acks_late=True)
    return app


def _once(app: Celery) -> type:
    """Tasks that make no step of a run that is over, nor one that is made: they may come a second time."""
    from celery.exceptions import Ignore
    from dagster._grpc.types import ExecuteStepArgs
    from dagster._serdes import unpack_value

    base: type = app.Task

    class Once(base):
        def __call__(self, execute_step_args_packed: Any, executable_dict: Any) -> Any:
            step = unpack_value(execute_step_args_packed, as_type=ExecuteStepArgs)
            assert step.instance_ref is not None
            with dg.DagsterInstance.from_ref(step.instance_ref) as instance:
                run = instance.get_run_by_id(step.run_id)
                made = instance.all_logs(step.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
            if (
                run is None
                or run.is_finished
                or {entry.step_key for entry in made} & {*(step.step_keys_to_execute or ())}
            ):
                raise Ignore
            return super().__call__(execute_step_args_packed, executable_dict)

    return Once


def _take_up_again(app: Celery) -> None:
    """Give back to the queue what a worker of the same name had begun; no other is running.

    Raises:
        NiftyFormerError: the broker does not answer.
    """
    from kombu import Connection
    from kombu.exceptions import OperationalError

    options = {**app.conf.broker_transport_options, "visibility_timeout": 0}
    try:
        with Connection(app.conf.broker_url, transport_options=options, connect_timeout=5) as connection:
            connection.ensure_connection(max_retries=3, interval_start=0.2, interval_max=1)
            channel = connection.channel()
            channel.qos.restore_visible(num=10_000)
    except (OperationalError, OSError) as error:
        raise NiftyFormerError(
            f"the Redis that NIFTYFORMER_BROKER names cannot be used ({in_one_line(error)}): start it, or correct "
            "its address and password"
        ) from None

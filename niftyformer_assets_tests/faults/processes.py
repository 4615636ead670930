"""Ingests in processes of their own, to be killed, crowded or starved of disk.

They are forked from a server that has everything imported, so that one starts within milliseconds.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from niftyformer_assets.market.asking import IngestSettings
from niftyformer_assets.market.ingest import Failed, ingest
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.market.world import World


@dataclass(frozen=True)
class Job:
    """An ingest as another process can be told of it. `max_file_bytes` stands for a full disk."""

    root: str
    api_key: str
    token: str
    data: Path
    symbols: Sequence[str]
    settings: IngestSettings
    now: datetime
    max_file_bytes: int | None = None


def job_of(world: World, now: datetime, folder: Path, max_file_bytes: int | None = None) -> Job:
    exchange = world.exchange
    return Job(
        exchange.url,
        exchange.api_key,
        exchange.access_token(),
        folder,
        list(world.symbols),
        world.settings,
        now,
        max_file_bytes,
    )


def start(job: Job) -> tuple[BaseProcess, Connection]:
    """Begin the job. The connection says "begun", then gives the failures by symbol."""
    here, there = _context().Pipe()
    process = _context().Process(target=_work, args=(job, there), daemon=True)
    process.start()
    there.close()
    assert here.recv() == "begun"
    return process, here


def run(job: Job) -> dict[str, str]:
    """Do the job in another process; failures by symbol."""
    process, connection = start(job)
    failed: dict[str, str] = connection.recv()
    process.join()
    return failed


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "kiteconnect", "pandas_market_calendars"])
    return context


def _work(job: Job, connection: Connection) -> None:
    connection.send("begun")
    if job.max_file_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.max_file_bytes, resource.RLIM_INFINITY))
    workspace, pacer = Workspace(job.data, "test"), Pacer(job.data / "pace", job.settings.requests_per_second)
    outcomes = ingest(
        job.symbols,
        workspace,
        lambda: KiteSession(job.api_key, job.token, root=job.root),
        pacer,
        job.settings,
        job.now,
    )
    connection.send({outcome.symbol: outcome.reason for outcome in outcomes if isinstance(outcome, Failed)})

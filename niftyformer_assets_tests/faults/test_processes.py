"""Killed, started twice, out of disk: nothing is damaged, and the next run completes it."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from niftyformer_assets.market.candle_files import read_candle_file
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets_tests.faults.processes import job_of, run, start
from niftyformer_assets_tests.market.world import World, at, failures, world

KILLS = 20
EARLIER, NOW = at("2024-05-30"), at("2024-05-31")


def every_file_can_be_read(workspace: Workspace) -> None:
    for path in workspace.raw.glob("*.parquet"):
        assert read_candle_file(path).rows > 0


def content(workspace: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(workspace.raw.iterdir())}


def test_killed_at_random_moments(tmp_path: Path) -> None:
    with world(tmp_path / "before", EARLIER) as (it, clock):
        it.ingest(EARLIER)
        clock.now = NOW
        fresh, grown = Workspace(tmp_path / "fresh", "test"), Workspace(tmp_path / "grown", "test")
        shutil.copytree(tmp_path / "before", grown.data)
        took: list[float] = []
        for workspace in (fresh, grown):
            began = time.monotonic()
            assert run(job_of(it, NOW, workspace.data)) == {}
            took.append(time.monotonic() - began)
        killed_early = 0
        for number in range(KILLS):
            victim = Workspace(tmp_path / f"victim{number}", "test")
            if number % 2:
                shutil.copytree(tmp_path / "before", victim.data)
            process, connection = start(job_of(it, NOW, victim.data))
            time.sleep(random.uniform(0, took[number % 2]))
            killed_early += not connection.poll()
            process.kill()
            process.join()
            every_file_can_be_read(victim)
            complete(it, victim)
            # The same files with the same bytes as if nothing had happened, and no leftovers.
            assert content(victim) == content(grown if number % 2 else fresh), f"kill {number}"
        assert killed_early > 0


def complete(it: World, workspace: Workspace) -> None:
    it.workspace = workspace
    assert not failures(it.ingest(NOW))


def test_two_refreshes_started_at_once_share_the_work(tmp_path: Path) -> None:
    with world(tmp_path / "alone", NOW) as (it, _):
        it.ingest(NOW)
        it.exchange.traffic.clear()
        both = Workspace(tmp_path / "both", "test")
        running = [start(job_of(it, NOW, both.data)) for _ in range(2)]
        assert [connection.recv() for _, connection in running] == [{}, {}]
        assert set(it.exchange.traffic.by_symbol.values()) == {1}
        assert content(both) == content(it.workspace)


def test_a_full_disk_damages_nothing(tmp_path: Path) -> None:
    with world(tmp_path / "before", EARLIER) as (it, clock):
        it.ingest(EARLIER)
        before = content(it.workspace)
        clock.now = NOW
        failed = run(job_of(it, NOW, it.workspace.data, max_file_bytes=2000))
        assert set(failed) == set(it.symbols)
        assert all("disk has room" in reason and "raw/" in reason for reason in failed.values()), failed
        assert content(it.workspace) == before
        assert run(job_of(it, NOW, it.workspace.data)) == {}
        every_file_can_be_read(it.workspace)

"""Commands killed at random moments: nothing unreadable is left, and run again they end in the same bytes."""

from __future__ import annotations

import io
import json
import multiprocessing
import random
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from attacks.outcomes import Attack, Outcome
from attacks.scene import STAGES, RefusalError, contents, copy_scene, leftovers, quiet, run_stage

# Chances to be killed, by stage; "dataset" and "baselines" only lead from one attacked stage to the next.
KILLS = {"first start": 20, "ingest": 25, "panels": 25, "training": 20, "study": 4, "report": 15}


def kill_everything(
    folder: Path, seed: int, kills: dict[str, int], told: Callable[[str], None] = print
) -> Iterator[Attack]:
    """Make the scene in `folder`, stage by stage, and attack each stage from where the one before ended."""
    random_moment = random.Random(seed)
    before, work = folder / "before", folder / "work"
    before.mkdir(parents=True)
    warm = _context().Process(target=time.sleep, args=(0,))
    warm.start()
    warm.join()
    for stage in STAGES:
        if not kills.keys() & set(list(STAGES)[list(STAGES).index(stage) :]):
            return
        copy_scene(before, work)
        began = time.monotonic()
        if not _run(work, stage):
            yield Attack(stage, "no kill", Outcome.STUCK, "it does not end well without one")
            return
        took = time.monotonic() - began
        told(f"{stage}: {took:.1f} s undisturbed, {kills.get(stage, 0)} kills")
        whole = contents(work / "data")
        copy_scene(work, folder / "after")
        for _ in range(kills.get(stage, 0)):
            yield _kill(before, work, stage, random_moment.uniform(0, took), whole)
        copy_scene(folder / "after", before)


def _kill(before: Path, work: Path, stage: str, after_s: float, whole: dict[str, bytes]) -> Attack:
    exit_code, kind = 0, "killed"
    while exit_code != -signal.SIGKILL:
        copy_scene(before, work)
        process = _start(work, stage)
        process.join(after_s)
        process.kill()
        process.join()
        exit_code, at = process.exitcode, f"killed after {after_s:.2f} s"
        after_s *= 0.8  # where it had ended, a kill is still owed
    for name, content in contents(work / "data").items():
        if (problem := unreadable(name, content)) is not None:
            return Attack(stage, kind, Outcome.UNREADABLE, f"{at}: {name}: {problem}")
    if not _run(work, stage):
        return Attack(stage, kind, Outcome.STUCK, at)
    found = contents(work / "data")
    if differing := [name for name in sorted(whole.keys() | found.keys()) if whole.get(name) != found.get(name)]:
        return Attack(stage, kind, Outcome.OTHER, f"{at}: {', '.join(differing[:6])}")
    if left := leftovers(work / "data"):
        return Attack(stage, kind, Outcome.OTHER, f"{at}: left behind: {', '.join(left[:3])}")
    return Attack(stage, kind, Outcome.SAME)


def unreadable(name: str, content: bytes) -> str | None:
    """What keeps a file from being read as what its name says, if anything does."""
    stream = io.BytesIO(content)
    try:
        match Path(name).suffix:
            case ".parquet":
                pq.read_table(stream)
            case ".npz":
                with np.load(stream, allow_pickle=False) as arrays:
                    _ = [arrays[key] for key in arrays.files]
            case ".npy":
                np.load(stream, allow_pickle=False)
            case ".json":
                json.loads(content)
            case ".pt":
                if (part := zipfile.ZipFile(stream).testzip()) is not None:
                    return f"the checksum of {part} is wrong"
            case _:
                content.decode("utf-8")
                if not content.endswith((b"\n", b">")):
                    return "it ends in the middle of a line"
    except Exception as error:  # whatever keeps it from being read
        return f"{type(error).__name__}: {error}"
    return None


def _run(work: Path, stage: str) -> bool:
    process = _start(work, stage)
    process.join()
    return process.exitcode == 0


def _start(work: Path, stage: str) -> multiprocessing.process.BaseProcess:
    process = _context().Process(target=_work, args=(work, stage))
    process.start()
    return process


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # What the stages import when they need it; a fork then starts within milliseconds.
    context.set_forkserver_preload([__name__, "torch", "kiteconnect", "pandas_market_calendars", "quantstats"])
    return context


def _work(work: Path, stage: str) -> None:
    quiet()
    try:
        run_stage(work, stage)
    except RefusalError as refusal:
        print(f"{stage}: {refusal}", flush=True)
        raise SystemExit(1) from None

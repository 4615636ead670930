"""Runs whose process is gone without a word: killed, or the machine went down.

Dagster keeps calling them started, or about to start, where processes are launched as here. What waits
for them (a pool's place, the panels that wait for candles in progress) would then wait for ever.
"""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

import dagster as dg

# Those that say nothing of a process yet, and those that do.
UNSTARTED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
UNFINISHED = [*UNSTARTED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# A run is begun within seconds of being asked for; queued ones are not meant.
STARTS_WITHIN_S = 300
# The process that makes and runs a run, where that is one.
PROCESS, MACHINE = "niftyformer/process", "niftyformer/machine"
_PID = re.compile(r"[1-9][0-9]{0,8}")


def own_process(run_id: str) -> dict[str, str]:
    """The tag of a run that this process makes and runs itself: it may be killed before it says so otherwise.

    A run that is launched again in the web UI has the tags of the first, and another process: the tag names its run.
    """
    return {PROCESS: f"{os.getpid()} runs {run_id}", MACHINE: socket.gethostname()}


def fail_dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Mark runs as failed whose process on this machine is gone, and give their places in pools back.

    A run that does not say which process it is in is dead once it should have started long ago, and
    else left alone, as are those that a terminal on another machine runs, and all where another launcher than
    Dagster's own may have put them on other machines.
    """
    if type(instance.run_launcher).__name__ != "DefaultRunLauncher":
        return []
    dead = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        if _is_elsewhere(record.dagster_run):
            continue
        run = record.dagster_run
        pid, told = process_of(instance, run) or (None, None)
        if pid is None:
            unchanged_s = time.time() - record.update_timestamp.timestamp()
            if run.status not in UNSTARTED or unchanged_s < STARTS_WITHIN_S:
                continue
        elif _is_running(pid, told or record.create_timestamp.timestamp()):
            continue
        process = "Its process" if pid is None else f"Its process ({pid})"
        message = f"{process} is gone: it was killed, or the machine went down. Launch it again."
        instance.report_run_failed(run, message)
        if instance.event_log_storage.supports_global_concurrency_limits:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        dead.append(run)
    return dead


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[int, float | None] | None:
    """The process that a run's events name last and when (seconds since 1970), else that of its tag, with the run."""
    for entry in reversed(instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)):
        metadata = entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        if "pid" in metadata and (named := _pid(str(metadata["pid"].value))) is not None:
            return named, entry.timestamp
    own = _pid(_own_pid(run))
    return None if own is None else (own, None)


def _own_pid(run: dg.DagsterRun) -> str:
    """What the run's tag says, if it is its own and not that of a run it was launched again for."""
    pid, _, of = run.tags.get(PROCESS, "").partition(" runs ")
    return pid if of == run.run_id else ""


def _pid(text: str) -> int | None:
    """The number of a process; 0 asks for one's own group, and what no system gives is none."""
    return int(text) if _PID.fullmatch(text) else None


def _is_elsewhere(run: dg.DagsterRun) -> bool:
    here = socket.gethostname()
    return bool(_own_pid(run)) and run.tags.get(MACHINE, here) != here


def _is_running(pid: int, told: float) -> bool:
    """Is there such a process, and not one that began after it was told of, with the same number?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    began = _began(pid)
    # Clocks of the kernel and of the run differ by fractions of a second.
    return began is None or began <= told + 2


def _began(pid: int) -> float | None:
    """When a process began (seconds since 1970), where the system tells as Linux does; a zombie never did."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
        if fields[0] == "Z":
            return float("inf")
        return int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, StopIteration, ValueError, IndexError):
        return None

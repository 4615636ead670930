"""Runs whose process is gone without a word: killed, or the machine went down.

Dagster keeps calling them started, where processes are launched as here. What waits for them (a
pool's place, the panels that wait for candles in progress) would then wait for ever.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def fail_dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Mark runs as failed whose process on this machine is gone, and give their places in pools back.

    A run that does not say which process it is in is left alone, as are all where another launcher
    than Dagster's own may have put them on other machines.
    """
    if type(instance.run_launcher).__name__ != "DefaultRunLauncher":
        return []
    dead = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        run, pid = record.dagster_run, _pid_of(instance, record.dagster_run.run_id)
        if pid is None or _is_running(pid, record.start_time):
            continue
        message = f"Its process ({pid}) is gone: it was killed, or the machine went down. Launch it again."
        instance.report_run_failed(run, message)
        if instance.event_log_storage.supports_global_concurrency_limits:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        dead.append(run)
    return dead


def _pid_of(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that a run's events name last."""
    for entry in reversed(instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)):
        metadata = entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        if "pid" in metadata:
            return int(str(metadata["pid"].value))
    return None


def _is_running(pid: int, since: float | None) -> bool:
    """Is there such a process, and not a later one that got the same number?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    began = _began(pid)
    # Clocks of the kernel and of the run differ by fractions of a second.
    return began is None or since is None or began <= since + 2


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

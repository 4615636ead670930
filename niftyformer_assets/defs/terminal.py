"""What a terminal shows of a run: the step that runs with its own words, and lines that stay."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster import EventLogEntry
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text


class Terminal:
    """Standard output as it is now, and what was said there already.

    bar: of the whole that runs are parts of, shown above each run's own.

    On a descriptor of its own where there is one: Dagster keeps what a step writes to standard output in a file,
    and shows it only later.
    """

    def __init__(self) -> None:
        self._said: set[str] = set()
        self.bar: Progress | None = None
        try:
            descriptor = os.dup(sys.stdout.fileno())
        except (OSError, io.UnsupportedOperation):
            self.console = Console()
        else:
            out = os.fdopen(descriptor, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, buffering=1)
            self.console = Console(file=out)

    def say(self, line: str, style: str | None = None) -> None:
        """A line as it is, however long."""
        self._said.add(line)
        self.console.print(line, style=style, soft_wrap=True, highlight=False, markup=False)

    def warn(self, line: str) -> None:
        """A line that is worth reading once, however often it comes."""
        if line not in self._said:
            self.say(line, style="yellow")

    @contextmanager
    def left_out_once(self) -> Iterator[None]:
        """Files that are left out whenever definitions are built are warned of here."""
        log, handler = logging.getLogger(__package__), _ToTerminal(self)
        log.addHandler(handler)
        before, log.propagate = log.propagate, False
        try:
            yield
        finally:
            log.removeHandler(handler)
            log.propagate = before


class _ToTerminal(logging.Handler):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.warn(record.getMessage())


class Watcher:
    """Shows what happens in a run: a bar that moves with every materialization, and lines that stay.

    Where nobody sees a bar, as in a log file, steps are named when they start, and what they say are lines.
    """

    def __init__(self, terminal: Terminal, job: dg.JobDefinition, total: int) -> None:
        console = terminal.console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._terminal = terminal
        self._console = console
        self._job = job.name
        self._task = self._progress.add_task(job.name, total=total)
        self._said = ""
        self._started: dict[str, float] = {}
        checks = job.asset_layer.asset_graph.asset_check_keys
        self._checks = {f"{check.asset_key.to_user_string()}_{check.name}" for check in checks}
        self._live = Live(self, console=console, transient=True, refresh_per_second=8)

    def __enter__(self) -> Watcher:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._said = ""
        self._live.stop()

    def see(self, entry: EventLogEntry) -> None:
        """Called by Dagster for every event and log line of the run."""
        event = entry.dagster_event
        if event is None:
            self._say(entry.user_message, int(entry.level))
            return
        step = event.step_key or ""
        if event.is_step_start:
            self._start(step)
        elif event.is_step_materialization:
            self._progress.advance(self._task)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            self._console.print(_finding(event.asset_check_evaluation_data), soft_wrap=True, highlight=False)
        elif event.is_step_failure or (event.is_step_success and step not in self._checks):
            mark = "[green]✓[/green]" if event.is_step_success else "[red]✗[/red]"
            took = time.monotonic() - self._started.get(step, time.monotonic())
            self._console.print(f"{mark} {step} [dim]{took:.1f} s[/dim]")

    def _start(self, step: str) -> None:
        self._said = ""
        self._started[step] = time.monotonic()
        self._progress.update(self._task, description=f"{self._job}: {step}")
        if not self._console.is_terminal and step not in self._checks:
            self._console.print(f"… {self._job}: {step}", highlight=False)

    def _say(self, message: str, level: int) -> None:
        if message.startswith("Dependencies for step "):
            # Dagster's word for what was not made because of a failure that was said.
            return
        if level >= logging.WARNING:
            self._terminal.warn(message)
            return
        self._said = message
        if not self._console.is_terminal:
            self._terminal.say(f"  {message}")

    def __rich__(self) -> Group:
        lines = [Text(f"  {self._said}", style="dim")] if self._said else []
        return Group(*([] if self._terminal.bar is None else [self._terminal.bar]), self._progress, *lines)


def _finding(check: dg.AssetCheckEvaluation) -> Text:
    """What a check found, in its words, with the mark of its outcome."""
    if check.passed:
        mark, style = "✓", "dim"
    else:
        mark, style = ("✗", "red") if check.severity == dg.AssetCheckSeverity.ERROR else ("!", "yellow")
    return Text(f"  {mark} {check.description or check.check_name}", style=style)

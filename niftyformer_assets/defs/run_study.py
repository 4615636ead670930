"""A study from a terminal: its windows one after the other or several at a time, then what they prove together."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import dagster as dg
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.bodies.market.index_lists import require_list
from niftyformer_assets.defs.finished import finished_artifacts
from niftyformer_assets.defs.home import dagster_home
from niftyformer_assets.defs.resources import experiment_held
from niftyformer_assets.defs.run import (
    run_experiment_job,
    run_phase,
    run_workspace,
    say_replay,
)
from niftyformer_assets.defs.terminal import Terminal
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import begin, find_study
from niftyformer_assets.experiments.study import Study
from niftyformer_assets.experiments.study_reach import require_portfolios, require_reach
from niftyformer_assets.report_server import STUDY_PAGE
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line
from niftyformer_assets.store.index import read_json
from niftyformer_assets.words import counted


def run_study(settings: Settings, name: str, parallel: int = 1) -> None:
    """Make everything of a study and say where the results are.

    What an earlier run finished is kept, so a study that was ended goes on where it was. A window that fails
    does not stop the others; the report is on those that are there, and names the rest.

    Args:
        parallel: how many experiments are made at a time, each in a process of its own.

    Raises:
        NiftyFormerError: the study is unknown, or reaches past the candles; or some experiments failed, after all
            others were made.
    """
    study, terminal = find_study(settings, name), Terminal()
    say_replay(terminal, settings)
    for experiment in study.first:
        require_list(settings, experiment)
    begin(settings, study)
    started = time.monotonic()
    with terminal.left_out_once(), dagster_home(settings) as instance:
        run_workspace(terminal, instance, settings)
        study = find_study(settings, name)
        require_reach(study, settings)
        require_portfolios(study, settings)
        terminal.console.print(f"[bold]{escape(study.summary)}[/bold]", soft_wrap=True)
        if parallel > 1:
            failed = _in_processes(terminal, settings, study, parallel)
        else:
            failed = _one_by_one(terminal, instance, settings, study)
        if len(failed) < len(study.planned):
            definitions = build(settings)
            run_phase(terminal, instance, definitions, "study", name)
            run_phase(terminal, instance, definitions, "comparison")
            _say_where(terminal, settings, name)
    terminal.console.print(f"\ndone in {time.monotonic() - started:.0f} s")
    if failed:
        first, reason = next(iter(failed.items()))
        raise NiftyFormerError(
            f"{counted(len(failed), 'experiment')} of {len(study.planned)} failed, {first} with: {reason} Run the "
            "study again when it is mended: what is finished is kept."
        )


def _one_by_one(terminal: Terminal, instance: dg.DagsterInstance, settings: Settings, study: Study) -> dict[str, str]:
    definitions, failed = build(settings), {}
    with _Eta(terminal, len(study.planned)) as eta:
        for experiment in study.experiments.values():
            try:
                with experiment_held(settings.workspace, experiment.name):
                    was_finished = _make(terminal, instance, definitions, settings, experiment)
                eta.done(experiment.name, "was finished" if was_finished else "")
            except NiftyFormerError as error:
                failed[experiment.name] = str(error)
                eta.done(experiment.name, f"failed: {error}", "red")
            except RuntimeError as error:  # a defect of one window is no reason to lose the others
                failed[experiment.name] = in_one_line(error)
                terminal.say(str(error))
                eta.done(experiment.name, "failed with an error of this project, above", "red")
    return failed


def _make(
    terminal: Terminal,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    settings: Settings,
    experiment: Experiment,
) -> bool:
    """Make what is not finished of an experiment; whether all of it was."""
    folder, assets = settings.workspace.experiment(experiment.name), phases(artifacts())["experiment"]
    if finished_artifacts(instance, experiment, folder, assets) == set(assets):
        return True
    run_experiment_job(terminal, instance, definitions, experiment, folder)
    return False


def _in_processes(terminal: Terminal, settings: Settings, study: Study, parallel: int) -> dict[str, str]:
    """As `_one_by_one`, several at a time; on a GPU their trainings wait for each other."""
    failed = {}
    threads = max(1, (os.cpu_count() or 1) // parallel)
    # Not forked: torch's and numba's threads would not survive it.
    pool = ProcessPoolExecutor(parallel, multiprocessing.get_context("spawn"), _begin, (threads,))
    try:
        running: dict[Future[str], str] = {
            pool.submit(_in_process, settings, study.name, name): name for name in _spread(study)
        }
        with _Eta(terminal, len(study.planned), alone=True) as eta:
            for future in as_completed(running):
                name = running[future]
                try:
                    said = future.result()
                except NiftyFormerError as error:
                    said, failed[name] = f"failed: {error}", str(error)
                except Exception as error:  # of another process, whatever it is
                    said = f"failed: {type(error).__name__}: {in_one_line(error)}"
                    failed[name] = said
                eta.done(name, said, "red" if name in failed else None)
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return failed


def _spread(study: Study) -> list[str]:
    """The names with different windows next to each other: what two of one window share is made once, by the first."""
    return [each.experiment.name for each in sorted(study.planned, key=lambda each: (each.point, each.seed))]


def _begin(threads: int) -> None:
    """A process that makes experiments says nothing, and leaves processors to the others."""
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
    if (torch := _torch()) is not None:
        torch.set_num_threads(threads)


def _torch() -> Any:
    """torch, or None where it is not installed: an experiment is made up to where it is wanted, and says so."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    return torch


def _in_process(settings: Settings, study: str, name: str) -> str:
    torch = _torch()
    definitions = build(settings, one_training=torch is not None and torch.cuda.is_available())
    with dagster_home(settings) as instance, experiment_held(settings.workspace, name):
        experiment = find_study(settings, study).experiments[name]
        finished = _make(Terminal(), instance, definitions, settings, experiment)
    return "was finished" if finished else ""


class _Eta:
    """Tells of each experiment that is done how many there are, and how long the rest may take.

    On a terminal a bar shows it, by itself where no run shows its own; elsewhere the lines say it.
    """

    def __init__(self, terminal: Terminal, total: int, alone: bool = False) -> None:
        self._terminal, self._total, self._done, self._worked = terminal, total, 0, 0
        self._started = time.monotonic()
        self._alone = alone
        self._bar = Progress(
            TextColumn("study"),
            BarColumn(30),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=terminal.console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> _Eta:
        if self._terminal.console.is_terminal:
            self._terminal.bar = self._bar
            if self._alone:
                self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._alone and self._terminal.bar is not None:
            self._bar.stop()
        self._terminal.bar = None

    def done(self, name: str, said: str, style: str | None = None) -> None:
        self._done += 1
        # What was finished before says nothing about how long others take.
        self._worked += said != "was finished"
        left = self._total - self._done
        took = time.monotonic() - self._started
        rest = f"about {_long(took / self._worked * left)} left" if left and self._worked else ""
        self._bar.update(self._task, completed=self._done, description=rest)
        in_line = f", {rest}" if rest and self._terminal.bar is None else ""
        self._terminal.say(f"[{self._done}/{self._total}] {name}{': ' + said if said else ''}{in_line}", style)


def _long(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _say_where(terminal: Terminal, settings: Settings, name: str) -> None:
    folder = settings.workspace.study(name).report
    verdict = read_json(folder / "study.json")["verdict"]
    terminal.console.print(f"\n[bold]{verdict[0]}[/bold] {' '.join(verdict[1:])}", soft_wrap=True)
    terminal.console.print(f"    report  {folder / STUDY_PAGE}", soft_wrap=True, highlight=False)

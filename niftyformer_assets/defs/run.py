"""The graph from a terminal: the jobs one after the other, in this process, with progress.

Runs are recorded in the workspace's own Dagster home, so the web UI shows them afterwards.
"""

from __future__ import annotations

import os
import shlex
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
from rich.markup import escape

from niftyformer_assets.artifacts import Phase, artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.defs.automation.dead_runs import own_process
from niftyformer_assets.defs.bodies.market.index_lists import require_list
from niftyformer_assets.defs.finished import finished_artifacts
from niftyformer_assets.defs.home import dagster_home
from niftyformer_assets.defs.resources import CandleSource, experiment_held
from niftyformer_assets.defs.terminal import Terminal, Watcher
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.experiments.overrides import overridden_name
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import INDEX_NAME, settle
from niftyformer_assets.store.workspace import ExperimentFolder
from niftyformer_assets.words import do_you_mean, near

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_experiment(settings: Settings, name: str) -> None:
    """Materialize everything for one experiment and say where the results are.

    What an earlier run finished and would come out the same is kept. With overrides the experiment
    has a key and a folder of its own, and the comparison is left as it is.

    Raises:
        NiftyFormerError: the experiment is unknown, another process runs it, or an asset failed with
            something to mend.
    """
    experiment = find_experiment(settings, overridden_name(name, settings.overrides))
    terminal = Terminal()
    say_replay(terminal, settings)
    require_list(settings, experiment)
    started = time.monotonic()
    with (
        terminal.left_out_once(),
        dagster_home(settings) as instance,
        experiment_held(settings.workspace, experiment.name),
    ):
        terminal.console.print(
            f"[bold]{escape(experiment.summary)}[/bold]\nworkspace {settings.workspace.name}: "
            f"{settings.workspace.root}",
            soft_wrap=True,
        )
        definitions = run_workspace(terminal, instance, settings)
        run_experiment_job(terminal, instance, definitions, experiment, settings.workspace.experiment(experiment.name))
        if not experiment.overrides:
            run_phase(terminal, instance, definitions, "comparison")
    terminal.console.print(f"\ndone in {time.monotonic() - started:.0f} s")
    _say_where(terminal, settings, experiment.name)


def run_reference(settings: Settings) -> None:
    """Materialize the universe and what goes with it."""
    with dagster_home(settings) as instance:
        run_phase(Terminal(), instance, build(settings), "reference")


def run_candles(settings: Settings, symbols: list[str]) -> None:
    """Bring the candles of the named symbols up to date, or of all.

    Raises:
        NiftyFormerError: a symbol is not one of the workspace's, or some failed.
    """
    definitions = build(settings)
    known = definitions.resolve_job_def("candles").partitions_def
    assert known is not None
    keys = list(known.get_partition_keys())
    if unknown := [symbol for symbol in symbols if symbol not in keys]:
        alike = do_you_mean(near(unknown[0], keys))
        raise NiftyFormerError(
            f"{unknown[0]} is no symbol of workspace {settings.workspace.name}{alike or '.'} "
            "The symbols are the members of all index lists at hand, under their latest names."
        )
    terminal = Terminal()
    say_replay(terminal, settings)
    with dagster_home(settings) as instance:
        run_candles_job(terminal, instance, definitions, settings, symbols)


def run_workspace(terminal: Terminal, instance: dg.DagsterInstance, settings: Settings) -> dg.Definitions:
    """Everything that experiments share, from the index list to the factor panels; the definitions after it."""
    run_phase(terminal, instance, build(settings), "reference")
    # The universe just made may have brought new symbols: the definitions are built anew.
    definitions = build(settings)
    run_candles_job(terminal, instance, definitions, settings)
    run_phase(terminal, instance, definitions, "panels")
    return definitions


def say_replay(terminal: Terminal, settings: Settings) -> None:
    """Refuse a folder that cannot be replayed, and say how another one is read, before anything runs."""
    replay = CandleSource(settings).check()
    if replay is None:
        return
    for line in replay.said:
        terminal.say(line)
    for line in replay.warnings:
        terminal.warn(line)


def run_phase(
    terminal: Terminal,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    phase: Phase,
    partition: str | None = None,
) -> None:
    """Run the job of a phase, of one partition where it has any."""
    job = definitions.resolve_job_def(phase)
    _execute(terminal, instance, job, len(list(job.asset_layer.executable_asset_keys)), {}, partition)


def run_candles_job(
    terminal: Terminal,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    settings: Settings,
    symbols: Sequence[str] = (),
) -> None:
    """Bring the candles of the named symbols up to date, or of all."""
    job = definitions.resolve_job_def("candles")
    assert job.partitions_def is not None
    keys = job.partitions_def.get_partition_keys()
    if not keys:
        raise NiftyFormerError(
            f"no symbols in workspace {settings.workspace.name}: fetch the index list with `niftyformer universe`"
        )
    # A run holds symbols that follow each other; all of them are one run.
    for first, last in _ranges(keys, symbols or keys):
        tags = {
            "dagster/asset_partition_range_start": keys[first],
            "dagster/asset_partition_range_end": keys[last],
        }
        _execute(terminal, instance, job, last - first + 1, tags, None)


def run_experiment_job(
    terminal: Terminal,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    experiment: Experiment,
    folder: ExperimentFolder,
) -> None:
    """Make what an earlier run did not finish of an experiment, and look at all checks.

    Raises:
        NiftyFormerError: an asset failed with something to mend.
    """
    job = definitions.resolve_job_def("experiment")
    for index in folder.root.rglob(INDEX_NAME):
        settle(index.parent)
    assets = phases(artifacts())["experiment"]
    finished = finished_artifacts(instance, experiment, folder, assets)
    if finished:
        names = ", ".join(asset for asset in assets if asset in finished)
        terminal.say(f"kept, for nothing they are made from has changed: {names}")
    job = job.get_subset(
        asset_selection={dg.AssetKey(asset) for asset in assets if asset not in finished},
        asset_check_selection=job.asset_layer.asset_graph.asset_check_keys,
    )
    _execute(terminal, instance, job, len(assets) - len(finished), {}, experiment.name)


def _ranges(keys: Sequence[str], wanted: Sequence[str]) -> list[tuple[int, int]]:
    """The places of the wanted keys, those that follow each other together: first and last of each stretch."""
    ranges: list[tuple[int, int]] = []
    for place in sorted({keys.index(symbol) for symbol in wanted}):
        if ranges and ranges[-1][1] == place - 1:
            ranges[-1] = (ranges[-1][0], place)
        else:
            ranges.append((place, place))
    return ranges


def _execute(
    terminal: Terminal,
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    total: int,
    tags: dict[str, str],
    experiment: str | None,
) -> None:
    run_id = str(uuid.uuid4())
    with Watcher(terminal, job, total) as watcher:
        instance.add_event_listener(run_id, watcher.see)
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=experiment,
            tags={**tags, **own_process(run_id)},
            run_config=QUIET,
            raise_on_error=False,
        )
    if not result.success:
        raise _failure(result)


def _failure(result: dg.ExecuteInProcessResult) -> BaseException:
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.blocking and check.severity == dg.AssetCheckSeverity.ERROR:
            return NiftyFormerError(
                f"{check.asset_key.to_user_string()}: {check.check_name} failed: {check.description}"
            )
    to_mend: list[str] = []
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            to_mend.append(f"{event.step_key}: {data.user_failure_data.description}")
            continue
        assert data.error is not None
        if data.error.cls_name == "DagsterExecutionInterruptedError":
            return KeyboardInterrupt()
        return RuntimeError(f"{event.step_key} failed:\n{data.error.to_string()}")
    return NiftyFormerError(" ".join(to_mend)) if to_mend else RuntimeError("the run failed without a failed step")


def _say_where(terminal: Terminal, settings: Settings, name: str) -> None:
    from niftyformer_assets.portfolio.report.files import read_metrics

    folder = settings.workspace.experiment(name)
    metrics = read_metrics(folder.backtest)
    terminal.console.print(f"\n[bold]{metrics['verdict'][0]}[/bold] {' '.join(metrics['verdict'][1:])}", soft_wrap=True)
    here = Path.cwd()

    def shown(path: Path) -> str:
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

    lines = {
        "report": shown(folder.backtest / "report.html"),
        "artifacts": shown(folder.root),
        "web UI": f"{_environment(settings)}make dev, then http://127.0.0.1:3000/asset-groups",
    }
    for what, where in lines.items():
        terminal.console.print(f"{what:>10}  {where}", soft_wrap=True, highlight=False)


def _environment(settings: Settings) -> str:
    """What the environment of the web UI has to say so that it shows this workspace, as before a command."""
    said: dict[str, object] = {}
    if settings.workspace.name != "demo" or settings.kite_api_key:
        said["NIFTYFORMER_WORKSPACE"] = settings.workspace.name
    if settings.source == "replay":
        said["NIFTYFORMER_REPLAY"] = settings.replay
        if settings.index_list:
            said["NIFTYFORMER_INDEX_LIST"] = os.pathsep.join(map(str, settings.index_list))
        if settings.benchmark:
            said["NIFTYFORMER_BENCHMARK"] = settings.benchmark
        if settings.adjusted_close:
            said["NIFTYFORMER_ADJUSTED_CLOSE"] = "true"
    return "".join(f"{name}={shlex.quote(str(value))} " for name, value in said.items())

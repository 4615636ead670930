"""The tags by which runs are found in the web UI: alike whichever way a run was started.

A button, a job, a schedule, a sensor, a backfill and the terminal each make runs of their own kind, and only some
take tags. So a run is tagged by itself when it begins, with what it then is.
"""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs.experiment_settings import observe_settings
from niftyformer_assets.factors.settings import FACTOR_SET_NAMES
from niftyformer_assets.settings import Settings

# With the panel of every factor set that an experiment may ask for.
PHASES = phases(artifacts(FACTOR_SET_NAMES))
# Names the failed run that a run asks again for.
AGAIN_FOR = "niftyformer/again_for"
WORKSPACE, PHASE, EXPERIMENT = "niftyformer/workspace", "niftyformer/phase", "niftyformer/experiment"


def settings_of_runs(settings: Settings) -> dg.ResourceDefinition:
    """The resource `settings`: whatever run asks for it is tagged, and takes note of what experiments are set to."""

    @dg.resource
    def begun(context: dg.InitResourceContext) -> Settings:
        if context.instance is not None and context.run is not None:
            if context.instance.has_run(context.run.run_id):
                context.instance.add_run_tags(context.run.run_id, tags_of(context.run, settings))
            observe_settings(context.instance, settings, context.run.tags.get("dagster/partition", ""))
        return settings

    return begun


def tags_of(run: dg.DagsterRun, settings: Settings) -> dict[str, str]:
    """Workspace, phase (several, where a run makes assets of several) and experiment of a run."""
    of_run = phases_of(run)
    tags = {WORKSPACE: settings.workspace.name}
    if of_run:
        tags[PHASE] = ", ".join(of_run)
    if {"experiment", "signal"} & {*of_run} and (experiment := run.tags.get("dagster/partition")):
        tags[EXPERIMENT] = experiment
    return tags


def phases_of(run: dg.DagsterRun) -> list[str]:
    """The jobs that hold what the run makes, in their order; a job's own name where it makes all of it."""
    if run.job_name in PHASES:
        return [run.job_name]
    keys = {*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())}
    assets = {key.to_user_string() for key in keys}
    return [phase for phase, made in PHASES.items() if assets & {*made}]

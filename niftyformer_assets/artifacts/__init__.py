"""What each artifact is: where it lies, what it reads, what decides on it, and whose code makes it.

A row an artifact, and one place for it: the dependencies that Dagster knows, the inputs that provenance records,
what is refused because it was made with other settings, the jobs and the code versions all follow from the rows.
Paths are those of `store/workspace.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from niftyformer_assets.artifacts.dataset import dataset_rows
from niftyformer_assets.artifacts.factors import factor_rows
from niftyformer_assets.artifacts.market import market_rows
from niftyformer_assets.artifacts.model import model_rows
from niftyformer_assets.artifacts.portfolio import portfolio_rows
from niftyformer_assets.artifacts.rows import Artifact, Read, Scope
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.factors.settings import FACTOR_SET_NAMES
from niftyformer_assets.store.workspace import Workspace

__all__ = [
    "Artifact",
    "Phase",
    "Read",
    "Scope",
    "artifacts",
    "deciding_models",
    "deciding_settings",
    "phase_of",
    "phases",
    "read_files",
    "sections_of",
]

# The phases in which a graph is made, in this order: one kind of partition a run.
Phase = Literal["reference", "candles", "panels", "experiment", "study", "comparison", "signal"]


@cache
def artifacts(factor_sets: tuple[str, ...] = ("alpha158",)) -> Mapping[str, Artifact]:
    """The rows by name, each after those that it reads.

    Args:
        factor_sets: that experiments take their factors from; each has a panel.
    """
    rows = (
        *market_rows(),
        *factor_rows(factor_sets),
        *dataset_rows(),
        *model_rows(),
        *portfolio_rows(factor_sets),
    )
    return {row.name: row for row in rows}


def sections_of(name: str, experiment: Experiment) -> frozenset[str] | None:
    """The sections of an experiment's settings that decide on one of its artifacts; None is all."""
    rows = artifacts(FACTOR_SET_NAMES)
    found = rows[name].sections(experiment)
    for read in rows[name].read_for(experiment):
        if found is not None and rows[read.artifact].scope == "experiment":
            above = sections_of(read.artifact, experiment)
            found = None if above is None else found | (above - read.without)
    return found


def deciding_settings(experiment: Experiment, name: str) -> dict[str, Any]:
    """The settings that decide on one of an experiment's artifacts, as JSON values."""
    sections = sections_of(name, experiment)
    if sections is None:
        return experiment.values()
    return artifacts()[name].part(experiment, experiment.model_dump(mode="json", include=set(sections)))


def deciding_models(experiment: Experiment, name: str) -> dict[str, str]:
    """The versions of the code of the models that one of an experiment's artifacts is made with, or made from."""
    rows = artifacts(FACTOR_SET_NAMES)
    found = dict(rows[name].models(experiment))
    for read in rows[name].read_for(experiment):
        if rows[read.artifact].scope == "experiment":
            found |= deciding_models(experiment, read.artifact)
    return found


def read_files(
    row: Artifact,
    workspace: Workspace,
    experiment: Experiment | None,
    all_experiments: Mapping[str, Experiment] | None = None,
    rows: Mapping[str, Artifact] | None = None,
    study: str = "",
) -> list[Path]:
    """The files of the artifacts that an artifact reads.

    Args:
        experiment: whose artifact it is; None for one of the workspace or of a study.
        all_experiments: by name, of which an artifact of the workspace or a study reads what it reads of experiments.
        study: whose artifact it is, if any.
    """
    rows = rows if rows is not None else artifacts()
    found: list[Path] = []
    asked = (all_experiments or {}) if experiment is None else {experiment.name: experiment}
    for of in (rows[read.artifact] for read in row.read_for(*asked.values())):
        if of.scope == "study":
            found += of.readable(workspace.study(study))
        elif of.scope != "experiment":
            found += of.readable(workspace)
        else:
            found += [path for name in asked for path in of.readable(workspace.experiment(name))]
    return found


def phase_of(row: Artifact, rows: Mapping[str, Artifact]) -> Phase:
    """The phase in which an artifact is made: what is of the workspace waits for what it follows."""
    if row.of_one_in_use:
        return "signal"
    if row.scope != "workspace":
        return "candles" if row.scope == "symbol" else row.scope
    above = {phase_of(rows[name], rows) for name in row.may_follow}
    if "signal" in above:
        return "signal"
    if above & {"experiment", "comparison"}:
        return "comparison"
    return "panels" if above & {"candles", "panels"} else "reference"


def phases(rows: Mapping[str, Artifact]) -> dict[Phase, tuple[str, ...]]:
    """The artifacts of each phase, in the order in which they depend on each other."""
    order: Sequence[Phase] = get_args(Phase)
    return {phase: tuple(row.name for row in rows.values() if phase_of(row, rows) == phase) for phase in order}

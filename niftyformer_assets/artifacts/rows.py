"""What a row is: one artifact, and what it takes to know of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from niftyformer_assets.code import body_file, code_of
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.store.workspace import ExperimentFolder, StudyFolder, Workspace

Scope = Literal["workspace", "symbol", "experiment", "study"]


class Read(NamedTuple):
    """An artifact that another one reads.

    where: by the settings of some experiments only.
    without: sections that decide on it, but on nothing of it that is read.
    """

    artifact: str
    where: Callable[[Experiment], bool] = lambda _experiment: True
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Artifact:
    """One row.

    scope: what there is one of it for; paths are asked of the workspace, or of the experiment's folder.
    files: that it consists of, the one to show first; folders count with all that is in them. By the settings of some
        experiments those after the first may be absent.
    reads: the artifacts that it is made from.
    sections: of an experiment's settings, which decide on it beside those that decide on what it reads; None is all.
    part: what of those sections decides, where not all of them does.
    body: the module below `defs/bodies` that makes it, `package/module`; its version is that of the code behind it.
    modules: that make it beside the body, which finds them by a name; they count for that version too.
    models: the versions of the code of the models that make it by the settings of an experiment, by their names.
    kinds, words: shown in the web UI.
    read_as: the files that its readers read; by itself the first.
    also: files that it reads and no asset makes, or not alone.
    beside: what is written with it for other programs.
    after: what must have been made, and fit, before, though it is not read.
    of_one_in_use: what it reads of experiments it reads of the one that a setting names; of the workspace only.
    of_studies: what it reads of experiments it reads of those of studies too; of the workspace only.
    has_card: it says itself what it is of, and may come from a machine where nothing was recorded.
    """

    name: str
    scope: Scope
    files: Callable[[Any], tuple[Path, ...]]
    body: str
    kinds: frozenset[str]
    words: str
    reads: tuple[Read, ...] = ()
    sections: Callable[[Experiment], frozenset[str] | None] = lambda _experiment: frozenset()
    part: Callable[[Experiment, dict[str, Any]], dict[str, Any]] = lambda _experiment, values: values
    read_as: Callable[[Any], tuple[Path, ...]] | None = None
    also: Callable[[Workspace, Experiment | None], tuple[Path, ...]] = lambda _workspace, _experiment: ()
    beside: Callable[[ExperimentFolder], tuple[Path, ...]] = lambda _folder: ()
    after: tuple[Read, ...] = ()
    of_one_in_use: bool = False
    of_studies: bool = False
    has_card: bool = False
    modules: tuple[Path, ...] = ()
    models: Callable[[Experiment], Mapping[str, str]] = lambda _experiment: {}

    def is_of(self, experiment: Experiment) -> bool:
        """Is it of one experiment alone, whose name it shows, and no other's even with the same settings?"""
        return self.sections(experiment) is None

    @property
    def group(self) -> str:
        """The package of the pipeline that it is of."""
        return self.body.partition("/")[0]

    @property
    def code(self) -> str:
        """The version of the code that makes it, but for the models that an experiment names."""
        return code_of(*self.code_files)

    @property
    def code_files(self) -> tuple[Path, ...]:
        """The files whose code, with what they import, makes it."""
        return body_file(self.body), *self.modules

    def code_for(self, experiment: Experiment | None) -> str:
        """The version of the code that makes it, with the models that an experiment names."""
        models = {} if experiment is None else self.models(experiment)
        if not models:
            return self.code
        return hashlib.sha256(json.dumps([self.code, models], sort_keys=True).encode()).hexdigest()[:12]

    @property
    def may_read(self) -> tuple[str, ...]:
        """The artifacts that it reads by the settings of some experiment."""
        return tuple(dict.fromkeys(read.artifact for read in self.reads))

    @property
    def may_follow(self) -> tuple[str, ...]:
        """Those, and what must be made before, by the settings of some experiment."""
        return tuple(dict.fromkeys([*self.may_read, *(read.artifact for read in self.after)]))

    def read_for(self, *experiments: Experiment) -> tuple[Read, ...]:
        """What it reads by the settings of any of these experiments; all without one."""
        return tuple(read for read in self.reads if not experiments or any(map(read.where, experiments)))

    def fit_for(self, experiment: Experiment) -> tuple[str, ...]:
        """The artifacts that must fit before it is made, by the settings of an experiment."""
        return tuple(read.artifact for read in (*self.after, *self.reads) if read.where(experiment))

    def readable(self, place: Workspace | ExperimentFolder | StudyFolder) -> tuple[Path, ...]:
        """The files that readers read."""
        return self.read_as(place) if self.read_as is not None else self.files(place)[:1]


# What decides on an experiment's sessions and symbols: sections of its settings, and artifacts.
SCOPE_SECTIONS = frozenset({"sessions", "universe"})
SCOPE = ("universe", "market_panel")


def row(
    name: str,
    scope: Scope,
    files: Callable[[Any], tuple[Path, ...]],
    body: str,
    kinds: set[str],
    words: str,
    *,
    reads: tuple[str | Read, ...] = (),
    after: tuple[str | Read, ...] = (),
    sections: frozenset[str] | Callable[[Experiment], frozenset[str] | None] = frozenset(),
    **more: Any,
) -> Artifact:
    """A row; what it reads and follows may be given by name alone, its sections as a set."""

    def all_read(given: tuple[str | Read, ...]) -> tuple[Read, ...]:
        return tuple(Read(each) if isinstance(each, str) else each for each in given)

    return Artifact(
        *(name, scope, files, body, frozenset(kinds), words),
        reads=all_read(reads),
        after=all_read(after),
        sections=sections if callable(sections) else lambda _experiment: sections,
        **more,
    )

"""What the report of a study says beside the scores of its contenders: of whom it judges, and on what ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from niftyformer_assets.experiments.contenders import Scopes
from niftyformer_assets.experiments.exposures import read_exposures
from niftyformer_assets.experiments.study import Study
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace


def judged(study: Study, contenders: Sequence[Contender]) -> str:
    """Whom the verdict is about: whom the study's file names, or the first ensemble, or the model.

    Raises:
        NiftyFormerError: whom the file names is not among the contenders.
    """
    ensembles = [contender.name for contender in contenders if contender.kind == "ensemble"]
    first = (ensembles or [contender.name for contender in contenders])[0]
    return _known("judges", study.settings.judge, study, contenders) or first


def held_against(study: Study, contenders: Sequence[Contender]) -> str:
    """Whom the others are held against, as the study's file names it; empty where it leaves that open.

    Raises:
        NiftyFormerError: whom the file names is not among the contenders.
    """
    return _known("is held against", study.settings.against, study, contenders)


def _known(does: str, wanted: str, study: Study, contenders: Sequence[Contender]) -> str:
    if wanted and wanted not in [contender.name for contender in contenders]:
        raise NiftyFormerError(
            f"study {study.name} {does} {wanted!r}, of which no experiment has predictions yet: make those that are "
            "missing"
        )
    return wanted


def survivorship_of(study: Study, scopes: Scopes) -> str:
    """What the first and the last window say of stocks that left the index."""
    found = {each.window: scopes.of(each.experiment).survivorship for each in (study.planned[0], study.planned[-1])}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return " ".join(f"Window {window}: {said}" for window, said in found.items())


def exposures_of_study(study: Study, workspace: Workspace, axes: Axes) -> Exposures:
    """What any strategy of the study takes out of scores."""
    numbers: dict[str, np.ndarray] = {}
    groups: dict[str, np.ndarray] = {}
    experiments = [each.experiment for each in study.planned if each.experiment.strategy.neutralise]
    for of in {(each.strategy.neutralise, each.factors.factor_set): each for each in experiments}.values():
        read = read_exposures(workspace, of, axes)
        numbers |= read.numbers
        groups |= read.groups
    return Exposures(axes, numbers, groups)

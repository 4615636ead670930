"""Who takes part in a study: models, their seeds and ensembles, and baselines, all on the same sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from niftyformer_assets.portfolio.evidence.joined import JoinedScores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.errors import NiftyFormerError

Kind = Literal["model", "seed", "ensemble", "baseline"]
# What varies between points that have a name of their own.
POINT = "point"


@dataclass(frozen=True, eq=False)
class Contender:
    """One that makes scores.

    name: as tables show it, distinct. kind: `model` is a grid point, or the model where there is no grid; `seed`
        is one of several trainings of a model; `ensemble` and `baseline` as they say.
    scores: on all sessions of the study. strategy, costs: how they are traded.
    point: the settings that the study varies, by name, and their values here; of named points POINT and the name.
        `seed`, if it varies, is one.
    """

    name: str
    kind: Kind
    scores: JoinedScores
    strategy: StrategySettings
    costs: CostSettings
    point: Mapping[str, Any] = field(default_factory=dict)


def on_common_sessions(contenders: Sequence[Contender]) -> tuple[list[Contender], int]:
    """The contenders cut to the sessions that each of them has a window for.

    Returns:
        them, and how many sessions of some contender were left out.

    Raises:
        NiftyFormerError: there is none, a name appears twice, or they have no session in common.
    """
    if not contenders:
        raise NiftyFormerError("a study needs a contender: no experiment of it has predictions yet.")
    names = [contender.name for contender in contenders]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise NiftyFormerError(f"two contenders are called {twice!r}: give each its own name.")
    sessions = [_scored(contender.scores) for contender in contenders]
    common = set.intersection(*sessions)
    if not common:
        raise NiftyFormerError("the contenders have no session in common: make the experiments that are missing.")
    left_out = len(set.union(*sessions)) - len(common)
    kept = np.array(sorted(common), dtype="datetime64[D]")
    return [replace(contender, scores=contender.scores.only(kept)) for contender in contenders], left_out


def _scored(scores: JoinedScores) -> set[Any]:
    """The sessions that have a window."""
    return set(scores.axes.dates[scores.window >= 0].tolist())

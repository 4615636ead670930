"""What the contenders of a study will be called, and that they can be judged together; before there are any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.study import Ensemble, StudySettings
from niftyformer_assets.factors.labels import TRADED_PLACE
from niftyformer_assets.model.baseline_registry import may_tell_apart
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT, MODEL

# Of more names than this nobody reads a list.
_NAMES_SHOWN = 12


def named(name: str, point: str) -> str:
    """What a contender of a point of the grid is called; the point has no name without a grid."""
    return f"{name} ({point})" if point else name


def named_seed(seed: int) -> str:
    """What the network of a seed is called, 1 for the first."""
    return MODEL if seed == 1 else f"{MODEL}, seed {seed}"


def require_contenders(settings: StudySettings, first: Mapping[str, Experiment]) -> None:
    """Refuse a study whose contenders cannot be joined to one record, or of whom none is the one to be judged.

    Args:
        first: an experiment of each point of the grid, by the point's name.

    Raises:
        ValueError: it names the setting, the ensemble or the name.
    """
    _require_one_moment(settings, first)
    for name, ensemble in settings.ensembles.items():
        for experiment in first.values():
            _require_parts(name, ensemble, settings, experiment)
        if "grid" in ensemble.over:
            _require_alike(name, ensemble, first)
    # By name of each whether it may tell stocks apart.
    models = {
        named(named_seed(seed), point): _tells_apart(MODEL, experiment)
        for point, experiment in first.items()
        for seed in range(1, settings.seeds + 1)
    }
    plain = {
        named(rival, point): _tells_apart(rival, experiment)
        for point, experiment in first.items()
        for rival in experiment.rivals
    }
    taken = {*models, *plain, EQUAL_WEIGHT}
    of_ensembles: dict[str, bool] = {}
    for name, ensemble in settings.ensembles.items():
        groups = (
            {name: [*first.values()]} if "grid" in ensemble.over else {named(name, p): [e] for p, e in first.items()}
        )
        for told, experiments in groups.items():
            if told in taken:
                raise ValueError(f"ensembles.{name} has the name of a model or of another ensemble: rename it")
            taken.add(told)
            of_ensembles[told] = any(_tells_apart(model, each) for each in experiments for model in ensemble.models)
    for said, name in (("judge", settings.judge), ("against", settings.against)):
        _require_contender(said, name, models | of_ensembles | plain)
    if settings.judge and settings.judge == settings.against:
        raise ValueError(f"against: {settings.against!r} is whom the study judges: name another, or leave it out")


def _tells_apart(name: str, experiment: Experiment) -> bool:
    """Whether a baseline of an experiment, or its model, may say different things of two stocks of a session."""
    return may_tell_apart(experiment.model.name if name == MODEL else name, vars(experiment.baselines))


def _require_one_moment(settings: StudySettings, first: Mapping[str, Experiment]) -> None:
    moments = sorted({experiment.strategy.trade_at for experiment in first.values()})
    if len(moments) > 1:
        raise ValueError(
            f"strategy.trade_at is {' and '.join(moments)} in points of the grid: they would trade at different "
            "moments and can be no one record. Make a study of each"
        )


def _require_parts(name: str, ensemble: Ensemble, settings: StudySettings, experiment: Experiment) -> None:
    rivals = experiment.rivals
    if strange := [model for model in ensemble.models if model != MODEL and model not in rivals]:
        raise ValueError(
            f"ensembles.{name}: {strange[0]} is no baseline of the experiment: name {MODEL}, or one of "
            f"{', '.join(rivals)}"
        )
    if len(set(ensemble.models)) < len(ensemble.models):
        raise ValueError(f"ensembles.{name}: a model is named twice")
    if "seeds" in ensemble.over and settings.seeds < 2:
        raise ValueError(f"ensembles.{name} is over seeds, and the study has one: set seeds")
    if "seeds" in ensemble.over and MODEL not in ensemble.models:
        raise ValueError(f"ensembles.{name} is over seeds, which are of {MODEL} alone: name it, or leave seeds out")
    if "grid" in ensemble.over and len(settings.varied) < 2:
        raise ValueError(f"ensembles.{name} is over the grid, and the study has one point: set grid or points")
    if len(ensemble.models) < 2 and not (ensemble.models and ensemble.over):
        raise ValueError(f"ensembles.{name} has one part: name several models, or say over: [seeds] or [grid]")


def _require_alike(name: str, ensemble: Ensemble, first: Mapping[str, Experiment]) -> None:
    """Parts of several points score the same stocks for the same session ahead, and are traded in one way."""
    told: dict[str, list[Any]] = {
        "universe": [experiment.universe for experiment in first.values()],
        "windows": [experiment.windows.labels[TRADED_PLACE] for experiment in first.values()],
        "strategy": [experiment.strategy for experiment in first.values()],
        "costs": [experiment.costs for experiment in first.values()],
    }
    for what, values in told.items():
        if any(value != values[0] for value in values):
            raise ValueError(
                f"ensembles.{name} is over the grid, whose points differ in {what}: scores of such points have no "
                "mean. Leave grid out of over, or the setting out of the grid"
            )


def _require_contender(said: str, name: str, tells_apart: Mapping[str, bool]) -> None:
    """Args: tells_apart: by the name of each contender whether it may say different things of two stocks."""
    if not name:
        return
    if name not in tells_apart:
        names = list(tells_apart)
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        raise ValueError(
            f"{said}: {name!r} is no contender of this study: name one of {', '.join(names[:_NAMES_SHOWN])}{more}"
        )
    if not tells_apart[name]:
        raise ValueError(f"{said}: {name!r} says the same of all stocks, so there is nothing to judge: name another")

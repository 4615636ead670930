"""Rows of `model`: the trained model, its predictions and those of the baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from niftyformer_assets.artifacts.rows import Artifact, Read, row
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.model.baseline_registry import Model, with_parts, words_of
from niftyformer_assets.model.baseline_settings import BASELINES, deciding_values
from niftyformer_assets.model.settings import ModelSettings

# The files of a model that say what it is and what it learned.
LEARNED = ("model.json", "best.pt", "learned.npz")
# Whose settings and files decide on an artifact: the model that is traded, or those beside it.
Models = Callable[[Experiment], tuple[type[Model], ...]]


def _traded(experiment: Experiment) -> tuple[type[Model], ...]:
    return with_parts(experiment.model.name, _given(experiment))


def _rivals(experiment: Experiment) -> tuple[type[Model], ...]:
    return tuple(dict.fromkeys(model for name in experiment.rivals for model in with_parts(name, _given(experiment))))


def _given(experiment: Experiment) -> dict[str, Any]:
    return vars(experiment.baselines)


def _code(models: Models) -> Callable[[Experiment], dict[str, str]]:
    return lambda experiment: {model.name: model.code() for model in models(experiment)}


def _sections(models: Models) -> Callable[[Experiment], frozenset[str]]:
    """The sections that decide on some models, whichever they are."""
    return lambda experiment: frozenset({"seed"}).union(*(model.sections() for model in models(experiment)))


def _of_traded(experiment: Experiment, values: dict[str, Any]) -> dict[str, Any]:
    """Of the model nothing but its own settings decides."""
    return deciding_values(experiment.model.name, values)


def _of_rivals(experiment: Experiment, values: dict[str, Any]) -> dict[str, Any]:
    """Which baselines they are, with the settings of each, and not which model is traded."""
    which = {"model": {**values["model"], "name": ModelSettings.name}} if "model" in values else {}
    own = {"seed", *(field.name for model in _rivals(experiment) for field in model.own_fields())}
    baselines = {key: value for key, value in values["baselines"].items() if key in own}
    return values | which | {"baselines": {"names": list(experiment.rivals), **baselines}}


def _reads(models: Models) -> tuple[str | Read, ...]:
    """What models read, by what they are."""

    def bands(experiment: Experiment) -> bool:
        return any(model.reads_bands() for model in models(experiment))

    return (
        Read("flow", bands),
        Read("flow", lambda experiment: not bands(experiment), without=frozenset({"wavelet"})),
        *("trend_indicator", "neutralized_factors"),
        _embedding(models),
    )


def embedding_of_traded() -> Read:
    """What the model that is traded sees of the graph, if it does."""
    return _embedding(_traded)


def _embedding(models: Models) -> Read:
    return Read(
        "graph_embeddings",
        lambda experiment: experiment.graph.embedding != "none" and _reads_graph(models)(experiment),
    )


def _reads_graph(models: Models) -> Callable[[Experiment], bool]:
    return lambda experiment: any(model.reads_graph for model in models(experiment))


def model_rows() -> tuple[Artifact, ...]:
    reads = _reads(_traded)

    return (
        row(
            "trained_model",
            "experiment",
            lambda place: (place.model,),
            "model/training",
            {"pytorch"},
            "The model that is traded, fitted on the training sessions of the experiment's folder: the "
            "Multitask-Stockformer, of which the epoch with the best validation error is kept, or the baseline that "
            "`model.name` names.\n\n"
            "`model/`: `best.pt`, `last.pt` (training goes on from there when it was interrupted), metrics and a "
            "TensorBoard log, or a baseline's `learned.npz`; `model.json` says what it was fitted on. Errors are in "
            "units of the label: simple returns, or standardised ranks.",
            reads=reads,
            after=(Read("corr_adj", _reads_graph(_traded)),),
            sections=lambda experiment: frozenset({"model"}) | _sections(_traded)(experiment),
            part=_of_traded,
            read_as=lambda place: (
                *(place.model / name for name in LEARNED),
                *sorted(place.model.glob("seed-*/best.pt")),
                *sorted(path for path in place.model.glob("parts/**/*") if path.name in LEARNED),
            ),
            has_card=True,
            models=_code(_traded),
        ),
        row(
            "predictions",
            "experiment",
            lambda place: (place.predictions, place.network_predictions),
            "model/training",
            {"pytorch", "parquet"},
            "What the trained model says of each stock at the close of each session, from `trained_model`.\n\n"
            "`predictions.parquet`: date_made, date_predicted, horizon (sessions), symbol, split, return (or score, "
            "where the label is a rank or z-score), p_up (probability). What it says of the experiment's last label is "
            "traded; of the published ones that is the longest horizon.\n\n"
            "`network_predictions.parquet`: the same of each network by itself, with its seed, where `training.seeds` "
            "is more than one and predictions are their mean.",
            reads=("trained_model", *reads),
            after=(Read("corr_adj", _reads_graph(_traded)),),
            part=_of_traded,
            models=_code(_traded),
            beside=lambda place: (place.model / "output",),
        ),
        row(
            "baseline_predictions",
            "experiment",
            lambda place: (place.baseline_predictions,),
            "model/training",
            {"scikitlearn", "pytorch", "parquet"},
            "Predictions of simpler models of the same stocks on the same sessions: "
            f"{', '.join(map(words_of, BASELINES))} unless an experiment names others, but the one that is the model "
            "itself.\n\n"
            "`baseline_predictions.parquet`: as `predictions`, with the name of the baseline.",
            reads=_reads(_rivals),
            after=(Read("corr_adj", _reads_graph(_rivals)),),
            sections=lambda experiment: frozenset({"baselines"}) | _sections(_rivals)(experiment),
            part=_of_rivals,
            models=_code(_rivals),
        ),
    )

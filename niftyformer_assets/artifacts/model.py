"""Rows of `model`: the trained model, its predictions and those of the baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from niftyformer_assets.artifacts.rows import SCOPE, Artifact, Read, row
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.model.baseline_settings import own_settings
from niftyformer_assets.model.settings import STOCKFORMER


def _is_stockformer(experiment: Experiment) -> bool:
    return experiment.model.name == STOCKFORMER


def _against_stockformer(experiment: Experiment) -> bool:
    return STOCKFORMER in experiment.rivals


def _not(where: Callable[[Experiment], bool]) -> Callable[[Experiment], bool]:
    return lambda experiment: not where(experiment)


def _of_model(experiment: Experiment) -> frozenset[str]:
    """The sections that decide on the model, whichever it is."""
    own = {"graph", "training"} if _is_stockformer(experiment) else {"baselines"}
    return frozenset({"model", "seed", *own})


def _own_settings(experiment: Experiment, values: dict[str, Any]) -> dict[str, Any]:
    """Of a baseline that is the model nothing but its own settings decides."""
    if _is_stockformer(experiment):
        return values
    name = experiment.model.name
    return values | {"model": {"name": name}, "baselines": own_settings(name, values["baselines"])}


def _settings_of_rivals(experiment: Experiment, values: dict[str, Any]) -> dict[str, Any]:
    """Of the models that the model is compared with, and the Stockformer's own where it is one of them."""
    of_stockformer = {"model": {**values["model"], "name": STOCKFORMER}} if _against_stockformer(experiment) else {}
    return values | of_stockformer | {"baselines": values["baselines"] | {"names": list(experiment.rivals)}}


def model_rows() -> tuple[Artifact, ...]:
    def read_where(stockformer: Callable[[Experiment], bool]) -> tuple[str | Read, ...]:
        """What models read, by whether the Stockformer is one of them: it alone has use for bands and graph."""
        return (
            Read("flow", stockformer),
            Read("flow", _not(stockformer), without=frozenset({"wavelet"})),
            *("trend_indicator", "neutralized_factors"),
            Read(
                "graph_embeddings", lambda experiment: stockformer(experiment) and experiment.graph.embedding != "none"
            ),
        )

    reads = read_where(_is_stockformer)

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
            after=(Read("corr_adj", _is_stockformer),),
            sections=_of_model,
            part=_own_settings,
            read_as=lambda place: (
                *(place.model / name for name in ("model.json", "best.pt", "learned.npz")),
                *sorted(place.model.glob("seed-*/best.pt")),
            ),
            has_card=True,
        ),
        row(
            "predictions",
            "experiment",
            lambda place: (place.predictions,),
            "model/training",
            {"pytorch", "parquet"},
            "What the trained model says of each stock one and two sessions ahead, from `trained_model`.\n\n"
            "`predictions.parquet`: date_made, date_predicted, horizon (sessions), symbol, split, return (or score, "
            "where the label is a rank or z-score), p_up (probability). The prediction with the longest horizon is "
            "the one that can be traded.",
            reads=("trained_model", *reads),
            after=(Read("corr_adj", _is_stockformer),),
            part=_own_settings,
            beside=lambda place: (place.model / "output",),
        ),
        row(
            "baseline_predictions",
            "experiment",
            lambda place: (place.baseline_predictions,),
            "model/training",
            {"scikitlearn", "pytorch", "parquet"},
            "Predictions of simpler models of the same stocks on the same sessions: ridge, gradient boosting, random "
            "forest, LSTM, GRU, reversal, momentum, equal weight, zero, majority, random, but the one that is the "
            "model itself.\n\n"
            "`baseline_predictions.parquet`: as `predictions`, with the name of the baseline.",
            reads=(*read_where(_against_stockformer), *SCOPE),
            after=(Read("corr_adj", _against_stockformer),),
            sections=lambda experiment: (
                frozenset({"baselines", "seed"})
                | (frozenset({"model", "training", "graph"}) if _against_stockformer(experiment) else frozenset())
            ),
            part=_settings_of_rivals,
        ),
    )

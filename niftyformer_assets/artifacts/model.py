"""Rows of `model`: the trained model, its predictions and those of the baselines."""

from __future__ import annotations

from typing import Any

from niftyformer_assets.artifacts.rows import SCOPE, Artifact, Read, row
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.model.baseline_settings import own_settings
from niftyformer_assets.model.settings import STOCKFORMER


def _is_network(experiment: Experiment) -> bool:
    return experiment.model.name == STOCKFORMER


def _of_model(experiment: Experiment) -> frozenset[str]:
    """The sections that decide on the model, whichever it is."""
    own = {"graph", "training"} if _is_network(experiment) else {"baselines"}
    return frozenset({"model", "seed", *own})


def _own_settings(experiment: Experiment, values: dict[str, Any]) -> dict[str, Any]:
    """Of a baseline that is the model nothing but its own settings decides."""
    if _is_network(experiment):
        return values
    name = experiment.model.name
    return values | {"model": {"name": name}, "baselines": own_settings(name, values["baselines"])}


def model_rows() -> tuple[Artifact, ...]:
    made_by = (
        "model",
        "dataset",
        "factors/labels.py",
        "market",
        "experiments/opened.py",
        "defs/bodies/training.py",
        "defs/bodies/experiment_file.py",
    )
    # Of flow.npz the bands are read by the network alone.
    returns_of_flow = Read("flow", without=frozenset({"wavelet"}))
    reads = (
        Read("flow", _is_network),
        returns_of_flow._replace(where=lambda experiment: not _is_network(experiment)),
        *("trend_indicator", "neutralized_factors"),
        Read("graph_embeddings", lambda experiment: _is_network(experiment) and experiment.graph.embedding != "none"),
    )

    return (
        row(
            "trained_model",
            "experiment",
            lambda place: (place.model,),
            made_by,
            {"pytorch"},
            "The model that is traded, fitted on the training sessions of the experiment's folder: the "
            "Multitask-Stockformer, of which the epoch with the best validation error is kept, or the baseline that "
            "`model.name` names.\n\n"
            "`model/`: `best.pt`, `last.pt` (training goes on from there when it was interrupted), metrics and a "
            "TensorBoard log, or a baseline's `learned.npz`; `model.json` says what it was fitted on. Errors are in "
            "units of the label: simple returns, or standardised ranks.",
            reads=reads,
            after=(Read("corr_adj", _is_network),),
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
            made_by,
            {"pytorch", "parquet"},
            "What the trained model says of each stock one and two sessions ahead, from `trained_model`.\n\n"
            "`predictions.parquet`: date_made, date_predicted, horizon (sessions), symbol, split, return (or score, "
            "where the label is a rank or z-score), p_up (probability). The prediction with the longest horizon is "
            "the one that can be traded.",
            reads=("trained_model", *reads),
            after=(Read("corr_adj", _is_network),),
            part=_own_settings,
            beside=lambda place: (place.model / "output",),
        ),
        row(
            "baseline_predictions",
            "experiment",
            lambda place: (place.baseline_predictions,),
            made_by,
            {"scikitlearn", "pytorch", "parquet"},
            "Predictions of simpler models of the same stocks on the same sessions: ridge, gradient boosting, random "
            "forest, LSTM, GRU, reversal, momentum, equal weight, zero, majority, random, but the one that is the "
            "model itself.\n\n"
            "`baseline_predictions.parquet`: as `predictions`, with the name of the baseline.",
            reads=(returns_of_flow, "trend_indicator", "neutralized_factors", *SCOPE),
            sections=frozenset({"baselines", "seed"}),
            part=lambda experiment, values: (
                values | {"baselines": values["baselines"] | {"names": list(experiment.rivals)}}
            ),
        ),
    )

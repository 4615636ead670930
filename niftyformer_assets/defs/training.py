"""Training, inference and baselines as assets."""

from __future__ import annotations

import dagster as dg
import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.experiment_file import sessions_to_come, take_over_settings
from niftyformer_assets.defs.resources import Experiments, GpuResource
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.model.baselines import baseline_predictions as predictions_of_baselines
from niftyformer_assets.model.baselines import load_baseline_inputs
from niftyformer_assets.model.checkpoint import (
    ModelFolder,
    changed_settings,
    model_card,
    read_card,
    why_not_go_on,
)
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.pictures import training_curves
from niftyformer_assets.model.predict import predict, write_last_step
from niftyformer_assets.model.step import Steps
from niftyformer_assets.model.training import Trained, networks, remove_others, train
from niftyformer_assets.model.watch import Told, tensorboard
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import write_parquet

# The curves and figures that an epoch is judged by, each beside what a trivial predictor reaches.
BEST = ("epoch", "val_mae", "val_mae_zero", "val_accuracy", "val_accuracy_majority", "val_rank_ic")


def train_model(context: dg.AssetExecutionContext, experiments: Experiments, gpu: GpuResource) -> Made:
    """Train the experiment's Stockformer, or go on where a training was interrupted."""
    experiment, folder = experiments.take(context.partition_key), experiments.folder(context.partition_key)
    take_over_settings(folder, experiment)
    dataset = load_dataset(folder.root)
    device = gpu.device(dataset.settings.training.precision)
    context.log.info(f"training on {device}")
    remove_others(dataset, folder.model)
    steps, trained = Steps(), []
    for network, place in networks(dataset, folder.model):
        # A training interrupted on the same data and settings goes on; on others it begins anew, and says why.
        files, seed = ModelFolder(place), network.settings.seed
        if found := why_not_go_on(files, model_card(network, device)):
            context.log.info(f"training of seed {seed} begins anew: {'; '.join(found)}")
        of = f"seed {seed}, " if dataset.settings.training.seeds > 1 else ""
        told = Told(lambda line, of=of: context.log.info(of + line))  # type: ignore[misc]
        trained.append(train(network, place, device, [told, tensorboard(files.tensorboard)], bool(found), steps))
    best = pd.DataFrame([{"seed": dataset.settings.seed + number, **_best(one)} for number, one in enumerate(trained)])
    return Made(
        {
            "dagster/row_count": sum(len(one.history) for one in trained),
            "device": device.name,
            "memory_mib": device.memory_mib,
            "memory_free_before_mib": device.free_mib if device.free_mib is not None else "not a GPU",
            "memory_peak_mib": float(pd.concat([one.speed for one in trained])["memory_mib"].max()),
            "compute_capability": device.compute_capability or "not a GPU",
            "precision": device.precision,
            "stopped": "\n\n".join(one.stopped for one in trained),
            **{f"best_{name}": value for name, value in _best(trained[0]).items()},
            "notes": "\n\n".join(dict.fromkeys(note for one in trained for note in one.notes)) or "none",
            "curves": picture(training_curves(trained[0].history), "loss, error and accuracy by epoch"),
            **({"networks": table(best)} if len(trained) > 1 else {}),
        },
    )


def predict_with_model(context: dg.AssetExecutionContext, experiments: Experiments, gpu: GpuResource) -> Made:
    """Let the trained model speak about the validation, test and later sessions."""
    experiment, folder = experiments.take(context.partition_key), experiments.folder(context.partition_key)
    take_over_settings(folder, experiment)
    dataset = load_dataset(folder.root)
    # The card, not a record: the model may have been trained on another machine.
    card = read_card(ModelFolder(folder.model).card)
    if found := changed_settings(card.get("settings", {}), dataset.settings.values()):
        raise NiftyFormerError(
            f"the model in {folder.model} was trained with other settings than {experiment.name} has: "
            f"{'; '.join(found)}. Materialize trained_model again, or change the experiment back."
        )
    before, now = card.get("data", {}), dataset.fingerprint()
    if other := [name for name in now if before.get(name) != now[name]]:
        context.log.warning(f"the model in {folder.model} was trained on other {', '.join(other)} than are there now")
    frame = predict(dataset, folder.model, gpu.device(dataset.settings.training.precision))
    write_parquet(folder.predictions, frame)
    write_last_step(ModelFolder(folder.model), dataset, frame)
    return Made(
        {
            **_described(frame),
            "trained_on": f"other {', '.join(other)} than are there now" if other else "what is there now",
            "by_part": table(_by_part(frame)),
        },
    )


def predict_baselines(context: dg.AssetExecutionContext, experiments: Experiments) -> Made:
    """Fit and predict every baseline of the experiment."""
    opened = experiments.open(context.partition_key)
    experiment, folder, axes = opened.settings, opened.folder, opened.axes
    inputs = load_baseline_inputs(folder, opened.axes, opened.scope.split, experiment.windows)
    frame = predictions_of_baselines(
        inputs,
        experiment.baselines,
        experiment.seed,
        to_come=sessions_to_come(axes.dates[-1], experiment.windows.output_sessions),
        progress=context.log.info,
    )
    write_parquet(folder.baseline_predictions, frame)
    by_name = frame.groupby("baseline", sort=False).size().rename("rows").reset_index()
    return Made(
        {**_described(frame), "baselines": table(by_name)},
    )


def _best(trained: Trained) -> dict[str, float]:
    return {name: float(trained.best[name]) for name in BEST if name in trained.best}


def _by_part(frame: pd.DataFrame) -> pd.DataFrame:
    column = "return" if "return" in frame else "score"
    parts = frame.sort_values(["date_predicted", "horizon"]).groupby(["split", "horizon"], sort=False)
    return parts.agg(
        sessions=("date_made", "nunique"),
        predictions=(column, "size"),
        mean=(column, "mean"),
        std=(column, "std"),
        share_up=("p_up", lambda p_up: float((p_up > 0.5).mean())),
    ).reset_index()


def _described(frame: pd.DataFrame) -> dict[str, object]:
    made = np.sort(frame["date_made"].unique())
    return {
        "dagster/row_count": len(frame),
        "symbols": int(frame["symbol"].nunique()),
        "made_from": str(pd.Timestamp(made[0]).date()),
        "made_to": str(pd.Timestamp(made[-1]).date()),
        "kind": "returns" if "return" in frame else "scores: ranks or z-scores across the stocks of a session",
    }

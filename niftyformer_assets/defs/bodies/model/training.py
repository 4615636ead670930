"""Training, inference and baselines as assets."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.resources import Experiments, GpuResource
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.folder_files import update_settings
from niftyformer_assets.factors.labels import Unit
from niftyformer_assets.model.baseline_predictions import baseline_predictions as predictions_of_baselines
from niftyformer_assets.model.baseline_predictions import remove_other_rivals
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.pictures import training_curves
from niftyformer_assets.model.predictions import BASELINE, label_column, value_column
from niftyformer_assets.model.trained import Watch
from niftyformer_assets.model.trained_things import trained_thing
from niftyformer_assets.model.watch import Observer, Told, tensorboard
from niftyformer_assets.model.written_predictions import write_predictions
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import write_parquet


def train_model(context: dg.AssetExecutionContext, experiments: Experiments, gpu: GpuResource) -> Made:
    """Fit the experiment's model, or go on where a training was interrupted."""
    experiment, folder = experiments.take(context.partition_key), experiments.folder(context.partition_key)
    update_settings(folder, experiment)
    dataset, model = load_dataset(folder.root), trained_thing(experiment.model.name)

    def observers(seed: int, place: Path) -> list[Observer]:
        of = f"seed {seed}, " if dataset.settings.networks > 1 else ""
        return [Told(lambda line: context.log.info(of + line)), tensorboard(ModelFolder(place).tensorboard)]

    watch = Watch(context.log.info, observers)
    fitted = model.fit(dataset, folder.model, gpu.chooser(model), watch, restart=None)
    for line in fitted.said:
        context.log.info(line)
    drawn: dict[str, dg.MetadataValue] = {}
    if (history := fitted.history) is not None:
        curves = training_curves(history, int(fitted.figures["best_epoch"]))
        drawn["curves"] = picture(curves, "loss, error and accuracy by epoch")
    return Made(
        {
            "dagster/row_count": fitted.rows,
            **fitted.figures,
            "notes": "\n\n".join(fitted.notes) or "none",
            **drawn,
            **{name: table(rows) for name, rows in fitted.tables.items()},
        },
    )


def predict_with_model(context: dg.AssetExecutionContext, experiments: Experiments, gpu: GpuResource) -> Made:
    """Let the trained model speak about the validation, test and later sessions."""
    experiment, folder = experiments.take(context.partition_key), experiments.folder(context.partition_key)
    update_settings(folder, experiment)
    dataset, model = load_dataset(folder.root), trained_thing(experiment.model.name)
    # The card, not a record: the model may have been trained on another machine.
    if found := model.changed_settings(dataset, folder.model):
        raise NiftyFormerError(
            f"the model in {folder.model} was trained with other settings than {experiment.name} has: "
            f"{'; '.join(found)}. Materialize trained_model again, or change the experiment back."
        )
    if other := model.changed_data(dataset, folder.model):
        context.log.warning(f"the model in {folder.model} was trained on other {', '.join(other)} than are there now")
    frame = write_predictions(
        *(model, dataset, folder.model, gpu.chooser(model)), folder.predictions, folder.network_predictions
    )
    return Made(
        {
            **_described(frame, experiment.windows.unit),
            "trained_on": f"other {', '.join(other)} than are there now" if other else "what is there now",
            "by_part": table(_by_part(frame)),
        },
    )


def predict_baselines(context: dg.AssetExecutionContext, experiments: Experiments, gpu: GpuResource) -> Made:
    """Fit and ask every baseline of the experiment."""
    experiment, folder = experiments.take(context.partition_key), experiments.folder(context.partition_key)
    update_settings(folder, experiment)
    remove_other_rivals(folder, experiment.rivals)
    frame = predictions_of_baselines(
        experiment.rivals, partial(load_dataset, folder.root), folder.rival, gpu.chooser, context.log.info
    )
    write_parquet(folder.baseline_predictions, frame)
    by_name = frame.groupby(BASELINE, sort=False).size().rename("rows").reset_index()
    return Made(
        {**_described(frame, experiment.windows.unit), "baselines": table(by_name)},
    )


def _by_part(frame: pd.DataFrame) -> pd.DataFrame:
    column = value_column(frame)
    parts = frame.sort_values(["date_predicted", "horizon"]).groupby(["split", label_column(frame)], sort=False)
    return parts.agg(
        sessions=("date_made", "nunique"),
        predictions=(column, "size"),
        mean=(column, "mean"),
        std=(column, "std"),
        share_up=("p_up", lambda p_up: float((p_up > 0.5).mean())),
    ).reset_index()


def _described(frame: pd.DataFrame, unit: Unit) -> dict[str, object]:
    made = np.sort(frame["date_made"].unique())
    return {
        "dagster/row_count": len(frame),
        "symbols": int(frame["symbol"].nunique()),
        "made_from": str(pd.Timestamp(made[0]).date()),
        "made_to": str(pd.Timestamp(made[-1]).date()),
        "kind": unit.kind,
    }

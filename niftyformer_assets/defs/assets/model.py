"""Assets of the `model` package: the trained Stockformer, its predictions, and those of the baselines."""

from functools import partial

import dagster as dg

from niftyformer_assets.defs.experiment_settings import settings_dep
from niftyformer_assets.defs.made_with import DATASET
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import ExperimentHolder, GpuResource
from niftyformer_assets.defs.results import one_line_errors
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.provenance import code_version

MADE_BY = ("model", "dataset")

# One GPU, asked for in the terms of each launcher: the pool here, a queue with Celery, a limit on Kubernetes.
GPU_TAGS = {
    "dagster-celery/queue": "gpu",
    "dagster-k8s/config": {"container_config": {"resources": {"limits": {"nvidia.com/gpu": 1}}}},
}


def model_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """Training, inference and baselines, by experiment."""
    experiments = partitions.experiments.get_partition_keys()
    asset = partial(
        dg.asset,
        group_name="model",
        owners=["team:model"],
        partitions_def=partitions.experiments,
        code_version=code_version(*MADE_BY),
    )

    @asset(
        deps=[*DATASET, settings_dep(experiments, "trained_model")],
        pool="gpu",
        op_tags=GPU_TAGS,
        kinds={"pytorch"},
        description="The Multitask-Stockformer, trained on the training sessions of the experiment's folder; the epoch "
        "with the best validation error is kept.\n\n"
        "`model/`: `best.pt`, `last.pt` (training goes on from there when it was interrupted), metrics and a "
        "TensorBoard log. Errors are in units of the label: simple returns, or standardised ranks.",
    )
    @one_line_errors()
    def trained_model(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
        gpu: GpuResource,
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.training import train_model

        holder.take(settings.workspace, context.partition_key)
        return train_model(context, settings, gpu, MADE_BY)

    @asset(
        deps=["trained_model", *DATASET, settings_dep(experiments, "predictions")],
        pool="gpu",
        op_tags=GPU_TAGS,
        kinds={"pytorch", "parquet"},
        description="What the trained model says of each stock one and two sessions ahead, from `trained_model`.\n\n"
        "`predictions.parquet`: date_made, date_predicted, horizon (sessions), symbol, split, return (or score, where "
        "the label is a rank or z-score), p_up (probability). The prediction with the longest horizon is the one "
        "that can be traded.",
    )
    @one_line_errors()
    def predictions(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
        gpu: GpuResource,
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.training import predict_with_model

        holder.take(settings.workspace, context.partition_key)
        return predict_with_model(context, settings, gpu, MADE_BY)

    @asset(
        deps=[
            *("flow", "trend_indicator", "neutralized_factors", "market_panel", "universe"),
            settings_dep(experiments, "baseline_predictions"),
        ],
        kinds={"scikitlearn", "pytorch", "parquet"},
        description="What plainer means say of the same stocks on the same sessions: ridge, gradient boosting, random "
        "forest, LSTM, GRU, reversal, momentum, equal weight, zero, majority, random.\n\n"
        "`baseline_predictions.parquet`: as `predictions`, with the name of the baseline.",
    )
    @one_line_errors()
    def baseline_predictions(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.training import predict_baselines

        holder.take(settings.workspace, context.partition_key)
        return predict_baselines(context, settings, MADE_BY)

    return [trained_model, predictions, baseline_predictions]

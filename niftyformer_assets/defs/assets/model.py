"""Assets of the `model` package: the trained model, its predictions, and those of the baselines."""

from functools import partial

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made, artifact_asset
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import Experiments, GpuResource
from niftyformer_assets.defs.workers import GPU, QUEUE

# One GPU, asked for in the terms of each launcher: the pool here, a queue with Celery, a limit on Kubernetes.
POOL = "gpu"
GPU_TAGS = {
    QUEUE: GPU,
    "dagster-k8s/config": {"container_config": {"resources": {"limits": {"nvidia.com/gpu": 1}}}},
}


def model_assets(partitions: Partitions, *, one_training: bool) -> list[dg.AssetsDefinition]:
    """Training, inference and baselines, by experiment; of several runs one at a time if `one_training`."""
    asset = partial(artifact_asset, partitions)
    pool = POOL if one_training else None

    @asset(pool=pool, op_tags=GPU_TAGS)
    def trained_model(
        context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments], gpu: GpuResource
    ) -> Made:
        from niftyformer_assets.defs.bodies.model.training import train_model

        return train_model(context, experiments, gpu)

    @asset(pool=pool, op_tags=GPU_TAGS)
    def predictions(
        context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments], gpu: GpuResource
    ) -> Made:
        from niftyformer_assets.defs.bodies.model.training import predict_with_model

        return predict_with_model(context, experiments, gpu)

    # Networks are among the baselines unless an experiment leaves them out.
    @asset(pool=pool, op_tags=GPU_TAGS)
    def baseline_predictions(
        context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments], gpu: GpuResource
    ) -> Made:
        from niftyformer_assets.defs.bodies.model.training import predict_baselines

        return predict_baselines(context, experiments, gpu)

    return [trained_model, predictions, baseline_predictions]

"""Assets of the `dataset` package: bands, trend, correlation graph and its embedding, by experiment."""

from functools import partial

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made, artifact_asset
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import Experiments


def dataset_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The four artifacts that turn returns into what the model sees."""
    asset = partial(artifact_asset, partitions)

    def experiment_files(experiments: Experiments, name: str) -> None:
        from niftyformer_assets.experiments.folder_files import write_experiment_files

        write_experiment_files(experiments.open(name))

    @asset(own=experiment_files)
    def flow(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.bodies.dataset.flow import make_flow

        return make_flow(experiments.open(context.partition_key))

    @asset()
    def trend_indicator(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.bodies.dataset.trend import make_trend

        return make_trend(experiments.open(context.partition_key))

    @asset()
    def corr_adj(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.bodies.dataset.correlation import make_graph

        return make_graph(experiments.open(context.partition_key))

    @asset()
    def graph_embeddings(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.bodies.dataset.embedding import embed_graph

        return embed_graph(experiments.open(context.partition_key))

    return [flow, trend_indicator, corr_adj, graph_embeddings]

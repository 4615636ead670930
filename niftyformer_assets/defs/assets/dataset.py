"""Assets of the `dataset` package: bands, trend, correlation graph and its embedding, by experiment."""

from functools import partial

import dagster as dg
import numpy as np

from niftyformer_assets.defs.artifact_asset import Made, artifact_asset
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import Experiments
from niftyformer_assets.defs.results import picture, table


def dataset_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The four artifacts that turn returns into what the model sees."""
    asset = partial(artifact_asset, partitions)

    def experiment_files(experiments: Experiments, name: str) -> None:
        from niftyformer_assets.defs.bodies.experiment_file import write_experiment_files

        write_experiment_files(experiments.open(name))

    @asset(own=experiment_files)
    def flow(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.dataset import flow as bands
        from niftyformer_assets.defs.bodies.experiment_file import write_experiment_files

        opened = experiments.open(context.partition_key)
        experiment, folder = opened.experiment, opened.folder
        arrays = bands.flow(opened.returns(), opened.axes, experiment.windows, experiment.wavelet)
        bands.save_flow(folder.flow, arrays, opened.axes)
        write_experiment_files(opened)
        sessions, symbols = opened.axes.shape
        split = opened.scope.split
        return Made(
            {
                "dagster/row_count": sessions,
                "symbols": symbols,
                "windows": len(arrays["low_freq"]),
                "sessions": f"train {split.sessions('train')}, validation {split.sessions('validation')}, "
                f"test {split.sessions('test')}, later {split.sessions('later')}",
                "left_out": dg.MetadataValue.json(opened.scope.left_out),
                "survivorship": opened.scope.survivorship,
                "bands": picture(bands.flow_picture(arrays, opened.axes), "a stock's return and its bands"),
            },
        )

    @asset()
    def trend_indicator(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.dataset.trend import save_trend, trend, trend_picture

        opened = experiments.open(context.partition_key)
        arrays = trend(opened.returns())
        save_trend(opened.folder.trend_indicator, arrays, opened.axes)
        valid, up = arrays["valid"], arrays["result"]
        return Made(
            {
                "dagster/row_count": len(up),
                "symbols": up.shape[1],
                "share_up": float(up[valid].mean()),
                "share_missing": float(1 - valid.mean()),
                "share_up_by_session": picture(trend_picture(arrays, opened.axes), "share of stocks that rose"),
            },
        )

    @asset()
    def corr_adj(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.dataset.correlation import correlation_adjacency, save_adjacency
        from niftyformer_assets.dataset.graph import correlation_graph, graph_picture, graph_statistics, save_graphml
        from niftyformer_assets.factors.neutralize import read_neutralized

        opened = experiments.open(context.partition_key)
        folder, graph_settings = opened.folder, opened.experiment.graph
        factors = None
        if graph_settings.source == "factors":
            made, _ = read_neutralized(folder, opened.axes)
            factors = np.where(made.valid, made.result, np.nan)
        train = opened.scope.split.train
        adjacency = correlation_adjacency(opened.returns(), train, graph_settings, opened.segments(), factors)
        graph = correlation_graph(adjacency, opened.axes.symbols, opened.sectors)
        save_adjacency(folder.corr_adj, adjacency, opened.axes)
        save_graphml(folder.corr_graph, graph)
        statistics = graph_statistics(graph)
        return Made(
            {
                "dagster/row_count": statistics.symbols,
                "edges": statistics.edges,
                "density": statistics.density,
                "components": statistics.components,
                "isolated": ", ".join(statistics.isolated) or "none",
                "edges_within_a_sector": statistics.within_sector
                if statistics.within_sector is not None
                else "no edge",
                "edges_within_a_sector_by_chance": statistics.within_sector_by_chance,
                "graph": picture(graph_picture(graph), "the correlation graph, coloured by sector"),
            },
        )

    @asset()
    def graph_embeddings(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.dataset.embed import graph_embedding
        from niftyformer_assets.dataset.embedding import save_embedding
        from niftyformer_assets.dataset.information import embedding_information, embedding_picture
        from niftyformer_assets.store.arrays import load_arrays

        opened = experiments.open(context.partition_key)
        folder, experiment = opened.folder, opened.experiment
        seed = experiment.seed_of("graph")
        loaded, _ = load_arrays(folder.corr_adj, opened.axes)
        adjacency = loaded[folder.corr_adj.stem]
        embedding = graph_embedding(adjacency, experiment.graph, seed)
        save_embedding(folder.graph_embeddings, embedding.vectors, opened.axes)
        sectors = [opened.sectors[symbol] for symbol in opened.axes.symbols]
        information = embedding_information(embedding.vectors, adjacency, sectors, seed)
        return Made(
            {
                "dagster/row_count": len(embedding.vectors),
                "dimensions": embedding.vectors.shape[1],
                "embedding": experiment.graph.embedding,
                "information": table(information),
                "seconds": dg.MetadataValue.json({name: round(s, 3) for name, s in embedding.seconds.items()}),
                "map": picture(embedding_picture(embedding.vectors, adjacency, sectors), "the embedding in two axes"),
            },
        )

    return [flow, trend_indicator, corr_adj, graph_embeddings]

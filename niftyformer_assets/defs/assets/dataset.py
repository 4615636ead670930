"""Assets of the `dataset` package: bands, trend, correlation graph and its embedding, by experiment."""

from functools import partial

import dagster as dg
import numpy as np

from niftyformer_assets.defs.experiment_settings import settings_dep
from niftyformer_assets.defs.made_with import deciding_settings, must_be_made_with
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.resources import ExperimentHolder
from niftyformer_assets.defs.results import materialized, one_line_errors, picture, table
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.provenance import code_version

MADE_BY = ("dataset", "market")
# What decides on an experiment's sessions, symbols and returns.
SCOPE = ("universe", "market_panel", "labels")


def dataset_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The four artifacts that turn returns into what the model sees."""
    experiments = partitions.experiments.get_partition_keys()
    asset = partial(
        dg.asset,
        group_name="dataset",
        owners=["team:dataset"],
        partitions_def=partitions.experiments,
        code_version=code_version(*MADE_BY),
    )

    @asset(
        deps=[*SCOPE, settings_dep(experiments, "flow")],
        kinds={"numpy", "wavelet"},
        description="Daily returns and their wavelet bands, from `labels`.\n\n"
        "`flow.npz`: `result` [sessions, symbols] (missing = 0), `low_freq` and `high_freq` "
        "[windows, sessions of a window, symbols]; simple returns, not percent. Each window is decomposed by itself, "
        "so no band sees past its window. Beside it `experiment.json` and `stockformer.conf`, with which the published "
        "code trains on this folder.",
    )
    @one_line_errors()
    def flow(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.dataset import flow as bands
        from niftyformer_assets.defs.experiment_file import write_experiment_files
        from niftyformer_assets.experiment import open_experiment

        holder.take(settings.workspace, context.partition_key)
        opened = open_experiment(settings, context.partition_key)
        experiment, folder = opened.settings, opened.folder
        arrays = bands.flow(opened.returns(), opened.axes, experiment.windows, experiment.wavelet)
        bands.save_flow(folder.flow, arrays, opened.axes)
        write_experiment_files(opened)
        sessions, symbols = opened.axes.shape
        split = opened.scope.split
        return materialized(
            "flow",
            folder.provenance,
            made_by=MADE_BY,
            settings=experiment.values(),
            inputs=[opened.workspace.labels, opened.workspace.market_panel, opened.workspace.universe],
            outputs=[folder.flow, folder.stockformer_conf],
            metadata={
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

    @asset(
        deps=[*SCOPE, settings_dep(experiments, "trend_indicator")],
        kinds={"numpy"},
        description="Whether each return is above 0, from `labels`.\n\n"
        "`trend_indicator.npz`: `result` 0/1 [sessions, symbols] (missing = 0) and `valid`, False where there was "
        "no return.",
    )
    @one_line_errors()
    def trend_indicator(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.dataset.trend import save_trend, trend, trend_picture
        from niftyformer_assets.experiment import open_experiment

        holder.take(settings.workspace, context.partition_key)
        opened = open_experiment(settings, context.partition_key)
        arrays = trend(opened.returns())
        save_trend(opened.folder.trend_indicator, arrays, opened.axes)
        valid, up = arrays["valid"], arrays["result"]
        return materialized(
            "trend_indicator",
            opened.folder.provenance,
            made_by=MADE_BY,
            settings=deciding_settings(opened.settings, "trend_indicator"),
            inputs=[opened.workspace.labels, opened.workspace.market_panel, opened.workspace.universe],
            outputs=[opened.folder.trend_indicator],
            metadata={
                "dagster/row_count": len(up),
                "symbols": up.shape[1],
                "share_up": float(up[valid].mean()),
                "share_missing": float(1 - valid.mean()),
                "share_up_by_session": picture(trend_picture(arrays, opened.axes), "share of stocks that rose"),
            },
        )

    @asset(
        deps=[*SCOPE, "neutralized_factors", settings_dep(experiments, "corr_adj")],
        kinds={"numpy", "networkx"},
        description="The graph of stocks that move together, from `labels` of the training sessions only (or from "
        "`neutralized_factors`, by a setting).\n\n"
        "`corr_adj.npy`: correlations [symbols, symbols], those under the threshold and the diagonal 0; "
        "`corr_adj.graphml`: the same as a graph with every symbol and its sector.",
    )
    @one_line_errors()
    def corr_adj(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.dataset.correlation import correlation_adjacency, save_adjacency
        from niftyformer_assets.dataset.graph import correlation_graph, graph_picture, graph_statistics, save_graphml
        from niftyformer_assets.experiment import open_experiment
        from niftyformer_assets.factors.neutralize import read_neutralized

        holder.take(settings.workspace, context.partition_key)
        opened = open_experiment(settings, context.partition_key)
        folder, graph_settings = opened.folder, opened.settings.graph
        inputs = [opened.workspace.labels, opened.workspace.market_panel, opened.workspace.universe]
        factors = None
        if graph_settings.source == "factors":
            must_be_made_with(opened.settings, folder, ["neutralized_factors"])
            made, _ = read_neutralized(folder, opened.axes)
            factors = np.where(made.valid, made.result, np.nan)
            inputs.append(folder.neutralized_factors)
        train = opened.scope.split.train
        adjacency = correlation_adjacency(opened.returns(), train, graph_settings, opened.segments(), factors)
        graph = correlation_graph(adjacency, opened.axes.symbols, opened.sectors)
        save_adjacency(folder.corr_adj, adjacency, opened.axes)
        save_graphml(folder.corr_graph, graph)
        statistics = graph_statistics(graph)
        return materialized(
            "corr_adj",
            folder.provenance,
            made_by=MADE_BY,
            settings=deciding_settings(opened.settings, "corr_adj"),
            inputs=inputs,
            outputs=[folder.corr_adj, folder.corr_graph],
            metadata={
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

    @asset(
        deps=["corr_adj", "universe", settings_dep(experiments, "graph_embeddings")],
        kinds={"numpy", "gensim"},
        description="A vector for each stock that says where it stands in `corr_adj`: struc2vec, spectral or none.\n\n"
        "`128_corr_struc2vec_adjgat.npy`: [symbols, dimensions], rows in the order of the symbols. The name is the "
        "published one, whatever the setting.",
    )
    @one_line_errors()
    def graph_embeddings(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.dataset.embed import graph_embedding
        from niftyformer_assets.dataset.embedding import save_embedding
        from niftyformer_assets.dataset.information import embedding_information, embedding_picture
        from niftyformer_assets.experiment import open_experiment
        from niftyformer_assets.store.arrays import load_arrays

        holder.take(settings.workspace, context.partition_key)
        opened = open_experiment(settings, context.partition_key)
        folder, experiment = opened.folder, opened.settings
        must_be_made_with(experiment, folder, ["corr_adj"])
        loaded, _ = load_arrays(folder.corr_adj, opened.axes)
        adjacency = loaded[folder.corr_adj.stem]
        embedding = graph_embedding(adjacency, experiment.graph, experiment.seed)
        save_embedding(folder.graph_embeddings, embedding.vectors, opened.axes)
        sectors = [opened.sectors[symbol] for symbol in opened.axes.symbols]
        information = embedding_information(embedding.vectors, adjacency, sectors, experiment.seed)
        return materialized(
            "graph_embeddings",
            folder.provenance,
            made_by=MADE_BY,
            settings=deciding_settings(experiment, "graph_embeddings"),
            inputs=[folder.corr_adj],
            outputs=[folder.graph_embeddings],
            metadata={
                "dagster/row_count": len(embedding.vectors),
                "dimensions": embedding.vectors.shape[1],
                "embedding": experiment.graph.embedding,
                "information": table(information),
                "seconds": dg.MetadataValue.json({name: round(s, 3) for name, s in embedding.seconds.items()}),
                "map": picture(embedding_picture(embedding.vectors, adjacency, sectors), "the embedding in two axes"),
            },
        )

    return [flow, trend_indicator, corr_adj, graph_embeddings]

"""The graph of stocks that move together, as an asset."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.dataset.correlation import correlation_adjacency, save_adjacency
from niftyformer_assets.dataset.graph import correlation_graph, graph_picture, graph_statistics, save_graphml
from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.factors.neutralize import read_neutralized


def make_graph(opened: OpenedExperiment) -> Made:
    """Correlate the stocks over the training sessions."""
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
            "edges_within_a_sector": statistics.within_sector if statistics.within_sector is not None else "no edge",
            "edges_within_a_sector_by_chance": statistics.within_sector_by_chance,
            "graph": picture(graph_picture(graph), "the correlation graph, coloured by sector"),
        },
    )

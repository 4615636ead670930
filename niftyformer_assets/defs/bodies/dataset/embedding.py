"""Where each stock stands in the graph, as an asset."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.dataset.embed import graph_embedding
from niftyformer_assets.dataset.embedding import save_embedding
from niftyformer_assets.dataset.information import embedding_information, embedding_picture
from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.store.arrays import load_arrays


def embed_graph(opened: OpenedExperiment) -> Made:
    """Embed the correlation graph."""
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

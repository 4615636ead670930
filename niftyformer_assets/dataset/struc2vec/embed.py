"""From a graph to its struc2vec embedding, stage by stage."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from niftyformer_assets.dataset.blas import one_thread
from niftyformer_assets.dataset.embedding import Embedding
from niftyformer_assets.store.errors import NiftyFormerError

# Deeper rings are left out (the published third optimisation): a correlation graph has 5 or so
# layers, and a chain of N nodes would need N of them, [N, N, N] numbers.
MOST_LAYERS = 16


def struc2vec(adjacency: np.ndarray, walks: int, walk_length: int, dimensions: int, seed: int) -> Embedding:
    """Embed the nodes of a graph by the part they play in it.

    Args:
        adjacency: float [N, N], symmetric; any entry that is not 0 is an edge, its weight is not used.
        walks, walk_length: walks from each node, and nodes a walk.
        dimensions: D.

    Returns:
        Rows in the order of the nodes, isolated ones included; the same bits for the same seed on one
        machine. With it the seconds of each stage; importing and, the first time on a machine, compiling
        what they need comes before them.

    Raises:
        NiftyFormerError: all degrees are equal, so that the method has nothing to go on.
    """
    # numba and gensim take a second to import, and only this needs them.
    import gensim.models  # noqa: F401

    from niftyformer_assets.dataset.struc2vec.dtw import ring_distances
    from niftyformer_assets.dataset.struc2vec.multilayer import multilayer
    from niftyformer_assets.dataset.struc2vec.rings import degree_lists, distances
    from niftyformer_assets.dataset.struc2vec.skipgram import skipgram
    from niftyformer_assets.dataset.struc2vec.walks import random_walks

    edges = adjacency != 0
    np.fill_diagonal(edges, False)
    refuse_without_structure(edges)
    seconds: dict[str, float] = {}
    with one_thread(), _stage(seconds, "rings"):
        hops = distances(edges)
        lists = degree_lists(edges, hops, layers=min(int(hops.max()) + 1, MOST_LAYERS))
    with _stage(seconds, "distances"):
        between = [ring_distances(layer, threads=min(os.cpu_count() or 1, 8)) for layer in lists]
    with _stage(seconds, "layers"):
        graph = multilayer(between)
    with _stage(seconds, "walks"):
        paths = random_walks(graph, walks, walk_length, np.random.default_rng(seed))
    with _stage(seconds, "word2vec"):
        vectors = skipgram(paths, len(edges), dimensions, seed)
    return Embedding(vectors, seconds)


def refuse_without_structure(edges: np.ndarray) -> None:
    """Raise where every node has the same degree: then all structural distances are 0."""
    degrees = np.unique(edges.sum(axis=1))
    if len(degrees) == 1:
        kind = {0: "no edges at all", len(edges) - 1: "every pair joined"}.get(int(degrees[0]), "a regular graph")
        raise NiftyFormerError(
            f"struc2vec cannot tell {len(edges)} symbols apart: each has {degrees[0]} edges ({kind}), and it knows "
            "them by the degrees around them alone. Change graph.threshold, or set graph.embedding to spectral or none."
        )


@contextmanager
def _stage(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started

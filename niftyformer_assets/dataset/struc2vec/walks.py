"""Random walks over the multilayer graph, all of them in step."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.dataset.struc2vec.multilayer import Multilayer

STAY = 0.3  # the published probability of a step within the layer; otherwise the walk changes layer


def random_walks(graph: Multilayer, walks: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Walk `walks` times from every node, starting in the lowest layer.

    A change of layer adds no node to the walk. A walk that can neither rise nor fall waits.

    Returns:
        int64 [walks · N, length], in rounds that start once from each node, in random order.
    """
    nodes = graph.exists.shape[1]
    node = np.concatenate([rng.permutation(nodes) for _ in range(walks)])
    layer = np.zeros(len(node), dtype=np.int64)
    path = np.empty((len(node), length), dtype=np.int64)
    path[:, 0] = node
    done = np.ones(len(node), dtype=np.int64)
    active = np.arange(len(node)) if length > 1 else np.arange(0)
    while len(active):
        draw = rng.random((2, len(active)))
        steps = draw[0] < STAY
        moving, changing = active[steps], active[~steps]
        reached = graph.cumulative[layer[moving], node[moving]]
        node[moving] = (reached <= draw[1, steps, None]).sum(axis=1)
        path[moving, done[moving]] = node[moving]
        done[moving] += 1
        rises = draw[1, ~steps] < graph.up[layer[changing], node[changing]]
        layer[changing] = np.where(rises, layer[changing] + 1, np.maximum(layer[changing] - 1, 0))
        active = active[done[active] < length]
    return path

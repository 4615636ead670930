"""The degrees of the nodes at each distance from each node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class DegreeLists:
    """For each node the sorted degrees of one ring around it, run-length encoded.

    The list of node u is at start[u] … start[u+1]-1 of `degree` (float64, increasing) and `count`
    (float64, how many nodes of the ring have that degree). An empty ring has an empty list.
    """

    start: np.ndarray
    degree: np.ndarray
    count: np.ndarray

    @property
    def exists(self) -> np.ndarray:
        """bool [N]: the ring is not empty."""
        return np.diff(self.start) > 0


def distances(edges: np.ndarray) -> np.ndarray:
    """Hops between nodes, by breadth-first search from all of them at once.

    Args:
        edges: bool [N, N], symmetric, no self-loops.

    Returns:
        int32 [N, N]; -1 where there is no path.
    """
    nodes = len(edges)
    step = edges.astype(np.float32)  # counts up to N are exact, and the product is BLAS's
    hops = np.full((nodes, nodes), -1, dtype=np.int32)
    frontier = np.eye(nodes, dtype=bool)
    depth = 0
    while frontier.any():
        hops[frontier] = depth
        frontier = (frontier.astype(np.float32) @ step > 0) & (hops < 0)
        depth += 1
    return hops


def degree_lists(edges: np.ndarray, hops: np.ndarray, layers: int) -> list[DegreeLists]:
    """The degree lists of the rings at distance 0 … layers-1, one entry a layer."""
    degree = edges.sum(axis=1)
    values, kind = np.unique(degree, return_inverse=True)
    is_of = np.zeros((len(edges), len(values)), dtype=np.float32)
    is_of[np.arange(len(edges)), kind] = 1
    lists = []
    for layer in range(layers):
        count = (hops == layer).astype(np.float32) @ is_of
        node, which = np.nonzero(count)
        start = np.searchsorted(node, np.arange(len(edges) + 1))
        lists.append(DegreeLists(start, values[which].astype(np.float64), count[node, which].astype(np.float64)))
    return lists

"""The multilayer graph: in layer k, nodes are close if the degrees up to k hops around them are alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Multilayer:
    """Probabilities of a walk, K layers over N nodes.

    exists: bool [K, N], the node is in the layer: its ring is not empty, and some other node's is not.
    cumulative: float64 [K, N, N], for each node of a layer the cumulative probability of the next one.
    up: float64 [K, N], the probability that a change of layer goes up.
    """

    exists: np.ndarray
    cumulative: np.ndarray
    up: np.ndarray


def multilayer(ring_distances: Iterable[np.ndarray]) -> Multilayer:
    """Weigh the layers as published.

    With f_k the sum of the ring distances up to k, an edge of layer k weighs exp(-f_k); the edge of a
    node to itself in the layer above weighs log(Γ + e), Γ being the number of its edges in layer k that
    are heavier than the layer's mean, and the one below weighs 1.

    Args:
        ring_distances: for each layer float64 [N, N], inf where one of the two rings is empty.
    """
    exists, cumulative, heavier = [], [], []
    total: np.ndarray | float = 0.0
    for ring in ring_distances:
        total = total + ring
        distance = total.copy()
        np.fill_diagonal(distance, np.inf)
        nearest = distance.min(axis=1, keepdims=True)
        here = np.isfinite(nearest[:, 0])
        if not here.any():
            break
        weight = np.exp(-distance)
        mean = weight.sum() / (here.sum() * (here.sum() - 1))
        heavier.append((weight > mean).sum(axis=1))
        # Relative to the nearest node, so that a node far from all others still has probabilities.
        relative = np.exp(np.where(here[:, None], nearest, 0.0) - distance)
        reached = np.cumsum(relative, axis=1)
        # The last entry is 1 exactly: a draw below 1 always ends at a node of positive weight.
        cumulative.append(reached / np.where(here[:, None], reached[:, -1:], 1.0))
        exists.append(here)
    layers = len(exists)
    up = np.zeros((layers, len(exists[0])))
    for layer in range(layers - 1):
        weight_up = np.log(heavier[layer] + np.e)
        weight_down = 0.0 if layer == 0 else 1.0
        up[layer] = np.where(exists[layer + 1], weight_up / (weight_up + weight_down), 0.0)
    return Multilayer(np.stack(exists), np.stack(cumulative), up)

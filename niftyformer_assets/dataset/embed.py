"""The embedding an experiment asks for."""

from __future__ import annotations

import time

import numpy as np

from niftyformer_assets.dataset.embedding import Embedding
from niftyformer_assets.dataset.settings import GraphSettings
from niftyformer_assets.dataset.spectral import spectral
from niftyformer_assets.dataset.struc2vec import struc2vec


def graph_embedding(adjacency: np.ndarray, settings: GraphSettings, seed: int) -> Embedding:
    """Embed the correlation graph by struc2vec or spectrally; `none` is 0 throughout.

    Args:
        adjacency: float [N, N] of `correlation_adjacency`.

    Raises:
        NiftyFormerError: the graph has no structure for the method.
    """
    if settings.embedding == "struc2vec":
        return struc2vec(adjacency, settings.walks, settings.walk_length, settings.dimensions, seed)
    started = time.perf_counter()
    if settings.embedding == "spectral":
        vectors = spectral(adjacency, settings.dimensions)
    else:
        vectors = np.zeros((len(adjacency), settings.dimensions), dtype=np.float32)
    return Embedding(vectors, {settings.embedding: time.perf_counter() - started})

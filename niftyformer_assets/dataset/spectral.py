"""A spectral embedding of the correlation graph, plain beside struc2vec."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.dataset.blas import one_thread
from niftyformer_assets.store.errors import NiftyFormerError


def spectral(adjacency: np.ndarray, dimensions: int) -> np.ndarray:
    """Embed the nodes so that inner products of rows approximate the normalised adjacency.

    The eigenvectors of D^-½ A D^-½ with the largest eigenvalues, each scaled by the root of its
    eigenvalue (Rohe, Chatterjee, Yu 2011, "Spectral clustering and the high-dimensional stochastic
    blockmodel"; scaled as an adjacency spectral embedding). Columns without a positive eigenvalue are
    0, and so are the rows of isolated nodes. The sign is such that a column's largest entry is positive.

    Args:
        adjacency: float [N, N], symmetric, not negative; 0 where there is no edge.

    Returns:
        float32 [N, dimensions].

    Raises:
        NiftyFormerError: the graph has no edges.
    """
    if not adjacency.any():
        raise NiftyFormerError(
            f"the correlation graph of {len(adjacency)} symbols has no edges, so it has no spectral embedding: "
            "lower graph.threshold or graph.min_overlap, or set graph.embedding to none."
        )
    degree = adjacency.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1.0)), 0.0)
    with one_thread():
        eigenvalues, vectors = np.linalg.eigh(scale[:, None] * adjacency * scale[None, :])
    eigenvalues, vectors = eigenvalues[::-1][:dimensions], vectors[:, ::-1][:, :dimensions]
    # Eigenvalues that are 0 but for rounding belong to no structure.
    vectors = vectors * np.sqrt(np.where(eigenvalues > 1e-10, eigenvalues, 0.0))
    extreme = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    vectors = vectors * np.where(extreme < 0, -1.0, 1.0)
    vectors[degree == 0] = 0.0
    embedding = np.zeros((len(adjacency), dimensions), dtype=np.float32)
    embedding[:, : vectors.shape[1]] = vectors
    return embedding

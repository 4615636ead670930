from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.dataset.correlation import correlation_adjacency
from niftyformer_assets.dataset.embed import graph_embedding
from niftyformer_assets.dataset.settings import GraphSettings
from niftyformer_assets.dataset.spectral import spectral
from niftyformer_assets.store.errors import NiftyFormerError

from .made_up import SYMBOLS, TRAIN, returns


def adjacency() -> np.ndarray:
    return correlation_adjacency(returns(), TRAIN, GraphSettings())


def test_rows_reproduce_the_positive_part_of_the_normalised_adjacency() -> None:
    made = spectral(adjacency(), SYMBOLS).astype(np.float64)
    degree = adjacency().sum(axis=1)
    scale = np.divide(1, np.sqrt(degree), out=np.zeros(SYMBOLS), where=degree > 0)
    eigenvalues, vectors = np.linalg.eigh(scale[:, None] * adjacency() * scale)
    positive = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
    np.testing.assert_allclose(made @ made.T, positive, atol=1e-6)


def test_width_isolated_rows_and_signs() -> None:
    made = spectral(adjacency(), 128)
    assert made.shape == (SYMBOLS, 128) and made.dtype == np.float32
    assert not made[:, SYMBOLS:].any()
    isolated = adjacency().sum(axis=1) == 0
    assert isolated.any() and not made[isolated].any()
    used = made[:, made.any(axis=0)]
    assert (used[np.abs(used).argmax(axis=0), np.arange(used.shape[1])] > 0).all()
    np.testing.assert_array_equal(made, spectral(adjacency(), 128))
    np.testing.assert_array_equal(made[:, :4], spectral(adjacency(), 4))


def test_communities_lie_together() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(30) % 3
    joined = np.triu(rng.random((30, 30)) < np.where(groups[:, None] == groups, 0.7, 0.05), k=1).astype(float)
    made = spectral(joined + joined.T, 3)
    unit = made / np.linalg.norm(made, axis=1, keepdims=True)
    similarity = unit @ unit.T
    same = groups[:, None] == groups
    assert similarity[same].mean() > 0.9 and similarity[~same].mean() < 0.3


def test_a_graph_without_edges() -> None:
    with pytest.raises(NiftyFormerError, match="no edges"):
        spectral(np.zeros((5, 5)), 8)


def test_none_is_zero() -> None:
    made = graph_embedding(np.zeros((5, 5)), GraphSettings(embedding="none"), seed=1)
    assert made.vectors.shape == (5, 128) and not made.vectors.any()
    assert list(made.seconds) == ["none"]

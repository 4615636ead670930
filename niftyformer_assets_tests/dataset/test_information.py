from __future__ import annotations

import networkx as nx
import numpy as np

from niftyformer_assets.dataset.information import embedding_information, embedding_picture, information

NODES = 60
# Sectors, degrees and the order of the symbols have nothing to do with one another.
SECTOR = np.random.default_rng(1).permutation(NODES) % 4
SECTORS = [f"sector {kind}" for kind in SECTOR]
ADJACENCY = nx.to_numpy_array(
    nx.relabel_nodes(
        nx.barabasi_albert_graph(NODES, 3, seed=4),
        dict(enumerate(np.random.default_rng(2).permutation(NODES).tolist())),
    ),
    nodelist=range(NODES),
)
DEGREE = np.count_nonzero(ADJACENCY, axis=1)
NOISE = np.random.default_rng(0).normal(size=(NODES, 8))


def on_a_circle(values: np.ndarray) -> np.ndarray:
    """Vectors whose angles are the values, so that near values are near directions."""
    angle = np.pi * values / (values.max() + 1)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_an_embedding_of_degrees_is_told_from_one_of_sectors_and_one_of_positions() -> None:
    degree = information(on_a_circle(DEGREE), ADJACENCY, SECTORS, 0)
    assert degree.degree.significant and not degree.sector.significant and not degree.encodes_order
    assert degree.degree.observed < 0.2 * degree.degree.shuffled
    sector = information(np.eye(4)[SECTOR], ADJACENCY, SECTORS, 0)
    assert sector.sector.significant and not sector.degree.significant
    assert sector.sector.observed == 1.0
    order = information(on_a_circle(np.arange(NODES)), ADJACENCY, SECTORS, 0)
    assert order.encodes_order and not order.informative


def test_noise_carries_no_information() -> None:
    noise = information(NOISE, ADJACENCY, SECTORS, 0)
    assert not noise.informative and not noise.encodes_order
    assert "carries no information" in str(noise)
    assert 0.05 < noise.sector.p_value <= 1


def test_equal_rows_carry_no_information_and_no_order() -> None:
    zero = information(np.zeros((NODES, 8)), ADJACENCY, SECTORS, 0)
    assert not zero.informative and not zero.encodes_order
    assert zero.degree.p_value == zero.order.p_value == 1


def test_agreement_by_hand() -> None:
    # Two groups of two: each node's only near neighbour is the other of its group.
    vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    adjacency = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    found = information(vectors, adjacency, ["x", "x", "unknown", "unknown"], 0, neighbours=1)
    assert found.degree.observed == 1.0  # |2-1|, |1-2|, |1-0|, |0-1|
    assert found.sector.observed == 0.5  # the first two agree, the others' sectors are not known
    assert found.order.observed == 1.0


def test_the_same_seed_gives_the_same_figures() -> None:
    assert information(NOISE, ADJACENCY, SECTORS, 0) == information(NOISE, ADJACENCY, SECTORS, 0)


def test_fewer_symbols_than_neighbours() -> None:
    found = information(NOISE[:3], ADJACENCY[:3, :3], SECTORS[:3], 0, neighbours=5)
    assert 0 < found.order.p_value <= 1


def test_table_and_picture() -> None:
    table = embedding_information(np.eye(4)[SECTOR], ADJACENCY, SECTORS, 0)
    assert table["verdict"].tolist() == ["as by chance", "agree", "as by chance"]
    assert table["observed"].tolist()[1] == 1.0
    for vectors in (NOISE, np.zeros((NODES, 1))):
        picture = embedding_picture(vectors, ADJACENCY, SECTORS)
        assert picture.startswith(b"\x89PNG")
        assert picture == embedding_picture(vectors, ADJACENCY, SECTORS)

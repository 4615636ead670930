from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from niftyformer_assets.dataset.correlation import correlation_adjacency
from niftyformer_assets.dataset.graph import (
    NAMED,
    correlation_graph,
    graph_picture,
    graph_statistics,
    most_connected,
    room_for_names,
    save_graphml,
)
from niftyformer_assets.dataset.settings import GraphSettings

from .made_up import TRAIN, axes, returns, sectors

SYMBOLS = ("A", "B", "C", "D", "E")


def two_sectors() -> nx.Graph:
    """A-B-C joined, D-A joined, E alone; A, B, E are banks, C, D metals."""
    adjacency = np.zeros((5, 5))
    for a, b, weight in ((0, 1, 0.9), (1, 2, 0.4), (0, 2, 0.5), (0, 3, 0.6)):
        adjacency[a, b] = adjacency[b, a] = weight
    np.fill_diagonal(adjacency, 1.0)
    return correlation_graph(
        adjacency, SYMBOLS, {"A": "Banks", "B": "Banks", "C": "Metals", "D": "Metals", "E": "Banks"}
    )


def test_every_symbol_is_a_node_in_order_and_there_are_no_self_loops() -> None:
    graph = two_sectors()
    assert tuple(graph.nodes) == SYMBOLS
    assert nx.number_of_selfloops(graph) == 0
    assert graph.edges["B", "C"]["weight"] == 0.4
    assert graph.nodes["D"]["sector"] == "Metals"


def test_statistics_by_hand() -> None:
    found = graph_statistics(two_sectors())
    assert (found.symbols, found.edges, found.components, found.largest_component) == (5, 4, 2, 4)
    assert found.density == 0.4
    assert found.isolated == ("E",)
    assert found.within_sector == 0.25  # A-B of four edges
    assert found.within_sector_by_chance == pytest.approx(4 / 10)  # 3 pairs of banks, 1 of metals
    # Mixing matrix: B-B 2/8, B-M and M-B 3/8 each; 5/8 and 3/8 of the edge ends.
    expected = (2 / 8 - (25 + 9) / 64) / (1 - (25 + 9) / 64)
    assert found.sector_assortativity == pytest.approx(expected)


def test_a_graph_without_edges_or_sectors() -> None:
    found = graph_statistics(correlation_graph(np.zeros((3, 3)), ("A", "B", "C"), {}))
    assert (found.density, found.within_sector, found.sector_assortativity) == (0.0, None, None)
    assert found.isolated == ("A", "B", "C")
    joined = graph_statistics(correlation_graph(np.ones((3, 3)), ("A", "B", "C"), {}))
    assert (joined.within_sector, joined.sector_assortativity) == (1.0, None)


def test_made_up_sectors_show() -> None:
    adjacency = correlation_adjacency(returns(gaps=False), TRAIN, GraphSettings())
    found = graph_statistics(correlation_graph(adjacency, axes().symbols, sectors()))
    assert found.within_sector is not None and found.within_sector > 2 * found.within_sector_by_chance
    assert found.sector_assortativity is not None and found.sector_assortativity > 0.3


def test_graphml_is_read_back_and_is_the_same_bytes(tmp_path: Path) -> None:
    graph = two_sectors()
    save_graphml(tmp_path / "a.graphml", graph)
    save_graphml(tmp_path / "b.graphml", two_sectors())
    assert (tmp_path / "a.graphml").read_bytes() == (tmp_path / "b.graphml").read_bytes()
    back = nx.read_graphml(tmp_path / "a.graphml")
    assert dict(back.nodes(data="sector")) == dict(graph.nodes(data="sector"))
    assert {frozenset(edge): back.edges[edge]["weight"] for edge in back.edges} == {
        frozenset(edge): graph.edges[edge]["weight"] for edge in graph.edges
    }


def test_names_that_need_escaping_survive_graphml(tmp_path: Path) -> None:
    save_graphml(tmp_path / "g.graphml", correlation_graph(np.ones((2, 2)), ("M&M", "J<K"), {"M&M": 'Auto & "Parts"'}))
    assert list(nx.read_graphml(tmp_path / "g.graphml").nodes(data="sector")) == [
        ("M&M", 'Auto & "Parts"'),
        ("J<K", "unknown"),
    ]


@pytest.mark.parametrize("edges", [True, False])
def test_picture(edges: bool) -> None:
    graph = two_sectors() if edges else correlation_graph(np.zeros((2, 2)), ("A", "B"), {})
    assert graph_picture(graph).startswith(b"\x89PNG")
    assert graph_picture(graph) == graph_picture(graph)


def test_the_most_connected_bear_names() -> None:
    # Of B and C, which have as many edges, B has the heavier ones; E has none.
    assert most_connected(two_sectors()) == ["A", "B", "C", "D"]
    many = correlation_graph(np.ones((40, 40)), tuple(f"S{n:02d}" for n in range(40)), {})
    assert most_connected(many) == [f"S{n:02d}" for n in range(NAMED)]


def test_names_of_neighbours_do_not_cross() -> None:
    place = {"APART": np.array([0.0, 0.0]), "LEFT": np.array([1.0, 1.0]), "RIGHT": np.array([1.0, 1.001])}
    offsets = room_for_names(list(place), place)
    assert offsets["APART"] == (0, 6)
    assert offsets["LEFT"] != offsets["RIGHT"]
    assert room_for_names([], {}) == {}

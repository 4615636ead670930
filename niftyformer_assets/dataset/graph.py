"""The correlation graph as a networkx graph: GraphML, figures that describe it, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from niftyformer_assets import pictures
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.words import counted

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes

UNKNOWN_SECTOR = "unknown"
WIDTH, HEIGHT = 11, 7  # inches
NAMED = 15  # symbols that bear their name in the picture, those with the most edges
STRONGEST = 4  # edges of a symbol that its place in the picture depends on


@dataclass(frozen=True)
class GraphStatistics:
    """What a correlation graph looks like.

    density: share of all pairs that have an edge.
    components: number of connected components, isolated symbols included.
    within_sector: share of the edges that join two symbols of one sector; None without edges.
    within_sector_by_chance: the same share of all pairs of symbols.
    sector_assortativity: Newman's coefficient, 1 if all edges stay in their sector, 0 as by chance;
        None without edges or with one sector.
    """

    symbols: int
    edges: int
    density: float
    components: int
    largest_component: int
    isolated: tuple[str, ...]
    within_sector: float | None
    within_sector_by_chance: float
    sector_assortativity: float | None


def correlation_graph(adjacency: np.ndarray, symbols: Sequence[str], sectors: Mapping[str, str]) -> nx.Graph:
    """The graph with every symbol as a node, in the order of `symbols`, isolated ones included.

    Nodes carry `sector` ("unknown" where `sectors` lacks the symbol), edges carry `weight`, the
    correlation. There are no self-loops.

    Args:
        adjacency: float [N, N], symmetric; 0 where there is no edge.
    """
    import networkx as nx

    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from((symbol, {"sector": sectors.get(symbol, UNKNOWN_SECTOR)}) for symbol in symbols)
    rows, columns = np.nonzero(np.triu(adjacency, k=1))
    graph.add_weighted_edges_from(
        (symbols[row], symbols[column], float(adjacency[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    )
    return graph


def save_graphml(path: Path, graph: nx.Graph) -> None:
    """Write the graph as GraphML, which Gephi, Cytoscape and networkx read."""
    import networkx as nx

    write_text(path, "\n".join(nx.generate_graphml(graph)) + "\n")


def graph_statistics(graph: nx.Graph) -> GraphStatistics:
    """Describe a graph made by `correlation_graph`."""
    import networkx as nx

    sector = nx.get_node_attributes(graph, "sector")
    sizes = np.unique(list(sector.values()), return_counts=True)[1]
    symbols, edges = graph.number_of_nodes(), graph.number_of_edges()
    pairs = symbols * (symbols - 1) / 2
    within = sum(sector[a] == sector[b] for a, b in graph.edges)
    components = [len(component) for component in nx.connected_components(graph)]
    assortativity = None
    if edges and len({sector[node] for edge in graph.edges for node in edge}) > 1:
        assortativity = float(nx.attribute_assortativity_coefficient(graph, "sector"))
    return GraphStatistics(
        symbols=symbols,
        edges=edges,
        density=edges / pairs,
        components=len(components),
        largest_component=max(components),
        isolated=tuple(nx.isolates(graph)),
        within_sector=within / edges if edges else None,
        within_sector_by_chance=float((sizes * (sizes - 1)).sum() / 2 / pairs),
        sector_assortativity=assortativity,
    )


def graph_picture(graph: nx.Graph, seed: int = 0) -> bytes:
    """The graph as PNG, coloured by sector, the most connected symbols with their names, isolated ones in a row below.

    The layout is force-directed and looks at each symbol's strongest edges only: all edges of a dense
    graph together pull everything into one knot. All edges are drawn.
    """
    import networkx as nx
    from matplotlib.collections import LineCollection

    isolated = list(nx.isolates(graph))
    # Isolated nodes are repelled without end and would squeeze the rest together: they are left out.
    strongest: nx.Graph = nx.Graph()
    for symbol in graph:
        edges: list[tuple[str, str, float]] = sorted(
            graph.edges(symbol, data="weight"), key=lambda edge: (-edge[2], edge[1])
        )
        strongest.add_weighted_edges_from(edges[:STRONGEST])
    place = nx.spring_layout(strongest, seed=seed, k=2 / np.sqrt(max(len(strongest), 1))) if len(strongest) else {}
    floor = min((point[1] for point in place.values()), default=0.0) - 0.2
    place |= {
        symbol: np.array([x, floor])
        for symbol, x in zip(isolated, np.linspace(-1, 1, max(len(isolated), 2)), strict=False)
    }
    figure = pictures.figure(WIDTH, HEIGHT)
    axes = figure.add_subplot()
    segments = [np.stack([place[a], place[b]]) for a, b in graph.edges]
    axes.add_collection(LineCollection(segments, colors="#0000000f", linewidths=0.5, zorder=0))
    sector = nx.get_node_attributes(graph, "sector")
    names = sorted(set(sector.values()))
    for name, colour in zip(names, pictures.colours(len(names)), strict=True):
        points = np.array([place[symbol] for symbol in graph if sector[symbol] == name])
        axes.scatter(points[:, 0], points[:, 1], s=26, color=colour, edgecolors="white", linewidths=0.4, label=name)
    for symbol in isolated if len(isolated) <= 12 else []:
        _name(axes, symbol, place[symbol], (0, 6))
    for symbol, offset in room_for_names(most_connected(graph), place).items():
        _name(axes, symbol, place[symbol], offset)
    statistics = graph_statistics(graph)
    axes.set_title(
        f"{counted(statistics.symbols, 'symbol')}, {counted(statistics.edges, 'edge')} "
        f"(density {statistics.density:.1%}), {counted(statistics.components, 'component')}, {len(isolated)} isolated"
        + " (bottom row)"
        * bool(isolated)
    )
    axes.set_axis_off()
    figure.legend(loc="outside right center", fontsize=9, frameon=False)
    return pictures.png(figure)


def most_connected(graph: nx.Graph) -> list[str]:
    """The NAMED symbols with the most edges, of as many those with the heavier ones first; none without an edge."""
    weight = dict(graph.degree(weight="weight"))
    edges = dict(graph.degree())
    ranked = sorted(graph, key=lambda symbol: (-edges[symbol], -weight[symbol], symbol))
    return [symbol for symbol in ranked if edges[symbol]][:NAMED]


def room_for_names(symbols: Sequence[str], place: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Where each name stands from its point, in points of print, so that as few names as possible cross."""
    if not symbols:
        return {}
    spread = np.ptp(np.array(list(place.values())), axis=0)
    scale = np.array([WIDTH, HEIGHT]) * 60 / np.where(spread > 0, spread, 1)
    taken: list[tuple[np.ndarray, float]] = []
    offsets: dict[str, tuple[float, float]] = {}
    for symbol in symbols:
        half = 2.4 * len(symbol)
        tried: list[tuple[int, int, tuple[float, float], np.ndarray]] = []
        for offset in ((0.0, 6.0), (0.0, -12.0), (half + 6, -3.0), (-half - 6, -3.0), (0.0, 15.0), (0.0, -21.0)):
            middle = np.asarray(place[symbol]) * scale + offset
            crossed = sum(
                abs(middle[0] - other[0]) < half + wide and abs(middle[1] - other[1]) < 9 for other, wide in taken
            )
            tried.append((crossed, len(tried), offset, middle))
        _, _, best, where = min(tried, key=lambda each: each[:2])
        taken.append((where, half))
        offsets[symbol] = best
    return offsets


def _name(axes: Axes, symbol: str, point: np.ndarray, offset: tuple[float, float]) -> None:
    from matplotlib.patheffects import withStroke

    axes.annotate(
        symbol,
        (point[0], point[1]),
        xytext=offset,
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )

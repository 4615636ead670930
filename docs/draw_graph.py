"""Draw docs/graph.svg from the definitions: `python docs/draw_graph.py`.

Rows follow the depth in the graph, colours the package. Dependencies that follow from others are
left out of the picture; a long one is led past the assets between.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import networkx as nx

from niftyformer_assets.defs import build

TARGET = Path(__file__).with_name("graph.svg")
COLOURS = {
    "market": "#dbeafe",
    "factors": "#dcfce7",
    "dataset": "#fef9c3",
    "model": "#fee2e2",
    "portfolio": "#ede9fe",
}
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 158, 32, 26, 26, 16
BEND = "~"  # marks the places where a long arrow passes a row


def draw() -> str:
    """The graph as SVG text; the same definitions give the same text."""
    assets = build().resolve_asset_graph()
    graph = nx.DiGraph()
    group: dict[str, str] = {}
    for key in sorted(assets.materializable_asset_keys, key=lambda k: k.to_user_string()):
        name = key.to_user_string()
        group[name] = assets.get(key).group_name
        graph.add_node(name)
        made = assets.get(key).parent_keys & assets.materializable_asset_keys
        graph.add_edges_from((parent.to_user_string(), name) for parent in sorted(made))
    graph = _with_bends(nx.transitive_reduction(graph))
    place = _places(graph)
    width = 2 * MARGIN + max(x for x, _ in place.values()) + WIDTH
    height = 2 * MARGIN + max(y for _, y in place.values()) + HEIGHT + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    for start, end in sorted(graph.edges):
        x1, y1 = _middle(place[start])
        x2, y2 = _middle(place[end])
        y1 += 0 if BEND in start else HEIGHT / 2
        y2 -= 0 if BEND in end else HEIGHT / 2
        half = (y2 - y1) / 2
        tip = "" if BEND in end else ' marker-end="url(#tip)"'
        parts.append(
            f'<path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + half:.0f} {x2:.0f} {y2 - half:.0f} {x2:.0f} {y2:.0f}" '
            f'fill="none" stroke="#64748b" stroke-width="1.2"{tip}/>'
        )
    for name in sorted(name for name in graph if BEND not in name):
        x, y = _middle(place[name])
        parts.append(
            f'<rect x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            f'fill="{COLOURS[group[name]]}" stroke="#475569"/>'
            f'<text x="{x:.0f}" y="{y + 4.5:.0f}" text-anchor="middle">{escape(name)}</text>'
        )
    for number, (name, colour) in enumerate(COLOURS.items()):
        x, y = MARGIN + number * 100, height - MARGIN - 14
        parts.append(
            f'<rect x="{x}" y="{y:.0f}" width="14" height="14" rx="3" fill="{colour}" stroke="#475569"/>'
            f'<text x="{x + 20}" y="{y + 12:.0f}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _with_bends(graph: nx.DiGraph) -> nx.DiGraph:
    """Every edge cut into steps of one row."""
    row = {name: depth for depth, names in enumerate(nx.topological_generations(graph)) for name in names}
    bent = nx.DiGraph()
    bent.add_nodes_from((name, {"row": row[name]}) for name in graph)
    for start, end in sorted(graph.edges):
        # Arrows from one asset share their way down as long as they can.
        way = [start, *(f"{start}{BEND}{depth}" for depth in range(row[start] + 1, row[end])), end]
        bent.add_nodes_from((f"{start}{BEND}{depth}", {"row": depth}) for depth in range(row[start] + 1, row[end]))
        nx.add_path(bent, way)
    return bent


def _places(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """x and y of every node: rows by depth, within a row ordered by where the neighbours are."""
    rows: dict[int, list[str]] = {}
    for name in sorted(graph):
        rows.setdefault(graph.nodes[name]["row"], []).append(name)
    order = {name: float(number) for names in rows.values() for number, name in enumerate(names)}
    for sweep in range(12):
        for depth in sorted(rows, reverse=bool(sweep % 2)):
            beside = graph.successors if sweep % 2 else graph.predecessors

            wanted = {name: _mean([order[other] for other in beside(name)], order[name]) for name in rows[depth]}
            rows[depth].sort(key=lambda name, wanted=wanted: (wanted[name], name))
            order |= {name: number - (len(rows[depth]) - 1) / 2 for number, name in enumerate(rows[depth])}
    place: dict[str, tuple[float, float]] = {}
    for depth, names in rows.items():
        x, before = 0.0, 0.0
        for name in names:
            half = 4 if BEND in name else WIDTH / 2
            x += before + half + (GAP_X if before else 0)
            place[name] = (x, depth * (HEIGHT + GAP_Y))
            before = half
        place |= {name: (place[name][0] - (x + before) / 2, place[name][1]) for name in names}
    left = min(x for x, _ in place.values())
    return {name: (x - left, y) for name, (x, y) in place.items()}


def _mean(values: list[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _middle(place: tuple[float, float]) -> tuple[float, float]:
    return MARGIN + place[0] + WIDTH / 2, MARGIN + place[1] + HEIGHT / 2


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")

"""Where the boxes of a schema picture stand: parents left of children, few crossings.

A small layered drawing after Sugiyama, Tagawa & Toda (1981): layers by longest path, invisible waypoints where a key
spans several layers, then sweeps that order each layer by the mean place of its neighbours.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Edge = tuple[str, str]
_SWEEPS = 6


@dataclass(frozen=True)
class Placement:
    """Boxes and the waypoints of the edges between them.

    Attributes:
        top: upper edge of each node, waypoints among them.
        layer: column of each node, 0 on the left.
        chains: per edge (parent, child) the waypoints between the two, left to right.
        height: of the whole picture.
    """

    top: Mapping[str, float]
    layer: Mapping[str, int]
    chains: Mapping[Edge, tuple[str, ...]]
    height: float


def place(heights: Mapping[str, float], edges: Sequence[Edge], gap: float) -> Placement:
    """Place nodes of the given heights; ``edges`` are (parent, child) pairs and may hold cycles and loops."""
    forward = _acyclic(tuple(heights), [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]])
    layer = _layers(tuple(heights), forward)
    sizes = dict(heights)
    chains: dict[Edge, tuple[str, ...]] = {}
    links: list[Edge] = []
    for parent, child in forward:
        way = tuple(f"{parent} {child} {step}" for step in range(layer[parent] + 1, layer[child]))
        layer.update({node: layer[parent] + 1 + step for step, node in enumerate(way)})
        sizes.update(dict.fromkeys(way, gap / 2))
        chains[(parent, child)] = way
        path = (parent, *way, child)
        links.extend(itertools.pairwise(path))
    columns = _ordered(_by_layer(layer), links)
    totals = [sum(sizes[node] + gap for node in column) - gap for column in columns]
    height = max(totals)
    top: dict[str, float] = {}
    for column, total in zip(columns, totals, strict=True):
        position = (height - total) / 2
        for node in column:
            top[node] = position
            position += sizes[node] + gap
    return Placement(top, layer, chains, height)


def _acyclic(nodes: tuple[str, ...], edges: list[Edge]) -> list[Edge]:
    """Return the edges without those that would close a cycle, in the order given."""
    kept: list[Edge] = []
    reaches: dict[str, set[str]] = {node: {node} for node in nodes}
    for parent, child in edges:
        if parent in reaches[child]:
            continue
        kept.append((parent, child))
        for node in nodes:
            if parent in reaches[node]:
                reaches[node] |= reaches[child]
    return kept


def _layers(nodes: tuple[str, ...], edges: list[Edge]) -> dict[str, int]:
    """Return the longest path to each node; a root is then drawn next to its nearest child."""
    layer = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for parent, child in edges:
            layer[child] = max(layer[child], layer[parent] + 1)
    children = {node: [layer[child] for parent, child in edges if parent == node] for node in nodes}
    has_parent = {child for _, child in edges}
    for node in nodes:
        if node not in has_parent and children[node]:
            layer[node] = min(children[node]) - 1
    return layer


def _by_layer(layer: Mapping[str, int]) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for node, index in layer.items():
        columns[index].append(node)
    return columns


def _ordered(columns: list[list[str]], links: list[Edge]) -> list[list[str]]:
    neighbours: dict[str, list[str]] = {node: [] for column in columns for node in column}
    for left, right in links:
        neighbours[left].append(right)
        neighbours[right].append(left)
    for _ in range(_SWEEPS):
        place_of = {node: i / max(1, len(column) - 1) for column in columns for i, node in enumerate(column)}
        for column in columns:
            column.sort(key=lambda node: _mean([place_of[other] for other in neighbours[node]], place_of[node]))
    return columns


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise

"""The rows around some rows of a database, as a graph network reads them: encoded as real rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tabgraphsyn.evaluation.sides.side import FeatureDatabase
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.predictors import encoded

if TYPE_CHECKING:
    from tabgraphsyn.evaluation.statistics.graph_predictor import RowGraph

HOPS = 2
FANOUT = 8  # children of a row that are looked at, by key and hop


def around(
    whole: FeatureDatabase,
    table: str,
    seeds: np.ndarray,
    known: Mapping[str, Mapping[str, Feature]],
    generator: np.random.Generator,
    *,
    leave: tuple[str, ...],
) -> RowGraph:
    """Return some rows of a table with the parents and children that keys lead to in two steps.

    Args:
        whole: the database.
        table: of the seeds.
        seeds: (seeds,) int64.
        known: per table the features of real training rows, by which values are encoded.
        generator: draws which children are looked at where there are many.
        leave: columns of ``table`` that are not read, the one to predict among them.
    """
    from tabgraphsyn.evaluation.statistics.graph_predictor import RowGraph  # torch: not where metrics are only listed

    reached, pairs = _reached(whole, table, seeds, generator)
    rows = {name: np.unique(np.concatenate(parts)) for name, parts in reached.items()}
    keys = {}
    for relation in whole.schema.relations:
        both = np.unique(np.concatenate(pairs[relation.name], axis=1), axis=1)
        ends = (relation.child_table, relation.parent_table)
        keys[relation.name] = np.stack([np.searchsorted(rows[end], side) for end, side in zip(ends, both, strict=True)])
    inputs = {
        name: _encoded(whole, name, rows[name], known[name], leave if name == table else ())
        for name in whole.schema.table_names
    }
    ends_of = {each.name: (each.child_table, each.parent_table) for each in whole.schema.relations}
    return RowGraph(inputs, keys, ends_of, table, np.searchsorted(rows[table], seeds))


def _reached(
    whole: FeatureDatabase, table: str, seeds: np.ndarray, generator: np.random.Generator
) -> tuple[dict[str, list[np.ndarray]], dict[str, list[np.ndarray]]]:
    """Return the rows of each table and the (2, edges) pairs of each key that are met, part by part."""
    empty = np.zeros(0, np.int64)
    reached = {name: [empty] for name in whole.schema.table_names}
    pairs = {relation.name: [np.zeros((2, 0), np.int64)] for relation in whole.schema.relations}
    front = dict.fromkeys(reached, empty) | {table: np.unique(seeds)}
    reached[table].append(front[table])
    for _ in range(HOPS):
        met: dict[str, list[np.ndarray]] = {name: [empty] for name in reached}
        for relation in whole.schema.relations:
            pointers = whole.pointers[relation.name]
            own = front[relation.child_table]
            up = np.stack([own, pointers[own]])[:, pointers[own] >= 0]
            down = _children(pointers, front[relation.parent_table], generator)
            pairs[relation.name] += [up, down]
            met[relation.parent_table].append(up[1])
            met[relation.child_table].append(down[0])
        for name, parts in met.items():
            front[name] = np.setdiff1d(np.concatenate(parts), np.concatenate(reached[name]))
            reached[name].append(front[name])
    return reached, pairs


def _children(pointers: np.ndarray, parents: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return at most ``FANOUT`` children of each parent with it, (2, edges) int64."""
    children = generator.permutation(np.flatnonzero(np.isin(pointers, parents)))
    children = children[np.argsort(pointers[children], kind="stable")]
    owner = pointers[children]
    place = np.arange(len(owner)) - np.searchsorted(owner, owner, "left")
    return np.stack([children, owner])[:, place < FANOUT].astype(np.int64)


def _encoded(
    whole: FeatureDatabase, table: str, rows: np.ndarray, known: Mapping[str, Feature], leave: tuple[str, ...]
) -> np.ndarray:
    """Return the features of some rows and how many children they have, (rows, features) float32."""
    parts = [np.ones((len(rows), 1))]  # a table without columns is known by what refers to it
    for name, feature in whole.features[table].items():
        if name not in leave:
            parts.append(encoded([known[name]], [feature.take(rows)])[0][1])
    for relation in whole.schema.relations_of_parent(table):
        pointers = whole.pointers[relation.name]
        counts = np.bincount(pointers[pointers >= 0], minlength=whole.num_rows[table])[rows]
        parts.append(np.log1p(counts)[:, None])
    return np.concatenate(parts, axis=1).astype(np.float32)

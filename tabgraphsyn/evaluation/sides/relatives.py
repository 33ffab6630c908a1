"""What other tables say about a row: columns of its parents, and SyntheRela's aggregates of its children ("DDA")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.pointers import through
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.sides.side import FeatureDatabase, Side
from tabgraphsyn.evaluation.statistics.distinct import distinct
from tabgraphsyn.evaluation.statistics.feature import Feature


def with_aggregates(side: Side, table: str, relations: Sequence[Relation] | None = None) -> list[Feature]:
    """Return the scored columns of a parent table and, for each foreign key to it, aggregates of the children.

    Per foreign key: the number of children, the mean of each numerical column (missing without children), the number
    of distinct values of each categorical column. Two keys from one child table give two sets of aggregates. The
    aggregates are taken over the whole database, then restricted to the rows of this side. ``relations`` names the keys
    to aggregate over; all that refer to the table by default.
    """
    features = list(side.whole.features[table].values())
    for relation in side.whole.schema.relations_of_parent(table) if relations is None else relations:
        features += _aggregates(side.whole, relation)
    return features if side.rows is None else [feature.take(side.rows[table]) for feature in features]


def _aggregates(whole: FeatureDatabase, relation: Relation) -> list[Feature]:
    parent_of = whole.pointers[relation.name]
    parents = whole.num_rows[relation.parent_table]
    prefix = f"{relation.child_table}.{'+'.join(relation.child_columns)}"
    counted = np.bincount(parent_of[parent_of >= 0], minlength=parents).astype(np.float64)
    made = [Feature(f"count({prefix})", "numerical", counted)]
    for feature in whole.features[relation.child_table].values():
        present = (parent_of >= 0) & ~feature.missing
        owner, values = parent_of[present], feature.values[present]
        if feature.kind == "numerical":
            name, value = "mean", _mean(owner, values, parents)
        else:
            name, value = "nunique", _distinct(owner, values, parents, feature.levels)
        made.append(Feature(f"{name}({prefix}: {feature.name})", "numerical", value))
    return made


def _mean(owner: np.ndarray, values: np.ndarray, parents: int) -> np.ndarray:
    counts = np.bincount(owner, minlength=parents)
    sums = np.bincount(owner, weights=values, minlength=parents)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _distinct(owner: np.ndarray, codes: np.ndarray, parents: int, levels: int) -> np.ndarray:
    seen = distinct(owner * max(levels, 1) + codes)
    return np.bincount(seen // max(levels, 1), minlength=parents).astype(np.float64)


def related_features(whole: FeatureDatabase, table: str) -> list[Feature]:
    """Return the columns of the parents and the aggregates of the children of every row of ``table``.

    Two keys to one parent give its columns twice. A key without a parent makes them missing. A table that refers to
    itself has itself for a parent and for a child; then an aggregate may contain the column that is predicted, of other
    rows only.
    """
    made = []
    for relation in whole.schema.relations_of_child(table):
        rows = whole.pointers[relation.name]
        prefix = f"{relation.parent_table} by {'+'.join(relation.child_columns)}"
        made += [_through(feature, rows, prefix) for feature in whole.features[relation.parent_table].values()]
    own = len(whole.features[table])
    return made + with_aggregates(Side(whole), table)[own:]


def _through(feature: Feature, rows: np.ndarray, prefix: str) -> Feature:
    values = through(rows, feature.values, np.nan if feature.kind == "numerical" else -1).astype(feature.values.dtype)
    return Feature(f"{prefix}: {feature.name}", feature.kind, values, feature.levels)

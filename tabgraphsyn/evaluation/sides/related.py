"""What other tables say about a row: the columns of its parents and aggregates of its children."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.data.pointers import through
from tabgraphsyn.evaluation.sides.relatives import with_aggregates
from tabgraphsyn.evaluation.sides.side import FeatureDatabase, Side
from tabgraphsyn.evaluation.statistics.feature import Feature


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

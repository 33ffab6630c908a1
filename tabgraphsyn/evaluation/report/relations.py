"""How many children a parent has and how many keys are missing, real and synthetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.schema import Database, Relation
from tabgraphsyn.evaluation.report.sources import ReportSources


@dataclass(frozen=True)
class Cardinality:
    """Children of one relation on one side.

    Attributes:
        mean: children per parent row.
        most: children of the parent that has most.
        childless_share: share of parent rows without a child.
        null_share: share of child rows without a parent.
    """

    mean: float
    most: int
    childless_share: float
    null_share: float


@dataclass(frozen=True)
class RelationView:
    """One foreign key on both sides."""

    relation: Relation
    real: Cardinality
    synthetic: Cardinality

    @property
    def columns(self) -> str:
        """Names of the key's columns, joined."""
        return ", ".join(self.relation.child_columns)


def relation_views(sources: ReportSources) -> list[RelationView]:
    """Return every foreign key of the schema with its cardinalities."""
    return [
        RelationView(relation, cardinality(sources.real, relation), cardinality(sources.synthetic, relation))
        for relation in sources.schema.relations
    ]


def cardinality(database: Database, relation: Relation) -> Cardinality:
    """Count the children of one relation; only the key columns are read."""
    columns = list(relation.child_columns)
    keys = database[relation.child_table].read(columns)
    parents = database[relation.parent_table].num_rows
    whole = keys.filter(_has_key(keys, columns))
    groups = whole.group_by(columns).aggregate([([], "count_all")])
    counts = groups.column("count_all").to_numpy() if groups.num_rows else np.zeros(0, np.int64)
    return Cardinality(
        mean=whole.num_rows / parents if parents else 0.0,
        most=int(counts.max(initial=0)),
        childless_share=1 - min(1.0, len(counts) / parents) if parents else 0.0,
        null_share=1 - whole.num_rows / keys.num_rows if keys.num_rows else 0.0,
    )


def _has_key(keys: pa.Table, columns: list[str]) -> pa.ChunkedArray:
    present = pc.is_valid(keys.column(columns[0]))
    for column in columns[1:]:
        present = pc.and_(present, pc.is_valid(keys.column(column)))
    return present

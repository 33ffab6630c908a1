"""Entities: rows that the split keeps together, found from the rows themselves.

A holdout takes whole entities (a molecule with its atoms). A foreign key *follows the split* when every row lies in the
part of its parent; only such keys make entities, and only along them can rows be joined without mixing both parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tabgraphsyn.data.reference import person_rows
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.sides.side import FeatureDatabase


def split_relations(
    whole: FeatureDatabase, is_holdout: Mapping[str, np.ndarray], reference_tables: frozenset[str]
) -> list[Relation]:
    """Return the keys that follow the split; keys to tables that both parts share do not count.

    Shape:
        ``is_holdout`` is (rows,) bool per table.
    """
    found = []
    for relation in whole.schema.relations:
        if relation.parent_table in reference_tables:
            continue
        parent_row = whole.pointers[relation.name]
        linked = parent_row >= 0
        child, parent = is_holdout[relation.child_table][linked], is_holdout[relation.parent_table][parent_row[linked]]
        if linked.any() and bool((child == parent).all()):
            found.append(relation)
    return found


def entity_numbers(whole: FeatureDatabase, relations: Sequence[Relation]) -> dict[str, np.ndarray]:
    """Return per table (rows,) int64: the number of the entity that a row belongs to.

    A row belongs to its parent by the first of its keys in ``relations``, and so on upwards; rows of one person
    (``patient_id``, without a table of patients) belong together. Walks are followed by
    doubling, so that a long chain of self-references, or a circle, ends after some twenty steps.
    """
    names = whole.schema.table_names
    sizes = [whole.num_rows[name] for name in names]
    start = dict(zip(names, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    above = np.arange(sum(sizes))
    for name, first in person_rows(whole.database).items():
        above[start[name] + np.arange(len(first))] = start[name] + first
    for name in names:
        relation = next((each for each in relations if each.child_table == name), None)
        if relation is None:
            continue
        parent_row = whole.pointers[relation.name]
        linked = np.flatnonzero(parent_row >= 0)
        above[start[name] + linked] = start[relation.parent_table] + parent_row[linked]
    for _ in range(max(1, len(above)).bit_length()):
        further = above[above]
        if np.array_equal(further, above):
            break
        above = further
    return {name: above[start[name] : start[name] + size] for name, size in zip(names, sizes, strict=True)}

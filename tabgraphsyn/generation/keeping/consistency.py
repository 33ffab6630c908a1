"""Dependencies on keys kept by construction: a route has one distance, whatever the model drew for its flights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codes import column_codes, tuple_codes
from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.schema import Schema


def enforceable(
    schema: Schema, dependencies: Iterable[Dependency], table: str, min_strength: float
) -> list[Dependency]:
    """Return the dependencies of a table whose determinant is made of keys and whose dependent is an attribute.

    Dependencies between attributes are the codec's; those between keys are the structure model's.
    """
    keys, attributes = set(schema.key_columns(table)), set(schema.attribute_columns(table))
    return [
        one
        for one in dependencies
        if one.table == table
        and one.strength >= min_strength
        and not one.kept
        and set(one.determinant) <= keys
        and one.dependent in attributes
    ]


def enforce(
    rows: pa.Table, dependencies: Iterable[Dependency], codec: TableCodec, rng: np.random.Generator
) -> pa.Table:
    """Return the rows with each dependent column constant among rows that share its determinant.

    A group takes the value of one of its rows, drawn at random, so frequent values stay frequent. Rows with a null in
    the determinant are left as they are.

    Args:
        rows: a whole table, keys included.
        dependencies: what to enforce.
        codec: the table's; a column that it derives from a dependent column follows that column.
        rng: which row decides.
    """
    for determinant, dependents in _by_determinant(dependencies).items():
        group = tuple_codes([column_codes(rows.column(name), null_code=False) for name in determinant])
        deciding = pa.array(_deciding_rows(group, rng))
        followers = [name for name, source in codec.derived.items() if source in dependents]
        for name in dict.fromkeys([*dependents, *followers]):
            place = rows.column_names.index(name)
            rows = rows.set_column(place, rows.field(place), rows.column(place).take(deciding))
    return rows


def _by_determinant(dependencies: Iterable[Dependency]) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    taken: set[str] = set()
    for one in sorted(dependencies, key=lambda one: len(one.determinant)):
        # A column that follows from two keys would have to agree with both: the simpler one decides.
        if one.dependent not in taken:
            taken.add(one.dependent)
            found.setdefault(one.determinant, []).append(one.dependent)
    return found


def _deciding_rows(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each row the row of its group that decides, (rows,) int64; itself where the group is ``-1``."""
    deciding = np.arange(len(group))
    shuffled = rng.permutation(np.flatnonzero(group >= 0))
    codes, first = np.unique(group[shuffled], return_index=True)
    member = group >= 0
    deciding[member] = shuffled[first][np.searchsorted(codes, group[member])]
    return deciding

"""From key values to row numbers: every foreign key as a pointer into its parent table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.pointers import NULL
from tabgraphsyn.data.schema import Database, Relation
from tabgraphsyn.errors import DataError, listing


def link_relation(database: Database, relation: Relation) -> np.ndarray:
    """Return the parent row of every child row of one relation, ``NULL`` for null keys.

    Shape:
        returned: (child rows,) int64.

    Raises:
        DataError: a key value has no row in the parent table, or the types of the two columns do not compare.
    """
    parents = [database[relation.parent_table].column(name) for name in relation.parent_columns]
    children = [
        _comparable(database[relation.child_table].column(name), parent.type, relation)
        for name, parent in zip(relation.child_columns, parents, strict=True)
    ]
    is_null = np.zeros(len(children[0]), dtype=bool)
    for child in children:
        is_null |= _to_numpy(pc.is_null(child)).astype(bool)
    rows = _rows_single(children[0], parents[0]) if len(parents) == 1 else _rows_composite(children, parents)
    _refuse_orphans(relation, children, (rows < 0) & ~is_null)
    rows[is_null] = NULL
    return rows


def _rows_single(child: pa.ChunkedArray, parent: pa.ChunkedArray) -> np.ndarray:
    return _positions(child, _whole(parent))


def _rows_composite(children: list[pa.ChunkedArray], parents: list[pa.ChunkedArray]) -> np.ndarray:
    """Fold the parts one by one into one code per key; codes stay below the number of parents."""
    child_code = np.zeros(len(children[0]), dtype=np.int64)
    parent_code = np.zeros(len(parents[0]), dtype=np.int64)
    for child, parent in zip(children, parents, strict=True):
        values = _whole(pc.unique(parent))
        child_part, parent_part = _positions(child, values), _positions(parent, values)
        folded = parent_code * len(values) + parent_part
        wanted = np.where((child_code < 0) | (child_part < 0), -1, child_code * len(values) + child_part)
        known, parent_code = np.unique(folded, return_inverse=True)
        child_code = _look_up(wanted, known)
    first_row = np.full(len(np.unique(parent_code)), -1, dtype=np.int64)
    first_row[parent_code[::-1]] = np.arange(len(parent_code) - 1, -1, -1)
    found = child_code >= 0
    return np.where(found, first_row[np.where(found, child_code, 0)] if len(first_row) else -1, -1)


def _look_up(wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the place of each wanted code in the sorted ``known``, ``-1`` where it is absent."""
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, place, -1)


def _positions(values: pa.ChunkedArray, value_set: pa.Array) -> np.ndarray:
    positions = pc.fill_null(pc.index_in(values, value_set=value_set), -1)
    return _to_numpy(positions).astype(np.int64)


def _comparable(child: pa.ChunkedArray, parent_type: pa.DataType, relation: Relation) -> pa.ChunkedArray:
    if child.type == parent_type:
        return child
    try:
        return child.cast(parent_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"{relation.name}: the foreign key has type {str(child.type)!r} and the key it refers to "
            f"{str(parent_type)!r}; they do not compare ({error}). Give both columns one type."
        ) from error


def _refuse_orphans(relation: Relation, children: list[pa.ChunkedArray], orphan: np.ndarray) -> None:
    if not orphan.any():
        return
    where = np.flatnonzero(orphan)[:1000]
    parts = [child.take(pa.array(where)).to_pylist() for child in children]
    examples = parts[0] if len(parts) == 1 else list(zip(*parts, strict=True))
    raise DataError(
        f"{relation.child_table}.{'+'.join(relation.child_columns)}: {int(orphan.sum())} of {len(orphan)} keys have no "
        f"row in {relation.parent_table}.{'+'.join(relation.parent_columns)} "
        f"(first: {listing(list(dict.fromkeys(examples))[:3])}). Fix the tables or set dataset.orphans=null."
    )


def _whole(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _to_numpy(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return values.to_numpy() if isinstance(values, pa.ChunkedArray) else values.to_numpy(zero_copy_only=False)

"""By what a table's file is sorted, and rows in that order: a log by its times, ratings by their stars.

What siblings along each key look like one after another hangs on it: flights of an airport follow one another by their
hours only where the file does. Rows are made family after family along one key, and put in the file's order at last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import dense_codes
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Name

KEYS_MOST = 4
"""So many columns sort a file one within the other, at most."""
ROWS_LEAST, ROWS_MOST, BLOCKS = 50, 50_000, 5
"""Rows among which an order is sought: of larger tables some blocks of neighbours."""
IN_ORDER, CONCORDANT = 0.95, 0.98
"""Share of the changes from row to row, and of any two rows that differ, that go one way."""
CHANGES_LEAST, OTHERS_LEAST = 20, 5
"""Changes from row to row that tell an order within another one; rows of the whole file that do not hold the commonest
value: by chance they hardly ever all stand at one end."""


@dataclass(frozen=True)
class FileKey(Plain):
    """A column that a file is sorted by.

    Attributes:
        name: of the column, or of the relation whose parents' rows give the order.
        is_key: it is a relation.
        falling: from the largest to the smallest.
        nulls_first: missing values stand before the others.
    """

    name: Name
    is_key: bool = False
    falling: bool = False
    nulls_first: bool = False


def sorting_key(values: pa.ChunkedArray | pa.Array) -> np.ndarray | None:
    """Return (rows,) float64 in the order of the values, NaN for missing ones; None for a type without order.

    >>> sorting_key(pa.array(["b", None, "a", "b"])).tolist()
    [2.0, nan, 1.0, 2.0]
    """
    kind = values.type
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        values = values.cast(pa.timestamp("us")).cast(pa.int64())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        rank = pc.rank(values, tiebreaker="dense").to_numpy(zero_copy_only=False).astype(np.float64)
        return np.where(values.is_null().to_numpy(zero_copy_only=False), np.nan, rank)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    # Rows in whole numbers beyond 2 ** 53 may come out as equal: they stay as they stand.
    return np.asarray(pc.fill_null(values.cast(pa.float64(), safe=False), np.nan).to_numpy(), dtype=np.float64)


def blocks_of(rows: int) -> np.ndarray:
    """Return the row numbers among which an order is sought, (looked at,) int64: neighbours beside neighbours."""
    if rows <= ROWS_MOST:
        return np.arange(rows)
    size = ROWS_MOST // BLOCKS
    starts = np.linspace(0, rows - size, BLOCKS).astype(np.int64)
    return (starts[:, None] + np.arange(size)).ravel()


def find_file_order(keys: Mapping[FileKey, np.ndarray]) -> tuple[FileKey, ...]:
    """Return what rows are sorted by, one column within the other; empty where the file says nothing by its order.

    Args:
        keys: column or relation -> (rows,) numbers in the order of its values, NaN for missing ones.

    >>> day = np.repeat(np.arange(40.0), 5)
    >>> shop = np.tile(np.arange(5.0), 40)
    >>> noise = np.random.default_rng(0).random(200)
    >>> [one.name for one in find_file_order({FileKey("noise"): noise, FileKey("shop"): shop, FileKey("day"): -day})]
    ['day', 'shop']
    """
    rows = len(next(iter(keys.values()), ()))
    found: list[FileKey] = []
    group = np.zeros(rows, dtype=np.int64)
    if rows < ROWS_LEAST:
        return ()
    while len(found) < KEYS_MOST:
        taken = {one.name for one in found}
        tried = [(key, _sorts(value, group, not found)) for key, value in keys.items() if key.name not in taken]
        best = max(
            ((score, key, falls) for key, (score, falls) in tried if score), default=None, key=lambda one: one[0]
        )
        if best is None:
            break
        _, key, falls = best
        value = keys[key]
        found.append(FileKey(key.name, key.is_key, falls, _stand_first(value, group)))
        group = dense_codes(group * (rows + 1) + dense_codes(value))
    return tuple(found)


def in_file_order(order: Sequence[FileKey], keys: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    """Return row numbers in the order of the file, (rows,) int64; what ties stays as it stands.

    Args:
        order: what sorts the file, the first counts most.
        keys: column or relation -> (rows,) numbers in the order of its values, NaN for missing ones.
        rows: of the table.
    """
    parts: list[np.ndarray] = [np.arange(rows)]
    for one in reversed(order):
        value, lost = keys[one.name], np.isnan(keys[one.name])
        parts.append(np.where(lost, 0, -value if one.falling else value))
        parts.append(~lost if one.nulls_first else lost)
    return np.lexsort(parts)


def as_families_stand(order: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Return an order of rows in which each family has the places it has in ``order``, and its rows as they stood.

    Shape:
        order, family: (rows,) int64; negative for no family.

    >>> as_families_stand(np.array([2, 1, 0]), np.array([0, 1, 0])).tolist()
    [0, 1, 2]
    """
    own = np.where(family < 0, family.max(initial=0) + 1 + np.arange(len(family)), family)
    found = np.empty_like(order)
    found[np.argsort(own[order], kind="stable")] = np.argsort(own, kind="stable")
    return found


def _sorts(value: np.ndarray, group: np.ndarray, is_first: bool) -> tuple[tuple[float, int] | None, bool]:
    """Return how well a column sorts the rows of each group, and how finely; None for not; and whether it falls.

    Shape:
        value: (rows,). group: (rows,) int64, rows that tie so far; all of one group for the first key.
    """
    known = np.flatnonzero(~np.isnan(value))
    turn = known[np.argsort(group[known], kind="stable")]
    own, at = group[turn], value[turn]
    step = np.diff(at)[own[1:] == own[:-1]]
    up, down = int((step > 0).sum()), int((step < 0).sum())
    changes, falls = up + down, down > up
    if not changes or max(up, down) < IN_ORDER * changes:
        return None, falls
    enough = len(at) - int(np.unique(at, return_counts=True)[1].max()) >= OTHERS_LEAST
    if (is_first and not enough) or (not is_first and changes < CHANGES_LEAST):
        return None, falls
    start = np.searchsorted(own, own)
    size = np.searchsorted(own, own, side="right") - start
    other = start + (np.random.default_rng(0).random(len(own)) * size).astype(np.int64)
    apart = np.sign(at - at[other]) * np.sign(np.arange(len(own)) - other)
    right = float((apart < 0).sum() if falls else (apart > 0).sum()) / max(int((apart != 0).sum()), 1)
    if right < CONCORDANT:
        return None, falls
    return (round(max(up, down) / changes, 3), changes), falls


def _stand_first(value: np.ndarray, group: np.ndarray) -> bool:
    """Return whether missing values stand before the others of their group."""
    turn = np.argsort(group, kind="stable")
    lost, own = np.isnan(value[turn]), group[turn]
    ends = (own[1:] == own[:-1]) & (lost[1:] != lost[:-1])
    return bool((lost[:-1] & ends).sum() > (lost[1:] & ends).sum())

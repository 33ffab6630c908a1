"""Functional dependencies: columns whose value follows from another column or from foreign keys of the row.

A plane has one carrier (``flights.tailnum -> flights.carrier``), a route one distance (``(origin, dest) ->
distance``). Strength is the share of rows that hold the most frequent dependent value of their determinant value. A
strength that shuffled values reach too means nothing, so each is compared with that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated

import numpy as np
import pyarrow as pa
from msgspec import Meta

from tabgraphsyn.data.codes import column_codes, tuple_codes
from tabgraphsyn.data.counts import even_sample, training_batches, training_values
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.schema import Database, Schema, Table
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.data.untrusted import Count, Name, Share

MIN_STRENGTH = 0.98
MIN_GAIN = 0.8
"""How far a strength must be above that of shuffled values, as a share of what is possible."""
MIN_CONFIRMATIONS = 10
"""Rows that repeat an unusual dependent value of their determinant value; fewer may be chance."""
MAX_LEVELS = 1_000
ROWS_PER_LEVEL = 10
SCREEN_ROWS = 2_000
SCREEN_SLACK = 0.02
"""A screen of 2,000 rows estimates a strength to within about this."""
SAMPLE_ROWS = 200_000


@dataclass(frozen=True)
class Dependency(Plain):
    """One dependency of ``dependencies.json``.

    Attributes:
        table: table that holds all columns.
        determinant: one attribute column, the columns of a foreign key, or those of two foreign keys.
        dependent: the column that follows.
        strength: share of the training rows that are consistent.
        support_rows: rows that this was measured on (a sample of large tables).
        kept: True where the codec keeps it by construction.
    """

    table: Name
    determinant: Annotated[tuple[Name, ...], Meta(min_length=1)]
    dependent: Name
    strength: Share
    support_rows: Count
    kept: bool = False


@dataclass(frozen=True)
class Strength:
    """How well one column follows from others.

    Attributes:
        share: share of rows that hold the most frequent value of their determinant value.
        shuffled: the same after shuffling the dependent column.
        confirmations: rows beyond the first of their determinant value that agree on a value other than the column's
            most frequent one.
        rows: rows measured: those with a determinant value.
    """

    share: float
    shuffled: float
    confirmations: int
    rows: int

    @property
    def gain(self) -> float:
        """How far the share is above chance: 0 at chance, 1 where the dependency holds exactly."""
        return (self.share - self.shuffled) / (1 - self.shuffled) if self.shuffled < 1 else 0.0

    @property
    def is_real(self) -> bool:
        """True where the dependency is more than chance."""
        return self.gain >= MIN_GAIN and self.confirmations >= MIN_CONFIRMATIONS


def consistent_share(determinant: np.ndarray, dependent: np.ndarray) -> float:
    """Return the share of rows that hold the most frequent dependent value of their determinant value.

    Rows without a determinant (``-1``) do not count; 1 where none is left.

    >>> consistent_share(np.array([0, 0, 0, 1, -1]), np.array([5, 5, 6, 7, 8]))
    0.75
    """
    return measure(determinant, dependent, shuffle=False).share


def measure(determinant: np.ndarray, dependent: np.ndarray, shuffle: bool = True) -> Strength:
    """Return how well ``dependent`` follows from ``determinant``.

    Shape:
        determinant: (rows,) int64 codes, ``-1`` where the row has none. dependent: (rows,) int64 codes from 0.
    """
    has = determinant >= 0
    determinant, dependent = determinant[has], dependent[has]
    rows = len(determinant)
    if not rows:
        return Strength(1.0, 1.0, 0, 0)
    consistent, confirmations = _consistent(determinant, dependent)
    shuffled = rows
    if shuffle:
        shuffled = _consistent(determinant, numpy_generator(0, "dependencies").permutation(dependent))[0]
    return Strength(consistent / rows, shuffled / rows, confirmations, rows)


def _consistent(determinant: np.ndarray, dependent: np.ndarray) -> tuple[int, int]:
    """Return how many rows are consistent, and how many confirm a value that is not the column's most frequent."""
    width = int(dependent.max()) + 1
    pairs, counts = np.unique(determinant * width + dependent, return_counts=True)
    owner, value = pairs // width, pairs % width
    start = np.flatnonzero(np.diff(owner, prepend=owner[0] - 1))
    best = np.maximum.reduceat(counts, start)
    is_best = counts == np.repeat(best, np.diff(np.append(start, len(counts))))
    usual = int(np.bincount(dependent).argmax())
    return int(best.sum()), int((counts - 1)[is_best & (value != usual)].sum())


def exact_within(
    table: Table, is_training: np.ndarray, determinants: Sequence[str], dependents: Sequence[str]
) -> dict[str, str]:
    """Return dependent -> determinant for columns that follow exactly from another one in all training rows.

    A determinant has at most 1,000 values and ten rows for each on average (null is a value). Where two columns
    determine each other the first one stays; no determinant is itself a dependent, so deriving never goes in circles.
    """
    sample = _Sample(table, is_training, sorted({*determinants, *dependents}))
    levels = {name: int(sample.codes(name).max(initial=-1)) + 1 for name in determinants}
    limit = min(MAX_LEVELS, sample.rows // ROWS_PER_LEVEL)
    usable = [name for name in determinants if 2 <= levels[name] <= limit]
    usable.sort(key=lambda name: -levels[name])
    possible = {name: set(sample.possible(sample.codes(name), dependents, inconsistent=0.0)) for name in usable}
    derived: dict[str, str] = {}
    roots: list[str] = []
    for name in [*usable, *(column for column in dependents if column not in usable)]:
        # Roots come most levels first; the one with the fewest levels has the most rows for each.
        likely = (root for root in reversed(roots) if name in possible[root])
        found = next((root for root in likely if _holds(table, is_training, sample, root, name)), None)
        if found is not None:
            derived[name] = found
        elif name in usable:
            roots.append(name)
    return derived


def _holds(table: Table, is_training: np.ndarray, sample: _Sample, determinant: str, dependent: str) -> bool:
    left, right = sample.codes(determinant), sample.codes(dependent)
    if consistent_share(left, right) < 1 or not measure(left, right).is_real:
        return False
    if sample.is_whole:
        return True
    pair = [column_codes(training_values(table, name, is_training)) for name in (determinant, dependent)]
    return consistent_share(*pair) == 1


def discover(database: Database, is_training: Mapping[str, np.ndarray]) -> list[Dependency]:
    """Return the dependencies of every table that hold for at least 98 % of its training rows.

    Determinants are attribute columns of few values, foreign keys, and pairs of foreign keys of which neither alone
    suffices; dependents are attribute columns (ids and text apart) and columns of other foreign keys.
    """
    return [
        dependency
        for table in database.schema.table_names
        for dependency in _discover_table(database.schema, database[table], is_training[table])
    ]


def _discover_table(schema: Schema, table: Table, is_training: np.ndarray) -> Iterator[Dependency]:
    name = table.schema.name
    keys = [relation.child_columns for relation in schema.relations_of_child(name)]
    key_columns = sorted({column for key in keys for column in key})
    attributes = [
        column for column in schema.attribute_columns(name) if table.schema.column(column).sdtype not in ("id", "text")
    ]
    dependents = [*attributes, *key_columns]
    found: dict[str, list[frozenset[str]]] = {column: [] for column in dependents}
    determinants = [*((column,) for column in attributes), *dict.fromkeys(keys)]
    pairs = [tuple(dict.fromkeys(one + other)) for one, other in combinations(dict.fromkeys(keys), 2)]
    whole = _Sample(table, is_training, dependents)
    for determinant in [*determinants, *pairs]:
        is_key = determinant not in determinants[: len(attributes)]
        sample = whole
        if is_key and not whole.is_whole:
            sample = _Sample(table, is_training, dependents, clustered_by=determinant)
        codes = tuple_codes([sample.codes(column, null_code=not is_key) for column in determinant])
        if is_key:
            codes = _of_several(codes)
        if not _is_usable(codes, is_key):
            continue
        likely = sample.possible(codes, dependents, inconsistent=1 - MIN_STRENGTH + SCREEN_SLACK)
        for dependent in likely:
            known = any(smaller <= set(determinant) for smaller in found[dependent])
            if dependent in determinant or known:
                continue
            strength = measure(codes, sample.codes(dependent))
            if strength.share >= MIN_STRENGTH and strength.is_real:
                found[dependent].append(frozenset(determinant))
                yield Dependency(name, determinant, dependent, round(strength.share, 6), strength.rows)


def _of_several(codes: np.ndarray) -> np.ndarray:
    """Return codes, (rows,) int64, with -1 in rows that share theirs with no other: what it fixes they do not say."""
    counts = np.bincount(codes + 1)
    return np.where(counts[codes + 1] > 1, codes, -1)


def _is_usable(codes: np.ndarray, is_key: bool) -> bool:
    filled = codes[codes >= 0]
    levels = len(np.unique(filled))
    return 2 <= levels <= (levels if is_key else min(MAX_LEVELS, len(filled) // ROWS_PER_LEVEL))


def mark_kept(dependencies: Sequence[Dependency], derived: Mapping[str, Mapping[str, str]]) -> list[Dependency]:
    """Return the dependencies with ``kept`` set where a table's codec derives the column (table -> column -> from)."""
    return [
        replace(one, kept=derived.get(one.table, {}).get(one.dependent) == one.determinant[0])
        if len(one.determinant) == 1
        else one
        for one in dependencies
    ]


class _Sample:
    """Codes of a sample of training rows: all rows of small tables, else evenly spaced rows or whole groups."""

    def __init__(
        self,
        table: Table,
        is_training: np.ndarray,
        columns: Sequence[str],
        clustered_by: Sequence[str] | None = None,
    ) -> None:
        training_rows = int(is_training.sum())
        self.is_whole = training_rows <= SAMPLE_ROWS
        if clustered_by is None or self.is_whole:
            keep = even_sample(is_training, SAMPLE_ROWS)
        else:
            keep = is_training & _whole_groups(table, clustered_by, -(-training_rows // SAMPLE_ROWS))
        batches = training_batches(table, list(columns), keep) if columns else iter(())
        kept = [batch for batch in batches if batch.num_rows]
        self._table = pa.Table.from_batches(kept) if kept else pa.table({name: pa.nulls(0) for name in columns})
        self._codes: dict[tuple[str, bool], np.ndarray] = {}
        self._screen: np.ndarray | None = None
        self._screened: tuple[str, ...] = ()
        self.rows = self._table.num_rows

    def codes(self, column: str, null_code: bool = True) -> np.ndarray:
        """Return the codes of one column of the sample."""
        key = (column, null_code)
        if key not in self._codes:
            self._codes[key] = column_codes(self._table.column(column), null_code)
        return self._codes[key]

    def possible(self, determinant: np.ndarray, dependents: Sequence[str], inconsistent: float) -> list[str]:
        """Return the dependents that may follow from a determinant, from one look at a few rows of all of them.

        Sorted by determinant, every inconsistent row differs from at most two neighbours of its group; a column with
        more differences than that cannot be consistent but for the share ``inconsistent`` of the rows.
        """
        few = slice(None, None, -(-self.rows // SCREEN_ROWS) or 1)
        if self._screen is None or self._screened != tuple(dependents):
            parts = [self.codes(column)[few] for column in dependents]
            self._screen, self._screened = np.stack(parts, axis=1).astype(np.int32), tuple(dependents)
        order = np.argsort(determinant[few], kind="stable")
        sorted_by, values = determinant[few][order], self._screen[order]
        same = (sorted_by[1:] == sorted_by[:-1]) & (sorted_by[1:] >= 0)
        differences = ((values[1:] != values[:-1]) & same[:, None]).sum(axis=0)
        limit = 2 * inconsistent * (sorted_by >= 0).sum()
        return [column for column, count in zip(dependents, differences, strict=True) if count <= limit]


def _whole_groups(table: Table, columns: Sequence[str], one_in: int) -> np.ndarray:
    """Return a mask of the rows of about one in ``one_in`` determinant values, all rows of each."""
    codes = tuple_codes([column_codes(table.column(column), null_code=False) for column in columns])
    mixed = (codes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return (codes >= 0) & (mixed % np.uint64(one_in) == 0)

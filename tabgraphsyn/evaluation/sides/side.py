"""The two sides of a comparison, and the baselines that take the synthetic side's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from tabgraphsyn.data.schema import Database, Schema, Table
from tabgraphsyn.evaluation.score import ComparisonName
from tabgraphsyn.evaluation.sides.keys import Path, column_names, paths, pointers
from tabgraphsyn.evaluation.sides.keys import as_text as key_text
from tabgraphsyn.evaluation.statistics.feature import Feature, Features, feature_pair, scored_columns
from tabgraphsyn.evaluation.statistics.joint import Selected

# SDMetrics and its callers read at most so many hops; paths multiply quickly beyond.
LONGEST_PATH = 3


@dataclass(frozen=True)
class FeatureDatabase:
    """A whole database as metrics see it.

    Attributes:
        database: the rows themselves, for metrics that need raw values.
        features: per table its scored columns.
    """

    database: Database
    features: Mapping[str, Features]

    @property
    def schema(self) -> Schema:
        """The schema of the real database."""
        return self.database.schema

    @cached_property
    def num_rows(self) -> dict[str, int]:
        """Rows per table."""
        return {name: self.database[name].num_rows for name in self.schema.table_names}

    @cached_property
    def pointers(self) -> dict[str, np.ndarray]:
        """Per relation (child_rows,) int64: the parent's row, negative where there is none."""
        return {relation.name: pointers(self.database, relation) for relation in self.schema.relations}


def select(whole: FeatureDatabase, table: str, rows: np.ndarray | None) -> list[Selected]:
    """Return the scored columns of ``table`` at some rows, None for all."""
    return [Selected(feature, rows) for feature in whole.features[table].values()]


@dataclass(frozen=True)
class Side:
    """Rows of a database: all of them, or a part. Features always come from the whole database.

    Attributes:
        whole: the database.
        rows: per table the row numbers that belong to this side, or None for all.
    """

    whole: FeatureDatabase
    rows: Mapping[str, np.ndarray] | None = None

    def row_numbers(self, table: str) -> np.ndarray:
        """Return (rows,) int64: this side's rows of ``table``."""
        return np.arange(self.whole.num_rows[table]) if self.rows is None else self.rows[table]

    def num_rows(self, table: str) -> int:
        """Return how many rows of ``table`` this side has."""
        return self.whole.num_rows[table] if self.rows is None else len(self.rows[table])

    def features(self, table: str) -> list[Feature]:
        """Return the scored columns of ``table``, on this side's rows."""
        features = self.whole.features[table].values()
        return list(features) if self.rows is None else [feature.take(self.rows[table]) for feature in features]

    def selected(self, table: str) -> list[Selected]:
        """Return the scored columns of ``table`` and which of their rows are this side's, without copying them."""
        return select(self.whole, table, None if self.rows is None else self.rows[table])

    def joined_rows(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Return this side's child rows that reach an ancestor along ``path``, and the ancestors they reach.

        Shape:
            (pairs,) int64 each.
        """
        start = self.row_numbers(path.child)
        reached = path.ancestor_rows(self.whole.pointers, start)
        return start[reached >= 0], reached[reached >= 0]

    def frame(self, table: str, as_text: Sequence[str] = ()) -> pd.DataFrame:
        """Return this side's rows of ``table`` with raw values, some columns as text, (rows, columns)."""
        rows = self.whole.database[table].read()
        for name in set(as_text) & set(rows.column_names):
            rows = rows.set_column(rows.column_names.index(name), name, key_text(rows.column(name)))
        if self.rows is not None:
            rows = rows.take(pa.array(self.rows[table]))
        return rows.to_pandas()


@dataclass(frozen=True)
class Comparison:
    """What is held against what.

    Attributes:
        name: what the candidate is.
        reference: the real side.
        candidate: the side that is scored.
    """

    name: ComparisonName
    reference: Side
    candidate: Side

    @property
    def schema(self) -> Schema:
        """The schema of both sides."""
        return self.reference.whole.schema

    @property
    def is_baseline(self) -> bool:
        """True where the candidate is made of real rows: what it lacks is no failure of a generator."""
        return self.name != "synthetic"

    def feature_pairs(self, table: str) -> list[tuple[Feature, Feature]]:
        """Return the scored columns of ``table`` as (reference, candidate)."""
        return list(zip(self.reference.features(table), self.candidate.features(table), strict=True))

    def selected_pairs(self, table: str) -> list[tuple[Selected, Selected]]:
        """Return the scored columns of ``table`` as (reference, candidate), without copying them."""
        return list(zip(self.reference.selected(table), self.candidate.selected(table), strict=True))

    def paths(self, hops: int) -> list[Path]:
        """Return the walks of so many foreign keys."""
        return paths(self.schema, hops) if hops <= LONGEST_PATH else []


def feature_databases(real: Database, candidate: Database) -> tuple[FeatureDatabase, FeatureDatabase]:
    """Return both databases with their columns read alike (one code book for both)."""
    left: dict[str, dict[str, Feature]] = {}
    right: dict[str, dict[str, Feature]] = {}
    for name in real.schema.table_names:
        wanted = scored_columns(real.schema, name)
        rows, other = real[name].read([column.name for column in wanted]), candidate[name]
        names = column_names(other)
        present = other.read([column.name for column in wanted if column.name in names])
        left[name], right[name] = {}, {}
        for column in wanted:
            values = present.column(column.name) if column.name in present.column_names else None
            pair = feature_pair(column, rows.column(column.name), values, other.num_rows)
            left[name][column.name], right[name][column.name] = pair
    return FeatureDatabase(real, left), FeatureDatabase(candidate, right)


def with_independent_columns(database: Database, generator: np.random.Generator) -> Database:
    """Return the database with every non-key column shuffled on its own; the keys stay."""

    def shuffled(name: str) -> Table:
        table = database[name]
        rows = table.read()
        for column in database.schema.attribute_columns(name):
            order = pa.array(generator.permutation(rows.num_rows))
            rows = rows.set_column(rows.column_names.index(column), column, rows.column(column).take(order))
        return Table(table.schema, rows)

    return Database(database.schema, {name: shuffled(name) for name in database.schema.table_names})


def with_copied_rows(
    database: Database, is_holdout: Mapping[str, np.ndarray], generator: np.random.Generator
) -> Database:
    """Return the database with the non-key columns of each row taken from a random training row; the keys stay."""

    def copied(name: str) -> Table:
        table = database[name]
        rows, training = table.read(), np.flatnonzero(~is_holdout[name])
        if len(training) == 0:
            return Table(table.schema, rows)
        chosen = pa.array(generator.choice(training, rows.num_rows))
        for column in database.schema.attribute_columns(name):
            rows = rows.set_column(rows.column_names.index(column), column, rows.column(column).take(chosen))
        return Table(table.schema, rows)

    return Database(database.schema, {name: copied(name) for name in database.schema.table_names})

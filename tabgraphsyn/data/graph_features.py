"""What the keys alone say about a row: numbers of children, null keys, place among its siblings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabgraphsyn.data.graph import checked_pointer
from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.pointers import CENSORED, NULL
from tabgraphsyn.data.schema import Relation, Schema

# Rows between two equal phases of a place among siblings: hours of a day and of a week, quarters of a day;
# weeks (7), years of months (12) and the like are sums and products of these.
RANK_PERIODS = (6, 24, 168)
LIMIT = 5.0


@dataclass(frozen=True)
class StructureFeatures:
    """Computes the structural features of every table, standardised with statistics of the training rows.

    Counts that grow with the size of the database (children of a row of a reference table) are taken relative to
    their mean in the same database, so that a larger synthetic database looks the same.

    Attributes:
        schema: tables and relations.
        driver: table -> name of its driver relation, or None.
        reference_tables: tables that do not grow with the database.
        mean, std: table -> statistics of each feature.
        censored: relation name -> share of the training keys that point into the holdout.
    """

    schema: Schema
    driver: Mapping[str, str | None]
    reference_tables: frozenset[str]
    mean: Mapping[str, tuple[float, ...]]
    std: Mapping[str, tuple[float, ...]]
    censored: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def fit(
        schema: Schema, plan: Plan, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray]
    ) -> StructureFeatures:
        """Return the features of this schema with the statistics of these rows.

        Args:
            schema: tables and relations.
            plan: drivers and lookup tables.
            rows: number of training rows of every table.
            pointers: relation name -> row of the parent table.
        """
        blank = StructureFeatures(schema, dict(plan.driver), frozenset(plan.reference_tables), {}, {})
        mean, std = {}, {}
        for table in schema.table_names:
            raw = blank.raw(table, rows, pointers)
            spread = raw.std(axis=0) if len(raw) else np.ones(raw.shape[1])
            mean[table] = tuple(float(value) for value in (raw.mean(axis=0) if len(raw) else spread * 0.0))
            # A feature that is constant in training must not turn a first small change into a huge number.
            std[table] = tuple(float(value) if value > 1e-6 else 1.0 for value in spread)
        censored = {
            name: float(np.mean(pointer[pointer != NULL] == CENSORED))
            for name, pointer in pointers.items()
            if (pointer != NULL).any()
        }
        return StructureFeatures(blank.schema, blank.driver, blank.reference_tables, mean, std, censored)

    def as_in_training(self, pointers: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return the keys of a whole database with as many censored at random as the training rows had.

        The training graph lacks the keys between the two parts of the split: its rows have fewer children, and some
        have no edge where a whole database has one. A network that only ever saw that graph must be shown such a one.
        """
        seen = {}
        for name, pointer in pointers.items():
            hidden = rng.random(len(pointer)) < self.censored.get(name, 0.0)
            seen[name] = np.where(hidden & (pointer >= 0), CENSORED, pointer)
        return seen

    def names(self, table: str) -> tuple[str, ...]:
        """Return what each feature of a table is."""
        return tuple(
            [f"children:{relation.name}" for relation in self.schema.relations_of_parent(table)]
            + [f"null:{relation.name}" for relation in self.schema.relations_of_child(table)]
            + (list(_rank_names()) if self._driver(table) is not None else [])
        )

    def compute(self, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the standardised features of every table, (rows, features) float32, within +-LIMIT."""
        features = {}
        for table in self.schema.table_names:
            raw = self.raw(table, rows, pointers)
            standard = (raw - np.asarray(self.mean[table])) / np.asarray(self.std[table])
            features[table] = standard.clip(-LIMIT, LIMIT).astype(np.float32)
        return features

    def raw(self, table: str, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the features of a table before standardisation, (rows, features) float64."""
        columns = [self._children(relation, rows, pointers) for relation in self.schema.relations_of_parent(table)]
        for relation in self.schema.relations_of_child(table):
            columns.append((checked_pointer(relation, rows, pointers) == NULL).astype(np.float64))
        driver = self._driver(table)
        if driver is not None:
            parent_row = checked_pointer(driver, rows, pointers)
            columns.extend(rank_features(parent_row))
        return np.stack(columns, axis=1) if columns else np.zeros((rows[table], 0))

    def _driver(self, table: str) -> Relation | None:
        """Return the relation whose families have a size and an order that mean something.

        The few huge families under a reference table have none: their sizes change with the database, and a place
        among thousands of rows names one row.
        """
        name = self.driver.get(table)
        driver = next((relation for relation in self.schema.relations_of_child(table) if relation.name == name), None)
        return None if driver is None or driver.parent_table in self.reference_tables else driver

    def _children(self, relation: Relation, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray]) -> np.ndarray:
        parent_row = checked_pointer(relation, rows, pointers)
        count = np.bincount(parent_row[parent_row >= 0], minlength=rows[relation.parent_table])
        if relation.parent_table not in self.reference_tables or not count.any():
            return np.log1p(count)
        # A ratio inside the logarithm: no children is 0 in a database of any size.
        return np.log1p(10 * count / count.mean())

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {
            "schema": self.schema.to_dict(),
            "driver": dict(self.driver),
            "reference_tables": sorted(self.reference_tables),
            "names": {table: list(self.names(table)) for table in self.schema.table_names},
            "mean": {table: list(values) for table, values in self.mean.items()},
            "std": {table: list(values) for table, values in self.std.items()},
            "censored": dict(self.censored),
        }

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> StructureFeatures:
        """Read the form that ``to_dict`` writes."""
        return StructureFeatures(
            schema=Schema.from_dict(raw["schema"]),
            driver=dict(raw["driver"]),
            reference_tables=frozenset(raw["reference_tables"]),
            mean={table: tuple(values) for table, values in raw["mean"].items()},
            std={table: tuple(values) for table, values in raw["std"].items()},
            censored=dict(raw["censored"]),
        )


def _rank_names() -> tuple[str, ...]:
    waves = [f"{wave}(rank/{period})" for period in RANK_PERIODS for wave in ("sin", "cos")]
    return ("log1p(rank)", "rank/size", "log1p(size)", *waves)


def rank_features(parent_row: np.ndarray) -> list[np.ndarray]:
    """Return smooth functions of a row's place among its siblings, each (rows,) float64.

    Args:
        parent_row: the driver's pointers, (rows,) int64; a row without a parent is its own family.
    """
    rank, size = sibling_ranks(parent_row)
    angles = [2 * np.pi * rank / period for period in RANK_PERIODS]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return [np.log1p(rank), rank / size, np.log1p(size), *waves]


def sibling_ranks(parent_row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every row's place among the rows of its parent (from 0, in row order) and their number, as float64.

    >>> sibling_ranks(np.array([1, 0, 1, -1, 1]))
    (array([0., 0., 1., 0., 2.]), array([3., 1., 3., 1., 3.]))
    """
    rows = len(parent_row)
    family = np.where(parent_row < 0, parent_row.max(initial=-1) + 1 + np.arange(rows), parent_row)
    order = np.argsort(family, kind="stable")
    _, start, size = np.unique(family[order], return_index=True, return_counts=True)
    rank_of, size_of = np.empty(rows), np.empty(rows)
    rank_of[order] = np.arange(rows) - np.repeat(start, size)
    size_of[order] = np.repeat(size, size)
    return rank_of, size_of

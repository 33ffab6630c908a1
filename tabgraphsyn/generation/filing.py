"""Rows in the order of the original file, once all of a table's are made: whole rows move, references hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.file_order import FileKey, as_families_stand, in_file_order, sorting_key
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.family_kinds import Rising
from tabgraphsyn.data.rules.running_kind import Running
from tabgraphsyn.generation.keys import Keys
from tabgraphsyn.generation.structure.base import Skeleton


@dataclass
class Filing:
    """Where each row stands in its file.

    Attributes:
        prepared: schema, rules and what sorts each file.
        skeleton: the keys, by the rows as they are made.
        keys: values of the keys; those that number a table's rows do so in the order of its file.
        batch_rows: rows that are yielded at a time.
        places: table -> (rows,) int64, where each row stands, of tables that are sorted.
    """

    prepared: Prepared
    skeleton: Skeleton
    keys: Keys
    batch_rows: int
    places: dict[str, np.ndarray] = field(default_factory=dict)

    def sorts(self, table: str) -> bool:
        """Return whether rows of a table are put in order."""
        return table in self.prepared.plan.file_order

    def numbered(self, table: str, whole: pa.Table) -> pa.Table:
        """Return all rows of a table, (rows,) as they stand; their places are known from now on, and keys go by them.

        Args:
            whole: all rows of the table, each once.
        """
        if not self.sorts(table):
            return whole
        order = self._order(table, whole)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        self.places[table] = place
        numbers = {} if self._is_named(table) else self.keys.renumbered(table, place)
        for column, values in numbers.items():
            whole = whole.set_column(whole.column_names.index(column), column, values)
        return whole

    def _is_named(self, table: str) -> bool:
        """Return whether rows of a table itself, or of one made before it, name its rows by their keys."""
        tables = self.prepared.plan.order
        below = [one.child_table for one in self.prepared.schema.relations_of_parent(table)]
        return any(tables.index(one) <= tables.index(table) for one in below)

    def filed(self, table: str, whole: pa.Table) -> Iterator[pa.Table]:
        """Yield the rows of a table that is ``numbered``, batch by batch, in the order of its file; (rows,) in all."""
        order = np.argsort(self.places[table])
        for first in range(0, max(len(order), 1), self.batch_rows):
            yield whole.take(pa.array(order[first : first + self.batch_rows]))

    def _order(self, table: str, whole: pa.Table) -> np.ndarray:
        order = in_file_order(self.prepared.plan.file_order[table], self._keys_of(table, whole), whole.num_rows)
        told = [one for one in self.prepared.row_rules(table).families if _reads_the_file(one)]
        if all(isinstance(one, Rising) and not self._breaks(one, whole, order) for one in told):
            return order
        relations = {one.relation for one in told if isinstance(one, Rising | Running | Continued)}
        if len(relations) > 1:
            return np.arange(whole.num_rows)
        return as_families_stand(order, self.skeleton.pointers[relations.pop()])

    def _keys_of(self, table: str, whole: pa.Table) -> dict[str, np.ndarray]:
        found = {}
        for one in self.prepared.plan.file_order[table]:
            found[one.name] = self._of_parents(one) if one.is_key else sorting_key(whole.column(one.name))
        return {name: np.zeros(whole.num_rows) if value is None else value for name, value in found.items()}

    def _of_parents(self, key: FileKey) -> np.ndarray:
        """Return where the parents of rows stand in their file, (rows,) float64, NaN for none."""
        pointer, parent = self.skeleton.pointers[key.name], self.prepared.schema.relation(key.name).parent_table
        place = self.places.get(parent)
        at = pointer if place is None else place[np.maximum(pointer, 0)] if len(place) else pointer
        return np.where(pointer < 0, np.nan, at)

    def _breaks(self, rule: Rising, whole: pa.Table, order: np.ndarray) -> bool:
        """Return whether a column that climbs within families, in the order of the file, climbs less often then."""
        value, family = sorting_key(whole.column(rule.column.column)), self.skeleton.pointers[rule.relation]
        if value is None:
            return True
        return _wrong(rule, value[order], family[order]) > _wrong(rule, value, family)


def _reads_the_file(rule: object) -> bool:
    return isinstance(rule, Running) or (isinstance(rule, Rising | Continued) and rule.by is None)


def _wrong(rule: Rising, value: np.ndarray, family: np.ndarray) -> int:
    rows = np.flatnonzero((family >= 0) & ~np.isnan(value))
    rows = rows[np.argsort(family[rows], kind="stable")]
    step = np.diff(value[rows])[family[rows][1:] == family[rows][:-1]]
    step = -step if rule.falling else step
    return int(((step <= 0) if rule.strict else (step < 0)).sum())

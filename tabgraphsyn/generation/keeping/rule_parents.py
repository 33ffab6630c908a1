"""Rules that reach through a key, read as rules about one row: the parent's columns stand beside the row's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.operand import Operand, Term
from tabgraphsyn.data.rules.row_kinds import Same
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Schema, TableSchema


class BesideParents:
    """A table's rows with the columns of parents that its rules read.

    Args:
        schema: of the database.
        rules: of the table.
        read: returns a parent's column for all rows of the table, (rows,), null without a parent.
        known: the table's own columns that keys fix: values, (rows,), and where they are known, (rows,) bool.
        keys: the table's own keys -> where they are null, (rows,) bool.
    """

    def __init__(
        self,
        schema: Schema,
        rules: RowRules,
        read: Callable[[Operand], pa.Array],
        known: Mapping[str, tuple[pa.Array, np.ndarray]] | None = None,
        keys: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._keys = dict(keys or {})
        self._columns = {alias(one): read(one) for one in rules.through}
        self._fixed = tuple(known or ())
        self._known = {
            name: one
            for column, (values, where) in (known or {}).items()
            for name, one in zip(_of_keys(column), (values, pa.array(where)), strict=True)
        }
        table = schema.table(rules.table)
        parents = {one: schema.table(schema.way(str(one.through))[-1].parent_table) for one in rules.through}
        beside = (replace(parent.column(one.column), name=alias(one)) for one, parent in parents.items())
        self.schema: TableSchema = replace(table, columns=(*table.columns, *beside))
        nowhere = {one for one in rules.through if self._columns[alias(one)].null_count}
        # Where a key leads nowhere nothing need be the same; beside the row that would read as a null to copy.
        asked = [n for n, one in enumerate(rules.rules) if not (isinstance(one, Same) and nowhere & {*one.operands})]
        lookups = {place: rules.lookups[number] for place, number in enumerate(asked) if number in rules.lookups}
        self.rules = RowRules(rules.table, tuple(as_own(rules.rules[number]) for number in asked), lookups)

    @property
    def names(self) -> frozenset[str]:
        """Names that the parents' columns have here."""
        return frozenset(self._columns)

    @property
    def known(self) -> Mapping[str, tuple[str, str]]:
        """The table's own columns that keys fix: names of the values, and of where they are known, in ``columns``."""
        return {column: _of_keys(column) for column in self._fixed}

    def nulls(self) -> dict[str, np.ndarray]:
        """Return where the parents' columns and own keys are null, (rows of the table,) bool, by their names here."""
        return self._keys | {name: one.is_null().to_numpy(zero_copy_only=False) for name, one in self._columns.items()}

    def columns(self, rows: np.ndarray) -> dict[str, pa.Array]:
        """Return the parents' columns, and what keys fix, of some rows, (n,) int64, by their names here."""
        return {name: values.take(pa.array(rows)) for name, values in {**self._columns, **self._known}.items()}

    def added(self, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield batches of as many rows with the parents' columns at the end."""
        first = 0
        for batch in batches:
            for name, values in self._columns.items():
                batch = batch.append_column(name, values.slice(first, batch.num_rows))
            yield batch
            first += batch.num_rows

    def removed(self, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield batches of as many rows without them."""
        for batch in batches:
            yield batch.drop_columns(list(self._columns)) if self._columns else batch


def fixed_columns(prepared: Prepared, table: str) -> frozenset[str]:
    """Return the columns of a table that no rule computes: keys, and what follows from them."""
    return frozenset({*prepared.schema.key_columns(table), *(one.column for one in prepared.known(table).columns)})


def _of_keys(column: str) -> tuple[str, str]:
    return f"\0\0{column}", f"\0\0\0{column}"


def alias(operand: Operand) -> str:
    """Return the name that a parent's column has beside the row's own; no column of a table has it."""
    return operand.column if operand.through is None else f"\0{operand.through}\0{operand.column}"


def way_of(operand: Operand) -> str | None:
    """Return the keys that lead to an operand's column, also where that stands beside the row's own; else None."""
    return operand.column.split("\0")[1] if operand.column.startswith("\0") else operand.through


def as_own(rule: Rule) -> Rule:
    """Return a rule whose operands are all own columns of the row."""
    changed = {one.name: _owned(getattr(rule, one.name)) for one in fields(rule)}
    return replace(rule, **changed)


def _owned(value: Any) -> Any:
    if isinstance(value, Operand):
        return Operand(alias(value))
    if isinstance(value, Term):
        return Term(Operand(alias(value.operand)), value.factor)
    return tuple(map(_owned, value)) if isinstance(value, tuple) else value

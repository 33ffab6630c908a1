"""Parents whose column says what their rows add up to: it is computed once the rows are there.

The rows keep what was drawn for them, so their distribution is the model's; the parent's column then has that of sums.
Scaling rows to a drawn total would change both the rows and all that follows from them (price times quantity).

A least, largest, first or last number is another thing where the parent's column follows from more: an order's total is
its goods and its shipping, and its largest payment too. Computed from both it would leave the shipping what is between.
There the one row goes by its parent instead, once the parent is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codes import MISSING
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.family_kinds import ENDS, ParentTotal, aggregate, at_rows, ends_of
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.shift_kind import Shift
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.generation.keeping.known_totals import ToldTotals
from tabgraphsyn.generation.keeping.rule_rows import RuleRows

OF_ONE_ROW = ("min", "max", *ENDS)
"""Totals that one row of a parent says."""


@dataclass
class HeldTables:
    """Tables that wait for their rows, or for their parents.

    Attributes:
        prepared: schema and rules.
        waiting: table -> its rows without totals.
        values: table -> column -> (rows,) of tables that totals are made of.
    """

    prepared: Prepared
    waiting: dict[str, pa.Table] = field(default_factory=dict)
    values: dict[str, dict[str, pa.Array]] = field(default_factory=dict)

    def rules(self, table: str) -> list[ParentTotal]:
        """Return the totals of a table that are computed of its rows; their number is known before."""
        stays = ToldTotals(self.prepared).stays
        return [one for one in self._totals(table) if not self._is_said_otherwise(one) and not stays(one)]

    def following(self, table: str) -> list[ParentTotal]:
        """Return the parents' totals that a row of this table goes by, where nothing else hangs on it."""
        schema = self.prepared.schema
        above = {one.parent_table for one in schema.relations_of_child(table) if not one.is_self_reference}
        said = [one for parent in sorted(above) for one in self._totals(parent)
                if schema.relation(one.relation).child_table == table]  # fmt: skip
        added = {one.of for one in said if not self._is_said_otherwise(one)}
        if schema.relations_of_parent(table) or self.rules(table):
            return []
        return [one for one in said if self._is_said_otherwise(one) and one.of not in added]

    def asked(self, tables: Iterable[str]) -> dict[str, set[str]]:
        """Return the columns, by table, that totals of all tables are made of, or that rows go by."""
        found: dict[str, set[str]] = {}
        for table in tables:
            for one in self.rules(table):
                child = self.prepared.schema.relation(one.relation).child_table
                found.setdefault(child, set()).update(one.read_of_rows)
            for one in [*self.following(table), *word_ends(self.prepared, table)]:
                found.setdefault(one.table, set()).add(one.column.column)
            if stays := ToldTotals(self.prepared).asked(table):
                found.setdefault(table, set()).update(stays)
        return found

    def _totals(self, table: str) -> list[ParentTotal]:
        return [one for one in self.prepared.row_rules(table).families if isinstance(one, ParentTotal) and one.of]

    def _is_said_otherwise(self, one: ParentTotal) -> bool:
        """Return whether a column that one row says is tied to sums of rows, or has been copied to rows below."""
        schema, name = self.prepared.schema, one.column.column
        if one.how not in OF_ONE_ROW or schema.table(one.table).column(name).sdtype == "datetime":
            return False
        own = self.prepared.row_rules(one.table)
        sums = {rule.column.column for rule in own.families if isinstance(rule, ParentTotal)
                and rule.how not in OF_ONE_ROW} - {name}  # fmt: skip
        ties = [{each.column for each in rule.operands if each.is_own} for rule in own.rules if _is_exact(rule)]
        if any(name in tie and sums & tie for tie in ties):
            return True
        below = {relation.name: relation.child_table for relation in schema.relations_of_parent(one.table)}
        return any(
            each.column == name and each.through in below
            for child in set(below.values())
            for rule in self.prepared.row_rules(child).rules
            if _is_exact(rule)
            for each in rule.operands
        )

    def finished(
        self,
        table: str,
        pointers: Mapping[str, np.ndarray],
        ruled: Callable[[str, pa.Table, frozenset[str]], pa.Table],
    ) -> pa.Table:
        """Return a table that waited, its totals computed and what follows from them computed again.

        Args:
            table: whose rows all are made.
            pointers: relation name -> (rows,) number of the parent, negative for none.
            ruled: keeps the rules about single rows and leaves some columns as they are.
        """
        rules, words = self.rules(table), word_ends(self.prepared, table)
        # A word says whether others are missing (closed at), so these are as it says before they are computed.
        first = [one for one in rules if one in words]
        made = self._computed(table, self.waiting.pop(table), first, pointers)
        if first:
            made = ruled(table, made, frozenset(one.column.column for one in first))
        made = self._computed(table, made, [one for one in rules if one not in first], pointers)
        made = ruled(table, made, frozenset(one.column.column for one in rules))
        self._remember(table, made)
        return made

    def _computed(
        self, table: str, rows: pa.Table, rules: Iterable[ParentTotal], pointers: Mapping[str, np.ndarray]
    ) -> pa.Table:
        """Return a table's rows with what their rows say by some rules, where there is a value already."""
        schema = self.prepared.schema
        own = RuleRows(schema.table(table), rows)
        for rule in rules:
            child = schema.relation(rule.relation).child_table
            below = RuleRows(schema.table(child), pa.table({one: self.values[child][one] for one in rule.read_of_rows}))
            said, family = Operand(str(rule.of)), pointers[rule.relation]
            if rule.how in ENDS:
                row = _end_rows(rule, below, family, rows.num_rows)
                _put(own, rule.column.column, below, str(rule.of), row)
            else:
                found, old = aggregate(rule.how, below.numbers(said), family, rows.num_rows), own.numbers(rule.column)
                own.put_numbers(rule.column.column, found, np.isfinite(found) & np.isfinite(old) & (found != old))
        return own.table

    def followed(
        self,
        table: str,
        pointers: Mapping[str, np.ndarray],
        ruled: Callable[[str, pa.Table, frozenset[str]], pa.Table],
    ) -> pa.Table:
        """Return a table that waited for its parents, one row of each as the parent says; see ``finished``."""
        rows, done = RuleRows(self.prepared.schema.table(table), self.waiting.pop(table)), set()
        for rule in self.following(table):
            above = self.prepared.schema.table(rule.table)
            told = pa.table({rule.column.column: self.values[rule.table][rule.column.column]})
            parents, family = RuleRows(above, told), pointers[rule.relation]
            if rule.how in ENDS:
                row = _end_rows(rule, rows, family, parents.count)
                of_parent = np.full(rows.count, MISSING)
                of_parent[row[row >= 0]] = np.flatnonzero(row >= 0)
                _put(rows, str(rule.of), parents, rule.column.column, of_parent)
            else:
                old = rows.numbers(Operand(str(rule.of)))
                found = _as_told(rule.how, old, family, parents.numbers(rule.column))
                rows.put_numbers(str(rule.of), found, np.isfinite(found) & np.isfinite(old) & (found != old))
            done.add(str(rule.of))
        made = ruled(table, rows.table, frozenset(done))
        self._remember(table, made)
        return made

    def _remember(self, table: str, made: pa.Table) -> None:
        for name in self.values.get(table, {}):
            self.values[table][name] = made.column(name).combine_chunks()


def word_ends(prepared: Prepared, table: str) -> list[ParentTotal]:
    """Return the rules that a table's column is the word that the first or last row of each has."""
    return [
        one
        for one in prepared.row_rules(table).families
        if isinstance(one, ParentTotal)
        and one.how in ENDS
        and prepared.schema.table(table).column(one.column.column).sdtype == "categorical"
    ]


def _is_exact(rule: Rule) -> bool:
    return isinstance(rule, Same | Total | Product | Shift | Fixed)


def _end_rows(rule: ParentTotal, rows: RuleRows, family: np.ndarray, parents: int) -> np.ndarray:
    """Return (parents,) int64: the row that a rule reads of each parent, -1 for none; ``family`` is (rows,)."""
    by = None if rule.by is None else rows.numbers(Operand(rule.by))
    return ends_of(rule.how, family, parents, by)


def _put(to: RuleRows, name: str, of: RuleRows, column: str, row: np.ndarray) -> None:
    """Give a column the values of another table's, where both have one; ``row`` is (rows,), -1 for none."""
    told = np.append(of.filled(column), False)[row] & to.filled(name)
    if of.read.is_measured(of.name, Operand(column)):
        found, old = np.append(of.numbers(Operand(column)), np.nan)[row], to.numbers(Operand(name))
        to.put_numbers(name, found, told & (found != old))
    else:
        to.put(name, at_rows(of.column(column), row), told)


def _as_told(how: str, value: np.ndarray, family: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the values of rows, the least or largest of each family being what is wanted of it; NaN stays.

    Shape:
        value, family: (rows,), the number and the parent of each row, negative for none.
        wanted: (parents,), NaN for nothing.

    >>> _as_told("max", np.array([1.0, 5.0, 9.0, 2.0]), np.array([0, 0, 0, 1]), np.array([6.0, 3.0])).tolist()
    [1.0, 5.0, 6.0, 3.0]
    """
    found, asked = value.copy(), np.append(wanted, np.nan)[np.where(family >= 0, family, -1)]
    here = np.flatnonzero(~np.isnan(asked) & ~np.isnan(value))
    sign = 1.0 if how == "min" else -1.0
    order = here[np.lexsort((sign * value[here], family[here]))]
    found[here] = sign * np.maximum(sign * value[here], sign * asked[here])
    _, first = np.unique(family[order], return_index=True)
    found[order[first]] = asked[order[first]]
    return found

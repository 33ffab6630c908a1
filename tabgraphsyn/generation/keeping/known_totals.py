"""Sums over the rows of a parent that are known before the rows: these are made to add up to them.

A race is round three of its season, so its drivers have won three races, and its teams. What goes by other rows of its
own table stays, and where two tables add up to one column, the one that is made second says what the first one does.
Two columns of one table that add up to one column (debit and credit of a booking) agree, too: one says the other.
Rows move only where no other rule says what they hold: a line's amount is its price times its quantity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codes import MISSING
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.family_kinds import Numbered, ParentTotal, aggregate
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.placed_kind import Placed
from tabgraphsyn.data.rules.row_kinds import Bounds, Order
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import NullBy, NullTogether, OneOf, Unique
from tabgraphsyn.data.schema import TableSchema
from tabgraphsyn.generation.keeping.constant_totals import add_up
from tabgraphsyn.generation.keeping.rule_rows import RuleRows

Values = Mapping[str, Mapping[str, pa.Array]]
"""Table -> column -> (rows,) of tables that are made."""


@dataclass(frozen=True)
class ToldTotals:
    """What sums over rows must come to.

    Attributes:
        prepared: schema and rules.
    """

    prepared: Prepared

    def stays(self, rule: ParentTotal) -> bool:
        """Return whether a total's column goes by other rows of its table, and all that adds up to it may move."""
        families = self.prepared.row_rules(rule.table).families
        is_held = any(
            isinstance(one, Numbered | Placed)
            or (isinstance(one, Unique) and len(one.columns) + bool(one.relation) > 1)
            for one in families
            if rule.column in (one.operands[:1] if isinstance(one, Placed) else one.operands)
        )
        return is_held and all(self._moves(one) for one in self._of(rule.table) if one.column == rule.column)

    def asked(self, table: str) -> set[str]:
        """Return the columns of a table that its rows are made to add up to."""
        return {one.column.column for one in self._of(table) if self.stays(one)}

    def told(
        self, table: str, values: Values, pointers: Mapping[str, np.ndarray], rows: Mapping[str, int]
    ) -> list[tuple[ParentTotal, np.ndarray]]:
        """Return the sums over a table's rows that are known before them, (parents,) each.

        Args:
            table: in the making.
            values: of the tables made before: what totals are made of, and what stays.
            pointers: relation name -> (rows,) number of the parent, negative for none.
            rows: how many rows each table has.
        """
        schema, found = self.prepared.schema, []
        for parent in dict.fromkeys(one.parent_table for one in schema.relations_of_child(table)):
            for rule in (one for one in self._of(parent) if self._child(one) == table and self._moves(one)):
                if self.stays(rule):
                    column = pa.table({rule.column.column: values[parent][rule.column.column]})
                    found.append((rule, RuleRows(schema.table(parent), column).numbers(rule.column)))
                elif (first := self._first(rule, {*values} - {table})) is not None:
                    found.append((rule, self._total(first, values, pointers, rows[parent])))
        return found

    def beside(self, table: str) -> list[tuple[ParentTotal, ParentTotal]]:
        """Return pairs of sums over a table's rows that are one column of their parent; the second's rows may move."""
        found, above = [], {one.parent_table for one in self.prepared.schema.relations_of_child(table)}
        for parent in sorted(above - {table}):
            sums = [one for one in self._of(parent) if one.how == "sum" and one.of and self._child(one) == table]
            for column in dict.fromkeys(one.column for one in sums if not self.stays(one)):
                alike = sorted((one for one in sums if one.column == column), key=self._agrees)
                other = (one for one in alike[1:] if self._agrees(one) and one.relation == alike[0].relation)
                found += [(alike[0], one) for one in other]
        return found

    def _of(self, table: str) -> list[ParentTotal]:
        return [one for one in self.prepared.row_rules(table).families if isinstance(one, ParentTotal)]

    def _child(self, rule: ParentTotal) -> str:
        return self.prepared.schema.relation(rule.relation).child_table

    def _agrees(self, rule: ParentTotal) -> bool:
        """Return whether rows may do so where no pair, or one side of many, is all that else is asked of them."""
        return self._moves(rule, lambda one: isinstance(one, OneOf) or _is_of_several(one))

    def _moves(self, rule: ParentTotal, besides: Callable[[Rule], bool] = lambda _: False) -> bool:
        """Return whether rows may take other values so that they add up: no rule says more of them than an order."""
        known = self.prepared.row_rules(self._child(rule))
        read = [one for one in known.rules if rule.of in {each.column for each in one.operands if each.is_own}]
        read += [one for one in known.families if rule.of in {each.column for each in one.operands}]
        return rule.how == "sum" and all(
            isinstance(one, Order | NullBy | NullTogether | Bounds) or besides(one) for one in read
        )

    def _first(self, rule: ParentTotal, done: set[str]) -> ParentTotal | None:
        """Return another sum, or number, of the same column whose rows are made."""
        others = (one for one in self._of(rule.table) if one.column == rule.column and one != rule)
        return next((one for one in others if one.how in ("sum", "count") and self._child(one) in done), None)

    def _total(self, rule: ParentTotal, values: Values, pointers: Mapping[str, np.ndarray], parents: int) -> np.ndarray:
        """Return what a rule says of each parent, (parents,)."""
        pointer, child = pointers[rule.relation], self._child(rule)
        if rule.of is None:
            return np.bincount(pointer[pointer >= 0], minlength=parents).astype(np.float64)
        column = pa.table({rule.of: values[child][rule.of]})
        numbers = RuleRows(self.prepared.schema.table(child), column).numbers(Operand(rule.of))
        return aggregate(rule.how, numbers, pointer, parents)


def _is_of_several(rule: Rule) -> bool:
    return isinstance(rule, Unique) and len(rule.columns) > 1


def added_up(
    schema: TableSchema,
    whole: pa.Table,
    rule: ParentTotal,
    family: np.ndarray,
    totals: np.ndarray,
    of_rows: Iterable[Rule] = (),
) -> pa.Table:
    """Return all rows of a table that add up to totals, (parents,), NaN for anything, within the orders of each row."""
    rows = RuleRows(schema, whole)
    add_up(str(rule.of), rows, family, totals, rule.tolerance, _bounds(str(rule.of), rows, of_rows))
    return rows.table


def agreed(
    schema: TableSchema,
    whole: pa.Table,
    pair: tuple[ParentTotal, ParentTotal],
    family: np.ndarray,
    of_rows: Iterable[Rule] = (),
) -> pa.Table:
    """Return all rows of a table, of each family the second sum what the first is; ``family`` is (rows,).

    What is zero stays zero beside something: a line of a ledger stands on one side. A family of which nothing stands
    on one side stays as it is.
    """
    rows, parents = RuleRows(schema, whole), int(family.max(initial=-1)) + 1
    value = [rows.numbers(Operand(str(one.of))) for one in pair]
    total = [aggregate("sum", one, family, parents) for one in value]
    wanted = np.where((total[0] != 0) & (total[1] != 0), total[0], np.nan)
    name, moving = str(pair[1].of), np.where(value[1] == 0, MISSING, family)
    add_up(name, rows, moving, wanted, pair[1].tolerance, _bounds(name, rows, of_rows))
    return rows.table


def _bounds(name: str, rows: RuleRows, of_rows: Iterable[Rule]) -> tuple[np.ndarray, np.ndarray]:
    """Return between which other columns of its row a value stays, (rows,) each, NaN for any."""
    low, high = np.full(rows.count, np.nan), np.full(rows.count, np.nan)
    for rule in (one for one in of_rows if isinstance(one, Order) and Operand(name) in one.columns):
        place = rule.columns.index(Operand(name))
        for other in rule.columns[:place]:
            low = np.fmax(low, rows.numbers(other))
        for other in rule.columns[place + 1 :]:
            high = np.fmin(high, rows.numbers(other))
    return low, high

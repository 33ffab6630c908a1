"""A column that goes on from where the row before stood, put there once all rows are made, first rows first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.calendar_kind import Calendar
from tabgraphsyn.data.rules.continued_kind import Continued, in_order
from tabgraphsyn.data.rules.family_kinds import ParentTotal, Rising, steps
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Order
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.generation.keeping.rule_keeping import computed
from tabgraphsyn.generation.keeping.rule_repairs import compute
from tabgraphsyn.generation.keeping.rule_rows import RuleRows


def climbing(prepared: Prepared, table: str) -> list[Rising]:
    """Return times that climb from row to row as rows are drawn, for rules among rows go by their order.

    Rows of a family are drawn one after another, each going on from the one before; where their times do not climb as
    well, order of the times is another one, and no row goes on from any.
    """
    schema, driver = prepared.schema, prepared.plan.driver[table]
    if driver is None:
        return []
    rules = [one for one in prepared.row_rules(table).families if isinstance(one, Continued) and one.by is not None]
    orders = [one.by.column for one in rules if one.by is not None and one.relation == driver]
    above = prepared.row_rules(schema.relation(driver).parent_table).families
    orders += [one.by for one in above if isinstance(one, ParentTotal) and one.by and one.relation == driver]
    own = schema.table(table)
    return [
        Rising(table=table, relation=driver, column=Operand(name), strict=True)
        for name in dict.fromkeys(orders)
        if own.column(name).sdtype == "datetime"
    ]


def go_on(
    rule: Continued, rows: RuleRows, family: np.ndarray, of_rows: Sequence[Rule], protected: frozenset[str]
) -> None:
    """Give each row what the row before it holds; what the next row goes on from moves along where it is tied to it.

    Args:
        rule: of the rows.
        rows: changed in place.
        family: (rows,) the parent of each, negative for none.
        of_rows: rules about single rows: an end that follows from a beginning, or lies behind it.
        protected: columns that stay.
    """
    source, place = _before(rule, rows, family)
    if rule.opens_empty:
        rows.nulls(rule.column.column, (family >= 0) & (place == 0) & rows.filled(rule.column.column))
    every = _computed(rule.column.column, of_rows, protected)
    for one, target in every:  # numbers that changed before are followed by what is computed from them
        compute(one, target, rows)
    ways = _ways(rule.column.column, every)
    follows = rule.of.column in {target for _, target in ways}
    pair = {rule.column, rule.of}
    if not follows and not any(isinstance(one, Order) and pair <= set(one.operands) for one in of_rows):
        _take(rule, rows, source, place > 0, protected)
        return
    for rank in range(1, int(place.max(initial=0)) + 1):
        start, end = rows.numbers(rule.column), rows.numbers(rule.of)
        here = _take(rule, rows, source, place == rank, protected)
        for one, target in ways if here.any() else []:
            compute(one, target, rows, here)
        if not follows and rule.of.column not in protected:
            rows.put_numbers(rule.of.column, end + rows.numbers(rule.column) - start, here)


def _before(rule: Continued, rows: RuleRows, family: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row before each in its family, and how many there are: (rows,) int64 both."""
    by = in_order(rows.read, rule.table, rule.by)
    later, before = steps(family, by, ~np.isnan(by))
    source, place = np.arange(rows.count), np.zeros(rows.count, dtype=np.int64)
    source[later] = before
    opens = np.flatnonzero(np.diff(family[later], prepend=-1))
    place[later] = np.arange(len(later)) - np.repeat(opens, np.diff(np.append(opens, len(later)))) + 1
    return source, place


def _take(
    rule: Continued, rows: RuleRows, source: np.ndarray, where: np.ndarray, protected: frozenset[str]
) -> np.ndarray:
    """Put what the rows of ``source`` hold into some others; (rows,) bool, which of these held something else.

    A row that begins with something although the one before holds nothing (a period without an end that is no last one)
    gives that one what it begins with.
    """
    own, of = rows.read.joint(rule.table, (rule.column, rule.of))
    if rule.of.column not in protected:
        opened = np.flatnonzero(where & (own >= 0) & (of[source] < 0))
        ended, taken = np.zeros(rows.count, dtype=bool), np.arange(rows.count)
        ended[source[opened]], taken[source[opened]] = True, opened
        rows.put(rule.of.column, rows.column(rule.column.column).take(pa.array(taken)), ended)
        of = np.where(ended, own[taken], of)
    changed: np.ndarray = where & (own != of[source])
    rows.put(rule.column.column, rows.column(rule.of.column).take(pa.array(source)), changed)
    return changed


def _computed(column: str, of_rows: Sequence[Rule], protected: frozenset[str]) -> list[tuple[Rule, str]]:
    """Return what rules about single rows compute, without lists of values and without a column."""
    found = [(of_rows[number], target) for number, target in computed(of_rows, protected | {column})]
    return [(rule, target) for rule, target in found if not isinstance(rule, Fixed | Calendar)]


def _ways(column: str, every: Sequence[tuple[Rule, str]]) -> list[tuple[Rule, str]]:
    """Return what of it is computed from a column, and from that, in turn."""
    found, reached = [], {column}
    for rule, target in every:
        if reached & {one.column for one in rule.operands}:
            found.append((rule, target))
            reached.add(target)
    return found

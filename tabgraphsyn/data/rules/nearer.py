"""Rules about rows further above that follow from rules about nearer ones: nothing is said twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Order, Same
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import THEN, Schema


def is_told_nearer(rule: Rule, found: Sequence[Rule], schema: Schema) -> bool:
    """Return whether a rule that reads a row over several keys follows from what holds key by key.

    A grandparent's value that the parent copies, or that comes before one of the parent's, which is before the row's.
    """
    for far in rule.operands:
        way = () if far.through is None else schema.way(far.through)
        if len(way) < 2:
            continue
        middle, step = way[0].parent_table, way[0].name
        above = Operand(far.column, THEN.join(one.name for one in way[1:]))
        for one in (each for each in found if each.table == middle and above in each.operands):
            if isinstance(one, Same) and _is_said_of(rule, far, Operand(_other(one, above).column, step), found):
                return True
            if isinstance(one, Order) and isinstance(rule, Order) and _is_between(rule, far, one, above, step, found):
                return True
    return False


def _other(rule: Same, one: Operand) -> Operand:
    return rule.left if rule.right == one else rule.right


def _is_said_of(rule: Rule, far: Operand, near: Operand, found: Iterable[Rule]) -> bool:
    """Return whether a rule of the same kind reads a nearer column in the place of a far one."""
    wanted = {near if one == far else one for one in rule.operands}
    return any(one.kind == rule.kind and one.table == rule.table and wanted <= set(one.operands) for one in found)


def _is_between(rule: Order, far: Operand, one: Order, above: Operand, step: str, found: Iterable[Rule]) -> bool:
    """Return whether a column of the row between stands between those of an order of two."""
    if len(rule.columns) != 2:
        return False
    own, is_first = next(each for each in rule.columns if each != far), rule.columns[0] == far
    for middle in (each for each in one.columns if each.is_own and _before(above, each, one) == is_first):
        near = Operand(middle.column, step)
        for other in _orders(found, rule.table):
            if {near, own} <= set(other.columns) and _before(near, own, other) == is_first:
                return True
    return False


def _before(one: Operand, other: Operand, rule: Order) -> bool:
    return rule.columns.index(one) < rule.columns.index(other)


def _orders(found: Iterable[Rule], table: str) -> Iterator[Order]:
    yield from (one for one in found if isinstance(one, Order) and one.table == table)

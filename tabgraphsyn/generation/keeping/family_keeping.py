"""Rules among rows kept in made ones: unique, numbered, equally far apart, by the row above, rising."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codes import MISSING, tuple_codes
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.family_kinds import EqualGap, FamilyTotal, Numbered, ParentTotal, Rising
from tabgraphsyn.data.rules.kept import rule_above
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.placed_kind import Placed, places
from tabgraphsyn.data.rules.row_kinds import Order, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.running_kind import Running, carried_on
from tabgraphsyn.data.rules.value_kinds import Fixed, Unique
from tabgraphsyn.data.schema import TableSchema
from tabgraphsyn.generation.keeping.constant_totals import keep_family_total
from tabgraphsyn.generation.keeping.family_continued import go_on
from tabgraphsyn.generation.keeping.family_order import in_order
from tabgraphsyn.generation.keeping.family_rise import keep_rising
from tabgraphsyn.generation.keeping.family_unique import keep_unique
from tabgraphsyn.generation.keeping.rule_parents import way_of
from tabgraphsyn.generation.keeping.rule_rows import RuleRows


def keep_families(
    schema: TableSchema,
    whole: pa.Table,
    rules: Sequence[Rule],
    pointers: Mapping[str, np.ndarray],
    protected: frozenset[str],
    rng: np.random.Generator,
    moves_rows: bool = False,
    fixing: Mapping[str, Sequence[str]] | None = None,
    anchored: frozenset[str] = frozenset(),
    of_rows: Sequence[Rule] = (),
    avoided: frozenset[str] = frozenset(),
    children: Mapping[str, np.ndarray] | None = None,
) -> pa.Table:
    """Return all rows of a table with such rules kept; a column holds the values of its family in another order,
    numbers that follow from the least one, values of other rows, or, where its key fixes it, what the first of its rows
    holds.

    Where the file's order is all that a rise goes by, and rows may change places, whole rows do: what a row's columns
    say of each other stays.

    Args:
        schema: of the table.
        whole: all of its rows.
        rules: those of ``FAMILY_KINDS`` are kept, what a change of order breaks last: rows of one parent that change
            places stay unique, numbered and equally far apart.
        pointers: relation name -> (rows,) number of the parent, negative for none.
        children: the same of rows that refer to this table's, (their rows,).
        protected: columns that stay as they are.
        rng: chooses other values.
        moves_rows: rows of a family may change places, for nothing but this family hangs on them.
        fixing: column -> the relations whose keys together fix it.
        anchored: columns that go by a parent's: what is equally far apart in them begins where it was drawn.
        avoided: columns that rules about single rows compute: they change last where rows are to be unique.
        of_rows: rules about single rows; what follows by them from a number within a parent is left to them.
    """
    rows = RuleRows(schema, whole)
    for name, relations in (fixing or {}).items():
        if relations:
            family = tuple_codes([np.maximum(pointers[one], MISSING) for one in relations])
            rows.take(name, _first_of(family), family >= 0)
    follows = from_numbers(rules, of_rows)
    keeping = _Keeping(rows, rules, of_rows, pointers, children or {}, protected, follows, anchored, avoided, rng)
    # What carries on was drawn row after row: rows stay where they are, and what rises changes rows by itself.
    is_in_order = not moves_rows or any(isinstance(rule, Running | Continued) for rule in rules)
    for rule in sorted(rules, key=_turn):
        if not is_in_order and _turn(rule):  # values are as they stay: rows that change places keep them together
            _in_file_order(rules, rows, pointers, protected)
            is_in_order = True
        keeping.keep(rule)
    return rows.table


@dataclass(frozen=True)
class _Keeping:
    """What one rule is kept with; the arguments of ``keep_families``, and the columns that ``from_numbers`` tells."""

    rows: RuleRows
    rules: Sequence[Rule]
    of_rows: Sequence[Rule]
    pointers: Mapping[str, np.ndarray]
    children: Mapping[str, np.ndarray]
    protected: frozenset[str]
    follows: frozenset[str]
    anchored: frozenset[str]
    avoided: frozenset[str]
    rng: np.random.Generator

    def keep(self, rule: Rule) -> None:
        """Keep one rule; one whose column stays, or follows from others, is left alone."""
        if isinstance(rule, Unique):  # other columns than a protected one may change
            keep_unique(rule, self.rows, self.pointers, self.protected, self.rng, self.avoided, self.of_rows)
        elif isinstance(rule, Order):
            if (own := rule_above(rule)) is not None and own.column not in self.protected:
                _after_above(own, self.rules, self.rows, self.pointers)
        elif (name := rule.operands[0].column) in self.protected:
            return
        elif isinstance(rule, Placed):
            _place(rule, self.rows)
        elif name not in self.follows:
            self._computed(rule, name)

    def _computed(self, rule: Rule, name: str) -> None:
        """Keep a rule that says a column's values, or their order, from other rows."""
        if isinstance(rule, Total):
            _one_more_than_above(rule, self.rows, self.pointers)
        elif isinstance(rule, Same):
            _as_above(rule, self.rows, self.pointers)
        elif isinstance(rule, FamilyTotal):
            keep_family_total(rule, self.rows, self.pointers[rule.relation])
        elif isinstance(rule, ParentTotal):
            if rule.of is None:  # what sums up a column of theirs is kept elsewhere
                _number_of_children(rule, self.rows, {**self.pointers, **self.children}[rule.relation])
        elif isinstance(rule, Running):
            value = self.rows.numbers(rule.operands[0])
            found = carried_on(rule, value, rule.signed(self.rows.read), self.pointers[rule.relation])
            self.rows.put_numbers(name, found, ~np.isnan(found) & ~(np.abs(found - value) <= rule.tolerance))
        elif isinstance(rule, Continued):
            go_on(rule, self.rows, self.pointers[rule.relation], self.of_rows, self.protected)
        elif isinstance(rule, Rising):
            keep_rising(rule, self.rows, self.pointers[rule.relation], self.of_rows, self.protected, self.rng)
        elif isinstance(rule, Numbered):
            # What is equal to it where there is something has no gap: rows without are last.
            apart = {one.column.column for one in self.rules if isinstance(one, EqualGap)}
            behind = apart & self.follows & _equals(name, self.of_rows)
            _number(rule, name, self.rows, self.pointers[rule.relation], behind)
        elif isinstance(rule, EqualGap):
            _set_apart(rule, name, self.rows, self.pointers[rule.relation], name in self.anchored)


def _number_of_children(rule: ParentTotal, rows: RuleRows, pointer: np.ndarray) -> None:
    """Put into a column how many rows refer to each."""
    count = np.bincount(pointer[pointer >= 0], minlength=rows.count).astype(np.float64)
    rows.put_numbers(rule.operands[0].column, count, ~(count == rows.numbers(rule.column)))


def _number(rule: Numbered, name: str, rows: RuleRows, family: np.ndarray, behind: set[str]) -> None:
    """Put numbers to the rows of each family, (rows,), in the order drawn; those without ``behind`` come last."""
    value, has, is_last = rows.numbers(rule.operands[0]), family >= 0, np.zeros(rows.count, dtype=bool)
    for other in behind:
        is_last |= ~rows.filled(other)
    order, opens, sizes = _sorted(np.where(has, value, np.nan), family, has, is_last)
    found = np.full(rows.count, np.nan)
    found[order] = np.arange(len(order)) - np.repeat(opens, sizes) + rule.start
    rows.put_numbers(name, found, ~np.isnan(found) & ~(found == value))


def _set_apart(rule: EqualGap, name: str, rows: RuleRows, family: np.ndarray, is_anchored: bool) -> None:
    """Put the same gap between the values of each family, (rows,); an anchored one begins where it was drawn."""
    value = rows.numbers(rule.operands[0])
    has = (family >= 0) & ~np.isnan(value)
    order, opens, sizes = _sorted(np.where(has, value, np.nan), family, has)
    gap = _usual_gap(value[order], opens, sizes) if rule.gap is None else np.full(len(opens), rule.gap)
    start = value[order][opens]
    if not is_anchored:
        start = _within(start, gap, sizes, value[order])
    found = np.full(rows.count, np.nan)
    rank = np.arange(len(order)) - np.repeat(opens, sizes)
    found[order] = np.repeat(start, sizes) + np.repeat(gap, sizes) * rank
    rows.put_numbers(name, found, ~np.isnan(found) & ~(found == value))


def _turn(rule: Rule) -> int:
    """Return when a rule has its turn: what a change of order breaks last, an order along a key after all of them."""
    if isinstance(rule, Rising):
        return 1 if rule.by is None else 2
    return 4 if isinstance(rule, Running | Continued) else 3 if isinstance(rule, Order) else 0


def _after_above(own: Operand, rules: Sequence[Rule], rows: RuleRows, pointers: Mapping[str, np.ndarray]) -> None:
    """Let a column's values change rows so that none falls from a row to those that refer to it, by whichever key.

    What rises in the order of the file within a parent goes on rising.
    """
    child = np.arange(rows.count)
    value = rows.numbers(own)
    edges = []
    for rule in rules:
        if isinstance(rule, Order) and rule_above(rule) == own:  # a father is older, and so is a mother
            above = pointers[next(str(one.through) for one in rule.columns if not one.is_own)]
            pairs = above[above >= 0], child[above >= 0]
            edges.append(pairs[::-1] if rule.columns[0].is_own else pairs)  # the row itself comes first
        if isinstance(rule, Rising) and rule.column == own and rule.by is None:
            family = pointers[rule.relation]
            order, opens, _ = _sorted(child.astype(np.float64), family, (family >= 0) & ~np.isnan(value))
            goes_on = np.ones(len(order), dtype=bool)
            goes_on[opens] = False
            pairs = order[np.flatnonzero(goes_on) - 1], order[goes_on]
            edges.append(pairs[::-1] if rule.falling else pairs)
    source = in_order(value, edges)
    rows.take(own.column, source, source != child)


def _place(rule: Placed, rows: RuleRows) -> None:
    """Give rows that share the values of some columns the numbers of their places."""
    group = rows.read.whole_groups(rule.table, rule.within)
    value = rows.numbers(rule.column)
    by = value if rule.by is None else rows.numbers(rule.by)
    found = places(np.where(np.isnan(by), -1, group), by, value) + rule.start
    rows.put_numbers(rule.column.column, found, ~np.isnan(found) & ~(found == value))


def _first_of(family: np.ndarray) -> np.ndarray:
    """Return (rows,) int64: the first row of each row's family."""
    _, first, number = np.unique(family, return_index=True, return_inverse=True)
    return first[number].astype(np.int64)


def _in_file_order(
    rules: Sequence[Rule], rows: RuleRows, pointers: Mapping[str, np.ndarray], protected: frozenset[str]
) -> None:
    """Let whole rows of each family change places, so that the columns that rise in the order of the file do."""
    rising = [one for one in rules if isinstance(one, Rising) and one.by is None and one.column.column not in protected]
    if not rising:
        return
    family = pointers[rising[0].relation]
    values = [rows.numbers(one.column) * (-1 if one.falling else 1) for one in rising]
    here = np.flatnonzero((family >= 0) & ~np.isnan(values).any(axis=0))
    source = np.arange(rows.count)
    places = here[np.argsort(family[here], kind="stable")]
    source[places] = here[np.lexsort((*(value[here] for value in reversed(values)), family[here]))]
    for name in rows.table.column_names:
        if name not in protected:
            rows.take(name, source, source != np.arange(rows.count))


def _within(start: np.ndarray, gap: np.ndarray, sizes: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return (families,) where each begins: whole gaps earlier where it would end beyond all values, if it can."""
    step = np.maximum(gap, np.finfo(np.float64).tiny)
    beyond = np.maximum(np.ceil((start + gap * (sizes - 1) - value.max(initial=-np.inf)) / step - 1e-9), 0)
    moved: np.ndarray = start - beyond * gap
    return np.where(moved >= value.min(initial=np.inf), moved, start)


def _usual_gap(value: np.ndarray, opens: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return (families,) the middle one of the gaps between sorted values of each, 0 for a family of one."""
    gap, owner = np.diff(value, prepend=np.nan), np.repeat(np.arange(len(opens)), sizes)
    gap[opens] = -np.inf  # sorted before all gaps of its family
    order = np.lexsort((gap, owner))
    middle = gap[order][opens + np.minimum((sizes - 1) // 2 + (sizes > 1), sizes - 1)]
    return np.where(sizes > 1, middle, 0.0)


def _one_more_than_above(rule: Total, rows: RuleRows, pointers: Mapping[str, np.ndarray]) -> None:
    """Compute a column from the row above along a key into the table itself, from the top down; a ring stays."""
    assert rule.result is not None
    (term,) = rule.terms
    pointer, value = pointers[str(term.operand.through)], rows.numbers(rule.result)
    if term.operand.column != rule.result.column:  # another column of the row above, which stays
        above = rows.numbers(Operand(term.operand.column))[np.maximum(pointer, 0)]
        found = np.where(pointer >= 0, rule.constant + term.factor * above, value)
    else:
        found = value.copy()
        for now in _downwards(pointer):
            found[now] = rule.constant + term.factor * found[pointer[now]]
    rows.put_numbers(rule.result.column, found, np.isfinite(found) & ~(found == value))


def _as_above(rule: Same, rows: RuleRows, pointers: Mapping[str, np.ndarray]) -> None:
    """Give rows of a tree the value of the row at its top: an account is of the kind of its group; a ring stays."""
    pointer = pointers[str(next(one.through for one in rule.operands if not one.is_own))]
    top = np.arange(rows.count)
    for now in _downwards(pointer):
        top[now] = top[pointer[now]]
    rows.take(rule.left.column, top, top != np.arange(rows.count))


def _downwards(pointer: np.ndarray) -> Iterator[np.ndarray]:
    """Yield (rows,) bool, level by level below those without a row above, whose (rows,) number is negative."""
    is_done = pointer < 0
    while (now := ~is_done & is_done[np.maximum(pointer, 0)]).any():
        yield now
        is_done = is_done | now


def from_numbers(families: Sequence[Rule], of_rows: Sequence[Rule]) -> frozenset[str]:
    """Return the columns that follow, by rules about single rows, from columns that stand in an order within a parent.

    A place in a race says the points that it earns: points sorted by themselves would be others. A date says its
    weekday, and weekdays add up where dates are a day apart: made to add up by themselves they would be other days'.
    The day of a study says the date, which is so many days after the patient's first: they rise together.
    """
    told = [one for one in of_rows if isinstance(one, Fixed)]
    leading: set[str] = set()
    found = {name for rule in of_rows if isinstance(rule, Total) for name in _rising_with(rule, families)}
    for kinds, rules in ((Numbered, of_rows), (EqualGap | Placed, told), (Rising, told)):
        leading |= {one.operands[0].column for one in families if isinstance(one, kinds)} - found
        found |= _following(leading, rules) - leading
    return frozenset(found)


def _rising_with(rule: Total, families: Sequence[Rule]) -> set[str]:
    """Return the result of a sum that rises within a parent as its one own term does; the parent says the others."""
    own = [one for one in rule.terms if way_of(one.operand) is None]
    if rule.result is None or len(own) != 1 or own[0].factor <= 0:
        return set()
    above = {way_of(one.operand) for one in rule.terms} - {None}
    rising = [one for one in families if isinstance(one, Rising) and above <= {one.relation}]
    ways = [{(one.relation, one.by, one.falling) for one in rising if one.column == each}
            for each in (rule.result, own[0].operand)]  # fmt: skip
    return {rule.result.column} if ways[0] and ways[0] <= ways[1] else set()


def _following(first: set[str], of_rows: Sequence[Rule]) -> set[str]:
    """Return columns, and those that rules about single rows say from them."""
    found, grew = set(first), True
    while grew:
        new = set()
        for rule in of_rows:
            if not all(one.is_own for one in rule.operands):
                continue
            if isinstance(rule, Fixed) and {one.column for one in rule.determinant} <= found:
                new.add(rule.dependent.column)
            elif _is_equality(rule) and found & {one.column for one in rule.operands}:
                new |= {one.column for one in rule.operands}
        grew = not new <= found
        found |= new
    return found


def _equals(name: str, of_rows: Sequence[Rule]) -> set[str]:
    """Return the columns that a rule says are equal to one."""
    pairs = [{each.column for each in one.operands} for one in of_rows if _is_equality(one)]
    return {other for pair in pairs if name in pair for other in pair - {name}}


def _is_equality(rule: Rule) -> bool:
    """Return whether two columns are equal by it: said as such, or as a sum of one term."""
    if isinstance(rule, Total):
        is_plain = rule.result is not None and not rule.constant and len(rule.terms) == 1
        return is_plain and rule.terms[0].factor == 1
    return isinstance(rule, Same)


def _sorted(
    value: np.ndarray, family: np.ndarray, has: np.ndarray, is_last: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows that count by family and value, where each family opens among them, and its size.

    ``is_last`` is (rows,) bool: rows that stand behind the others of their family.
    """
    here = np.flatnonzero(has)
    last = np.zeros(len(value), dtype=bool) if is_last is None else is_last
    order = here[np.lexsort((value[here], last[here], family[here]))]
    opens = np.flatnonzero(np.diff(family[order], prepend=-1))
    return order, opens, np.diff(np.append(opens, len(order)))

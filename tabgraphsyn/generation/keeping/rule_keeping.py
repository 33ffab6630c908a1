"""Rules of single rows kept in made rows: what follows is computed, the rest put right, or drawn again from made rows.

In this order: nulls, groups and orders, which leave a choice; columns that follow exactly from others, each after those
that it follows from; last, in rows that still break a rule, all columns that rules tie together are taken from another
made row that breaks none. No row is lost and no real row is asked.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec
from tabgraphsyn.data.codes import column_codes, tuple_codes
from tabgraphsyn.data.rules.calendar_kind import Calendar
from tabgraphsyn.data.rules.coarse_kind import Coarse
from tabgraphsyn.data.rules.kept import Key, RowRules, determinants
from tabgraphsyn.data.rules.row_kinds import Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.shift_kind import Shift
from tabgraphsyn.data.rules.value_kinds import Fixed, NullBy, NullTogether
from tabgraphsyn.data.schema import TableSchema
from tabgraphsyn.generation.keeping.moved_times import tied_times
from tabgraphsyn.generation.keeping.rule_repairs import adjust, compute, look_up
from tabgraphsyn.generation.keeping.rule_rows import RuleRows

MOST_DECIDED = 1_000_000
"""Combinations that are remembered from batch to batch of a rule."""
_ROUNDS = 3
_FIRST = (Same, Coarse, Shift, Calendar, Product, Total, Fixed)
"""Kinds whose columns are computed, the ones that know most first."""


class RuleKeeper:
    """Keeps a table's rules, batch by batch.

    Args:
        schema: of the table.
        rules: what to keep.
        protected: columns that stay as they are: keys, and what follows from them.
        tied: pairs of columns that go together beyond the rules.
        rng: chooses where there is a choice.
        listed: columns of a few values, see ``listed_columns``.
    """

    def __init__(
        self,
        schema: TableSchema,
        rules: RowRules,
        protected: frozenset[str],
        tied: Sequence[tuple[str, str]],
        rng: np.random.Generator,
        listed: frozenset[str] = frozenset(),
    ) -> None:
        self._schema, self._rules, self._protected, self._rng = schema, rules, protected, rng
        self._steps = computed(rules.rules, protected, listed)
        self._fixed_choice = protected | {target for _, target in self._steps}
        self._parts = _components(rules.rules, tied)
        self._together = tied_times(rules.rules, frozenset(schema.by_name) - self._fixed_choice)
        self._decided: dict[int, dict[Key, str | None]] = {number: {} for number, _ in self._steps}
        self.broken = 0

    def kept(self, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield as many rows in the same order; ``broken`` counts rows that could not be put right."""
        for batch in batches:
            yield self._one(batch) if batch.num_rows else batch

    def _one(self, batch: pa.Table) -> pa.Table:
        rows, rules = RuleRows(self._schema, batch, self._together), self._rules.rules
        self._set(rows, rules)
        for number in range(_ROUNDS + 1):
            broken = [(rule, bad) for rule in rules if (bad := rows.broken(rule)).any()]
            if not broken:
                break
            if number == 0:  # a column that was computed may have moved past a bound of another
                self._set(rows, [rule for rule, _ in broken])
            elif number < _ROUNDS:
                self._redraw(rows, broken)
            else:
                self.broken += int(np.any([bad for _, bad in broken], axis=0).sum())
        return rows.table

    def _set(self, rows: RuleRows, rules: Sequence[Rule]) -> None:
        """Put right what leaves a choice in some rules, nulls first, then compute all that is computed."""
        for rule in rules:
            if isinstance(rule, NullBy | NullTogether):
                adjust(rule, rows, self._protected, self._rng)
        for rule in rules:
            if not isinstance(rule, NullBy | NullTogether):
                adjust(rule, rows, self._fixed_choice, self._rng)
        self._compute(rows)

    def _compute(self, rows: RuleRows) -> None:
        for number, target in self._steps:
            rule = self._rules.rules[number]
            if not isinstance(rule, Fixed | Calendar):
                compute(rule, target, rows)
                continue
            decided = self._decided[number]
            known = ChainMap(decided, dict(self._rules.lookups.get(number, {})))
            operand = rule.dependent if isinstance(rule, Fixed) else rule.column
            read = rows.read
            new = look_up(determinants(rule, read), known, read.texts(rule.table, operand), rows, target)
            if len(decided) + len(new) <= MOST_DECIDED:
                decided |= new

    def _redraw(self, rows: RuleRows, broken: Sequence[tuple[Rule, np.ndarray]]) -> None:
        """Take the columns that rules tie together from another row that breaks none of these rules."""
        for part in self._parts:
            bad = [where for rule, where in broken if rule.operands[0].column in part]
            if not bad:
                continue
            where = np.any(bad, axis=0)
            free = sorted(part - self._protected)
            stay = sorted(part & self._protected)
            group = tuple_codes([column_codes(rows.column(name)) for name in stay], rows=rows.count)
            source, found = _donors(group, where, self._rng)
            for name in free:
                rows.take(name, source, found)


def listed_columns(codec: TableCodec) -> frozenset[str]:
    """Return the columns of which a codec lists the values: what a sum leaves for them is seldom one of these."""
    return frozenset(name for name, one in codec.columns.items() if isinstance(one, CategoricalCodec | ConstantCodec))


def computed(
    rules: Sequence[Rule], protected: frozenset[str], listed: frozenset[str] = frozenset()
) -> list[tuple[int, str]]:
    """Return number of a rule and the column that is computed by it, each after those that it follows from.

    A column is computed by one rule only, and none, by whatever way, from itself. Of the terms of a sum ``listed`` ones
    are computed last.
    """
    waits: dict[str, set[str]] = {}
    chosen: dict[str, int] = {}
    for number in sorted(range(len(rules)), key=lambda each: _rank(rules[each])):
        rule = rules[number]
        for target in _targets(rule, listed):
            inputs = {one.column for one in rule.operands} - {target}
            is_circle = any(target in behind(name, waits) for name in inputs)
            if target not in protected and target not in chosen and not is_circle:
                chosen[target], waits[target] = number, inputs
                break
    order: list[str] = []
    while len(order) < len(chosen):
        order += [name for name in chosen if name not in order and not (waits[name] & chosen.keys()) - set(order)]
    return [(chosen[name], name) for name in order]


def _rank(rule: Rule) -> tuple[int, int]:
    kind = next((place for place, one in enumerate(_FIRST) if isinstance(rule, one)), len(_FIRST))
    return (kind + 10 * (isinstance(rule, Total) and rule.result is None), len(rule.operands))


def _targets(rule: Rule, listed: frozenset[str]) -> list[str]:
    """Return which columns of a rule may be computed, the best first."""
    if isinstance(rule, Same):
        return [rule.right.column, rule.left.column]
    if isinstance(rule, Total):
        terms = sorted((term.operand.column for term in reversed(rule.terms)), key=listed.__contains__)
        return [*([rule.result.column] if rule.result else []), *(terms if not rule.nulls_are_zero else [])]
    return list(rule.follows) if isinstance(rule, Product | Fixed | Calendar | Coarse | Shift) else []


def behind(name: str, waits: dict[str, set[str]]) -> set[str]:
    """Return the column and all that it follows from."""
    found, open_ = {name}, [name]
    while open_:
        new = waits.get(open_.pop(), set()) - found
        found |= new
        open_ += new
    return found


def _components(rules: Sequence[Rule], tied: Sequence[tuple[str, str]]) -> list[set[str]]:
    """Return the columns that rules tie together, part by part."""
    parts: list[set[str]] = []
    for one in [*({each.column for each in rule.operands} for rule in rules), *map(set, tied)]:
        touching = [part for part in parts if part & one]
        parts = [part for part in parts if not part & one] + [set().union(one, *touching)]
    return parts


def _donors(group: np.ndarray, where: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row of ``where`` a random row of its group that is not in it, and which rows found one."""
    source, donors = np.arange(len(group)), rng.permutation(np.flatnonzero(~where))
    donors = donors[np.argsort(group[donors], kind="stable")]
    asking = np.flatnonzero(where)
    first = np.searchsorted(group[donors], group[asking], side="left")
    size = np.searchsorted(group[donors], group[asking], side="right") - first
    has = size > 0
    pick = first[has] + np.floor(rng.random(int(has.sum())) * size[has]).astype(np.int64)
    source[asking[has]] = donors[pick]
    found = np.zeros(len(group), dtype=bool)
    found[asking[has]] = True
    return source, found

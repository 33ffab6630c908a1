"""What follows from a row's known columns while the row is made: a value for a column, by one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.arithmetic import Rule as Arithmetic
from tabgraphsyn.data.codec.arithmetic import SumRule
from tabgraphsyn.data.codec.bands import BandRule
from tabgraphsyn.data.rules.calendar_kind import Calendar
from tabgraphsyn.data.rules.kept import Key, RowRules, determinants
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.data.schema import TableSchema
from tabgraphsyn.generation.fields import Fields, above
from tabgraphsyn.generation.keeping.rule_keeping import behind, computed, listed_columns
from tabgraphsyn.generation.keeping.rule_repairs import compute
from tabgraphsyn.generation.keeping.rule_rows import RuleRows

Columns = Mapping[str, pa.Array]
Made = tuple[pa.Array, np.ndarray]
_BETWEEN = "\0"


@dataclass(frozen=True)
class Step:
    """One column from others.

    Attributes:
        target: the column.
        inputs: the row's own columns that it follows from.
        beside: columns of parents that it follows from.
        fills: it says which value there is, not whether there is one.
        made: columns, (rows,) each -> values of the target, of its type, and where they follow, (rows,) bool.
    """

    target: str
    inputs: tuple[str, ...]
    beside: tuple[str, ...]
    fills: bool
    made: Callable[[Columns], tuple[pa.Array, np.ndarray]]


def steps_of(
    schema: TableSchema,
    rules: RowRules,
    arithmetic: Sequence[Arithmetic],
    parents: frozenset[str],
    protected: frozenset[str],
    fields: Fields,
    known: Mapping[str, tuple[str, str]] | None = None,
) -> list[Step]:
    """Return what is computed while rows are made: no column by two steps, none, by whatever way, from itself.

    Args:
        schema: of the table, the parents' columns beside its own.
        rules: of its rows, all about own columns in this schema.
        arithmetic: that decoding restores.
        parents: names of the parents' columns.
        protected: columns that no rule computes.
        fields: of the table.
        known: columns that keys fix, see ``BesideParents``: they are computed before anything is drawn.
    """
    steps: list[Step] = []
    waits: dict[str, set[str]] = {}
    restored = [*_restored(arithmetic, protected, fields)]
    left = protected | parents | {one.column for one in arithmetic if isinstance(one, BandRule)}
    for one in [*_of_keys(known or {}, fields), *restored, *_ruled(schema, rules, parents, left, fields)]:
        readable = fields.is_read(one.target) and all(map(fields.is_read, one.inputs))
        # What decoding the target needs must be known, too.
        inputs = {*one.inputs, *(given for name in (one.target, *one.inputs) for given in above(fields.codec, name))}
        if one.target in waits or not readable or not fields.places[one.target] or one.target in inputs:
            continue
        if any(one.target in behind(name, waits) for name in inputs):
            continue
        waits[one.target] = inputs
        steps.append(Step(one.target, tuple(sorted(inputs)), one.beside, one.fills, one.made))
    return steps


def _of_keys(known: Mapping[str, tuple[str, str]], fields: Fields) -> Iterator[Step]:
    for target, beside in known.items():
        if target in fields.places:

            def made(columns: Columns, target: str = target, names: tuple[str, str] = beside) -> Made:
                values, where = (columns[name] for name in names)
                return values.cast(fields.types[target], safe=False), where.to_numpy(zero_copy_only=False)

            yield Step(target, (), beside, False, made)


def _restored(arithmetic: Iterable[Arithmetic], protected: frozenset[str], fields: Fields) -> Iterator[Step]:
    """Yield what decoding restores anyway: also a protected column, unless keys or wishes say what it is."""
    for rule in arithmetic:
        if isinstance(rule, SumRule | BandRule) and rule.column in fields.places and rule.column not in protected:

            def made(columns: Columns, rule: SumRule | BandRule = rule) -> tuple[pa.Array, np.ndarray]:
                values, where = rule.follows(columns)
                return values.cast(fields.types[rule.column], safe=False), where

            yield Step(rule.column, rule.inputs, (), True, made)


def _ruled(
    schema: TableSchema, rules: RowRules, parents: frozenset[str], left: frozenset[str], fields: Fields
) -> Iterator[Step]:
    for number, target in computed(rules.rules, left, listed_columns(fields.codec)):
        rule = rules.rules[number]
        names = list(dict.fromkeys(one.column for one in rule.operands if one.column != target))
        own, beside = ([name for name in names if (name in parents) == told] for told in (False, True))
        if not all(name in fields.codec.columns for name in (*own, target)) or target not in fields.types:
            continue
        if not isinstance(rule, Fixed | Calendar):
            fills = not isinstance(rule, Same)
            yield Step(target, tuple(own), tuple(beside), fills, _computing(rule, target, schema, fields))
        elif number in rules.lookups:
            made = _looking_up(rule, rules.lookups[number], schema, fields.types[target])
            yield Step(target, tuple(own), tuple(beside), False, made)


def _computing(
    rule: Rule, target: str, schema: TableSchema, fields: Fields
) -> Callable[[Columns], tuple[pa.Array, np.ndarray]]:
    def made(columns: Columns) -> tuple[pa.Array, np.ndarray]:
        count = len(next(iter(columns.values())))
        rows = RuleRows(schema, pa.table({**columns, target: pa.nulls(count, fields.types[target])}))
        compute(rule, target, rows, np.ones(count, dtype=bool))
        where = rows.filled(target)
        if isinstance(rule, Same):
            where |= ~rows.filled(next(one.column for one in rule.operands if one.column != target))
        elif isinstance(rule, Total) and rule.result is None:
            # What is left of a fixed total need not be a value of the column.
            low, high = fields.bounds(target)
            rest = rows.numbers(Operand(target))
            where &= (rest >= low - rule.tolerance) & (rest <= high + rule.tolerance)
        return rows.column(target), where

    return made


def _looking_up(
    rule: Fixed | Calendar, pairs: Mapping[Key, str | None], schema: TableSchema, kind: pa.DataType
) -> Callable[[Columns], tuple[pa.Array, np.ndarray]]:
    keys = pa.array([_BETWEEN.join(one) for one in pairs], pa.string())
    values = pa.array(list(pairs.values()), pa.string()).cast(kind)

    def made(columns: Columns) -> tuple[pa.Array, np.ndarray]:
        given = determinants(rule, RuleRows(schema, pa.table(dict(columns))).read)
        place = pc.index_in(pc.binary_join_element_wise(*given, _BETWEEN), value_set=keys)
        return values.take(place), pc.is_valid(place).to_numpy(zero_copy_only=False)

    return made

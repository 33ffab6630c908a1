"""Times of a parent's rows that begin, or end, with a time of the parent: the rows move, the parent's time stays.

An account is as old as its first transaction. Were its date computed from the transactions that were made, it would
leave what was made under it before (a loan of that account), and the distribution that it was drawn from. So the times
of a family are stretched: the first, or the last, meets the parent's, the others keep their order and place between.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.family_kinds import EqualGap, Numbered, ParentTotal, aggregate
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.schema import TableSchema
from tabgraphsyn.generation.keeping.rule_rows import RuleRows


def ends(prepared: Prepared, table: str) -> list[ParentTotal]:
    """Return the rules that a parent's time is the least, or the largest, time of this table's rows."""
    schema = prepared.schema
    numbered = [one for one in prepared.row_rules(table).families if isinstance(one, Numbered)]
    stays = {one.column.column for one in numbered} | {one.column for one in prepared.known(table).columns}
    found = [
        rule
        for parent in {one.parent_table for one in schema.relations_of_child(table)}
        for rule in prepared.row_rules(parent).families
        if isinstance(rule, ParentTotal)
        and rule.how in ("min", "max")
        and schema.relation(rule.relation).child_table == table
        and str(rule.of) not in stays
        and schema.table(table).column(str(rule.of)).sdtype == "datetime"
    ]
    apart = spaced(prepared, table)
    return [
        one
        for one in found
        if str(one.of) not in apart
        or (apart[str(one.of)] == one.relation and sum(other.of == one.of for other in found) == 1)
    ]


def spaced(prepared: Prepared, table: str) -> dict[str, str]:
    """Return the columns of a table whose values are equally far apart within a parent, and the key to it."""
    rules = [one for one in prepared.row_rules(table).families if isinstance(one, EqualGap)]
    return {one.column.column: one.relation for one in rules}


def read_through(rule: ParentTotal) -> Operand:
    """Return the parent's time as a row reads it."""
    return Operand(rule.column.column, rule.relation)


def keep_ends(
    schema: TableSchema,
    whole: pa.Table,
    rules: Sequence[ParentTotal],
    above: Mapping[Operand, pa.Array],
    pointers: Mapping[str, np.ndarray],
    apart: Container[str] = (),
) -> pa.Table:
    """Return all rows of a table, the times of each family beginning and ending as its parent says.

    Args:
        schema: of the table.
        whole: its rows.
        rules: see ``ends``.
        above: the parents' times, (rows,) each, null for none.
        pointers: relation name -> (rows,) number of the parent, negative for none.
        apart: columns whose values are equally far apart: they move together.
    """
    rows = RuleRows(schema, whole)
    for relation, name in dict.fromkeys((one.relation, str(one.of)) for one in rules):
        value, family = rows.numbers(Operand(name)), pointers[relation]
        told = {one.how: above[read_through(one)] for one in rules if (one.relation, one.of) == (relation, name)}
        first, last = (_seconds(told.get(how), len(value)) for how in ("min", "max"))
        if name in apart:
            found = _moved(value, family, first, last)
        else:
            found = _stretched(value, family, first, last, rows.grain(name))
        rows.put_numbers(name, found, np.isfinite(found) & (found != value))
    return rows.table


def _seconds(times: pa.Array | None, rows: int) -> np.ndarray:
    """Return times as rules read them, (rows,) float64, NaN for none."""
    if times is None:
        return np.full(rows, np.nan)
    ticks = times.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64(), safe=False)
    return np.asarray(ticks.to_numpy(zero_copy_only=False), dtype=np.float64) / 1e6


def _moved(value: np.ndarray, family: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return times of which the first, or the last, of a family is as told, as far apart as they were; NaN elsewhere.

    Shape:
        all: (rows,), NaN for nothing that is told.

    >>> _moved(np.array([10.0, 20.0]), np.zeros(2, int), np.full(2, 4.0), np.full(2, np.nan)).tolist()
    [4.0, 14.0]
    """
    here, parents = np.where(np.isnan(value), -1, family), int(family.max(initial=-1)) + 1
    low, high = (np.append(aggregate(how, value, here, parents), np.nan)[here] for how in ("min", "max"))
    found: np.ndarray = value + np.where(np.isnan(first), last - high, first - low)
    return found


def _stretched(
    value: np.ndarray, family: np.ndarray, first: np.ndarray, last: np.ndarray, grain: float | None
) -> np.ndarray:
    """Return times between what a family begins with, and ends with, where that is told; NaN elsewhere.

    Shape:
        value, family, first, last: (rows,), NaN for nothing that is told; ``grain``: what values are multiples of.

    >>> day = np.array([10.0, 20.0, 40.0])
    >>> _stretched(day, np.zeros(3, int), np.full(3, 4.0), np.full(3, np.nan), 1.0).tolist()
    [4.0, 16.0, 40.0]
    """
    found = np.full(len(value), np.nan)
    here = np.flatnonzero((family >= 0) & ~np.isnan(value) & ~(np.isnan(first) & np.isnan(last)))
    if not len(here):
        return found
    own, parents = value[here], int(family[here].max()) + 1
    low, high = (aggregate(how, own, family[here], parents)[family[here]] for how in ("min", "max"))
    begin = np.where(np.isnan(first[here]), np.minimum(low, np.nan_to_num(last[here], nan=np.inf)), first[here])
    end = np.where(np.isnan(last[here]), np.maximum(high, begin), np.maximum(last[here], begin))
    share = np.where(high > low, (own - low) / np.where(high > low, high - low, 1.0), np.isnan(first[here]))
    inside = begin + share * (end - begin)
    rounded = inside if grain is None else np.clip(np.rint(inside / grain) * grain, begin, end)
    found[here] = np.where(own == low, begin, np.where(own == high, end, rounded))
    return found

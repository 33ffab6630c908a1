"""Finding what holds within the rows of one parent, and between a parent and its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pyarrow.compute as pc

from tabgraphsyn.data.rules.family_kinds import (
    ENDS,
    EqualGap,
    FamilyTotal,
    Numbered,
    ParentTotal,
    Rising,
    aggregate,
    aggregated,
    at_rows,
    end_rows,
)
from tabgraphsyn.data.rules.find_sums import decimals_of
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Same
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, Search
from tabgraphsyn.data.schema import Relation

FAMILIES_MIN = 10
CHANGES_MIN = 0.1
"""Share of steps from row to row that change a column, at least, before its never falling says anything."""
ORDERS_MAX = 2


def find_families(search: Search, relation: Relation, told: Iterable[Rule]) -> Iterator[Rule]:
    """Yield the rules of the rows under one key.

    Args:
        search: of the child table, its sample made of whole families of ``relation``.
        relation: the key.
        told: rules found before.
    """
    family = search.sample.family(relation.name)
    sizes = np.bincount(family[family >= 0]) if (family >= 0).any() else np.zeros(0, int)
    if (sizes > 1).sum() < FAMILIES_MIN:
        return
    copied = {rule.left for rule in told if isinstance(rule, Same) and not rule.right.is_own}
    columns = [one for one in _columns(search, relation) if one not in copied]
    numbered = list(search.accepted(_numbered(search, relation, columns)))
    yield from numbered
    rest = [one for one in columns if one not in {each.operands[0] for each in numbered}]
    gaps = list(search.accepted(_equal_gaps(search, relation, rest)))
    yield from gaps
    yield from search.accepted(_family_totals(search, relation, rest))
    orders = [each.operands[0] for each in numbered] or times_in_order(search, relation, rest)
    told_columns: set[Operand] = set()
    for by in [*orders[:ORDERS_MAX], *([] if orders else [None])]:
        for rule in search.accepted(_rising(search, relation, [one for one in rest if one != by], by)):
            if rule.operands[0] not in told_columns:
                told_columns.add(rule.operands[0])
                yield rule


def _columns(search: Search, relation: Relation) -> list[Operand]:
    """Return numbers and times of the rows, those of the primary key among them, without foreign keys."""
    schema = search.tables.schema
    keys = {column for one in schema.relations_of_child(search.table) for column in one.child_columns}
    table = schema.table(search.table)
    alone = set(table.primary_key) if len(table.primary_key) == 1 else set()
    names = [one.name for one in table.columns if one.name not in keys | alone and one.sdtype != "text"]
    return list(search.numeric(map(Operand, names)))


def _numbered(search: Search, relation: Relation, columns: Iterable[Operand]) -> Iterator[Numbered]:
    for column in columns:
        if search.sample.is_time(search.table, column):
            continue
        least = np.nanmin(search.sample.numbers(search.table, column))
        if least in (0.0, 1.0):
            yield Numbered(table=search.table, relation=relation.name, column=column, start=int(least))


def _equal_gaps(search: Search, relation: Relation, columns: Iterable[Operand]) -> Iterator[EqualGap]:
    family = search.sample.family(relation.name)
    for column in columns:
        value = search.sample.numbers(search.table, column)
        rows = np.flatnonzero((family >= 0) & ~np.isnan(value) & search.sample.is_whole(relation.name))
        rows = rows[np.lexsort((value[rows], family[rows]))]
        same = family[rows[1:]] == family[rows[:-1]]
        gaps = (value[rows[1:]] - value[rows[:-1]])[same]
        if len(gaps) < BY_CHANCE_MIN or not gaps.all():
            continue
        is_time, size = search.sample.is_time(search.table, column), float(np.abs(gaps).max())
        rule = EqualGap(table=search.table, relation=relation.name, column=column, is_time=is_time)
        if float(gaps.max() - gaps.min()) <= 1e-9 * size:
            yield replace(rule, gap=float(f"{float(np.median(gaps)):.12g}"))
        elif np.bincount(family[rows]).max() > 2:
            yield rule


def _family_totals(search: Search, relation: Relation, columns: Iterable[Operand]) -> Iterator[FamilyTotal]:
    family = search.sample.family(relation.name)
    whole = search.sample.is_whole(relation.name) & (family >= 0)
    for column in columns:
        value = search.sample.numbers(search.table, column)
        counted = np.where(whole, value, np.nan)
        if search.sample.is_time(search.table, column) or np.isnan(counted).all():
            continue
        parents = int(family.max()) + 1
        total = aggregate("sum", counted, family, parents)[
            np.bincount(family[~np.isnan(counted)], minlength=parents) > 0
        ]
        if len(total) < FAMILIES_MIN:  # of one family anything is the total
            continue
        unit, size = 10.0 ** -decimals_of(value[~np.isnan(value)]), max(1.0, float(np.nanmax(np.abs(value))))
        usual, tolerance = round(float(np.median(total)), 9), max(1e-9 * size, 1e-2 * unit)
        if float(np.abs(total - usual).max()) <= tolerance:
            yield FamilyTotal(
                table=search.table,
                relation=relation.name,
                column=column,
                total=usual + 0.0,
                tolerance=float(f"{tolerance:.6g}"),
            )


def times_in_order(search: Search, relation: Relation, columns: Iterable[Operand]) -> list[Operand]:
    """Return times, which never repeat within a family: what puts its rows in order where nothing numbers them."""
    family, found = search.sample.family(relation.name), []
    for column in columns:
        if search.sample.is_time(search.table, column):
            value = search.sample.numbers(search.table, column)
            has = (family >= 0) & ~np.isnan(value)
            pairs = np.stack([family[has], value[has]], axis=1)
            if has.mean() > 0.99 and len(np.unique(pairs, axis=0)) == len(pairs):
                found.append(column)
    return found


def _rising(search: Search, relation: Relation, columns: Iterable[Operand], by: Operand | None) -> Iterator[Rising]:
    family = search.sample.family(relation.name)
    order = np.arange(len(family)) if by is None else search.sample.numbers(search.table, by)
    for column in columns:
        value = search.sample.numbers(search.table, column)
        rows = np.flatnonzero((family >= 0) & ~np.isnan(value) & ~np.isnan(order))
        rows = rows[np.lexsort((order[rows], family[rows]))]
        later, before = rows[1:], rows[:-1]
        asked = (family[later] == family[before]) & (order[later] > order[before])
        steps = (value[later] - value[before])[asked]
        if len(steps) < BY_CHANCE_MIN or (steps != 0).mean() < CHANGES_MIN:
            continue
        if (steps >= 0).all() or (steps <= 0).all():
            yield Rising(
                table=search.table,
                relation=relation.name,
                column=column,
                by=by,
                strict=bool((steps != 0).all()),
                falling=bool((steps <= 0).all()),
            )


def find_parent_totals(search: Search) -> Iterator[ParentTotal]:
    """Yield candidates for columns of a table that sum up the rows under its keys, or hold what one of them does.

    Args:
        search: of the parent table.
    """
    sample = search.sample
    own = search.numeric(search.attributes)
    for relation in search.tables.schema.relations_of_parent(search.table):
        whole = sample.whole_parents(relation.name)
        counts = aggregated(sample, relation.name, None, "count")
        yield from _matching(search, relation, own, ("count", None, None), counts, whole)
        child = Search(search.tables, relation.child_table)
        asked, orders = whole & (counts > 0), _orders(child, relation)
        done: set[tuple[Operand, str]] = set()
        for of in child.attributes:
            is_time = sample.is_time(relation.child_table, of)
            if not (is_time or sample.is_number(relation.child_table, of)):
                continue
            kinds = ("min", "max") if is_time else ("sum", "mean", "min", "max")
            for how, by in [*((one, None) for one in kinds), *product(ENDS, orders)]:
                wanted = aggregated(sample, relation.name, of.column, how, by)
                alike = {one: v for one, v in own.items() if sample.is_time(search.table, one) == is_time}
                alike = {one: v for one, v in alike.items() if (one, of.column) not in done}
                for rule in _matching(search, relation, alike, (how, of.column, by), wanted, asked):
                    done.add((rule.column, of.column))
                    yield rule
        yield from _ending(search, relation, child, orders)


def _orders(child: Search, relation: Relation) -> list[str | None]:
    """Return the columns that may say which row of a parent is its first, times that never repeat; the file is last."""
    families = Search(child.tables, child.table, relation.name)
    return [*(one.column for one in times_in_order(families, relation, child.attributes)[:ORDERS_MAX]), None]


def _ending(search: Search, relation: Relation, child: Search, orders: Iterable[str | None]) -> Iterator[ParentTotal]:
    """Yield candidates for words that the first or last row of a parent holds: a ticket's status."""
    sample, table = search.sample, search.table
    own = [one for one in search.attributes if not sample.is_measured(table, one)]
    theirs = [one for one in child.attributes if not sample.is_measured(child.table, one)]
    rows = {(how, by): end_rows(sample, relation.name, how, by) for how, by in product(ENDS, orders) if own and theirs}
    whole, done = sample.whole_parents(relation.name), set[tuple[Operand, Operand]]()
    held = {one: sample.texts(table, one) for one in own}
    for of in theirs:
        values = sample.values(child.table, of)
        for (how, by), row in rows.items():
            told = at_rows(values, np.where(whole, row, -1))
            for column in (one for one in own if (one, of) not in done):
                same = pc.equal(held[column], told)
                if len(same) - same.null_count >= BY_CHANCE_MIN and pc.all(same).as_py():
                    done.add((column, of))
                    yield ParentTotal(table=table, column=column, relation=relation.name, of=of.column, how=how, by=by)


def _matching(
    search: Search,
    relation: Relation,
    own: dict[Operand, np.ndarray],
    what: tuple[str, str | None, str | None],
    wanted: np.ndarray,
    asked: np.ndarray,
) -> Iterator[ParentTotal]:
    how, of, by = what
    for column, value in own.items():
        off = np.abs(value - wanted)[asked]
        off = off[~np.isnan(off)]
        if len(off) < BY_CHANCE_MIN:
            continue
        unit, size = 10.0 ** -decimals_of(value[~np.isnan(value)]), max(1.0, float(np.nanmax(np.abs(value))))
        exact, loose = max(1e-9 * size, 1e-2 * unit), 0.5001 * unit
        if float(off.max()) <= max(loose if how == "mean" else exact, 0.0):
            tolerance = float(f"{exact if float(off.max()) <= exact else loose:.6g}")
            yield ParentTotal(
                table=search.table, column=column, relation=relation.name, of=of, how=how, by=by, tolerance=tolerance
            )

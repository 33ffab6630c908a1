"""Finding equal columns, orders, products, and sums across a key: pairs and triples of columns, a glance first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.rules.coarse_kind import Coarse
from tabgraphsyn.data.rules.find_sums import UNITS, decimals_of
from tabgraphsyn.data.rules.operand import Operand, Term
from tabgraphsyn.data.rules.row_kinds import Order, Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, COLUMNS_MAX, Search
from tabgraphsyn.data.rules.shift_kind import Shift

LEVELS_MIN, ORDERED_MIN = 5, 3
"""Distinct values of the results of products, and of numbers in order: flags obey too many."""
FACTORS_MAX = 60
#: Share of rows that must break an order when one side is shuffled: a height is above every weight by its unit alone.
TIMES_SHARE, NUMBERS_SHARE, THROUGH_SHARE = 0.01, 0.05, 0.1


def find_same(search: Search) -> Iterator[Same]:
    """Yield candidates for own columns that equal another one, or one of a parent."""
    schema = search.tables.schema
    keys = {column for one in schema.relations_of_child(search.table) for column in one.child_columns}
    own = [Operand(name) for name in schema.attribute_columns(search.table)]
    theirs = [
        Operand(name, through)
        for through in schema.ways_of(search.table)
        for name in schema.attribute_columns(schema.way(through)[-1].parent_table)
    ][: max(COLUMNS_MAX, len(own))]
    few = pa.array(search.glance)
    glance = {one: search.sample.values(search.table, one).take(few) for one in (*own, *theirs)}
    seen: set[Operand] = set()
    for number, left in enumerate(own):
        for right in [*own[number + 1 :], *theirs]:
            if {left, right} & seen or left.column in keys or glance[left].type != glance[right].type:
                continue
            if glance[left].equals(glance[right]) or (right.through and _equal_where(glance[left], glance[right])):
                seen.add(right if right.is_own else left)
                yield Same(table=search.table, left=left, right=right)


def _equal_where(left: pa.Array, right: pa.Array) -> bool:
    """Return whether two columns are equal in the rows whose key leads somewhere (those with a value)."""
    there = right.is_valid()
    return left.filter(there).equals(right.filter(there))


def find_orders(search: Search, told: Iterable[Rule]) -> Iterator[Order]:
    """Yield orders between two columns that hold in all rows and could have failed.

    Args:
        search: the table.
        told: rules found before: numbers that they tie together are in order for that reason.
    """
    tied = [set(rule.operands) for rule in told if isinstance(rule, Product | Total)]
    rounded = [set(rule.operands) for rule in told if isinstance(rule, Coarse | Shift)]
    same = {rule.right for rule in told if isinstance(rule, Same)}
    columns = {one: v for one, v in search.numeric([*search.attributes, *search.inherited]).items() if one not in same}
    times = {one for one in columns if search.sample.is_time(search.table, one)}
    glance = {one: values[search.glance] for one, values in columns.items()}
    usable = [one for one, values in columns.items() if one in times or levels_of(values) >= ORDERED_MIN]
    for less in usable:
        for more in usable:
            if less == more or not (less.is_own or more.is_own) or (less in times) != (more in times):
                continue
            if any({less, more} <= each for each in (rounded if less in times else [*tied, *rounded])):
                continue
            if (glance[less] > glance[more]).any() or (columns[less] > columns[more]).any():
                continue
            numbers = NUMBERS_SHARE if less.is_own and more.is_own else THROUGH_SHARE
            found = search.accept(
                Order(table=search.table, columns=(less, more)), TIMES_SHARE if less in times else numbers
            )
            if found is not None:
                strict = search.accept(Order(table=search.table, columns=(less, more), strict=True))
                is_told = strict is not None and strict.support.by_chance - found.support.by_chance >= BY_CHANCE_MIN
                yield strict if is_told else found  # type: ignore[misc]


def chained(orders: Sequence[Order]) -> list[Order]:
    """Return the orders without those that others imply, and joined where one ends at which another begins."""
    above: dict[Operand, dict[Operand, Order]] = {}
    for one in orders:
        above.setdefault(one.columns[0], {})[one.columns[1]] = one
    links = [
        one
        for one in orders
        if not any(
            one.columns[1] in above.get(middle, {})
            and one.strict <= max(over.strict, above[middle][one.columns[1]].strict)
            for middle, over in above[one.columns[0]].items()
            if middle != one.columns[1]
        )
    ]
    chains: list[list[Order]] = []
    for link in sorted(links, key=lambda one: -sum(one.columns[0] in each for each in above.values())):
        for chain in chains:
            if chain[-1].columns[1] == link.columns[0] and chain[-1].strict == link.strict:
                chain.append(link)
                break
            if chain[0].columns[0] == link.columns[1] and chain[0].strict == link.strict:
                chain.insert(0, link)
                break
        else:
            chains.append([link])
    return [_joined(chain) for chain in chains]


def _joined(chain: Sequence[Order]) -> Order:
    columns = (chain[0].columns[0], *(one.columns[1] for one in chain))
    weakest = min(chain, key=lambda one: one.support.by_chance)
    return Order(table=weakest.table, columns=columns, strict=weakest.strict, support=weakest.support)


def find_products(search: Search, told: Iterable[Rule]) -> Iterator[Product]:
    """Yield candidates for own numbers that are the product of two others, rounded or not.

    A factor may have few values, as quantities and tax rates do; a yes or no is none.
    """
    same = {rule.right for rule in told if isinstance(rule, Same)}
    numbers = plain_numbers(search, [*search.attributes, *search.inherited], same)
    names = list(numbers)
    few = np.stack([numbers[one][search.glance] for one in names]) if names else np.empty((0, 0))
    own = [place for place, one in enumerate(names) if one.is_own and levels_of(numbers[one]) >= LEVELS_MIN]
    units = {place: 10.0 ** -decimals_of(numbers[names[place]]) for place in own}
    if not own:
        return
    sizes = np.nanmax(np.abs(few[own]), axis=1)
    loose = 0.5001 * np.array([units[place] for place in own]) + 1e-12 * sizes
    for first in range(len(names)):
        for second in range(first, len(names)):
            if not (names[first].is_own or names[second].is_own):
                continue
            for scale in (1.0, 0.01):
                off = np.abs(few[first] * few[second] * scale - few[own])
                known = (~np.isnan(off)).sum(axis=1)
                fits = ~(off > loose[:, None]).any(axis=1) & (known >= min(BY_CHANCE_MIN, off.shape[1]))
                for place in (own[one] for one in np.flatnonzero(fits)):
                    if place in (first, second):
                        continue
                    factors = (names[first], names[second])
                    plain = Product(table=search.table, result=names[place], factors=factors, scale=scale)
                    rule = fitted(plain, units[place], numbers)
                    if rule is not None:
                        yield rule


def fitted(rule: Product, unit: float, numbers: Mapping[Operand, np.ndarray]) -> Product | None:
    """Return a product with its tolerance, None where it is off by more than rounding explains; numbers are (rows,)."""
    own = numbers[rule.result]
    each = np.abs(rule.value(numbers.__getitem__) - own)
    if np.isnan(each).all():
        return None
    off = float(np.nanmax(each))
    size = max(1.0, float(np.nanmax(np.abs(own))))
    is_exact = off <= max(1e-9 * size, 1e-3 * unit)
    if not is_exact and (off > 0.5001 * unit or 0.5001 * unit > 0.1 * float(np.nanstd(own))):
        return None
    tolerance = max(1e-9 * size, 1e-2 * unit) if is_exact else 0.5001 * unit
    return replace(rule, tolerance=float(f"{tolerance:.6g}"))


def find_across(search: Search, told: Iterable[Rule]) -> Iterator[Total]:
    """Yield candidates for own columns that are a parent's plus a constant, or plus another own one."""
    told = list(told)
    same = {rule.right for rule in told if isinstance(rule, Same)} | {
        rule.left for rule in told if isinstance(rule, Same)
    }
    columns = {
        one: values
        for one, values in search.numeric([*search.attributes, *search.inherited]).items()
        if one.is_own or one not in same
    }
    times = {one for one in columns if search.sample.is_time(search.table, one)}
    few = {one: values[search.glance] for one, values in columns.items()}
    own = [one for one in columns if one.is_own]
    for result in own:
        size = max(1.0, float(np.nanmax(np.abs(columns[result]))))
        for parent in [one for one in columns if not one.is_own and (one in times) == (result in times)]:
            rest = few[result] - few[parent]
            if _is_constant(rest, size):
                constant = float(f"{float(np.nanmedian(rest)):.9g}")
                yield _across(search, result, (Term(parent),), constant, size, result in times)
                continue
            for other in [one for one in own if one != result and one not in times]:
                for unit in UNITS if result in times else (1.0,):
                    left = rest - unit * few[other]
                    if not _is_constant(left, size):
                        continue
                    constant = float(np.nanmedian(left))
                    if result in times and unit >= 1:  # day 1 of a study is the day on which it begins
                        constant = float(round(constant / unit) * unit)
                        is_near = abs(constant) <= 31 * unit
                    else:
                        is_near, constant = abs(constant) < 1e-6 * size, 0.0
                    if is_near:
                        yield _across(
                            search, result, (Term(parent), Term(other, unit)), constant, size, result in times
                        )


def _is_constant(values: np.ndarray, size: float) -> bool:
    known = values[~np.isnan(values)]
    return len(known) >= BY_CHANCE_MIN and float(known.max() - known.min()) <= 1e-9 * size


def _across(
    search: Search, result: Operand, terms: tuple[Term, ...], constant: float, size: float, is_time: bool
) -> Total:
    return Total(
        table=search.table, result=result, terms=terms, constant=constant, tolerance=1e-9 * size, is_time=is_time
    )


def plain_numbers(search: Search, operands: Iterable[Operand], without: set[Operand]) -> dict[Operand, np.ndarray]:
    """Return numbers of the sample, (rows,) each, that may be factors: no times, no yes or no."""
    wanted = [one for one in operands if one not in without and not search.sample.is_time(search.table, one)]
    found = {one: values for one, values in search.numeric(wanted).items() if not _is_flag(values)}
    chosen = sorted(found, key=lambda one: levels_of(found[one]) < LEVELS_MIN)[:FACTORS_MAX]
    return {one: values for one, values in found.items() if one in chosen}


def _is_flag(values: np.ndarray) -> bool:
    """Return whether a column holds 0 and 1 alone; values are (rows,)."""
    return not (np.nan_to_num(values) % 1).any() and 0 <= np.nanmin(values) <= np.nanmax(values) <= 1


def levels_of(values: np.ndarray) -> int:
    """Return how many different numbers there are; values are (rows,)."""
    return len(np.unique(values[~np.isnan(values)]))

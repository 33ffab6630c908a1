"""Finding groups of flags and patterns of missing values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tabgraphsyn.data.reference import no_entities
from tabgraphsyn.data.rules.find_sums import exact_groups
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, COLUMNS_MAX, Search
from tabgraphsyn.data.rules.value_kinds import NullBy, NullTogether, OneOf

LEVELS_MAX = 40
ZEROS_MIN = 0.1
"""Share of rows in which a number is 0, at least, before that can mean that nothing is given."""
LEVEL_ROWS_MIN = 20
"""Rows of a value, at least, before it is said to decide what is missing."""
LEVEL_PARENTS_MIN = 5
"""Parents, by each key, under which such rows must stand: the rule names the value, and one person's is not told."""


def as_group(search: Search, rule: Rule) -> Rule:
    """Return a sum of flags that is always 1 as the group that it is, any other rule as it was."""
    if not isinstance(rule, Total) or rule.result is not None or rule.constant != 1:
        return rule
    if any(term.factor != 1 for term in rule.terms):
        return rule
    if not all(_is_flag(search.sample.numbers(search.table, one)) for one in rule.operands):
        return rule
    return OneOf(table=rule.table, columns=rule.operands, support=rule.support)


def find_flag_groups(search: Search, told: Iterable[Rule]) -> Iterator[OneOf]:
    """Yield candidates for flags of which at most one is true, and for amounts of which one, or at most one, is not 0.

    A posting is a debit or a credit, and the other one is 0.
    """
    exact = [set(rule.operands) for rule in told if isinstance(rule, OneOf)]
    numbers = search.numeric(search.attributes)
    flags = {one: np.nan_to_num(values) != 0 for one, values in numbers.items() if _is_flag(values)}
    amounts = {one: values != 0 for one, values in numbers.items() if one not in flags and _is_often_zero(values)}
    for group in exact_groups(flags | amounts):
        if not flags.keys() >= set(group):
            exact.append(set(group))
            yield OneOf(table=search.table, columns=tuple(group))
    for group in _exclusive(flags | amounts, exact):
        yield OneOf(table=search.table, columns=tuple(group), at_most=True)


def find_null_groups(search: Search) -> Iterator[Rule]:
    """Yield columns that are missing together, and groups of which exactly or at most one is filled."""
    patterns = _patterns(search)
    for group in patterns:
        if len(group) > 1:
            yield NullTogether(table=search.table, columns=tuple(group))
    filled = {group[0]: search.sample.filled(search.table, group[0]) for group in patterns}
    exact = [set(group) for group in exact_groups(filled)]
    for one_of in exact:
        yield OneOf(table=search.table, columns=tuple(one for one in filled if one in one_of), filled=True)
    for group in _exclusive(filled, exact):
        yield OneOf(table=search.table, columns=tuple(group), at_most=True, filled=True)


def find_null_causes(search: Search, told: Iterable[Rule]) -> Iterator[NullBy]:
    """Yield, for each pattern of missing values, the column that says best where they are missing."""
    groups = [set(rule.operands) for rule in told if isinstance(rule, OneOf) and rule.filled]
    causes, own = few_valued(search), set(search.attributes)
    for pattern in _patterns(search):
        column = next((one for one in pattern if one in own), pattern[0])  # a key is made before what says of it
        filled = search.sample.filled(search.table, column)
        found = []
        for by, (codes, levels) in causes.items():
            if by in pattern or any({column, by} <= group for group in groups):
                continue
            rule = _cause(search.table, column, by, filled, codes, levels)
            if rule is not None:
                told_rows = float(
                    np.isin(codes, [levels.index(one) for one in rule.null_where + rule.filled_where]).mean()
                )
                found.append((told_rows, -len(levels), rule))
        for _, _, rule in sorted(found, key=lambda one: one[:2], reverse=True)[:1]:
            yield rule


def _cause(
    table: str, column: Operand, by: Operand, filled: np.ndarray, codes: np.ndarray, levels: list[str]
) -> NullBy | None:
    rows = np.bincount(codes, minlength=len(levels))
    given = np.bincount(codes, weights=filled, minlength=len(levels))
    share = filled.mean()
    null = [i for i in range(len(levels)) if given[i] == 0 and rows[i] >= LEVEL_ROWS_MIN]
    full = [i for i in range(len(levels)) if given[i] == rows[i] and rows[i] >= LEVEL_ROWS_MIN]
    null = [i for i in null if rows[i] * share >= BY_CHANCE_MIN]
    full = [i for i in full if rows[i] * (1 - share) >= BY_CHANCE_MIN]
    if not null:
        return None
    return NullBy(
        table=table,
        column=column,
        by=by,
        null_where=tuple(sorted(levels[i] for i in null)),
        filled_where=tuple(sorted(levels[i] for i in full)),
    )


def few_valued(search: Search) -> dict[Operand, tuple[np.ndarray, list[str]]]:
    """Return columns of few values: codes of the sample's rows, (rows,), and the values as text, empty for missing."""
    found = {}
    for one in search.attributes:
        codes = search.sample.codes(search.table, one)
        if len(np.unique(codes)) > LEVELS_MAX:
            continue
        texts = search.sample.texts(search.table, one)
        places = {int(code): int(place) for code, place in zip(*np.unique(codes, return_index=True), strict=True)}
        dense = np.searchsorted(np.array(sorted(places)), codes)
        found[one] = (dense, [texts[places[code]].as_py() or "" for code in sorted(places)])
    usable = {one: each for one, each in found.items() if 2 <= len(each[1]) == len(set(each[1]))}
    return {one: each for one, each in usable.items() if _is_of_many(search, each[0])}


def _is_of_many(search: Search, codes: np.ndarray) -> bool:
    """Return whether each value that a rule could name stands under several parents, or none, by every key."""
    rows, tables = np.bincount(codes), search.tables
    sizes = {name: tables.database[name].num_rows for name in tables.schema.table_names}
    nobody = no_entities((), sizes, LEVEL_PARENTS_MIN)  # of four plans none is told by what its many contracts hold
    for relation in tables.schema.relations_of_child(search.table):
        if relation.parent_table in nobody:
            continue
        family = search.sample.family(relation.name)
        has = family >= 0
        pairs = np.unique(np.stack([codes[has], family[has]], axis=1), axis=0)
        # A row without a parent is nobody else's: what ends without a winner has none.
        parents = np.bincount(pairs[:, 0], minlength=len(rows)) + np.bincount(codes[~has], minlength=len(rows))
        if (parents[rows >= LEVEL_ROWS_MIN] < LEVEL_PARENTS_MIN).any():
            return False
    return True


def _patterns(search: Search) -> list[list[Operand]]:
    """Return columns that are sometimes missing, grouped by where."""
    groups: dict[bytes, list[Operand]] = {}
    names = search.tables.schema.table(search.table).columns[:COLUMNS_MAX]
    for one in [Operand(column.name) for column in names]:
        filled = search.sample.filled(search.table, one)
        if BY_CHANCE_MIN // 2 <= filled.sum() <= len(filled) - BY_CHANCE_MIN // 2:
            groups.setdefault(np.packbits(filled).tobytes(), []).append(one)
    return list(groups.values())


def _exclusive(flags: dict[Operand, np.ndarray], exact: list[set[Operand]]) -> Iterator[list[Operand]]:
    """Yield groups of which never two are set, grown while chance would have set two of them."""
    names = [one for one in flags if BY_CHANCE_MIN // 2 <= flags[one].sum() < len(flags[one])]
    used: set[Operand] = set()
    for first in names:
        if first in used:
            continue
        group, taken = [first], flags[first].copy()
        for other in names:
            if other == first or other in used or any({first, other} <= each for each in exact):
                continue
            expected = taken.mean() * flags[other].mean() * len(taken)
            if expected >= BY_CHANCE_MIN and not (taken & flags[other]).any():
                group.append(other)
                taken |= flags[other]
        if len(group) > 1 and not any(set(group) <= each for each in exact):
            used |= set(group)
            yield group


def _is_flag(values: np.ndarray) -> bool:
    known = values[~np.isnan(values)]
    return bool(len(known) and np.isin(known, (0.0, 1.0)).all())


def _is_often_zero(values: np.ndarray) -> bool:
    zeros = int((values == 0).sum())
    return zeros >= max(BY_CHANCE_MIN, ZEROS_MIN * len(values)) and not np.isnan(values).any()

"""Keys that fix a key of the same row: a plane flies for one airline, a teacher and a term have one room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from tabgraphsyn.data.codes import tuple_codes
from tabgraphsyn.data.pointers import CENSORED, NULL, follow
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import Fixed, most_frequent
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.generation.structure.base import Equality, Fixes

MIN_BREAKS = 20.0
"""Rows that would break it if the fixed key were dealt anew: none of them does by luck once in e^20 cases."""
SCREEN_ROWS = 20_000
PAIR_LINKS_MAX = 12
"""Of a table with more keys than this, pairs of keys are not tried."""
Way = tuple[str, ...]


def learn_fixes(
    schema: Schema,
    pointers: Mapping[str, np.ndarray],
    equalities: Iterable[Equality],
    rules: Iterable[Rule] = (),
) -> tuple[Fixes, ...]:
    """Return what fixes which key, table by table; what an equality of ways says is not said twice.

    Args:
        schema: tables and relations.
        pointers: relation -> (training rows of the child,), -1 null, -2 censored.
        equalities: ways that end in the same row.
        rules: of the database, found or declared; those about keys alone are held here, too.
    """
    said = [pair for one in equalities for pair in ((one.left, one.right), (one.right, one.left))]
    found: list[Fixes] = []
    for table in schema.table_names:
        own = [item.name for item in schema.relations_of_child(table)]
        ways: list[Way] = [(name,) for name in own]
        ways += [(one.name, two.name) for one in schema.relations_of_child(table) for two in _above(schema, one.name)]
        told = [one for rule in rules if rule.table == table for one in _told(schema, rule)]
        for by, link in [*told, *_candidates(own, ways)]:
            is_said = any(short == (link,) and _begins(long, by) for short, long in said)
            if not is_said and not any(one.link == link and set(one.by) <= set(by) for one in found):
                found += _measured(table, by, link, pointers, is_told=(by, link) in told)
    return tuple(_without_implied(found))


def _above(schema: Schema, relation: str) -> tuple[Relation, ...]:
    return schema.relations_of_child(schema.relation(relation).parent_table)


def _begins(way: Way, by: tuple[Way, ...]) -> bool:
    """Return whether a way goes on from one of those that fix."""
    return any(way[: len(one)] == one for one in by)


def _candidates(own: Sequence[str], ways: Sequence[Way]) -> Iterator[tuple[tuple[Way, ...], str]]:
    yield from (((way,), link) for way in ways for link in own if way[0] != link)
    for one, two in combinations(own, 2) if len(own) <= PAIR_LINKS_MAX else ():
        yield from ((((one,), (two,)), link) for link in own if link not in (one, two))


def _told(schema: Schema, rule: Rule) -> Iterator[tuple[tuple[Way, ...], str]]:
    """Yield what a rule about key columns says of keys, nothing where it is about anything else."""
    if not isinstance(rule, Fixed) or rule.support.broken or rule.strength < 1:
        return
    ways = [way for one in rule.operands if (way := _way(schema, rule.table, one)) is not None]
    if len(ways) == len(rule.operands) and len(ways[-1]) == 1 and all(one[0] != ways[-1][0] for one in ways[:-1]):
        yield tuple(ways[:-1]), ways[-1][0]


def _way(schema: Schema, table: str, operand: Operand) -> Way | None:
    """Return the relations that lead from a table to what a key column refers to."""
    before = () if operand.through is None else schema.way(operand.through)
    holder = before[-1].parent_table if before else table
    held = [one.name for one in schema.relations_of_child(holder) if one.child_columns == (operand.column,)]
    return (*(one.name for one in before), held[0]) if held else None


def _measured(
    table: str, by: tuple[Way, ...], link: str, pointers: Mapping[str, np.ndarray], *, is_told: bool
) -> Iterator[Fixes]:
    """Yield what holds in every row and would not by luck: with rows that have no key, or of those that have one."""
    group, key = group_of(by, pointers), pointers[link]
    for with_null in (True, False):
        has = (group >= 0) & (key != CENSORED) & (with_null | (key != NULL))
        if with_null and not (key == NULL).any():
            continue
        if _holds(group[has], key[has] + 1, 0.0 if is_told else MIN_BREAKS):
            yield Fixes(table, by, link, with_null)
            return


def _holds(group: np.ndarray, value: np.ndarray, breaks: float) -> bool:
    """Return whether equal groups have equal values, and dealing the values anew would break that; (rows,) both."""
    rows = len(group)
    for some in (slice(0, SCREEN_ROWS), slice(0, rows)):
        order = np.argsort(group[some], kind="stable")
        same = group[some][order][1:] == group[some][order][:-1]
        if (value[some][order][1:] != value[some][order][:-1])[same].any():
            return False
    share = np.bincount(value) / max(rows, 1)
    return bool(int(same.sum()) * (1 - float((share**2).sum())) >= breaks)


def _without_implied(found: Sequence[Fixes]) -> list[Fixes]:
    """Return those that do not follow from others: a fixes b and b fixes c say that a fixes c; so do keys above a."""
    kept = list(found)
    for one in reversed(found):
        others = [other for other in kept if other is not one and other.table == one.table]
        known, grew = set(one.by), True
        while grew:
            likely = [other for other in others if other.with_null >= one.with_null]
            more = {(other.link,) for other in likely if all(_begins(way, tuple(known)) for way in other.by)}
            grew, known = not more <= known, known | more
        if (one.link,) in known:
            kept.remove(one)
    return kept


def group_of(by: Sequence[Way], pointers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which rows have the same keys along all ways, (rows,) int64; -1 where one is missing or unknown."""
    return tuple_codes([follow(way, pointers) for way in by])


def value_of(one: Fixes, pointer: np.ndarray) -> np.ndarray:
    """Return the fixed key as a number from 0 on, 0 for none, -1 where nothing is said of it; (rows,) int64."""
    return np.where(pointer >= 0, pointer + 1, np.where((pointer == NULL) & one.with_null, 0, -1))


def owners(group: np.ndarray, value: np.ndarray, groups: int, firm: np.ndarray | None = None) -> np.ndarray:
    """Return the value that most rows of each group have, (groups,) int64, -1 where there is none.

    Shape:
        group, value: (rows,) int64, -1 for none. firm: rows that decide alone for their group, (n,) int64.
    """
    owner = np.full(groups, -1, dtype=np.int64)
    for rows in (np.arange(len(group)), firm):
        if rows is not None and len(rows):
            rows = rows[(group[rows] >= 0) & (value[rows] >= 0)]
            known, most = most_frequent(group[rows], value[rows])
            owner[known] = most
    return owner


def broken_fixes(one: Fixes, pointers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return (rows,) bool: which rows have another key than most of their group."""
    group, value = group_of(one.by, pointers), value_of(one, pointers[one.link])
    owner = owners(group, value, int(group.max(initial=-1)) + 1)
    return (group >= 0) & (value >= 0) & (owner[group] != value if len(owner) else False)

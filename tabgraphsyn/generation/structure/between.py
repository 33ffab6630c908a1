"""Rules between the keys of one row: two differ, one is among others, one is before the other, one leads back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from tabgraphsyn.data.rules.row_kinds import Order
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import Among, Differ
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.generation.structure.base import Between
from tabgraphsyn.generation.structure.links import depths

if TYPE_CHECKING:
    from tabgraphsyn.generation.structure.growing import Growing

BACK_MIN = 20
"""Rows that refer to an earlier one, and none to a later one, from which on this is a rule: luck of 2^-20."""
EQUAL_MIN = 10.0
"""Rows whose two keys would lead to one row by chance, of which none does, from which on this is a rule."""
SWAP_PASSES = 20


def learn_between(schema: Schema, pointers: Mapping[str, np.ndarray], rules: Iterable[Rule]) -> tuple[Between, ...]:
    """Return the rules between keys; those of a choice first.

    Args:
        schema: tables and relations.
        pointers: relation -> (training rows of the child,), -1 null, -2 censored.
        rules: of the database, found or declared.
    """
    found = [one for rule in rules if not rule.support.broken for one in _of_keys(schema, pointers, rule)]
    found += _never_equal(schema, pointers, found)
    found += [
        Between("back", item.child_table, (item.name,))
        for item in schema.relations
        if item.is_self_reference and _leads_back(pointers[item.name])
    ]
    return tuple(sorted(found, key=lambda one: one.rule != "among"))


def _never_equal(
    schema: Schema, pointers: Mapping[str, np.ndarray], known: Iterable[Between]
) -> Iterator[Between]:  # fmt: skip
    """Yield pairs of keys that never lead to one row although dealt keys would: keys of several columns, above all."""
    said = {frozenset(one.links) for one in known if one.rule in ("differ", "rising")}
    for table in schema.table_names:
        for one, two in combinations(schema.relations_of_child(table), 2):
            is_alike = (one.parent_table, one.parent_columns) == (two.parent_table, two.parent_columns)
            if not is_alike or {one.name, two.name} in said:
                continue
            left, right = pointers[one.name], pointers[two.name]
            both = (left >= 0) & (right >= 0)
            if not both.any() or (left == right)[both].any():
                continue
            most = int(max(left.max(), right.max())) + 1
            shares = [np.bincount(each[both], minlength=most) / both.sum() for each in (left, right)]
            if both.sum() * float(shares[0] @ shares[1]) >= EQUAL_MIN:
                yield Between("differ", table, (one.name, two.name))


def _leads_back(pointer: np.ndarray) -> bool:
    has = pointer >= 0
    return int(has.sum()) >= BACK_MIN and bool((pointer < np.arange(len(pointer)))[has].all())


def _of_keys(schema: Schema, pointers: Mapping[str, np.ndarray], rule: Rule) -> Iterator[Between]:
    """Yield what a rule about key columns says of keys, nothing where it is about anything else."""
    keys = [_key(schema, rule.table, one.column) if one.is_own else None for one in rule.operands]
    held = [one for one in keys if one is not None]
    if len(held) < len(keys) or len({(one.parent_table, one.parent_columns) for one in held}) > 1:
        return
    names = tuple(one.name for one in held)
    if isinstance(rule, Differ):
        yield Between("differ", rule.table, names)
    elif isinstance(rule, Among):
        own, *others = (pointers[name] for name in names)
        equal = np.stack([(own == other) & (own >= 0) for other in others])
        first = equal & (equal.cumsum(0) == 1)
        yield Between("among", rule.table, names, tuple((first.sum(1) / max(int(first.sum()), 1)).tolist()))
    elif isinstance(rule, Order) and rule.strict:
        for pair in pairwise(names):
            if _rises(pointers[pair[0]], pointers[pair[1]]):
                yield Between("rising", rule.table, pair)


def _rises(low: np.ndarray, high: np.ndarray) -> bool:
    """Return whether what holds of key values holds of places in the file, which new keys go by; (rows,) both."""
    both = (low >= 0) & (high >= 0)
    return bool(both.any() and (low < high)[both].all())


def _key(schema: Schema, table: str, column: str) -> Relation | None:
    return next((one for one in schema.relations_of_child(table) if one.child_columns == (column,)), None)


def broken_between(rule: Between, pointers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return (rows,) bool: which rows break a rule; a null key breaks none."""
    first, *others = (pointers[name] for name in rule.links)
    is_there = (first >= 0) & np.all([one >= 0 for one in others], axis=0)
    if rule.rule == "differ":
        return is_there & (first == others[0])
    if rule.rule == "rising":
        return is_there & (first >= others[0])
    return (first >= 0) & np.any([one >= 0 for one in others], axis=0) & ~np.any([first == one for one in others], 0)


def keep_between(rule: Between, growing: Growing, rng: np.random.Generator) -> None:
    """Change keys so that a rule holds, as far as it can: rows keep what created them, parents their children."""
    pointers = growing.pointers
    creating = growing.plan.creating_link(rule.table)
    fixed = None if creating is None else creating.name
    if rule.rule == "among":
        _choose(rule, pointers, fixed, rng)
        return
    if rule.rule == "rising" and fixed not in rule.links:
        low, high = (pointers[name] for name in rule.links)
        turned = broken_between(rule, pointers)
        pointers[rule.links[0]], pointers[rule.links[1]] = np.where(turned, high, low), np.where(turned, low, high)
    moved = rule.links[0] if rule.links[1] == fixed else rule.links[1]
    others = {link.name for link in growing.plan.links_of_child(rule.table)} - {moved}
    attachment = growing.attachment(moved, others)
    group, _ = attachment.codes(attachment.conditions)
    for _ in range(SWAP_PASSES):
        bad = np.flatnonzero(broken_between(rule, pointers))
        if not len(bad):
            break
        _swapped(rule, pointers, moved, bad, group, rng)
    for _ in range(SWAP_PASSES):
        bad = np.flatnonzero(broken_between(rule, pointers))
        if not len(bad):
            break
        _borrowed(rule, pointers, moved, bad, group, rng)


def _choose(rule: Between, pointers: dict[str, np.ndarray], fixed: str | None, rng: np.random.Generator) -> None:
    """Let the first key be one of the others, as often as in real rows; the one that created the row stays."""
    name, *others = rule.links
    own = pointers[name]
    which = rng.choice(len(others), size=len(own), p=np.asarray(rule.shares) / max(sum(rule.shares), 1e-9))
    for number, other in enumerate(others):
        here = (which == number) & (own >= 0) & (pointers[other] >= 0)
        source, target = (name, other) if name == fixed else (other, name)
        pointers[target] = np.where(here & broken_between(rule, pointers), pointers[source], pointers[target])


def _under_same_conditions(
    pointer: np.ndarray, rows: np.ndarray, group: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return for each of some rows, (n,) int64, a row with a key under the same conditions, any where there is none.

    Shape:
        pointer, group: (all rows,), the key and the conditions.
    """
    order = rng.permutation(np.flatnonzero(pointer >= 0))
    order = order[np.argsort(group[order], kind="stable")]
    low = np.searchsorted(group[order], group[rows], side="left")
    high = np.searchsorted(group[order], group[rows], side="right")
    return order[np.minimum(low + rng.integers(0, np.maximum(high - low, 1)), len(order) - 1)]


def _borrowed(
    rule: Between,
    pointers: dict[str, np.ndarray],
    moved: str,
    bad: np.ndarray,
    group: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Give broken rows that no swap mends the key of a row under the same conditions, where they keep the rule then."""
    lender = _under_same_conditions(pointers[moved], bad, group, rng)
    tried = {**pointers, moved: pointers[moved].copy()}
    tried[moved][bad] = pointers[moved][lender]
    good = bad[~broken_between(rule, tried)[bad]]
    pointers[moved] = pointers[moved].copy()
    pointers[moved][good] = tried[moved][good]


def _swapped(
    rule: Between,
    pointers: dict[str, np.ndarray],
    moved: str,
    bad: np.ndarray,
    group: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Let broken rows change a key with rows under the same conditions where both keep the rule then."""
    partner = _under_same_conditions(pointers[moved], bad, group, rng)
    once = np.zeros(len(bad), dtype=bool)
    once[np.unique(partner, return_index=True)[1]] = True
    bad, partner = bad[once & ~np.isin(partner, bad)], partner[once & ~np.isin(partner, bad)]
    tried = {**pointers, moved: pointers[moved].copy()}
    tried[moved][bad], tried[moved][partner] = pointers[moved][partner], pointers[moved][bad]
    wrong = broken_between(rule, tried)
    good = ~wrong[bad] & ~wrong[partner]
    pointers[moved] = pointers[moved].copy()
    pointers[moved][bad[good]], pointers[moved][partner[good]] = tried[moved][bad[good]], tried[moved][partner[good]]


def after_above(pointer: np.ndarray) -> np.ndarray:
    """Return an order of rows, (rows,) int64, in which each comes after the row that it refers to, else as they were.

    >>> after_above(np.array([-1, 2, -1, 1])).tolist()
    [0, 2, 1, 3]
    """
    rows = np.arange(len(pointer))
    latest, above = rows.copy(), np.where((pointer < 0) | (pointer == rows), rows, pointer)
    for _ in range(max(len(pointer), 1).bit_length() + 1):
        latest = np.maximum(latest, latest[above])
        above = above[above]
    return np.lexsort((rows, np.maximum(depths(pointer), 0), latest))

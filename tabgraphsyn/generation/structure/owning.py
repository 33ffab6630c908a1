"""What open keys are chosen by where keys fix a key: a parent belongs to one value of the key that it fixes."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from tabgraphsyn.data.pointers import NULL, UNMATCHED, follow, through
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.generation.structure.attach import Condition
from tabgraphsyn.generation.structure.base import Fixes, KeyPlan
from tabgraphsyn.generation.structure.fixes import group_of, owners, value_of

if TYPE_CHECKING:
    from tabgraphsyn.generation.structure.growing import Growing


def owned_conditions(growing: Growing, name: str) -> list[Condition]:
    """Return for each key that one relation alone fixes what a row has there and what each parent stands for.

    Shape:
        (rows,) and (parents,) int64 each, -1 where nothing is known.
    """
    found = []
    for one in growing.plan.fixes:
        if len(one.by) == 1 and one.by[0][0] == name:
            found.append(_owned(growing, one, name))
    return found


def _owned(growing: Growing, one: Fixes, name: str) -> Condition:
    onward = one.by[0][1:]
    parents = growing.rows[growing.plan.link[name].parent]
    reached = follow(onward, growing.pointers) if onward else np.arange(parents)
    ends = growing.rows[growing.plan.link[onward[-1]].parent] if onward else parents
    pointer, value = growing.pointers[name], value_of(one, growing.pointers[one.link])
    owner = owners(through(pointer, reached), value, ends)
    is_open = (pointer == UNMATCHED) & (value >= 0)
    if is_open.any():
        room = np.bincount(reached[reached >= 0], weights=growing.target_degree[name][reached >= 0], minlength=ends)
        has = np.bincount(through(pointer, reached)[pointer >= 0].clip(0), minlength=ends)
        _allotted(owner, np.maximum(room - has, 0), value[is_open], numpy_generator(0, "owners", name, one.link))
    return value, np.where(reached >= 0, owner[np.maximum(reached, 0)] if ends else -1, -1)


def _allotted(owner: np.ndarray, room: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> None:
    """Let values own what nothing owns yet, as much as their open rows need; in place.

    Shape:
        owner: (ends,) int64, -1 for free. room: (ends,) rows that each end may still take. wanted: (open rows,) int64.
    """
    values, need = np.unique(wanted, return_counts=True)
    place = np.searchsorted(values, owner).clip(0, len(values) - 1)
    is_theirs = values[place] == owner
    need = np.maximum(need - np.bincount(place[is_theirs], weights=room[is_theirs], minlength=len(values)), 0.0)
    free = rng.permutation(np.flatnonzero(owner < 0))
    if not len(free):
        return
    # Each value takes a run of the free ends whose rooms add up to its need.
    runs = np.cumsum(room[free]) - room[free] / 2
    scale = float(room[free].sum()) / max(float(need.sum()), 1e-9)
    if scale > 0:
        taken = np.searchsorted(np.cumsum(need) * scale, runs, side="right").clip(0, len(values) - 1)
        usable = room[free] > 0
        owner[free[usable]] = values[taken[usable]]
    # Who needs one and has none takes one that is still free, else one of those who have several.
    lacking = values[~np.isin(values, owner)]
    spare = rng.permutation(free)
    held = np.unique(owner[spare], return_inverse=True, return_counts=True)
    spare = spare[np.argsort(-(np.where(owner[spare] < 0, len(owner), held[2][held[1]])), kind="stable")]
    count = min(len(lacking), max(len(spare) - (len(values) - len(lacking)), 0))
    owner[spare[:count]] = lacking[:count]


def next_open(plan: KeyPlan, opened: Sequence[str], chosen: Set[str]) -> int:
    """Return the place of the open key that is chosen next.

    That is the one that created most rows, else one that chosen keys fix, else one that fixes no other.
    """
    if opened[0] == plan.driver[plan.link[opened[0]].child]:
        return 0
    ready = [any(one.link == name and {way[0] for way in one.by} <= chosen for one in plan.fixes) for name in opened]
    return ready.index(True) if any(ready) else min(range(len(opened)), key=lambda at: _rank(plan, opened[at]))


def _rank(plan: KeyPlan, name: str) -> int:
    """Return how many keys hang on one, one after another; more than all where several keys together fix it."""
    if any(one.link == name and len(one.by) > 1 for one in plan.fixes):
        return len(plan.links) + 1
    rank, seen, level = 0, {name}, {name}
    while level:
        found = {one.link for one in plan.fixes if len(one.by) == 1 and one.by[0][0] in level}
        level = found - seen
        seen |= level
        rank += bool(level)
    return rank


def led(growing: Growing, name: str) -> np.ndarray | None:
    """Give open rows the key that is known for what fixes it; return the group of those for which none is, (rows,).

    None where nothing that is chosen already fixes it.
    """
    waiting = None
    for one in growing.plan.fixes:
        if one.link != name:
            continue
        group, pointer = group_of(one.by, growing.pointers), growing.pointers[name]
        if one.with_null and (pointer == UNMATCHED).any():
            pointer = _null_by_group(pointer, group)
        owner = owners(group, value_of(one, pointer), int(group.max(initial=-1)) + 1)
        wanted = through(group, owner)
        known = (pointer == UNMATCHED) & (wanted >= 0)
        growing.pointers[name] = np.where(known, wanted - 1, pointer)
        if waiting is None or (group >= 0).sum() > (waiting >= 0).sum():
            waiting = group
    if waiting is None:
        return None
    waiting = np.where(growing.pointers[name] == UNMATCHED, waiting, -1)
    return waiting if (waiting >= 0).any() else None


def _null_by_group(pointer: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return keys of which whole groups are null, those with the largest shares of nulls; as many rows as before.

    Shape:
        pointer: (rows,), null or open or chosen. group: (rows,) int64, -1 for none.
    """
    has = (group >= 0) & (pointer < 0)
    size = np.bincount(group[group >= 0])
    null = np.bincount(group[has & (pointer == NULL)], minlength=len(size))
    order = np.argsort(-null / np.maximum(size, 1), kind="stable")
    ends = np.cumsum(size[order])
    is_null = np.zeros(len(size), dtype=bool)
    is_null[order[ends - size[order] / 2 <= null.sum()]] = null.any()
    return np.where(has, np.where(through(group, is_null, 0), NULL, UNMATCHED), pointer)


def first_of(group: np.ndarray) -> np.ndarray:
    """Return the first row of each group for each row, (rows,) int64; a row without a group is its own.

    >>> first_of(np.array([5, -1, 5, 2])).tolist()
    [0, 1, 0, 3]
    """
    rows = np.arange(len(group))
    _, first, of_row = np.unique(np.where(group >= 0, group, -1 - rows), return_index=True, return_inverse=True)
    return np.asarray(first[of_row], dtype=np.int64)

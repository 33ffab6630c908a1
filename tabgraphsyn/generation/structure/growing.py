"""From row counts with some pointers open to keys that hold every rule; shared by all structure models."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from tabgraphsyn.data.pointers import NULL, UNMATCHED, follow, through
from tabgraphsyn.generation.structure.attach import Attachment, attach
from tabgraphsyn.generation.structure.base import KeyPlan, Skeleton
from tabgraphsyn.generation.structure.between import after_above, broken_between, keep_between
from tabgraphsyn.generation.structure.fixes import broken_fixes
from tabgraphsyn.generation.structure.owning import first_of, led, next_open, owned_conditions
from tabgraphsyn.generation.structure.settle import Settling
from tabgraphsyn.generation.structure.unique import repair_unique

ROUNDS = 4
"""Turns of rules between keys and of unique tuples: what one puts right the other may break."""

log = logging.getLogger("tabgraphsyn")


@dataclass
class Growing:
    """Keys in the making.

    Attributes:
        plan: the rules.
        rows: rows of each table.
        pointers: relation -> (child rows,), ``UNMATCHED`` where a parent is still to be chosen.
        wanted_degree: relation -> (child rows,), degree of the parent that an open row would like.
        target_degree: relation -> (parent rows,), number of children that a parent should get.
        wanted_level, parent_level: acyclic self reference -> (rows,), depth that the parent must have; depth of a row.
        dropped: rows left out so far.
        places: table -> (rows,), the period of each row, where it is known.
        moments: table -> (rows,), the moment of each row, where it is known.
    """

    plan: KeyPlan
    rows: dict[str, int]
    pointers: dict[str, np.ndarray]
    wanted_degree: dict[str, np.ndarray]
    target_degree: dict[str, np.ndarray]
    wanted_level: dict[str, np.ndarray] = field(default_factory=dict)
    parent_level: dict[str, np.ndarray] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    places: dict[str, np.ndarray] = field(default_factory=dict)
    moments: dict[str, np.ndarray] = field(default_factory=dict)

    def attachment(self, name: str, fixed: set[str]) -> Attachment:
        """Return what is to be known to choose the parents of one relation's open rows."""
        link = self.plan.link[name]
        if name in self.parent_level:
            self._top_out(name)
        return Attachment(
            pointer=self.pointers[name],
            parents=self.rows[link.parent],
            wanted_degree=self.wanted_degree[name],
            target_degree=self.target_degree[name],
            shared=self._conditions(name, fixed, shared=True),
            owned=owned_conditions(self, name),
            learned=self._conditions(name, fixed, shared=False),
            level=[self._level(name)] if name in self.parent_level else [],
            may_be_null=name not in self.plan.never_null,
            is_self_reference=link.child == link.parent,
        )

    def _top_out(self, name: str) -> None:
        """Let rows of a hierarchy be at its top where no row is that may stand above them; few rows are grown then."""
        pointer = self.pointers[name]
        lost = np.flatnonzero(pointer == UNMATCHED)
        lost = lost[self.wanted_level[name][lost] < self.parent_level[name].min(initial=np.iinfo(np.int64).max)]
        # Where no key is missing the top refers to itself.
        pointer[lost] = lost if name in self.plan.never_null else NULL

    def settling(self, rng: np.random.Generator) -> Settling:
        """Return what lets fixed keys follow the keys that fix them."""
        return Settling(self.plan, self.rows, self.pointers, rng, {})

    def _level(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the wanted depth of each row's parent, lowered to one that exists, and the depth of each parent."""
        present = np.unique(self.parent_level[name])
        place = np.searchsorted(present, self.wanted_level[name], side="right") - 1
        return through(place, present), self.parent_level[name]

    def _conditions(self, name: str, fixed: set[str], *, shared: bool) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return (wanted ancestor of each child row, ancestor of each parent row) for each equality that applies."""
        link = self.plan.link[name]
        conditions = []
        for item in self.plan.equalities:
            for ours, theirs in ((item.left, item.right), (item.right, item.left)):
                if item.table != link.child or item.is_shared_column != shared:
                    continue
                if ours[0] == name and theirs[0] in fixed:
                    onward = ours[1:]
                    reached = follow(onward, self.pointers) if onward else np.arange(self.rows[link.parent])
                    conditions.append((follow(theirs, self.pointers), reached))
        return conditions

    def keep(self, table: str, kept: np.ndarray) -> None:
        """Leave out rows of ``table`` and the rows created under them; pointers to them become open.

        Shape:
            ``kept`` is (rows,) bool.
        """
        if kept.all():
            return
        self.dropped[table] = self.dropped.get(table, 0) + int((~kept).sum())
        self.rows[table] = int(kept.sum())
        for when in (self.places, self.moments):
            if table in when:
                when[table] = when[table][kept]
        new_row = np.where(kept, np.cumsum(kept) - 1, UNMATCHED)
        creating = [name for name in self.plan.driver.values() if name is not None]
        orphans: dict[str, np.ndarray] = {}
        for link in self.plan.links_of_child(table):
            for held in (self.pointers, self.wanted_degree, self.wanted_level):
                if link.name in held:
                    held[link.name] = held[link.name][kept]
        for link in self.plan.links_of_parent(table):
            for held in (self.target_degree, self.parent_level):
                if link.name in held:
                    held[link.name] = held[link.name][kept]
            pointer = self.pointers[link.name]
            if len(pointer):
                self.pointers[link.name] = np.where(pointer >= 0, new_row[np.maximum(pointer, 0)], pointer)
            if link.name in creating and self.plan.creating_link(link.child) == link:
                orphans[link.child] = (self.pointers[link.name] != UNMATCHED) | (pointer == UNMATCHED)
        for child, remaining in orphans.items():
            self.keep(child, remaining)

    def reorder(self, table: str, order: np.ndarray) -> None:
        """Put the rows of ``table`` in another order, (rows,): ``order[i]`` becomes row ``i``; keys to them follow."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        for when in (self.places, self.moments):
            if table in when:
                when[table] = when[table][order]
        for link in self.plan.links_of_child(table):
            for held in (self.pointers, self.wanted_degree, self.wanted_level):
                if link.name in held and len(held[link.name]):
                    held[link.name] = held[link.name][order]
        for link in self.plan.links_of_parent(table):
            for held in (self.target_degree, self.parent_level):
                if link.name in held and len(held[link.name]):
                    held[link.name] = held[link.name][order]
            pointer = self.pointers.get(link.name)
            if pointer is not None and len(pointer):
                self.pointers[link.name] = np.where(pointer >= 0, place[np.maximum(pointer, 0)], pointer)


def finish(growing: Growing, rng: np.random.Generator, in_time: Collection[str] = ()) -> Skeleton:
    """Choose every open parent, make unique tuples unique, and return the keys.

    Args:
        growing: changed here.
        rng: of all choices.
        in_time: tables whose rows are put in the order of their moments.
    """
    plan = growing.plan
    for table in plan.tables:
        names = [link.name for link in plan.links_of_child(table)]
        _agree(growing, table, UNMATCHED)
        # Relations that are complete decide first; the open ones have to agree with them.
        opened = [name for name in names if (growing.pointers[name] == UNMATCHED).any()]
        fixed: set[str] = set()
        kept = np.ones(growing.rows[table], dtype=bool)
        closed = [name for name in names if name not in opened]
        while closed or opened:
            name = closed.pop(0) if closed else opened.pop(next_open(plan, opened, fixed))
            kept &= _attached(growing, name, fixed, rng)
            fixed.add(name)
        kept &= _between_kept(growing, table, kept, rng)
        growing.keep(table, kept)
        for rule in plan.between:
            if rule.table == table and rule.rule == "back" and table not in plan.reference:
                growing.reorder(table, after_above(growing.pointers[rule.links[0]]))
    _close(growing, rng)
    for table in in_time:
        growing.reorder(table, np.argsort(growing.moments[table], kind="stable"))
    for table, count in growing.dropped.items():
        share = count / max(count + growing.rows[table], 1)
        log.warning("%s: %d rows (%.2f %%) left out, no free unique key was found for them.", table, count, 100 * share)
    return Skeleton(
        rows=dict(growing.rows),
        pointers=dict(growing.pointers),
        dropped=dict(growing.dropped),
        places=dict(growing.places),
        moments=dict(growing.moments),
    )


def _agree(growing: Growing, table: str, otherwise: int | None = None) -> None:
    """Let two ways end in one row where both are known: a key follows the longer way.

    Args:
        growing: changed here.
        table: where the ways start.
        otherwise: what a key becomes that cannot simply follow; None to leave it.
    """
    created, pointers = growing.plan.creating_link(table), growing.pointers
    held = None if created is None else created.name
    for one in growing.plan.equalities:
        if one.table != table:
            continue
        ends = [follow(way, pointers) for way in (one.left, one.right)]
        differs = (ends[0] != ends[1]) & (ends[0] >= 0) & (ends[1] >= 0)
        if not differs.any():
            continue
        free = [(way, ends[1 - at]) for at, way in enumerate((one.left, one.right)) if way[0] != held]
        short = [(way[0], end) for way, end in free if len(way) == 1]
        for name, end in short[:1]:
            pointers[name] = np.where(differs, end, pointers[name])
        if not short and otherwise is not None:
            name = free[0][0][0]
            pointers[name] = np.where(differs, otherwise, pointers[name])


def _attached(growing: Growing, name: str, fixed: set[str], rng: np.random.Generator) -> np.ndarray:
    """Choose the open parents of one relation; return which rows could be placed.

    Of rows whose keys fix this one together, the first chooses for all.
    """
    group = led(growing, name)
    if group is None:
        growing.pointers[name], placed = attach(growing.attachment(name, fixed), rng)
        return placed
    first = first_of(group)
    follows = first != np.arange(len(first))
    growing.pointers[name] = np.where(follows, NULL, growing.pointers[name])
    pointer, placed = attach(growing.attachment(name, fixed), rng)
    growing.pointers[name] = np.where(follows, pointer[first], pointer)
    return placed & placed[first]


def _between_kept(growing: Growing, table: str, kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make unique tuples unique and keep the rules between keys, in turns; return which rows keep all of them."""
    rules = [one for one in growing.plan.between if one.table == table and one.rule != "back"]
    fixes = [one for one in growing.plan.fixes if one.table == table]
    for turn in range(ROUNDS):
        for one in fixes:
            growing.settling(rng).settle(one)
        _agree(growing, table)
        for rule in rules:
            keep_between(rule, growing, rng)
        good = kept.copy()
        for item in growing.plan.unique:
            if item.table == table:
                good &= _without_repetition(growing, item.links, kept, rng)
        for rule in rules:
            good &= ~broken_between(rule, growing.pointers)
        for one in fixes:
            good &= ~broken_fixes(one, growing.pointers)
        if not (rules or fixes) or turn == ROUNDS - 1 or good[kept].all():
            break
    if fixes and not good[kept].all() and not any(item.table == table for item in growing.plan.unique):
        good |= growing.settling(rng).take_over(table, kept & ~good, good)
    return good


def _without_repetition(
    growing: Growing, links: tuple[str, ...], kept: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    plan = growing.plan
    table = plan.link[links[0]].child
    creating = plan.creating_link(table)
    # A family's rows stay with their parent; of the rest, a key to a table that grows has the most room.
    movable = [name for name in links if creating is None or name != creating.name]
    fixed = {one.link for one in plan.fixes}
    movable.sort(key=lambda name: (name in fixed, plan.link[name].parent in plan.reference))
    name = movable[0] if movable else None
    others = {link.name for link in plan.links_of_child(table)} - {name}
    attachment = growing.attachment(name, others) if name is not None else None
    pointers = [growing.pointers[other] for other in links]
    place = links.index(name) if name is not None else 0
    repaired, unique = repair_unique(pointers, place, attachment, kept, rng)
    if name is not None:
        growing.pointers[name] = repaired
    return unique


def _close(growing: Growing, rng: np.random.Generator) -> None:
    """Give rows of a cycle whose parent was left out after their own turn another parent (or null)."""
    for name, pointer in list(growing.pointers.items()):
        opened = np.flatnonzero(pointer == UNMATCHED)
        if not len(opened):
            continue
        parents = growing.rows[growing.plan.link[name].parent]
        if name in growing.plan.never_null and parents:
            pointer[opened] = rng.integers(0, parents, len(opened))
        else:
            pointer[opened] = NULL
        for one in growing.plan.fixes:
            if one.link == name or any(name in way for way in one.by):
                growing.settling(rng).settle(one)


def creation_order(plan: KeyPlan) -> list[str]:
    """Return the tables so that each comes after the table along which its rows are created."""
    waiting = list(plan.tables)
    done: list[str] = []
    while waiting:
        ready = [table for table in waiting if _created_from(plan, table) in (None, *done)]
        if not ready:
            raise ValueError(f"driver relations form a cycle over {waiting!r}")
        done += ready
        waiting = [table for table in waiting if table not in ready]
    return done


def _created_from(plan: KeyPlan, table: str) -> str | None:
    link = plan.creating_link(table)
    return None if link is None else link.parent


def growth(rows: Mapping[str, int], fitted: Mapping[str, int], table: str) -> float:
    """Return how many synthetic rows stand for one fitted row."""
    return rows[table] / fitted[table] if fitted[table] else 0.0

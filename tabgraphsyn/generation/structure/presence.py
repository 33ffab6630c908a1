"""Who takes part in events when, from counts alone: how many events a moment has, and from when to when how many stay.

``timeline`` moments and real keys say who met whom; here only numbers of at least ``min_entities`` entities are kept:
rows of each moment, boxes of who takes part (from when, how often, in which share of the events), and how often keys of
one table are those of another. Each new one who takes part is drawn from a box, and is dealt to events of its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.pointers import through
from tabgraphsyn.data.untrusted import Name, Share
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.base import KeyPlan, Topology
from tabgraphsyn.generation.structure.boxes import (
    BOX,
    between,
    box_of,
    boxes,
    evenly_between,
    one_after_another,
    present,
    spread,
)
from tabgraphsyn.generation.structure.entities import systematic_weighted
from tabgraphsyn.generation.structure.stretches import event_link, moments_between

ERAS, ERA_ROWS = 50, 10
"""Parts of the time of which rows keep their numbers of children, and how many rows each has at least."""
LEAST_CASES = 50
"""Rows from which a habit is read at least."""
TRIES = 20
USUAL = 0.5
"""A habit of fewer rows is none."""


@dataclass(frozen=True)
class Happening(Plain):
    """When the rows of a table with a timeline stand.

    Attributes:
        eras: parts of as many moments, of which rows keep their numbers of children.
        is_in_time: rows of the whole table are in the order of their times.
        is_rising: rows of one family are.
    """

    eras: Annotated[int, Meta(ge=1, le=ERAS)]
    is_in_time: bool
    is_rising: bool


@dataclass(frozen=True)
class Habit(Plain):
    """How often a key is that of another row.

    Attributes:
        kind: ``with``: it leads to one who takes part in the same event along a key of another table. ``stays``: it
            leads where it did in the event before, for rows of one table with the same other key. ``either``: it leads
            where a key of the event itself does, the other key or another one to the same table.
        link: the key.
        of: the other key.
        share: of the rows.
    """

    kind: Literal["with", "stays", "either"]
    link: Name
    of: Name
    share: Share


@dataclass(frozen=True)
class Presence:
    """See the module.

    Attributes:
        happenings: by table of events.
        count: table of events -> (moments,) int64, rows of each.
        along: table of those who take part -> the key that says how often.
        boxes: table of those who take part -> (boxes, 7) int64, see ``BOX``.
        present: table of those who take part -> (moments,) int64, how many are there in each moment; 0 for few.
        habits: of keys.
    """

    happenings: Mapping[str, Happening] = field(default_factory=dict)
    count: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    along: Mapping[str, str] = field(default_factory=dict)
    boxes: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    present: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    habits: tuple[Habit, ...] = ()

    @staticmethod
    def of(topology: Topology) -> Presence:
        """Count; rows that are hidden are unknown here."""
        happenings, count, along = {}, {}, {}
        boxes: dict[str, np.ndarray] = {}
        present: dict[str, np.ndarray] = {}
        habits: list[Habit] = []
        for table, moment in topology.moments.items():
            if not len(moment):
                continue
            count[table] = np.bincount(moment)
            happenings[table] = _happening(topology, table)
            telling = tellers(topology.plan, table, topology.moments)
            for links in telling:
                for one in links:
                    parent = topology.plan.link[one].parent
                    if parent not in boxes:
                        found = _boxes(topology, table, one)
                        if found is not None:
                            along[parent], (boxes[parent], present[parent]) = one, found
            habits += _habits(topology, table, telling)
        return Presence(happenings, count, along, boxes, present, tuple(habits))

    def era(self, table: str, moment: np.ndarray) -> np.ndarray:
        """Return the part of the time in which moments lie, (rows,) int64 both."""
        return np.asarray(moment * self.happenings[table].eras // len(self.count[table]), dtype=np.int64)

    def within(self, table: str, begin: float, share: float) -> np.ndarray:
        """Return how many rows each moment has, (moments,) int64, none outside of a stretch of time."""
        first, last = moments_between(self.count[table], begin, share)
        held = np.zeros_like(self.count[table])
        held[first : last + 1] = self.count[table][first : last + 1]
        return held

    def during(
        self, held: np.ndarray, stays: tuple[np.ndarray, np.ndarray], who: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return a moment for each new row of a family within the stay of its head, (rows,) int64.

        Args:
            held: see ``within``.
            stays: (parents,) int64 both.
            who: (rows,) int64, the head of each, family by family.
            rng: draws them.
        """
        often = np.bincount(who, minlength=len(stays[0]))
        total = np.concatenate([[0], np.cumsum(held)])
        first, last = stays
        empty = total[last + 1] <= total[first]
        first, last = np.where(empty, 0, first), np.where(empty, len(held) - 1, last)
        return spread(first, last, often, total, rng)[1]

    def placed(self, table: str, era: np.ndarray, held: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the moment of each new row, (rows,) int64.

        Args:
            table: of the events.
            era: (rows,) int64 of each row.
            held: see ``within``.
            rng: draws them.
        """
        found, of_moment = np.zeros(len(era), dtype=np.int64), self.era(table, np.arange(len(held)))
        for one in np.unique(era):
            rows, weight = np.flatnonzero(era == one), np.where(of_moment == one, held, 0)
            found[rows] = systematic_weighted(weight if weight.any() else held, len(rows), rng)
        return found

    def stays(
        self, table: str, rows: np.ndarray, events: np.ndarray, held: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and the last moment of each new one who takes part, (parents,) int64 both.

        Args:
            table: of those who take part.
            rows: (parents,) int64, how often each does.
            events: (moments,) rows of each moment.
            held: (moments,) rows of those that new rows stand in; who takes part in none of them is drawn again.
            rng: draws them.
        """
        boxes, there = self.boxes[table], np.flatnonzero(held)
        total = np.concatenate([[0], np.cumsum(events)])
        begin, end = int(there.min(initial=0)), int(there.max(initial=0))
        first, last = np.zeros(len(rows), dtype=np.int64), np.full(len(rows), -1)
        open_ = np.arange(len(rows))
        for _ in range(TRIES):
            chosen = box_of(boxes, rows[open_], rng)
            box = boxes[chosen]
            one = evenly_between(box[:, 0], box[:, 1], chosen, rng)
            needed = 100 * np.maximum(rows[open_], 1) / between(box[:, 2], box[:, 3], rng)
            other = np.searchsorted(total, total[one] + needed - 0.5) - 1
            missing = np.maximum(total[one] + needed - total[-1], 0)
            one = np.minimum(one, np.searchsorted(total, total[one] - missing + 0.5, side="right") - 1).clip(0)
            other = other.clip(one, len(held) - 1)
            first[open_], last[open_] = np.maximum(one, begin), np.minimum(other, end)
            open_ = open_[last[open_] < first[open_]]
            if not len(open_):
                break
        first[open_] = rng.integers(begin, end + 1, len(open_))
        last[open_] = first[open_]
        taking = rng.permutation(np.flatnonzero(rows > 0))
        if len(taking):
            moved = one_after_another(first[taking], last[taking], self.present[table], begin, end)
            first[taking], last[taking] = moved
        return first, last


def check_presence(plan: KeyPlan, rows: Mapping[str, int], found: Presence) -> None:
    """Hold what a stranger's bundle says against the plan.

    Raises:
        DataError: tables, keys or numbers that cannot be.
    """
    timed = plan.timed
    is_right = set(found.happenings) == set(found.count) and set(found.happenings) <= set(plan.tables)
    is_right &= set(found.along) == set(found.boxes) == set(found.present)
    is_right &= all(name in timed and plan.link[name].parent == table for table, name in found.along.items())
    is_right &= all(
        one.link in timed and one.of in (plan.link if one.kind == "either" else timed) for one in found.habits
    )
    for one in found.habits if is_right else ():
        own, other = plan.link[one.link], plan.link[one.of]
        is_right &= (own.child == other.child) if one.kind == "stays" else (own.parent == other.parent)
        is_right &= one.kind != "either" or other.child in found.happenings
        is_right &= one.link != one.of
    most = max((len(one) for one in found.count.values()), default=0)
    for table, count in found.count.items():
        is_right &= count.ndim == 1 and count.dtype.kind == "i" and len(count) > 0 and int(count.min()) >= 0
        is_right &= bool(is_right) and int(count.sum()) == rows[table]
    for table, held in found.boxes.items():
        is_right &= held.ndim == 2 and held.shape[1] == len(BOX) and len(held) > 0 and held.dtype.kind == "i"
        is_right &= bool(is_right) and int(held.min()) >= 0 and int(held[:, 6].min()) > 0
        is_right &= bool(is_right) and bool((held[:, 0:6:2] <= held[:, 1:6:2]).all()) and int(held[:, 2].min()) > 0
        is_right &= bool(is_right) and int(held[:, :2].max()) < most and int(held[:, 6].sum()) <= rows[table]
    for table, there in found.present.items():
        event = event_link(plan, plan.link[found.along[table]].child, found.happenings) if is_right else None
        is_right &= event is not None and there.ndim == 1 and there.dtype.kind == "i"
        is_right &= event is not None and len(there) == len(found.count[event.parent])
        is_right &= bool(is_right) and int(there.min()) >= 0 and int(there.max()) <= rows[table]
    if not is_right:
        raise DataError("structure.json: presence: tables, keys and numbers of who takes part expected, found others.")


def tellers(plan: KeyPlan, table: str, events: Mapping[str, object]) -> list[list[str]]:
    """Return the keys that say who takes part, by the table that holds them: what says most first."""
    held: dict[str, list[str]] = {}
    for name in sorted(plan.timed):
        when = event_link(plan, plan.link[name].child, events)
        if when is not None and when.parent == table:
            held.setdefault(plan.link[name].child, []).append(name)
    real = plan.real_rows
    for names in held.values():
        names.sort(key=lambda name: (-real[plan.link[name].parent], name))
    return [held[child] for child in sorted(held, key=lambda one: (-len(held[one]), -real[one], one))]


def _happening(topology: Topology, table: str) -> Happening:
    moment, created = topology.moments[table], topology.plan.creating_link(table)
    eras = max(1, min(ERAS, len(moment) // ERA_ROWS, int(moment.max()) + 1))
    parent = np.full(len(moment), -1) if created is None else topology.pointers[created.name]
    order = np.argsort(parent, kind="stable")
    order = order[parent[order] >= 0]
    steps = np.diff(moment[order])[np.diff(parent[order]) == 0]
    return Happening(eras, bool((np.diff(moment) >= 0).all()), bool(len(steps) > 0 and (steps >= 0).all()))


def _pairs(topology: Topology, table: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the event and who takes part in it of each row, (rows,) int64 both, negative where unknown."""
    when = event_link(topology.plan, topology.plan.link[name].child, topology.moments)
    assert when is not None and when.parent == table
    return topology.pointers[when.name], topology.pointers[name]


def _boxes(topology: Topology, table: str, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return boxes of those who take part, (boxes, 7) int64, and how many are there in each moment."""
    event, who = _pairs(topology, table, name)
    parent = topology.plan.link[name].parent
    rows, least = topology.rows[parent], max(topology.min_entities, 1)
    has = (event >= 0) & (who >= 0)
    moment = topology.moments[table][event[has]]
    first, last = np.full(rows, len(topology.moments[table])), np.full(rows, -1)
    np.minimum.at(first, who[has], moment)
    np.maximum.at(last, who[has], moment)
    seen = np.flatnonzero(last >= 0)
    entity = topology.entities.get(parent, np.arange(rows))[seen]
    if len(np.unique(entity)) < 2 * least:
        return None
    often = np.bincount(who[has], minlength=rows)[seen]
    total = np.concatenate([[0], np.cumsum(np.bincount(topology.moments[table]))])
    events = np.maximum(total[last[seen] + 1] - total[first[seen]], 1)
    facts = np.stack([first[seen], np.maximum(np.rint(100 * often / events), 1).astype(np.int64), often], axis=1)
    there = present(first[seen], last[seen], len(total) - 1)
    return boxes(facts, entity, least), np.where(there >= topology.min_entities, there, 0)


def _habits(topology: Topology, table: str, tellers: list[list[str]]) -> Iterator[Habit]:
    for names in tellers[:1]:
        for number, name in enumerate(names[1:]):
            share = _stays_share(topology, table, names[0], name)
            if share >= USUAL and number == 0:
                yield Habit("stays", name, names[0], share)
            event, who = _pairs(topology, table, name)
            parent = topology.plan.link[name].parent
            keys = [one.name for one in topology.plan.links_of_child(table) if one.parent == parent != table]
            ends = [through(event, topology.pointers[one]) for one in keys]
            known = (who >= 0) & np.all([one >= 0 for one in ends], axis=0)
            if keys and known.sum() >= LEAST_CASES:
                share = float(np.any([who == one for one in ends], axis=0)[known].mean())
                if share >= USUAL:
                    yield Habit("either", name, keys[0], share)
    for names in tellers[1:]:
        for name in names:
            parent = topology.plan.link[name].parent
            other = next((one for one in tellers[0] if topology.plan.link[one].parent == parent), None)
            if other is None:
                continue
            own, theirs = (_coded(*_pairs(topology, table, one), topology.rows[parent]) for one in (name, other))
            share = float(np.isin(own, theirs).mean()) if len(own) >= LEAST_CASES else 0.0
            if share >= USUAL:
                yield Habit("with", name, other, share)


def _coded(event: np.ndarray, who: np.ndarray, parents: int) -> np.ndarray:
    """Return one number for each different pair, (pairs,) int64."""
    has = (event >= 0) & (who >= 0)
    return np.unique(event[has] * max(parents, 1) + who[has])


def _stays_share(topology: Topology, table: str, by: str, name: str) -> float:
    """Return how often a key leads where it did in the event before of the same one, along another key."""
    event, who = _pairs(topology, table, by)
    held = topology.pointers[name]
    rows = np.flatnonzero((event >= 0) & (who >= 0) & (held >= 0))
    rows = rows[np.lexsort((event[rows], topology.moments[table][event[rows]], who[rows]))]
    follows = (np.diff(who[rows]) == 0) & (np.diff(event[rows]) != 0)
    return float((np.diff(held[rows]) == 0)[follows].mean()) if follows.sum() >= LEAST_CASES else 0.0


def event_link_of(plan: KeyPlan, name: str, events: Mapping[str, object]) -> str:
    """Return the key to the event in rows of which another key says who takes part in it."""
    link = event_link(plan, plan.link[name].child, events)
    assert link is not None
    return link.name

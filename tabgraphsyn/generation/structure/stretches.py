"""Fewer rows than there are, where who takes part in an event goes by its time: stretches of time, whole.

Half of the drivers cannot start in the races of all years: a race has as many starters as ever, and a driver races for
as many years. So half of a database is that of half the time: events of some stretches, as few as those who take part
stay long in them, and who took part then. At the ends of a stretch some are cut short, and more take part than are
asked: one who goes becomes one who comes later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tabgraphsyn.data.codes import tuple_codes
from tabgraphsyn.data.pointers import CENSORED, NULL, rank_within, through
from tabgraphsyn.generation.structure.base import KeyPlan, Link, Topology
from tabgraphsyn.generation.structure.unique import repeated

STRETCHES_MAX, STAYS = 8, 10
"""Stretches at most, and how many times as long as one usually takes part each is at least, if there are several."""
NEARLY = 0.1
"""How far the number of those who take part may be from that of the best stretch (natural logarithm)."""
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Stay:
    """From when to when rows stand in time, and how many rows say so.

    Shape:
        first, last, count: (rows,) int64; ``first`` is beyond ``last`` where nothing says.
    """

    first: np.ndarray
    last: np.ndarray
    count: np.ndarray

    @staticmethod
    def none(rows: int) -> _Stay:
        return _Stay(np.full(rows, NEVER), np.full(rows, -1), np.zeros(rows, dtype=np.int64))

    def seen(self, row: np.ndarray, other: _Stay) -> None:
        """Let rows stand where others do that lead to them; ``row`` is (others,) int64, negative for none."""
        has = (row >= 0) & (other.count > 0)
        np.minimum.at(self.first, row[has], other.first[has])
        np.maximum.at(self.last, row[has], other.last[has])
        np.add.at(self.count, row[has], 1)

    def of(self, kept: np.ndarray) -> _Stay:
        """Return the same with nothing said of rows that are not kept, (rows,) bool."""
        return _Stay(self.first, self.last, np.where(kept, self.count, 0))


def event_link(plan: KeyPlan, table: str, events: Mapping[str, object]) -> Link | None:
    """Return the key that leads from rows which say who takes part to the event, of tables in ``events``."""
    return next((one for one in plan.links_of_child(table) if one.parent in events and one.child != one.parent), None)


def share_of_time(plan: KeyPlan, rows: Mapping[str, int], sizes: Mapping[str, int]) -> float:
    """Return how much of the time there are enough who take part for; 1 where for all of it.

    Args:
        plan: says who takes part.
        rows: of the tables that there are.
        sizes: of tables whose rows are not created along a relation, as they are asked.
    """
    shares = []
    for name in plan.timed:
        table = plan.link[name].parent
        while (creating := plan.creating_link(table)) is not None and creating.parent != table:
            table = creating.parent
        if table not in plan.reference and rows[table]:
            shares.append(sizes[table] / rows[table])
    return min(max(shares, default=1.0), 1.0)


def in_stretches(topology: Topology, sizes: Mapping[str, int], rng: np.random.Generator) -> Topology:
    """Return the keys of the rows of some stretches of time where fewer are asked than there are, else all keys.

    Args:
        topology: rows that are hidden are among its rows.
        sizes: of tables whose rows are not created along a relation, as they are asked.
        rng: chooses the stretches.
    """
    plan, events = topology.plan, topology.moments
    share = share_of_time(plan, topology.rows, sizes)
    if share >= 1 or not events:
        return topology
    above = _above(plan, events)
    kept = {table: np.ones(rows, dtype=bool) for table, rows in topology.rows.items()}
    for number, table in enumerate(sorted(events, key=lambda one: (-topology.rows[one], one))):
        kept[table] &= _chosen(topology, table, share, _takes_part(topology, table), kept if number else None, rng)
        for link in _telling(plan, events):
            kept[link.child] &= through(topology.pointers[link.name], kept[link.parent], 1) == 1
        for name in _takes_part(topology, table):
            kept[plan.link[name].parent] &= _is_there(topology, plan.link[name], kept)
    becomes = _merged(topology, above, kept, share, sizes, rng)
    _without_repeats(topology, above, kept, becomes)
    _without_families(topology, above, kept, becomes)
    return _cut(topology, above, kept, becomes)


def _telling(plan: KeyPlan, events: Mapping[str, object]) -> Iterator[Link]:
    """Yield the keys to events of rows that say who takes part in them."""
    for table in sorted(plan.timed_tables - set(events)):
        link = event_link(plan, table, events)
        if link is not None:
            yield link


def _takes_part(topology: Topology, table: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return relation -> the moment of an event and who takes part in it, (rows,) int64 both, negative for none."""
    found, plan = {}, topology.plan
    for name in sorted(plan.timed):
        link = event_link(plan, plan.link[name].child, topology.moments)
        if link is not None and link.parent == table:
            when = through(topology.pointers[link.name], topology.moments[table], -1)
            found[name] = when, topology.pointers[name]
    return found


def _is_there(topology: Topology, link: Link, kept: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which parents have a child that is kept, or have none at all, (parents,) bool."""
    pointer, rows = topology.pointers[link.name], topology.rows[link.parent]
    has = pointer >= 0
    before = np.bincount(pointer[has], minlength=rows)
    after = np.bincount(pointer[has & kept[link.child]], minlength=rows)
    return (before == 0) | (after > 0)


def _chosen(
    topology: Topology,
    table: str,
    share: float,
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    kept: Mapping[str, np.ndarray] | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return which events are within the stretches, (rows,) bool.

    Args:
        topology: what there is.
        table: of the events.
        share: how many of them are wanted.
        pairs: see ``_takes_part``.
        kept: who takes part in events of other tables that were chosen before; None where there are none.
        rng: chooses among stretches that are as good.
    """
    moment = topology.moments[table]
    size = np.bincount(moment, minlength=1)
    parents = {name: topology.plan.link[name].parent for name in pairs}
    stays = {name: _stay(*pairs[name], topology.rows[parents[name]]) for name in pairs}
    length = [float((one.last - one.first + 1)[one.count > 0].mean()) for one in stays.values() if one.count.any()]
    wanted = share * len(size)
    several = int(wanted / (STAYS * max(length))) if length else 1
    several = min(max(several, 1), STRETCHES_MAX)
    ends = np.searchsorted(np.cumsum(size), np.arange(1, several + 1) / several * len(moment) - 0.5) + 1
    is_in = np.zeros(len(size), dtype=bool)
    for low, high in zip([0, *ends[:-1]], ends, strict=True):
        first, last = _windows(size, low, high, share)
        if kept is None:
            cost = sum((_difference(one, first, last, share) for one in stays.values()), np.zeros(len(first)))
        else:  # where those who are there already take part
            there = np.zeros(len(size))
            for name, (when, who) in pairs.items():
                np.add.at(there, when[when >= 0], (through(who, kept[parents[name]], 0) == 1)[when >= 0])
            total = np.concatenate([[0], np.cumsum(there)])
            cost = -np.log(np.maximum(total[last + 1] - total[first], 1))
        good = np.flatnonzero(cost <= cost.min() + NEARLY)
        place = int(good[rng.integers(len(good))])
        is_in[first[place] : last[place] + 1] = True
    return is_in[moment]


def moments_between(count: np.ndarray, begin: float, share: float) -> tuple[int, int]:
    """Return the first and the last moment of the stretch that begins after a share of the rows and holds a share.

    Args:
        count: (moments,) rows of each.
        begin, share: from 0 to 1, and so is their sum.
    """
    total = np.cumsum(count)
    first = min(int(np.searchsorted(total, begin * total[-1], side="right")), len(count) - 1)
    last = int(np.searchsorted(total, (begin + share) * total[-1] - 0.5))
    return first, min(max(last, first), len(count) - 1)


def _windows(size: np.ndarray, low: int, high: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last moment of each stretch of a share of the events, (stretches,) int64 both.

    Args:
        size: (moments,) events of each.
        low, high: between which moments stretches lie.
        share: of the events between.
    """
    total = np.concatenate([[0], np.cumsum(size[low:high])])
    wanted = max(share * total[-1], 1)
    first = np.arange(high - low)
    last = np.searchsorted(total, total[first] + wanted - 0.5 * size[low:high].mean()) - 1
    is_whole = last < high - low
    is_whole[0] |= not is_whole.any()
    return first[is_whole] + low, np.clip(last[is_whole], first[is_whole], high - low - 1) + low


def _difference(stay: _Stay, first: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    """Return how far the number of those who take part in each stretch is from their share, (stretches,)."""
    has = stay.count > 0
    here = np.searchsorted(np.sort(stay.first[has]), last, side="right")
    here = here - np.searchsorted(np.sort(stay.last[has]), first, side="left")
    return np.abs(np.log(np.maximum(here, 0.5) / max(share * has.sum(), 0.5)))


def _stay(when: np.ndarray, who: np.ndarray, rows: int) -> _Stay:
    found = _Stay.none(rows)
    found.seen(np.where(when >= 0, who, -1), _Stay(when, when, np.ones_like(when)))
    return found


def _above(plan: KeyPlan, events: Mapping[str, object]) -> dict[str, list[Link]]:
    """Return the tables that stand in time by what leads to them -> the keys that do: who takes part, where it is."""
    own = [*events, *sorted(plan.timed_tables - set(events))]
    found: dict[str, list[Link]] = {}
    waiting = list(own)
    while waiting:
        table = waiting.pop(0)
        created = plan.creating_link(table)
        links = plan.links_of_child(table) if table in own else [] if created is None else [created]
        for link in links:
            if link.parent in own or link.parent in plan.reference or link.parent == table:
                continue
            if link.parent not in found:
                found[link.parent] = []
                waiting.append(link.parent)
            if link not in found[link.parent]:
                found[link.parent].append(link)
    return found


def _merged(
    topology: Topology,
    above: Mapping[str, list[Link]],
    kept: dict[str, np.ndarray],
    share: float,
    sizes: Mapping[str, int],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return table -> the row that each row becomes, (rows,) int64; rows that nothing leads to are not kept."""
    events = topology.moments
    stays = {table: _Stay(one, one, np.ones_like(one)).of(kept[table]) for table, one in events.items()}
    for link in _telling(topology.plan, events):
        stays[link.child] = _stay(
            through(topology.pointers[link.name], events[link.parent], -1),
            np.arange(topology.rows[link.child]),
            topology.rows[link.child],
        ).of(kept[link.child])
    becomes = {}
    for table, links in above.items():
        rows = topology.rows[table]
        stay, had = _Stay.none(rows), np.zeros(rows, dtype=bool)
        for link in links:
            pointer = topology.pointers[link.name]
            had[pointer[pointer >= 0]] = True
            if link.child in stays:
                stay.seen(np.where(kept[link.child], pointer, -1), stays[link.child])
        stays[table] = stay
        is_active, wanted = stay.count > 0, max(round(share * rows), 1)
        is_timed = not topology.plan.timed.isdisjoint(one.name for one in links)
        if is_timed and table in sizes:
            wanted = min(wanted, max(sizes[table], 1))
        never = rng.permutation(np.flatnonzero(~had))[: round(share * int((~had).sum()))]
        becomes[table] = _becomes(stay, max(wanted - len(never), 1), rng)
        kept[table] = is_active
        kept[table][never] = True
        if not is_timed:  # places where nothing happens in these stretches fill up what is missing
            idle = rng.permutation(np.flatnonzero(~kept[table]))
            kept[table][idle[: max(wanted - int(kept[table].sum()), 0)]] = True
        gone = becomes[table] != np.arange(rows)
        kept[table] &= ~gone
    return becomes


def _becomes(stay: _Stay, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return which row each row becomes so that at most so many stand in time, (rows,) int64.

    Those of whom least is said go; each becomes one who ends nearest before it, else who begins nearest after it.
    """
    becomes = np.arange(len(stay.count))
    active = np.flatnonzero(stay.count > 0)
    if len(active) <= wanted:
        return becomes
    active = active[np.lexsort((rng.random(len(active)), stay.count[active]))]
    gone, stays = active[:-wanted], active[-wanted:]
    gone = gone[np.argsort(stay.first[gone], kind="stable")]
    before, after = stays[np.argsort(stay.last[stays])], stays[np.argsort(stay.first[stays])]
    place = np.searchsorted(stay.last[before], stay.first[gone]) - 1
    place = place - rank_within(place)
    following = np.searchsorted(stay.first[after], stay.last[gone], side="right")
    following = following + rank_within(following)
    chosen = np.where(place >= 0, before[np.maximum(place, 0)], after[np.minimum(following, wanted - 1)])
    neither = (place < 0) & (following >= wanted)
    chosen[neither] = stays[np.arange(int(neither.sum())) % wanted]
    becomes[gone] = chosen
    return becomes


def _without_repeats(
    topology: Topology, above: Mapping[str, list[Link]], kept: dict[str, np.ndarray], becomes: Mapping[str, np.ndarray]
) -> None:
    """Leave out rows whose tuple of parents repeats another since two of them became one; in place."""
    plan = topology.plan
    for one in plan.unique:
        if one.table in plan.timed_tables and any(plan.link[name].parent in above for name in one.links):
            ends = []
            for name in one.links:
                link, pointer = plan.link[name], topology.pointers[name]
                is_moved = link in above.get(link.parent, ())
                ends.append(through(pointer, becomes[link.parent]) if is_moved else np.maximum(pointer, NULL))
            codes = np.where(kept[one.table], tuple_codes(ends), NULL)
            kept[one.table] &= ~repeated(codes)


def _without_families(
    topology: Topology,
    above: Mapping[str, list[Link]],
    kept: dict[str, np.ndarray],
    becomes: Mapping[str, np.ndarray],
) -> None:
    """Leave out what belongs to rows that are left out, and what else leads to them; in place."""
    plan = topology.plan
    decided = {*topology.moments, *above, *plan.reference}
    changed = True
    while changed:
        changed = False
        for link in plan.links:
            is_created = plan.creating_link(link.child) == link
            if link.child == link.parent or (link.child in decided and not is_created):
                continue
            there = kept[link.parent]
            if link in above.get(link.parent, ()):
                there = there | (becomes[link.parent] != np.arange(len(there)))
            left = kept[link.child] & (through(topology.pointers[link.name], there, 1) == 1)
            if left.any() and (left != kept[link.child]).any():
                kept[link.child], changed = left, True


def _cut(
    topology: Topology,
    above: Mapping[str, list[Link]],
    kept: Mapping[str, np.ndarray],
    becomes: Mapping[str, np.ndarray],
) -> Topology:
    """Return the keys of the rows that are kept, renumbered."""
    place = {table: np.where(one, np.cumsum(one) - 1, CENSORED) for table, one in kept.items()}
    pointers = {}
    for link in topology.plan.links:
        pointer = topology.pointers[link.name][kept[link.child]]
        to = place[link.parent]
        to = to[becomes[link.parent]] if link in above.get(link.parent, ()) else to
        pointers[link.name] = np.where(pointer >= 0, to[np.maximum(pointer, 0)] if len(to) else CENSORED, pointer)
    return replace(
        topology,
        rows={table: int(one.sum()) for table, one in kept.items()},
        pointers=pointers,
        series={table: replace(one, place=one.place[kept[table]]) for table, one in topology.series.items()},
        moments={table: one[kept[table]] for table, one in topology.moments.items()},
        hidden={},
    )

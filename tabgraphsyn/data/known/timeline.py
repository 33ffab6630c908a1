"""Timelines: when a row stands in time, where that says who takes part in it.

Drivers race for two years, doctors come and go: who takes part in an event depends on when it is. Keys come first, so
they must say when: each row of such a table stands at a *moment*, one of the spans into which its times are cut, at
least ``min_entities`` entities in each and, where there are pauses, from pause to pause. Moments travel with the keys;
times are drawn within their moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from msgspec import Meta

from tabgraphsyn.data.codec.groups import OFF_MIDDLE
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Int64, Name

MOST_MOMENTS = 400
LEAST_MOMENTS = 8
LEAST_UNITS, LEAST_PARTNERS = 50, 5
"""Events and partners of them that are seen, and those who take part, at least."""
TOGETHER, FURTHER_SD, DEALT = 0.1, 4.0, 19
"""Share of the times' variance that is between partners, at least, and how far beyond that of times dealt out."""
LOOKED_AT = 100_000
WIDER = 4
"""How many times as many entities a moment holds where few take part in a row: a visit with its prescriptions."""


@dataclass(frozen=True)
class Timeline(Plain):
    """The times of a table's rows as moments.

    Attributes:
        column: the times.
        keys: relations, of the table or of its children, that lead to those who take part.
        is_shared: enough entities take part in each row: its time is drawn within its moment. Otherwise it is drawn
            by the network, which is told the moment.
        first, last: (moments,) where each begins and ends, in microseconds since 1970; ascending.
    """

    column: Name
    keys: Annotated[tuple[Name, ...], Meta(min_length=1)]
    is_shared: bool
    first: Annotated[tuple[Int64, ...], Meta(min_length=1, max_length=100_000)]
    last: tuple[Int64, ...]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: moments in order."""
        yield len(self.first) == len(self.last), "as many ends as beginnings"
        spans = zip(self.first, self.last, strict=False)
        yield all(one <= other for one, other in spans), "moments end after they begin"
        yield all(one <= other for one, other in zip(self.first, self.first[1:], strict=False)), "moments ascend"

    def drawn(self, moment: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a time within each row's moment, (rows,) int64 microseconds."""
        first, last = np.asarray(self.first, dtype=np.int64), np.asarray(self.last, dtype=np.int64)
        at = np.clip(moment, 0, len(first) - 1)
        return first[at] + (rng.random(len(at)) * (last - first)[at]).astype(np.int64)

    def scaled(self, times: np.ndarray) -> np.ndarray:
        """Return times, (rows,), as numbers from about -1 to 1."""
        low, high = self.first[0], max(self.last[-1], self.first[0] + 1)
        return 2 * (times - low) / (high - low) - 1


def moments(times: np.ndarray, entities: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the moment of each row, (rows,) int64, and (moments, 2) int64, where each begins and ends.

    Times are cut at the longest pauses first, as long as ``least`` entities lie on either side of a cut. Moments
    end a little beyond their outermost rows, never at a time of one.

    Args:
        times: (rows,) int64 microseconds.
        entities: (rows,) int64, the entity of each row.
        least: entities in a moment.

    >>> at, span = moments(np.array([0, 1, 2, 3, 100, 101, 102]), np.arange(7), 3)
    >>> at.tolist(), bool(span[0, 1] < 60 < span[1, 0])
    ([0, 0, 0, 0, 1, 1, 1], True)
    """
    order = np.argsort(times, kind="stable")
    ordered, held = times[order], entities[order]
    blocks = np.arange(len(order)) // max(1, len(order) // (MOST_MOMENTS * least * 8))
    gap = np.diff(ordered, prepend=ordered[:1])
    is_open = (gap > 0) & (np.diff(blocks, prepend=-1) > 0)
    most_rows = max(least, len(order) // MOST_MOMENTS)
    cuts = _cuts(gap, is_open, held, least, most_rows)
    number = np.searchsorted(cuts, np.arange(len(order)), side="right")
    found = np.empty(len(order), dtype=np.int64)
    found[order] = number
    starts = np.array([0, *cuts])
    ends = np.array([*cuts, len(order)]) - 1
    spare = np.maximum(ordered[ends] - ordered[starts], 1) / np.maximum(ends - starts, 1)
    room = (ordered[starts[1:]] - ordered[ends[:-1]]) * OFF_MIDDLE
    before = np.minimum(spare, np.array([spare[0], *room])) * OFF_MIDDLE
    after = np.minimum(spare, np.array([*room, spare[-1]])) * OFF_MIDDLE
    span = np.stack([ordered[starts] - before, ordered[ends] + after], axis=1)
    return found, np.rint(span).astype(np.int64)


def _cuts(gap: np.ndarray, is_open: np.ndarray, held: np.ndarray, least: int, rows: int) -> np.ndarray:
    """Return before which rows times are cut, ascending; see ``moments``.

    Shape:
        gap, is_open, held: (rows,) of the rows in order.
    """
    total = len(gap)
    is_cut = np.zeros(total + 1, dtype=bool)
    is_cut[[0, total]] = True
    reach = 4 * rows
    for place in np.lexsort((np.arange(total), -np.where(is_open, gap, 0))).tolist():
        if not is_open[place]:
            break
        if is_cut[max(place - rows + 1, 0) : place + rows].any():
            continue
        low, high = max(place - reach, 0), min(place + reach, total)
        before = place - 1 - int(np.argmax(is_cut[low:place][::-1])) if is_cut[low:place].any() else low
        after = place + 1 + int(np.argmax(is_cut[place + 1 : high + 1])) if is_cut[place + 1 : high + 1].any() else high
        if min(len(np.unique(held[before:place])), len(np.unique(held[place:after]))) >= least:
            is_cut[place] = True
    return np.flatnonzero(is_cut)[1:-1]


@dataclass(frozen=True)
class Candidate:
    """A table that may have a timeline.

    Attributes:
        column: name of the column of times.
        times: (rows,) int64 microseconds.
        entities: (rows,) int64, the entity of each row.
        partners: relation -> rows, and who takes part in each, (pairs,) int64 both.
    """

    column: str
    times: np.ndarray
    entities: np.ndarray
    partners: Mapping[str, tuple[np.ndarray, np.ndarray]]

    @cached_property
    def strength(self) -> Mapping[str, float]:
        """How much of the times' variance is between partners, of the relations where that is beyond chance."""
        rank = np.argsort(np.argsort(self.times, kind="stable"), kind="stable") / max(len(self.times), 1)
        told = {name: told_share(rank, self.entities, *pairs) for name, pairs in self.partners.items()}
        return {name: share for name, share in told.items() if share > 0}

    def timeline(self, keys: Sequence[str], min_entities: int) -> tuple[Timeline, np.ndarray] | None:
        """Return the timeline and the moment of each row, (rows,); None where there are too few moments.

        Args:
            keys: relations to those who take part.
            min_entities: so many entities must be in a moment.
        """
        rows = len(self.times)
        is_shared = any(_usual_partners(*self.partners[name], rows) >= min_entities for name in keys)
        least = max(min_entities, 1) * (1 if is_shared else WIDER)
        found, span = moments(self.times, self.entities, least)
        if len(span) < LEAST_MOMENTS:
            return None
        first, last = (tuple(one.tolist()) for one in span.T)
        return Timeline(self.column, tuple(keys), is_shared, first, last), found


def events(candidates: Mapping[str, Candidate], parent_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Return which tables are events -> the relations to those who take part in them.

    Seen from a driver, races take part in years of birth, too: of two tables that take part in each other the one
    whose times tell more is the event.

    Args:
        candidates: by table.
        parent_of: relation -> the table that it leads to.
    """
    found: dict[str, list[str]] = {}
    told = {table: max(one.strength.values(), default=0.0) for table, one in candidates.items()}
    for table in sorted((one for one in candidates if told[one] > 0), key=lambda one: -told[one]):
        takes_part = {parent_of[name] for keys in found.values() for name in keys}
        keys = [name for name in candidates[table].strength if parent_of[name] not in found]
        if keys and table not in takes_part:
            found[table] = keys
    return found


def told_share(rank: np.ndarray, entities: np.ndarray, row: np.ndarray, who: np.ndarray) -> float:
    """Return the share of the times' variance that is between those who take part; 0 where chance may make as much.

    A partner counts once for each entity: a patient who sees one doctor all through a month is one case.

    Shape:
        rank, entities: (rows,). row, who: (pairs,) int64, rows and their partners.
    """
    has = (row >= 0) & (who >= 0)
    row, who = row[has], who[has]
    _, first = np.unique(np.stack([entities[row], who]), axis=1, return_index=True) if len(row) else (None, row)
    row, who = row[first], who[first]
    who = np.unique(who, return_inverse=True)[1]
    is_looked_at = who % max(1, len(who) // LOOKED_AT) == 0
    row, who = row[is_looked_at], who[is_looked_at]
    is_many = np.bincount(who, minlength=1)[who] > 1 if len(who) else np.zeros(0, dtype=bool)
    row, who = row[is_many], np.unique(who[is_many], return_inverse=True)[1]
    if len(row) < LEAST_UNITS or len(np.unique(who)) < LEAST_PARTNERS:
        return 0.0
    rng = np.random.default_rng(0)
    dealt = [_between(rank[rng.permutation(row)], who) for _ in range(DEALT)]
    found = _between(rank[row], who)
    beyond = found - float(np.mean(dealt))
    return beyond if beyond > max(TOGETHER, FURTHER_SD * float(np.std(dealt))) else 0.0


def _between(value: np.ndarray, group: np.ndarray) -> float:
    """Return the share of the variance of values, (n,), that is between groups (analysis of variance)."""
    size = np.bincount(group)
    mean = np.bincount(group, value) / size
    within = float(((value - mean[group]) ** 2).sum()) / max(len(value) - len(size), 1)
    spread = float(value.var())
    return 1 - within / spread if spread > 0 else 0.0


def _usual_partners(row: np.ndarray, who: np.ndarray, rows: int) -> float:
    """Return how many partners most rows have at least, of those that have one."""
    has = (row >= 0) & (who >= 0)
    pairs = np.unique(np.stack([row[has], who[has]]), axis=1)
    count = np.bincount(pairs[0], minlength=rows)
    return float(np.median(count[count > 0])) if (count > 0).any() else 0.0

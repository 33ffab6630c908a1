"""Those who take part in events are dealt to them: each to events of its time, as often as counts say.

Rows of events say who takes part along several keys (a driver, and a team), in several tables (results, standings). Of
the table that says most teams come first, then drivers that stay in theirs; others take who they have from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.pointers import UNMATCHED, rank_within
from tabgraphsyn.generation.structure.boxes import spread
from tabgraphsyn.generation.structure.growing import Growing
from tabgraphsyn.generation.structure.links import Members, match_by_degree
from tabgraphsyn.generation.structure.presence import Habit, Presence, event_link_of, tellers
from tabgraphsyn.generation.structure.stretches import event_link
from tabgraphsyn.generation.structure.unique import repeated

NEAR = 25
"""Moments up to which somebody else steps in, where who is dealt to an event is in it already."""


def take_part(
    presence: Presence,
    growing: Growing,
    held: Mapping[str, np.ndarray],
    stays: Mapping[str, tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
) -> None:
    """Choose who takes part in new events, in place.

    Args:
        presence: what was counted.
        growing: rows with moments, and keys of which those who take part are open.
        held: table of events -> see ``within``.
        stays: table of those who take part -> the first and the last moment of each, (parents,) int64 both.
        rng: of all choices.
    """
    habits = {(one.kind, one.link): one for one in presence.habits}
    for table in presence.happenings:
        for link in growing.plan.links_of_child(table):
            if link.parent in stays and link.parent != table:
                _Dealing(growing, table, link.name, None, held[table], stays[link.parent], rng).deal()
        for number, links in enumerate(tellers(growing.plan, table, presence.happenings)):
            same: np.ndarray | None = None
            for name in links:
                like = habits.get(("with", name))
                if like is not None and number:
                    same = _with(presence, growing, table, like, same, rng)
            # Of the table that says most, who takes part is chosen after the teams, which stay as they are.
            for name in links if number else reversed(links):
                parent, when = growing.plan.link[name].parent, event_link_of(growing.plan, name, presence.happenings)
                either = habits.get(("either", name))
                if either is not None:
                    _as_event(growing, when, either)
                if parent in stays:
                    dealing = _Dealing(growing, table, name, when, held[table], stays[parent], rng)
                    dealing.deal(next((one for one in presence.habits if (one.kind, one.of) == ("stays", name)), None))


def _with(
    presence: Presence, growing: Growing, table: str, habit: Habit, same: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Let open rows lead to those who take part in their event along another table's key.

    Returns:
        (rows,) int64, the row of the other table that each is like, -1 where none.
    """
    plan = growing.plan
    own, other = plan.link[habit.link], plan.link[habit.of]
    whens = [event_link(plan, one.child, presence.happenings) for one in (own, other)]
    events = [growing.pointers[one.name] for one in whens if one is not None]
    pointer, theirs = growing.pointers[habit.link].copy(), growing.pointers[habit.of]
    if same is None:
        same = np.full(len(pointer), -1, dtype=np.int64)
        known = np.flatnonzero((events[1] >= 0) & (theirs >= 0))
        # Each who takes part once an event.
        _, once = np.unique(events[1][known] * growing.rows[other.parent] + theirs[known], return_index=True)
        known = rng.permutation(known[once])
        members = Members.of(events[1][known], growing.rows[table])
        rows = rng.permutation(np.flatnonzero((pointer == UNMATCHED) & (events[0] >= 0)))
        rows = rows[np.argsort(events[0][rows], kind="stable")]
        place = rank_within(events[0][rows])
        has = (place < members.count[events[0][rows]]) & (rng.random(len(rows)) < habit.share)
        same[rows[has]] = known[members.order[members.start[events[0][rows[has]]] + place[has]]]
    likes = (same >= 0) & (pointer == UNMATCHED)
    pointer[likes] = theirs[same[likes]]
    growing.pointers[habit.link] = pointer
    return same


@dataclass(frozen=True)
class _Dealing:
    """Deals those who take part along one key to the rows of events of their time.

    Attributes:
        growing: changed here.
        table: of the events.
        name: the key.
        when: the key of the same table that leads to the event; None where the rows are the events.
        held: (moments,) int64, rows of each moment that events stand in.
        stays: (parents,) int64 both, the first and the last moment of each who takes part.
        rng: of all choices.
    """

    growing: Growing
    table: str
    name: str
    when: str | None
    held: np.ndarray
    stays: tuple[np.ndarray, np.ndarray]
    rng: np.random.Generator

    @property
    def _is_once(self) -> bool:
        """Whether nobody takes part twice in an event."""
        return any({*one.links} == {self.when, self.name} for one in self.growing.plan.unique)

    def deal(self, team: Habit | None = None) -> None:
        """Fill the open rows; with a ``team`` that stays, rows of one team go to those who are in it."""
        growing, pointer = self.growing, self.growing.pointers[self.name]
        if self.when is not None and (growing.pointers[self.when] == UNMATCHED).any():
            self._choose_events()
        event = np.arange(len(pointer)) if self.when is None else growing.pointers[self.when]
        rows = np.flatnonzero((pointer == UNMATCHED) & (event >= 0))
        if not len(rows):
            return
        event = event[rows]
        moment = growing.moments[self.table][event]
        stays, often = self._stays(event, moment)
        wanted = np.zeros(len(rows), dtype=np.int64)
        if team is not None and (growing.pointers[team.link][rows] >= 0).all():
            wanted = growing.pointers[team.link][rows]
        who, at, own = self._turns(moment, wanted, stays, often, 1.0 if team is None else team.share)
        if not len(who):
            return
        found = self._matched(event, moment, wanted, (who, at, own))
        if self._is_once:
            found = _once(event, found, (moment, wanted), (who, at, own), self.rng)
        growing.pointers[self.name] = pointer.copy()
        growing.pointers[self.name][rows] = found

    def _stays(self, event: np.ndarray, moment: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Return the first and the last moment of each who takes part, and how often: not more than there are events.

        Shape:
            event, moment: (rows,) int64 of the open rows. Returned: (parents,) int64 each.
        """
        first, last = self.stays
        often = np.maximum(self.growing.target_degree[self.name], 0)
        pointer = self.growing.pointers[self.name]
        often = np.maximum(often - np.bincount(pointer[pointer >= 0], minlength=len(often)), 0)
        moments = len(self.held)
        if not self._is_once:
            return (first, last), often
        _, once = np.unique(event, return_index=True)
        there = np.concatenate([[0], np.cumsum(np.bincount(moment[once], minlength=moments))])
        last = np.maximum(last, np.searchsorted(there, there[first] + often) - 1).clip(0, moments - 1)
        first = np.minimum(first, np.searchsorted(there, there[last + 1] - often, side="right") - 1).clip(0)
        return (first, last), often

    def _turns(
        self,
        moment: np.ndarray,
        team: np.ndarray,
        stays: tuple[np.ndarray, np.ndarray],
        often: np.ndarray,
        share: float,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return who takes part, in which moment and in which team, (turns,) int64 each.

        Args:
            moment, team: (rows,) int64 of the rows that are to be filled; one team where there are none.
            stays: (parents,) int64 both.
            often: (parents,) int64.
            share: how often one stays in a team from one event to the next.
        """
        moments, teams = len(self.held), int(team.max()) + 1
        rows = np.bincount(moment, minlength=moments)
        who, at = spread(*stays, often, np.concatenate([[0], np.cumsum(rows)]), self.rng)
        if teams == 1 or not len(who):
            return who, at, np.zeros_like(who)
        is_new = (np.diff(who, prepend=-1) != 0) | (self.rng.random(len(who)) >= share)
        run = np.cumsum(is_new) - 1
        opens = np.flatnonzero(is_new)
        ends = np.append(opens[1:], len(who)) - 1
        size, first, last = ends - opens + 1, at[opens], at[ends]
        # One run takes the whole stay, else what lies between.
        alone = np.bincount(who[opens])[who[opens]] == 1
        first, last = np.where(alone, stays[0][who[opens]], first), np.where(alone, stays[1][who[opens]], last)
        room = np.bincount(team * moments + moment, minlength=teams * moments).reshape(teams, moments).astype(float)
        room *= len(who) / max(len(moment), 1)
        own = _teams(first, last, size, room, self.rng)
        total = np.concatenate(
            [
                np.zeros((teams, 1)),
                np.cumsum(
                    np.bincount(team * moments + moment, minlength=teams * moments).reshape(teams, moments), axis=1
                ),
            ],
            axis=1,
        )
        low, high = total[own, first][run], total[own, last + 1][run]
        step = (np.arange(len(who)) - opens[run] + self.rng.random(len(opens))[run]) / size[run]
        flat = (total + np.arange(teams)[:, None] * (total[:, -1].max() + 1)).reshape(-1)
        sought = low + step * (high - low) + own[run] * (total[:, -1].max() + 1)
        place = np.searchsorted(flat, sought, side="right") - 1 - own[run] * (moments + 1)
        return who, np.where(high > low, np.clip(place, first[run], last[run]), at), own[run]

    def _matched(
        self,
        event: np.ndarray,
        moment: np.ndarray,
        team: np.ndarray,
        turns: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """Return who takes part in each open row, (rows,) int64: of its moment and team, of its team, of it."""
        (who, at, own), moments = turns, len(self.held)
        order = np.lexsort((self.rng.random(len(event)), team, event))
        place = np.empty(len(event), dtype=np.int64)
        place[order] = rank_within((event * (int(team.max(initial=0)) + 1) + team)[order])
        # Events of a moment take turns, so that nobody is dealt to one of them twice.
        found = match_by_degree(
            link_group=team * moments + moment,
            link_degree=place * self.growing.rows[self.table] + event,
            stub_row=who,
            stub_group=own * moments + at,
            stub_degree=self.rng.permutation(len(self.stays[0]))[who],
            rng=self.rng,
        )
        for row, turn in ((team * moments + moment, own * moments + at), (moment, at)):
            left = np.flatnonzero(found < 0)
            by = self.rng.permutation(len(turn))
            by = by[np.argsort(turn[by], kind="stable")]
            near = np.searchsorted(turn[by], row[left] + self.rng.integers(0, 2, len(left))).clip(0, len(by) - 1)
            same = own[by[near]] == team[left]
            found[left] = np.where(same | (row is moment), who[by[near]], UNMATCHED)
        return found

    def _choose_events(self) -> None:
        """Choose open events of rows that are created under who takes part: each of its time, and another one."""
        growing, when = self.growing, str(self.when)
        who, event = growing.pointers[self.name], growing.pointers[when].copy()
        rows = np.flatnonzero((event == UNMATCHED) & (who >= 0))
        moment, room = growing.moments[self.table], np.maximum(growing.target_degree[when], 0)
        total = np.concatenate([[0], np.cumsum(np.bincount(moment, weights=room, minlength=len(self.held)))])
        often = np.bincount(who[rows], minlength=len(self.stays[0]))
        rows = rows[np.argsort(who[rows], kind="stable")]
        turn, at = spread(*self.stays, often, total, self.rng)
        rows = rows[rank_within(who[rows]) < np.bincount(turn, minlength=len(often))[who[rows]]]
        stubs = np.repeat(np.arange(growing.rows[self.table]), room)
        event[rows] = match_by_degree(
            link_group=at,
            link_degree=turn,
            stub_row=stubs,
            stub_group=moment[stubs],
            stub_degree=rank_within(stubs) * growing.rows[self.table] + stubs,
            rng=self.rng,
        )
        growing.pointers[when] = event


def _as_event(growing: Growing, when: str, habit: Habit) -> None:
    """Let open rows lead where a key of their event does, those of an event in turns; in place."""
    plan, event = growing.plan, growing.pointers[when]
    held = [one.name for one in plan.links_of_child(plan.link[habit.of].child)]
    keys = [name for name in held if plan.link[name].parent == plan.link[habit.link].parent]
    pointer = growing.pointers[habit.link].copy()
    rows = np.flatnonzero((pointer == UNMATCHED) & (event >= 0))
    order = rows[np.argsort(event[rows], kind="stable")]
    size = np.bincount(event[order], minlength=growing.rows[plan.link[habit.of].child])
    which = rank_within(event[order]) * len(keys) // np.maximum(size[event[order]], 1)
    for number, name in enumerate(keys):
        here = order[which == number]
        pointer[here] = growing.pointers[name][event[here]]
    growing.pointers[habit.link] = np.where(pointer < 0, growing.pointers[habit.link], pointer)


def _teams(
    first: np.ndarray, last: np.ndarray, size: np.ndarray, room: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the team of each run of turns, (runs,) int64: one that has room for it while it lasts.

    Shape:
        first, last, size: (runs,) int64, moments and number of turns. room: (teams, moments), changed.
    """
    found = np.zeros(len(first), dtype=np.int64)
    for one in np.lexsort((rng.random(len(first)), -size)).tolist():
        here = room[:, first[one] : last[one] + 1]
        free = here.sum(axis=1)
        fits = np.flatnonzero(free >= size[one])
        chosen = int(fits[rng.integers(len(fits))]) if len(fits) else int(free.argmax())
        found[one] = chosen
        if free[chosen] > 0:
            here[chosen] *= max(1 - size[one] / free[chosen], 0)
    return found


def _once(
    event: np.ndarray,
    found: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray],
    turns: tuple[np.ndarray, np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return who takes part in each row, (rows,) int64, nobody twice in an event where others are there as well.

    Who is of the same team and moment steps in, else who is of the team at about that time, else anybody then.

    Args:
        event, found: (rows,) int64.
        rows: moment and team of each, (rows,) int64 both.
        turns: who takes part, when and in which team, (turns,) int64 each.
        rng: of all choices.
    """
    (moment, team), (who, at, own) = rows, turns
    most, moments = int(max(who.max(), found.max())) + 1, int(max(moment.max(), at.max())) + 1
    for is_in_team in (True, False):
        by = at + own * moments if is_in_team else at
        order = np.argsort(by, kind="stable")
        for reach in (0, 0, 0, 0, *range(1, NEAR)):
            codes = event * most + found
            bad = np.flatnonzero(repeated(codes))
            if not len(bad):
                return found
            sought = moment[bad] + rng.integers(-reach, reach + 1, len(bad))
            sought = sought.clip(0, moments - 1) + (team[bad] * moments if is_in_team else 0)
            low, high = (np.searchsorted(by[order], sought, side=one) for one in ("left", "right"))
            bad, low, high = bad[high > low], low[high > low], high[high > low]
            proposed = who[order[low + rng.integers(0, high - low)]] if len(bad) else bad
            code = event[bad] * most + proposed
            good = ~np.isin(code, codes) & ~repeated(code)
            found[bad[good]] = proposed[good]
    return found

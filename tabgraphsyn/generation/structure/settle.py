"""Keys made to agree with the keys that fix them, whatever was changed before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.pointers import NULL, through
from tabgraphsyn.generation.structure.base import Fixes, KeyPlan
from tabgraphsyn.generation.structure.fixes import group_of, owners, value_of
from tabgraphsyn.generation.structure.links import depths

NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Settling:
    """The keys of a database of which some fix others.

    Attributes:
        plan: tells which key created a row: that one stays as long as anything else may change.
        rows: rows of each table.
        pointers: relation -> (rows,), changed here.
        rng: chooses among rows that would do.
        protected: relation -> rows whose key stays, (n,) int64.
    """

    plan: KeyPlan
    rows: Mapping[str, int]
    pointers: dict[str, np.ndarray]
    rng: np.random.Generator
    protected: Mapping[str, np.ndarray]

    def settle(self, one: Fixes) -> None:
        """Let equal keys have equal fixed ones: the fixed key follows, or the keys that fix become another row's."""
        created = self.plan.creating_link(one.table)
        held = None if created is None else created.name
        if held != one.link:
            self._follow(one)
        free = [way[0] for way in one.by if way[0] != held]
        for names in [*([name] for name in reversed(free)), free] if len(free) > 1 else [free]:
            if names:
                self._move(one, names)
        # Where there are fewer of what fixes than of what is fixed, a row changes its family rather than go.
        self._follow(one)

    def take_over(self, table: str, bad: np.ndarray, good: np.ndarray) -> np.ndarray:
        """Give rows all keys of a row that keeps every rule, of their family; return which rows there was one for.

        Shape:
            bad, good: (rows,) bool, and so is what is returned.
        """
        created = self.plan.creating_link(table)
        family = np.zeros(len(bad), dtype=np.int64) if created is None else self.pointers[created.name]
        donors = self.rng.permutation(np.flatnonzero(good))
        donors = donors[np.argsort(family[donors], kind="stable")]
        rows = np.flatnonzero(bad)
        low, high = (np.searchsorted(family[donors], family[rows], side=side) for side in ("left", "right"))
        rows, low, high = rows[high > low], low[high > low], high[high > low]
        chosen = donors[low + self.rng.integers(0, high - low)] if len(rows) else rows
        for link in self.plan.links_of_child(table):
            pointer = self.pointers[link.name].copy()
            pointer[rows] = pointer[chosen]
            self.pointers[link.name] = pointer
        taken = np.zeros(len(bad), dtype=bool)
        taken[rows] = True
        return taken

    def _groups(self, one: Fixes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the group and the fixed key of each row, (rows,), and what most rows of each group have."""
        group, value = group_of(one.by, self.pointers), value_of(one, self.pointers[one.link])
        firm = self.protected.get(one.link, NONE)
        return group, value, owners(group, value, int(group.max(initial=-1)) + 1, firm)

    def _follow(self, one: Fixes) -> None:
        group, value, owner = self._groups(one)
        wanted, before = through(group, owner), self.pointers[one.link]
        turned = (wanted >= 0) & (value >= 0) & (wanted != value)
        turned[self.protected.get(one.link, NONE)] = False
        if turned.any():
            after = np.where(turned, wanted - 1, before)
            self.pointers[one.link] = _without_cycles(before, after) if one.link in self.plan.acyclic else after

    def _move(self, one: Fixes, names: Sequence[str]) -> None:
        """Give rows that break it the keys of a row that stands for their fixed key."""
        group, value, owner = self._groups(one)
        asked = (group >= 0) & (value >= 0)
        if (through(group, owner) == value)[asked].all():
            return
        owner = _one_each(owner, group, value)
        stands_for = through(group, owner)
        may_move = asked & (stands_for != value)
        for name in names:
            may_move[self.protected.get(name, NONE)] = False
        rest = [way for way in one.by if way[0] not in names]
        others = group_of(rest, self.pointers) if rest else np.zeros_like(value)
        width = int(others.max(initial=0)) + 2
        donors = self.rng.permutation(np.flatnonzero(stands_for >= 0))
        offered = stands_for[donors] * width + others[donors] + 1
        donors, offered = donors[np.argsort(offered, kind="stable")], np.sort(offered)
        bad = np.flatnonzero(may_move)
        sought = value[bad] * width + others[bad] + 1
        low, high = (np.searchsorted(offered, sought, side=side) for side in ("left", "right"))
        has = high > low
        chosen = donors[low[has] + self.rng.integers(0, (high - low)[has])] if has.any() else NONE
        for name in names:
            moved = self.pointers[name].copy()
            moved[bad[has]] = moved[chosen]
            self.pointers[name] = moved


def _one_each(owner: np.ndarray, group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return owners after each value that has none has taken the smallest groups of those that have several.

    Shape:
        owner: (groups,) int64. group, value: (rows,) int64, -1 for none.
    """
    asked = (group >= 0) & (value >= 0)
    lacking = np.setdiff1d(np.unique(value[asked]), owner)
    if not len(lacking):
        return owner
    size = np.bincount(group[asked], minlength=len(owner))
    order = np.lexsort((-size, owner))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = owner[order][1:] != owner[order][:-1]
    spare = order[~is_first]
    spare = spare[np.argsort(size[spare], kind="stable")][: len(lacking)]
    taken = owner.copy()
    taken[spare] = lacking[: len(spare)]
    return taken


def _without_cycles(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return new keys into the own table, (rows,), but for those that do not lead up as the old ones did: roots."""
    depth = depths(before)
    return np.where((before != after) & (through(after, depth) >= depth), NULL, after)

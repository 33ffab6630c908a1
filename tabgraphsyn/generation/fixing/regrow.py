"""Keys in the making that are changed after they were grown: families lose rows, or gain copies of others' rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tabgraphsyn.data.pointers import NULL, concatenated_ranges, follow
from tabgraphsyn.generation.structure.base import Equality, KeyPlan, Link, Skeleton
from tabgraphsyn.generation.structure.fixes import broken_fixes
from tabgraphsyn.generation.structure.settle import Settling

_TRIES = 50


class Keys:
    """The keys of one synthetic database, no values yet.

    Args:
        plan: what holds for keys.
        skeleton: as they were grown.
        rng: chooses.
    """

    def __init__(self, plan: KeyPlan, skeleton: Skeleton, rng: np.random.Generator) -> None:
        self.plan, self._grown, self._rng = plan, skeleton, rng
        self.rows = dict(skeleton.rows)
        self.pointers = {name: np.array(pointer) for name, pointer in skeleton.pointers.items()}
        self.places, self.moments = dict(skeleton.places), dict(skeleton.moments)

    @property
    def skeleton(self) -> Skeleton:
        """The keys as they are now."""
        return Skeleton(self.rows, self.pointers, self._grown.dropped, self._grown.templates, self.places, self.moments)

    def counts(self, link: Link) -> np.ndarray:
        """Return (parent rows,) int64, the number of children of each."""
        pointer = self.pointers[link.name]
        return np.bincount(pointer[pointer >= 0], minlength=self.rows[link.parent])

    def resize(self, link: Link, wanted: np.ndarray) -> None:
        """Give each parent a number of children along the key that makes them its rows.

        Args:
            link: a driver.
            wanted: (parent rows,) int64.
        """
        pointer = self.pointers[link.name]
        order = np.argsort(pointer, kind="stable")
        order = order[pointer[order] >= 0]
        have = self.counts(link)
        opens = np.cumsum(have) - have
        shuffled = order[np.lexsort((self._rng.random(len(order)), pointer[order]))]
        sources, parents = [], []
        for parent in np.flatnonzero(wanted != have):
            own = shuffled[opens[parent] : opens[parent] + min(have[parent], wanted[parent])]
            more = self._rng.choice(order, max(int(wanted[parent] - have[parent]), 0)) if len(order) else order
            sources += [np.sort(own), more]
            parents.append(np.full(len(own) + len(more), parent))
        same = order[(wanted == have)[pointer[order]]]
        source = np.concatenate([same, *sources]).astype(np.int64)
        parent_of = np.concatenate([pointer[same], *parents]).astype(np.int64)
        place = np.argsort(parent_of, kind="stable")
        alone = np.flatnonzero(pointer < 0)
        source = np.concatenate([source[place], alone])
        self._rebuild(link.child, source, link, np.concatenate([parent_of[place], pointer[alone]]))

    def _rebuild(self, table: str, source: np.ndarray, own: Link, pointer: np.ndarray) -> None:
        """Let a table consist of copies of its rows; the rows that belong to them are copied with them.

        Shape:
            source, pointer: (new rows,) int64.
        """
        first = np.full(self.rows[table], -1, dtype=np.int64)
        first[source[::-1]] = np.arange(len(source))[::-1]
        below = {}
        for link in self.plan.links_of_parent(table):
            if link.child == table:
                continue
            if self.plan.creating_link(link.child) == link:
                below[link] = _copied(self.pointers[link.name], source, self.rows[table])
            else:
                self.pointers[link.name] = self._renumbered(self.pointers[link.name], first, len(source), link)
        for link in self.plan.links_of_child(table):
            moved = pointer if link.name == own.name else self.pointers[link.name][source]
            if link.parent == table:
                moved = self._renumbered(moved, first, len(source), link)
            self.pointers[link.name] = moved
        self.rows[table] = len(source)
        for when in (self.places, self.moments):
            if table in when:
                when[table] = when[table][source]
        for link, (rows, parents) in below.items():
            self._rebuild(link.child, rows, link, parents)

    def _renumbered(self, pointer: np.ndarray, first: np.ndarray, rows: int, link: Link) -> np.ndarray:
        """Return pointers to the first copy of each row; what pointed to a row that is gone points to another."""
        found = np.where(pointer >= 0, first[np.maximum(pointer, 0)] if len(first) else NULL, pointer)
        lost = (pointer >= 0) & (found < 0)
        may_be_null = link.name in self.plan.acyclic or rows == 0
        found[lost] = NULL if may_be_null else self._rng.integers(0, max(rows, 1), int(lost.sum()))
        return found

    def settle(self, protected: Mapping[str, np.ndarray]) -> list[str]:
        """Let ways end in one row again, keys fix what they fix, and tuples of parents differ; return what stays wrong.

        Args:
            protected: relation -> rows whose parent stays, (n,) int64.
        """
        wrong = []
        for _ in range(2):
            for one in self.plan.equalities:
                self._equal(one, protected)
            for fixed in self.plan.fixes:
                Settling(self.plan, self.rows, self.pointers, self._rng, protected).settle(fixed)
        for one in self.plan.equalities:
            left, right = (follow(way, self.pointers) for way in (one.left, one.right))
            bad = int(((left != right) & (left >= 0) & (right >= 0)).sum())
            if bad:
                ways = " and ".join(" > ".join(way) for way in (one.left, one.right))
                wrong.append(f"{one.table}: {bad} rows whose ways {ways} end in different rows")
        for fixed in self.plan.fixes:
            bad = int(broken_fixes(fixed, self.pointers).sum())
            if bad:
                ways = ", ".join(" > ".join(way) for way in fixed.by)
                wrong.append(
                    f"{fixed.table}: {bad} rows with another key {fixed.link} than others with the same {ways}"
                )
        for unique in self.plan.unique:
            self._differ(unique.table, unique.links, protected)
            bad = len(self._repeated(unique.links))
            if bad:
                wrong.append(
                    f"{unique.table}: {bad} rows repeat the parents of another along {', '.join(unique.links)}"
                )
        return wrong

    def _equal(self, one: Equality, protected: Mapping[str, np.ndarray]) -> None:
        for short, other in ((one.left, one.right), (one.right, one.left)):
            if len(short) == 1:
                new, old = follow(other, self.pointers), self.pointers[short[0]]
                differs = (new != old) & (new >= 0) & (old >= 0)
                differs[protected.get(short[0], np.zeros(0, np.int64))] = False
                self.pointers[short[0]] = np.where(differs, new, old)
                return

    def _repeated(self, links: tuple[str, ...]) -> np.ndarray:
        stacked = np.stack([self.pointers[name] for name in links], axis=1)
        filled = np.flatnonzero((stacked >= 0).all(axis=1))
        _, first = np.unique(stacked[filled], axis=0, return_index=True)
        return np.setdiff1d(filled, filled[first])

    def _differ(self, table: str, links: tuple[str, ...], protected: Mapping[str, np.ndarray]) -> None:
        driver = self.plan.creating_link(table)
        free = [name for name in links if driver is None or name != driver.name]
        for _ in range(_TRIES):
            rows = self._repeated(links)
            if not len(rows) or not free:
                return
            rows = np.setdiff1d(rows, protected.get(free[-1], np.zeros(0, np.int64)))
            parent = self.plan.link[free[-1]].parent
            self.pointers[free[-1]][rows] = self._rng.integers(0, max(self.rows[parent], 1), len(rows))


def _copied(pointer: np.ndarray, source: np.ndarray, parents: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the children of copied parents, and the copy each belongs to; children of nobody come last.

    Shape:
        pointer: (children,). source: (copies,). Returned: (new children,) int64 both.
    """
    order = np.argsort(pointer, kind="stable")
    order = order[pointer[order] >= 0]
    have = np.bincount(pointer[order], minlength=parents)
    opens = np.cumsum(have) - have
    alone = np.flatnonzero(pointer < 0)
    rows = order[concatenated_ranges(opens[source], have[source])]
    parent_of = np.repeat(np.arange(len(source)), have[source])
    return np.concatenate([rows, alone]), np.concatenate([parent_of, pointer[alone]])

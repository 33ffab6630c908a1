"""New keys from counts alone: no real key graph is kept, only how often each kind of row occurs.

The kind of a row is its signature: which of its keys are null, its depth in hierarchies, and its number of children
along every relation. Signatures keep these jointly; who is paired with whom is drawn at random within the counts (the
configuration model), under the equalities and unique tuples that the real keys obey. Where who takes part in an event
goes by its time, who is there at that time does (``presence``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabgraphsyn.data.pointers import CENSORED, NULL, UNMATCHED
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.base import KeyPlan, Skeleton, StructureModel, Topology
from tabgraphsyn.generation.structure.dealing import take_part
from tabgraphsyn.generation.structure.entities import check_size, entity_rows, rounded, systematic_weighted
from tabgraphsyn.generation.structure.growing import Growing, creation_order, finish, growth
from tabgraphsyn.generation.structure.links import with_missing_links
from tabgraphsyn.generation.structure.presence import (
    Habit,
    Happening,
    Presence,
    check_presence,
    event_link_of,
)
from tabgraphsyn.generation.structure.skeleton import depths
from tabgraphsyn.generation.structure.standing import Standing
from tabgraphsyn.generation.structure.stretches import share_of_time


@dataclass(frozen=True)
class Signatures:
    """Distinct kinds of rows of one table and how many rows are of each.

    Shape:
        kinds: (kinds, fields) int64. count: (kinds,) int64.
        fields: ``null:<relation>`` 0/1, ``depth:<relation>``, ``children:<relation>``, ``alone`` 0/1 (no parent),
            ``phase`` (the hour or day that the row stands in), ``era`` (the part of the time).
    """

    fields: tuple[str, ...]
    kinds: np.ndarray
    count: np.ndarray

    def draw(self, wanted: int, allowed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return ``wanted`` signatures, (wanted, fields), of the allowed kinds in proportion to their counts."""
        chosen = systematic_weighted(np.where(allowed, self.count, 0), wanted, rng)
        return self.kinds[chosen]

    def field(self, rows: np.ndarray, name: str) -> np.ndarray:
        """Return one field of drawn rows, (rows,)."""
        return rows[:, self.fields.index(name)]


class DegreesStructure(StructureModel):
    """Counts of children drawn jointly, keys paired at random within them.

    Args:
        grow_reference_tables: whether reference tables grow with the scale too.
    """

    def __init__(self, *, grow_reference_tables: bool = False) -> None:
        self.grow_reference_tables = grow_reference_tables
        self._plan: KeyPlan | None = None
        self._rows: dict[str, int] = {}
        self._censored: dict[str, float] = {}
        self._signatures: dict[str, Signatures] = {}
        self._standing: dict[str, Standing] = {}
        self._presence = Presence()

    @property
    def plan(self) -> KeyPlan:
        """The rules."""
        if self._plan is None:
            raise ValueError("the structure model is not fitted: call fit or from_arrays first")
        return self._plan

    def fit(self, topology: Topology) -> None:
        """Count the signatures of every table; rows that stand behind the training rows stay unknown."""
        self._plan = topology.plan
        rows = topology.rows
        known = {
            link.name: np.where(pointer >= rows[link.parent], CENSORED, pointer)[: rows[link.child]]
            for link, pointer in ((self.plan.link[name], one) for name, one in topology.pointers.items())
        }
        topology = replace(topology, pointers=known, hidden={})
        self._rows = dict(topology.rows)
        for link in self.plan.links:
            keys = topology.pointers[link.name]
            present = max(int((keys != NULL).sum()), 1)
            self._censored[link.name] = float((keys == CENSORED).sum() / present)
        self._standing = {
            table: Standing.of(one, topology.pointers[one.relation], self.plan.real_rows[table])
            for table, one in topology.series.items()
        }
        self._presence = Presence.of(topology)
        more = {table: {"phase": one.place % self._standing[table].phases} for table, one in topology.series.items()}
        for table in self._presence.happenings:
            more[table] = {**more.get(table, {}), "era": self._presence.era(table, topology.moments[table])}
        self._signatures = {
            table: _count_signatures(topology, table, more.get(table, {})) for table in self.plan.tables
        }

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the histograms of signatures, and the plan; (signatures, fields)."""
        arrays = {}
        for table, item in self._signatures.items():
            arrays[f"{table}/kinds"], arrays[f"{table}/count"] = item.kinds.astype(np.int32), item.count
        arrays |= {f"{table}/periods": one.count for table, one in self._standing.items()}
        arrays |= {f"{table}/moments": one for table, one in self._presence.count.items()}
        arrays |= {f"{table}/stays": one for table, one in self._presence.boxes.items()}
        arrays |= {f"{table}/present": one for table, one in self._presence.present.items()}
        return arrays, {
            "plan": self.plan.to_dict(),
            "rows": self._rows,
            "censored": self._censored,
            "fields": {table: list(item.fields) for table, item in self._signatures.items()},
            "standing": {table: one.to_dict() for table, one in self._standing.items()},
            "happenings": {table: one.to_dict() for table, one in self._presence.happenings.items()},
            "along": dict(self._presence.along),
            "habits": [one.to_dict() for one in self._presence.habits],
        }

    def from_arrays(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
        """Take over what ``to_arrays`` gave, (signatures, fields)."""
        self._plan = KeyPlan.from_dict(state["plan"])
        _check_signatures(self._plan, arrays, state)
        happenings, along = state.get("happenings") or {}, dict(state.get("along") or {})
        self._presence = Presence(
            {table: Happening.from_dict(raw) for table, raw in happenings.items()},
            {table: arrays[f"{table}/moments"] for table in happenings},
            along,
            {table: arrays[f"{table}/stays"] for table in along},
            {table: arrays[f"{table}/present"] for table in along},
            tuple(Habit.from_dict(raw) for raw in state.get("habits") or ()),
        )
        check_presence(self._plan, state["rows"], self._presence)
        self._standing = {
            table: Standing.from_dict(raw, arrays[f"{table}/periods"])
            for table, raw in (state.get("standing") or {}).items()
        }
        self._rows, self._censored = dict(state["rows"]), dict(state["censored"])
        self._signatures = {
            table: Signatures(tuple(fields), arrays[f"{table}/kinds"].astype(np.int64), arrays[f"{table}/count"])
            for table, fields in state["fields"].items()
        }

    def grow(self, *, scale: float, rows: Mapping[str, int] | None, seed: int) -> Skeleton:
        """Return new keys; see ``StructureModel.grow``."""
        plan = self.plan
        sizes = entity_rows(plan, scale=scale, rows=rows, grow_reference_tables=self.grow_reference_tables)
        growing = Growing(plan=plan, rows={}, pointers={}, wanted_degree={}, target_degree={})
        drawn: dict[str, np.ndarray] = {}
        share, here = share_of_time(plan, plan.real_rows, sizes), numpy_generator(seed, "presence")
        begin = float(here.random()) * (1 - share)
        held = {table: self._presence.within(table, begin, share) for table in self._presence.happenings}
        stays: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for table in creation_order(plan):
            rng = numpy_generator(seed, "rows", table)
            drawn[table] = self._create(growing, table, sizes, drawn, held.get(table), stays, rng)
            if table in self._presence.boxes:
                name = self._presence.along[table]
                often = self._signatures[table].field(drawn[table], f"children:{name}")
                events = plan.link[event_link_of(plan, name, held)].parent
                stays[table] = self._presence.stays(table, often, self._presence.count[events], held[events], here)
            growing.rows[table] = len(drawn[table])
        for link in plan.links:
            self._open_link(growing, link.name, drawn, numpy_generator(seed, "link", link.name))
        take_part(self._presence, growing, held, stays, here)
        in_time = [table for table, one in self._presence.happenings.items() if one.is_in_time]
        return finish(growing, numpy_generator(seed, "attach"), in_time)

    def _create(
        self,
        growing: Growing,
        table: str,
        sizes: Mapping[str, int],
        drawn: Mapping[str, np.ndarray],
        held: np.ndarray | None,
        stays: Mapping[str, tuple[np.ndarray, np.ndarray]],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Return the signatures of a table's new rows; rows under a creating parent come first, family by family.

        Args:
            growing: gets the keys that are known, and the moments of rows that have one.
            table: the table.
            sizes: of tables that nothing creates.
            drawn: signatures of tables before it.
            held: (moments,) rows of each moment that events are to stand in; None for a table without.
            stays: table of those who take part -> the first and the last moment of each, (rows,) int64 both.
            rng: draws them.
        """
        item = self._signatures[table]
        link = self.plan.creating_link(table)
        everyone = np.ones(len(item.count), dtype=bool)
        if table in self._standing:
            return self._stand(growing, table, sizes[table], drawn, rng)
        if held is not None:
            everyone = np.isin(item.kinds[:, item.fields.index("era")], self._presence.era(table, np.flatnonzero(held)))
        if link is None:
            return self._in_moments(growing, table, item.draw(sizes[table], everyone, rng), held, stays, rng)
        children = self._signatures[link.parent].field(drawn[link.parent], f"children:{link.name}")
        check_size(table, int(children.sum()))
        parent = np.repeat(np.arange(len(children)), children)
        is_alone = item.kinds[:, item.fields.index("alone")] == 1
        ratio = growth({link.parent: len(children)}, self._rows, link.parent)
        alone = item.draw(round(int(item.count[is_alone].sum()) * ratio), is_alone, rng)
        growing.pointers[link.name] = np.concatenate([parent, np.full(len(alone), UNMATCHED)])
        found = np.concatenate([item.draw(len(parent), ~is_alone & everyone, rng), alone])
        return self._in_moments(growing, table, found, held, stays, rng)

    def _in_moments(
        self,
        growing: Growing,
        table: str,
        rows: np.ndarray,
        held: np.ndarray | None,
        stays: Mapping[str, tuple[np.ndarray, np.ndarray]],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Return (rows, fields) in another order; rows of a table with moments are given one each."""
        if held is None:
            return rows
        item, link = self._signatures[table], self.plan.creating_link(table)
        moment = self._presence.placed(table, item.field(rows, "era"), held, rng)
        if link is not None and link.parent in stays:
            pointer = growing.pointers[link.name]
            under = np.flatnonzero(pointer >= 0)
            moment[under] = self._presence.during(held, stays[link.parent], pointer[under], rng)
        if link is not None and self._presence.happenings[table].is_rising:
            pointer = growing.pointers[link.name]
            order = np.lexsort((moment, np.where(pointer < 0, len(pointer), pointer)))
            rows, moment, growing.pointers[link.name] = rows[order], moment[order], pointer[order]
        growing.moments[table] = moment
        return rows

    def _stand(
        self, growing: Growing, table: str, wanted: int, drawn: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Return the signatures of rows that stand in periods, those of their hour or day, under published parents."""
        item, standing = self._signatures[table], self._standing[table]
        parent = self.plan.link[standing.relation].parent
        children = self._signatures[parent].field(drawn[parent], f"children:{standing.relation}")
        growing.pointers[standing.relation], place = standing.drawn(children, wanted, rng)
        growing.places[table] = place
        kinds, phase = item.kinds[:, item.fields.index("phase")], place % standing.phases
        found = np.zeros((wanted, item.kinds.shape[1]), dtype=np.int64)
        for one in np.unique(phase):
            rows, like = np.flatnonzero(phase == one), kinds == one
            found[rows] = item.draw(len(rows), like if like.any() else np.ones_like(like), rng)
        return found

    def _open_link(
        self, growing: Growing, name: str, drawn: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> None:
        """Set null keys, leave the others open, and say how many children each parent should get."""
        link = self.plan.link[name]
        child, parent = self._signatures[link.child], self._signatures[link.parent]
        created = growing.pointers.get(name, np.full(growing.rows[link.child], UNMATCHED))
        is_null = child.field(drawn[link.child], f"null:{name}") == 1
        pointer = np.where((created == UNMATCHED) & is_null, NULL, created).astype(np.int64)
        links = int((pointer != NULL).sum())
        degree = parent.field(drawn[link.parent], f"children:{name}")
        degree = with_missing_links(degree, round(self._censored[name] * links), rng)
        places = int(degree.sum())
        growing.pointers[name] = pointer
        growing.target_degree[name] = rounded(degree * (links / places), rng) if places else degree
        growing.wanted_degree[name] = np.zeros(len(pointer), dtype=np.int64)
        if name in self.plan.acyclic:
            depth = child.field(drawn[link.child], f"depth:{name}")
            growing.wanted_level[name], growing.parent_level[name] = depth - 1, depth


def _check_signatures(plan: KeyPlan, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
    rows, fields = state["rows"], state.get("fields") or {}
    if set(fields) != set(plan.tables) or set(state.get("censored") or {}) != set(plan.link):
        raise DataError("structure.json: fields of each table and censored of each relation expected, found others.")
    standing = state.get("standing") or {}
    if any(one not in plan.tables or plan.driver[one] != raw["relation"] for one, raw in standing.items()):
        raise DataError("structure.json: standing: tables and their drivers expected, found others.")
    named = {f"{table}/{part}" for table in plan.tables for part in ("kinds", "count")}
    happenings = state.get("happenings") or {}
    named |= {f"{table}/moments" for table in happenings}
    named |= {f"{table}/{part}" for table in state.get("along") or () for part in ("stays", "present")}
    if set(arrays) != named | {f"{table}/periods" for table in standing}:
        raise DataError("structure.safetensors: kinds and count of each table expected, found others.")
    for table, names in fields.items():
        kinds, count = arrays[f"{table}/kinds"], arrays[f"{table}/count"]
        is_whole = kinds.dtype.kind == count.dtype.kind == "i" and kinds.shape == (len(count), len(names))
        if not is_whole or (count < 0).any() or int(count.sum()) != rows[table]:
            raise DataError(f"structure.safetensors: {table}: kinds of its {rows[table]} rows expected, found others.")
        expected = [*_field_names(plan, table), *(["phase"] if table in standing else [])]
        expected += ["era"] if table in happenings else []
        if sorted(names) != sorted(expected):
            raise DataError(f"structure.json: {table}: fields {expected} expected, found {names}.")
        for name, values in zip(names, kinds.T, strict=True):
            word, _, link = name.partition(":")
            most = rows[plan.link[link].child] if word == "children" else rows[table] if word == "depth" else 1
            most = int(standing[table]["phases"]) if word == "phase" else most
            most = int(happenings[table]["eras"]) if word == "era" else most
            if (values < (-1 if word == "depth" else 0)).any() or int((values.astype(np.int64) * count).sum()) > (
                most if word == "children" else most * max(rows[table], 1)
            ):
                raise DataError(f"structure.safetensors: {table}: {name}: more than there are rows, or below 0.")


def _field_names(plan: KeyPlan, table: str) -> list[str]:
    own = [name for link in plan.links_of_child(table) for name in _child_fields(plan, link.name)]
    return ["alone", *own, *(f"children:{link.name}" for link in plan.links_of_parent(table))]


def _child_fields(plan: KeyPlan, link: str) -> list[str]:
    return [f"null:{link}", *([f"depth:{link}"] if link in plan.acyclic else [])]


def _count_signatures(topology: Topology, table: str, more: Mapping[str, np.ndarray]) -> Signatures:
    plan = topology.plan
    fields: dict[str, np.ndarray] = {}
    creating = plan.creating_link(table)
    pointer = topology.pointers[creating.name] if creating is not None else None
    fields["alone"] = np.zeros(topology.rows[table]) if pointer is None else (pointer < 0)
    for link in plan.links_of_child(table):
        fields[f"null:{link.name}"] = topology.pointers[link.name] == NULL
        if link.name in plan.acyclic:
            fields[f"depth:{link.name}"] = depths(topology.pointers[link.name])
    for link in plan.links_of_parent(table):
        held = topology.pointers[link.name]
        fields[f"children:{link.name}"] = np.bincount(held[held >= 0], minlength=topology.rows[table])
    fields |= more
    stacked = np.stack([values.astype(np.int64) for values in fields.values()], axis=1)
    kinds, count = np.unique(stacked, axis=0, return_counts=True)
    return Signatures(tuple(fields), kinds, count.astype(np.int64))

"""New keys that mirror the real ones: every synthetic row has a training row as its template, for its keys only.

An *entity* is a row that is not created under a parent, with everything created under it (a user and the user's
sessions). Entities are resampled evenly and copied whole, so counts, null keys and keys inside an entity (both ends of
a bond lie in one molecule) keep their joint distribution. A key from one entity into another goes to a copy of the
template's target: all keys between two entities go to one copy, and copies are used evenly. Where no copy exists, or a
copy has more children than it should, a parent of the nearest degree steps in.

Where who takes part in an event goes by its time (``KeyPlan.timed``), copies are made side by side instead of evenly
mixed: the second copy of a race has the second copies of its drivers and of their teams, or a driver would have ten
teams in a season. Nobody steps in for another there, and those who are held out take part, too: as nobody in
particular, known by nothing but the rows that refer to the same one. Where fewer are asked than there are, they are
those of some stretches of time (``stretches``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabgraphsyn.data.pointers import CENSORED, NULL, UNMATCHED, rank_within, through
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.base import KeyPlan, Skeleton, StructureModel, Topology
from tabgraphsyn.generation.structure.entities import check_size, entity_rows, rounded, systematic, systematic_ordered
from tabgraphsyn.generation.structure.growing import Growing, creation_order, finish, growth
from tabgraphsyn.generation.structure.links import Members, depths, find_pair, with_missing_links
from tabgraphsyn.generation.structure.series import Series
from tabgraphsyn.generation.structure.stretches import in_stretches

PLACE = "place of "
MOMENT = "moment of "
"""What the name of an array of places, or of moments, begins with; then comes the table."""


@dataclass
class Copies:
    """Synthetic rows and the templates behind them.

    Shape:
        template[table]: (synthetic rows,) training row.
        entity[table]: (synthetic rows,) number of the synthetic entity.
        real_entity[table]: (training rows,) number of the training entity.
        entity_template: (synthetic entities,) training entity behind each.
        place[table]: (synthetic rows,) period, of tables with a series.
        moment[table]: (synthetic rows,) moment, of tables with a timeline.
    """

    template: dict[str, np.ndarray]
    entity: dict[str, np.ndarray]
    real_entity: dict[str, np.ndarray]
    real_entities: int
    entity_template: np.ndarray
    place: dict[str, np.ndarray]
    moment: dict[str, np.ndarray]


class SkeletonStructure(StructureModel):
    """Resampled entities over the real topology, which travels in the bundle as integers.

    Args:
        grow_reference_tables: whether reference tables grow with the scale too.
        balance: whether parents that would get more children than their template hand the surplus to parents that
            get fewer; keeps the cardinality distribution exact where copies do not divide evenly.
    """

    def __init__(self, *, grow_reference_tables: bool = False, balance: bool = True) -> None:
        self.grow_reference_tables = grow_reference_tables
        self.balance = balance
        self._topology: Topology | None = None

    @property
    def topology(self) -> Topology:
        """What was learned."""
        if self._topology is None:
            raise ValueError("the structure model is not fitted: call fit or from_arrays first")
        return self._topology

    def fit(self, topology: Topology) -> None:
        """Keep the topology as it is."""
        self._topology = topology

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the pointers, places and moments as int32, and the plan."""
        found = self.topology
        arrays = {name: pointer.astype(np.int32) for name, pointer in found.pointers.items()}
        arrays |= {f"{PLACE}{table}": one.place.astype(np.int32) for table, one in found.series.items()}
        arrays |= {f"{MOMENT}{table}": one.astype(np.int32) for table, one in found.moments.items()}
        series = {table: one.to_dict() for table, one in found.series.items()}
        state = {"plan": found.plan.to_dict(), "rows": dict(found.rows), "series": series}
        return arrays, {**state, "hidden": dict(found.hidden), "timed": list(found.moments)}

    def from_arrays(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
        """Take over what ``to_arrays`` gave, (child rows,) int32 each."""
        plan, rows = KeyPlan.from_dict(state["plan"]), dict(state["rows"])
        series = _read_series(plan, rows, arrays, state.get("series") or {})
        moments = _read_moments(plan, rows, arrays, state.get("timed") or ())
        others = {PLACE + one for one in series} | {MOMENT + one for one in moments}
        pointers = {name: array for name, array in arrays.items() if name not in others}
        hidden = dict(state.get("hidden") or {})
        if not set(hidden) <= {plan.link[name].parent for name in plan.timed} - set(moments):
            raise DataError("structure.json: hidden: tables of those who take part expected, found others.")
        _check_pointers(plan, _with_hidden(rows, hidden), pointers)
        pointers = {name: array.astype(np.int64) for name, array in pointers.items()}
        self._topology = Topology(plan, rows, pointers, series, moments, hidden)

    def grow(self, *, scale: float, rows: Mapping[str, int] | None, seed: int) -> Skeleton:
        """Return new keys; see ``StructureModel.grow``."""
        plan = self.topology.plan
        sizes = entity_rows(plan, scale=scale, rows=rows, grow_reference_tables=self.grow_reference_tables)
        real = replace(self.topology, rows=_with_hidden(self.topology.rows, self.topology.hidden))
        real = in_stretches(real, sizes, numpy_generator(seed, "stretches"))
        copies = copy_entities(real, sizes, seed)
        growing = Growing(
            plan=plan,
            rows={table: len(copies.template[table]) for table in plan.tables},
            pointers={},
            wanted_degree={},
            target_degree={},
            places=dict(copies.place),
            moments=dict(copies.moment),
        )
        rng = numpy_generator(seed, "links")
        choice = _entity_choice(real, copies, rng)
        for link in plan.links:
            self._place_link(growing, real, copies, link.name, choice, numpy_generator(seed, "link", link.name))
        grown = finish(growing, numpy_generator(seed, "attach"), in_time=_in_time(self.topology))
        lookups = {table: copies.template[table] for table in plan.reference if table in copies.template}
        return replace(grown, templates={name: rows for name, rows in lookups.items() if len(rows) == grown.rows[name]})

    def _place_link(
        self,
        growing: Growing,
        topology: Topology,
        copies: Copies,
        name: str,
        choice: Mapping[str, np.ndarray],
        rng: np.random.Generator,
    ) -> None:
        """Point one relation's rows at copies of their templates' parents, and open what has none."""
        link = growing.plan.link[name]
        real = topology.pointers[name]
        template = copies.template[link.child]
        sought = real[template]
        pointer = np.where(sought == NULL, NULL, UNMATCHED)
        found = np.flatnonzero((sought >= 0) & (choice[name] >= 0))
        pointer[found] = find_pair(
            copies.entity[link.parent],
            copies.template[link.parent],
            max(topology.rows[link.parent], 1),
            choice[name][found],
            sought[found],
        )
        degree = np.bincount(real[real >= 0], minlength=topology.rows[link.parent])
        wanted = np.where(sought >= 0, degree[np.maximum(sought, 0)] if len(degree) else 0, 0)
        target = _target_degree(degree[copies.template[link.parent]], sought, rng)
        # A censored row may have any parent: it likes the degree of a random visible link's parent.
        visible = np.flatnonzero(sought >= 0)
        censored = np.flatnonzero(sought == CENSORED)
        if len(visible):
            wanted[censored] = wanted[rng.choice(visible, len(censored))]
        if name in growing.plan.acyclic:
            depth = depths(real)
            growing.wanted_level[name] = depth[template] - 1
            growing.parent_level[name] = depth[copies.template[link.parent]]
        is_reference = link.parent in growing.plan.reference and not self.grow_reference_tables
        is_timed = link.child in (*growing.plan.timed_tables, *topology.moments)
        if self.balance and not is_reference and not is_timed:
            own = copies.entity[link.child]
            movable = (pointer >= 0) & (choice[name] != own)
            _open_surplus(pointer, target, own, movable, rng)
        growing.pointers[name], growing.wanted_degree[name], growing.target_degree[name] = pointer, wanted, target


def _read_series(
    plan: KeyPlan, rows: Mapping[str, int], arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]
) -> dict[str, Series]:
    """Return the series that the state names, table by table, each with its (training rows,) places."""
    found = {}
    for table, raw in state.items():
        place = arrays.get(f"{PLACE}{table}")
        held = table in plan.tables and raw["relation"] == plan.driver[table]
        if not held or place is None or place.shape != (rows[table],):
            raise DataError(f"structure.json: series: {table!r}: its driver and a place a row expected, found others.")
        found[table] = Series.from_dict(raw, place)
    return found


def _with_hidden(rows: Mapping[str, int], hidden: Mapping[str, int]) -> dict[str, int]:
    """Return the number of rows of each table, those that stand behind the training rows among them."""
    return {table: count + hidden.get(table, 0) for table, count in rows.items()}


def _read_moments(
    plan: KeyPlan, rows: Mapping[str, int], arrays: Mapping[str, np.ndarray], tables: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return table -> (training rows,) int64, the moments of the tables that the state names."""
    found = {}
    for table in tables:
        moment = arrays.get(f"{MOMENT}{table}")
        is_whole = table in plan.tables and moment is not None and moment.shape == (rows[table],)
        if moment is None or not is_whole or moment.dtype.kind != "i" or (len(moment) and moment.min() < 0):
            raise DataError(f"structure.json: timed: {table!r}: a moment for each of its rows expected, found others.")
        found[table] = moment.astype(np.int64)
    return found


def _check_pointers(plan: KeyPlan, rows: Mapping[str, int], arrays: Mapping[str, np.ndarray]) -> None:
    if set(arrays) != set(plan.link):
        raise DataError("structure.safetensors: one array for each relation expected, found others.")
    for name, pointer in arrays.items():
        link = plan.link[name]
        if pointer.shape != (rows[link.child],) or pointer.dtype.kind != "i":
            raise DataError(f"structure.safetensors: {name}: {rows[link.child]} whole numbers expected, found others.")
        if len(pointer) and not (pointer.min() >= CENSORED and pointer.max() < rows[link.parent]):
            raise DataError(f"structure.safetensors: {name}: rows of {link.parent!r} expected, found others.")


def copy_entities(topology: Topology, sizes: Mapping[str, int], seed: int) -> Copies:
    """Return templates and entities of all tables for given numbers of entities."""
    plan = topology.plan
    template: dict[str, np.ndarray] = {}
    entity: dict[str, np.ndarray] = {}
    real_entity: dict[str, np.ndarray] = {}
    places: dict[str, np.ndarray] = {}
    moments: dict[str, np.ndarray] = {}
    heads: list[np.ndarray] = []
    real_count = count = 0
    for table in creation_order(plan):
        rng = numpy_generator(seed, "entities", table)
        link = plan.creating_link(table)
        training = topology.rows[table]
        own = np.arange(real_count, real_count + training)
        if link is None:
            if plan.driver[table] is None:
                chosen = systematic(training, sizes[table], rng, _kinds(topology, table))
            elif table in topology.series:
                series = topology.series[table]
                share = training / max(plan.real_rows[table], 1)
                chosen, places[table] = series.drawn(topology.pointers[series.relation], sizes[table], share, rng)
            else:
                chosen = systematic_ordered(training, sizes[table], rng)
            real_entity[table] = own
            entity[table] = np.arange(count, count + len(chosen))
        else:
            pointer = topology.pointers[link.name]
            members = Members.of(pointer, topology.rows[link.parent])
            check_size(table, int(members.count[template[link.parent]].sum()))
            held, parent = members.expand(template[link.parent])
            ratio = growth({link.parent: len(template[link.parent])}, topology.rows, link.parent)
            alone = np.flatnonzero(pointer < 0)
            kind = _kinds(topology, table)[alone]
            free = alone[systematic(len(alone), round(len(alone) * ratio), rng, kind)]
            chosen = np.concatenate([held, free])
            under = real_entity[link.parent][np.maximum(pointer, 0)] if training else own
            real_entity[table] = np.where(pointer >= 0, under, own)
            entity[table] = np.concatenate([entity[link.parent][parent], np.arange(count, count + len(free))])
        template[table] = chosen
        if table in topology.moments:
            moments[table] = topology.moments[table][chosen]
        fresh = entity[table] >= count
        heads.append(real_entity[table][chosen[fresh]])
        count += int(fresh.sum())
        real_count += training
    return Copies(template, entity, real_entity, real_count, np.concatenate(heads), places, moments)


def _entity_choice(topology: Topology, copies: Copies, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return for each relation the synthetic entity that each row's parent is taken from; -1 where there is none.

    Keys between the same two entities all go to one copy, so that two ways from one entity into another still meet;
    copies of an entity take turns; where keys go by time, copies that stand side by side go together.
    """
    plan = topology.plan
    members = Members.of(copies.entity_template, copies.real_entities)
    beside = _beside(copies, members, rng) if plan.timed else np.zeros(0)
    choice: dict[str, np.ndarray] = {}
    several: list[tuple[str, np.ndarray, np.ndarray]] = []
    for link in plan.links:
        template, own = copies.template[link.child], copies.entity[link.child]
        sought = topology.pointers[link.name][template]
        target = through(sought, copies.real_entity[link.parent])
        inside = (target >= 0) & (copies.real_entity[link.child][template] == target)
        chosen = np.where(inside, own, NULL)
        count = through(target, members.count, 0)
        single = np.flatnonzero(~inside & (count == 1))
        chosen[single] = members.order[members.start[target[single]]]
        choice[link.name] = chosen
        rest = np.flatnonzero(~inside & (count > 1))
        if link.child in (*plan.timed_tables, *topology.moments):
            turn = (beside[own[rest]] * members.count[target[rest]]).astype(np.int64)
            chosen[rest] = members.order[members.start[target[rest]] + turn]
            continue
        several.append((link.name, rest, target[rest] * len(copies.entity_template) + own[rest]))
    keys = np.concatenate([key for _, _, key in several]) if several else np.empty(0, dtype=np.int64)
    if not len(keys):
        return choice
    pairs, of_key = np.unique(keys, return_inverse=True)
    target = pairs // len(copies.entity_template)
    offset = rng.integers(0, 2**31, copies.real_entities)[target]
    turn = (rank_within(target) + offset) % members.count[target]
    taken = members.order[members.start[target] + turn][of_key]
    ends = np.cumsum([len(rest) for _, rest, _ in several])
    for (name, rest, _), part in zip(several, np.split(taken, ends[:-1]), strict=True):
        choice[name][rest] = part
    return choice


def _in_time(topology: Topology) -> list[str]:
    """Return the tables whose rows stand in the order of their times: what rises along a key then rises in new rows."""
    return [table for table, moment in topology.moments.items() if (np.diff(moment) >= 0).all()]


def _beside(copies: Copies, members: Members, rng: np.random.Generator) -> np.ndarray:
    """Return where each synthetic entity stands among the copies of its template, (entities,), 0 to below 1."""
    turn = np.empty(len(copies.entity_template), dtype=np.int64)
    ordered = copies.entity_template[members.order]
    turn[members.order] = rank_within(ordered)
    return (turn + rng.random(len(turn))) / np.maximum(members.count[copies.entity_template], 1)


def _kinds(topology: Topology, table: str) -> np.ndarray:
    """Return the place of each training row when ordered by null keys, then by numbers of children."""
    held = [topology.pointers[link.name] for link in topology.plan.links_of_parent(table)]
    degrees = [np.bincount(pointer[pointer >= 0], minlength=topology.rows[table]) for pointer in held]
    nulls = [topology.pointers[link.name] == NULL for link in topology.plan.links_of_child(table)]
    if not degrees and not nulls:
        return np.zeros(topology.rows[table], dtype=np.int64)
    order = np.lexsort([*degrees, *nulls])
    place = np.empty(len(order), dtype=np.int64)
    stacked = np.stack([*degrees, *nulls])[:, order]
    is_new = np.ones(len(order), dtype=np.int64)
    is_new[1:] = (stacked[:, 1:] != stacked[:, :-1]).any(axis=0)
    place[order] = np.cumsum(is_new)
    return place


def _target_degree(template_degree: np.ndarray, sought: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how many children each synthetic parent should get, (parents,) int64."""
    degree = with_missing_links(template_degree, int((sought == CENSORED).sum()), rng)
    links, places = int((sought != NULL).sum()), int(degree.sum())
    return rounded(degree * (links / places), rng) if places else degree


def _open_surplus(
    pointer: np.ndarray, target: np.ndarray, own: np.ndarray, movable: np.ndarray, rng: np.random.Generator
) -> None:
    """Open rows of parents that have more children than they should.

    Rows that share entity and parent (repeated visits to one place) stay together: they never move.
    """
    rows = rng.permutation(np.flatnonzero(pointer >= 0))
    pair = own[rows] * max(len(target), 1) + pointer[rows]
    _, of_pair, size = np.unique(pair, return_inverse=True, return_counts=True)
    stays = ~movable[rows] | (size[of_pair] > 1)
    order = np.lexsort((~stays, pointer[rows]))
    rows, stays = rows[order], stays[order]
    surplus = rank_within(pointer[rows]) >= target[pointer[rows]]
    pointer[rows[surplus & ~stays]] = UNMATCHED

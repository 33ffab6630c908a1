"""The structure stage: learns how keys hang together, how many rows a parent has, and what ids look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tabgraphsyn.data.files import read_json, write_json, written_aside
from tabgraphsyn.data.known.panel import microseconds
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.pointers import CENSORED
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.reference import entity_numbers, no_entities
from tabgraphsyn.data.schema import Database, Relation
from tabgraphsyn.data.tensors import finite_arrays
from tabgraphsyn.errors import StageError
from tabgraphsyn.generation.keys import KeySpec
from tabgraphsyn.generation.structure.base import KeyPlan, StructureModel, Topology
from tabgraphsyn.generation.structure.rules import learn_rules
from tabgraphsyn.generation.structure.series import Series
from tabgraphsyn.stages.around_times import series, timelines
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext

CONFIG_FILE = "structure.json"
ARRAYS_FILE = "structure.safetensors"


def run(context: StageContext) -> None:
    """Write ``structure.json`` and ``structure.safetensors`` from the keys of the training rows.

    Raises:
        DataError: keys that no assignment of values can satisfy.
    """
    prepared = Prepared(context.input("prepare"))
    pointers = prepared.pointers()
    database = Database.ingested(context.input("ingest"))
    plan, schema = prepared.plan, prepared.schema
    drivers = {name: None if one is None else schema.relation(one) for name, one in plan.driver.items()}
    common = no_entities(plan.published, plan.real_rows, plan.min_entities)
    entities = entity_numbers(plan.order, plan.training_rows, drivers, common, pointers, prepared.persons())
    keys = KeySpec.learn(database, prepared.is_training(), pointers, entities, plan.min_entities)
    rules = learn_rules(prepared.schema, prepared.plan, pointers, prepared.rules)
    for item in rules.unique:
        context.log.info("structure: %s: (%s) is unique", item.table, ", ".join(item.links))
    for one in rules.equalities:
        context.log.info("structure: %s: %s ends where %s does", one.table, one.left, one.right)
    for rule in rules.between:
        context.log.info("structure: %s: (%s): %s", rule.table, ", ".join(rule.links), rule.rule)
    config = dict(context.config["structure"])
    model: StructureModel = build(config, StructureModel, allow_targets=context.allow_targets)
    model.fit(_topology(prepared, database, rules, pointers, entities))
    arrays, state = model.to_arrays()
    with written_aside(context.artifacts / ARRAYS_FILE) as aside:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, aside)
    write_json(context.artifacts / CONFIG_FILE, {"structure": config, "state": state, "keys": keys.to_dict()})


def _topology(
    prepared: Prepared,
    database: Database,
    rules: KeyPlan,
    pointers: Mapping[str, np.ndarray],
    entities: Mapping[str, np.ndarray],
) -> Topology:
    """Return the keys of the training rows, with when they stand, and with those who take part and are held out."""
    rows, found = dict(prepared.plan.training_rows), timelines(prepared)
    timed = replace(rules, timed=frozenset(name for one in found.values() for name in one.keys))
    held, hidden = dict(pointers), {}
    for table in dict.fromkeys(timed.link[name].parent for name in sorted(timed.timed)):
        is_head = any(timed.creating_link(link.child) == link for link in timed.links_of_parent(table))
        # The rows of a family's head are held out with it: as a copy's template it would have none.
        if timed.creating_link(table) is None and not is_head and table not in (*timed.reference, *found):
            relations = list(prepared.schema.relations_of_parent(table))
            _lead_to_held_out(prepared, database, relations, rows[table], held)
            hidden[table] = timed.real_rows[table] - rows[table]
            for link in timed.links_of_child(table):  # where theirs lead is the held-out rows' own
                held[link.name] = np.append(held[link.name], np.full(hidden[table], CENSORED))
    moments = {table: prepared.moments(table) for table in found}
    takes_part = {name: entities[name] for name in {timed.link[one].parent for one in timed.timed}}
    least = prepared.plan.min_entities
    return Topology(timed, rows, held, _series(prepared, database), moments, hidden, takes_part, least)


def _lead_to_held_out(
    prepared: Prepared, database: Database, relations: Sequence[Relation], rows: int, pointers: dict[str, np.ndarray]
) -> None:
    """Let keys to rows that are held out lead to numbers behind the training rows, in place.

    Which training rows refer to the same row is theirs to say; of that row itself nothing is read.
    """
    found = {}
    for relation in relations:
        is_training = ~prepared.holdout(relation.child_table)
        found[relation.name] = link_relation(database, relation)[is_training]
    censored = {name: pointers[name] == CENSORED for name in found}
    distinct = np.unique(np.concatenate([found[name][censored[name]] for name in found]))
    for name, is_held in censored.items():
        pointers[name] = np.where(is_held, rows + np.searchsorted(distinct, found[name]), pointers[name])


def _series(prepared: Prepared, database: Database) -> dict[str, Series]:
    """Return table -> when its training rows stand, of tables whose rows under a published parent stand in periods."""
    is_training, found = prepared.is_training(), {}
    for table in prepared.plan.order:
        panel = series(prepared, table)
        if panel is not None:
            times = microseconds(database.tables[table].read([panel.column])[panel.column])[is_training[table]]
            place = np.clip((times - panel.start) // panel.step, 0, panel.periods - 1)
            found[table] = Series(panel.relation, panel.periods, panel.cycles, place)
    return found


def load_structure(folder: Path, *, allow_targets: tuple[str, ...] = ()) -> tuple[StructureModel, KeySpec]:
    """Return the structure model and the key spec that ``run`` wrote, from a stage's artifacts or a bundle.

    Raises:
        StageError: a file is missing.
    """
    for name in (CONFIG_FILE, ARRAYS_FILE):
        if not (folder / name).is_file():
            raise StageError(f"{folder}: no {name}; expected the artifacts of a structure stage or a bundle.")
    saved: Mapping[str, Any] = read_json(folder / CONFIG_FILE)
    model: StructureModel = build(saved["structure"], StructureModel, allow_targets=allow_targets)
    model.from_arrays(finite_arrays(folder / ARRAYS_FILE), saved["state"])
    return model, KeySpec.from_dict(saved["keys"])

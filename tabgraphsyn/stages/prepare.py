"""The prepare stage: split off the holdout, fit codecs on training rows, encode them, link their keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.arrays import array_writer
from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.training_rows import TrainingRows
from tabgraphsyn.data.counts import training_batches, training_values
from tabgraphsyn.data.dependencies import Dependency, discover, mark_kept
from tabgraphsyn.data.file_order import FileKey, blocks_of, find_file_order, sorting_key
from tabgraphsyn.data.known.children import Composition
from tabgraphsyn.data.known.coarse import CoarseMarginals
from tabgraphsyn.data.known.columns import Known, known_candidates
from tabgraphsyn.data.known.panel import find_panels, microseconds
from tabgraphsyn.data.known.timeline import Candidate, events
from tabgraphsyn.data.known.traits import find_trait, joined
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.order import KeyUse, Plan, driver_relations, generation_order
from tabgraphsyn.data.personal import personal_kind
from tabgraphsyn.data.prepared import ENCODED_KINDS, Prepared
from tabgraphsyn.data.reference import SMALL_ROWS, crowded_masks, decisions, entity_numbers, no_entities, person_rows
from tabgraphsyn.data.rules.calendar_kind import Calendar
from tabgraphsyn.data.rules.find import find_rules
from tabgraphsyn.data.rules.kept import learn_row_rules
from tabgraphsyn.data.rules.store import load_rules
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.data.schema import Database, Relation, Table
from tabgraphsyn.data.split import HoldoutConfig, holdout_masks, training_pointers
from tabgraphsyn.errors import Interrupted
from tabgraphsyn.stages.around_times import taking_part, time_of_events
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext

SMALL_CELLS = 4_000_000


def run(context: StageContext) -> None:
    """Write the artifacts of the prepare stage (docs/architecture.md) from those of ingest.

    Raises:
        DataError: a foreign key without a row in its parent table.
        Interrupted: a signal asked to leave; finished tables are written again next time.
    """
    codec_config = _built(context.config["codec"], CodecConfig, context)
    holdout_config = _built(context.config["holdout"], HoldoutConfig, context)
    database = Database.ingested(context.input("ingest"))
    made = Prepared(context.artifacts)
    made.keep_schema(database.schema)
    pointers = {relation.name: link_relation(database, relation) for relation in database.schema.relations}
    held, entities = _split(database, pointers, holdout_config, codec_config.min_entities, made, context)
    made.keep_plan(replace(made.plan, file_order=_file_orders(database, pointers, made)))
    is_training = {table: ~mask for table, mask in held.items()}
    for step, table in enumerate(database.schema.table_names):
        if context.interrupt.requested:
            raise Interrupted(f"prepare: asked to leave before table {table!r}; run it again.")
        rows = TrainingRows(_in_memory(database[table]), is_training[table], entities[table][is_training[table]])
        _encode(rows, codec_config, made, context, step)
    for name in made.plan.published:
        _keep_reference(database[name], is_training[name], made)
    for name in made.plan.coarse:
        levels = [field.levels for field in made.codec(name).layout.categorical]
        encoded = made.encoded(name)
        made.keep_marginals(name, CoarseMarginals.fit(encoded.numerical, encoded.categorical, levels))
    held_by = {name: entities[name][mask] for name, mask in is_training.items()}
    dependencies = discover(database, is_training)
    for name in database.schema.table_names:
        _keep_known(database[name], is_training[name], dependencies, made, held_by[name], codec_config.min_entities)
    for name in database.schema.table_names:
        _keep_compositions(name, made)
        _keep_panels(database[name], is_training[name], made, held_by[name])
    derived = {name: made.codec(name).derived for name in database.schema.table_names}
    made.keep_dependencies(mark_kept(dependencies, derived))
    kept = sum(one.kept for one in made.dependencies)
    context.log.info("prepare: %d dependencies, %d of them kept", len(made.dependencies), kept)
    del entities
    pa.default_memory_pool().release_unused()  # of the columns that were encoded
    start, source = time.monotonic(), context.input("ingest") / made.RULES
    declared = load_rules(source) if source.exists() else []
    made.keep_rules(find_rules(database, pointers, is_training, dependencies, declared))
    training = RuleTables(database, pointers, is_training)
    for name in database.schema.table_names:
        _keep_row_rules(database[name], training, held_by[name], made)
    for name in database.schema.table_names:
        _keep_traits(name, made)
    for name in _keep_timelines(database, is_training, made, held_by):
        context.log.info("prepare: %s: who takes part goes by time: keys say when", name)
    seconds = time.monotonic() - start
    context.log.info("prepare: %d rules, %d of them declared, in %.1f s", len(made.rules), len(declared), seconds)


def _file_orders(
    database: Database, pointers: Mapping[str, np.ndarray], made: Prepared
) -> dict[str, tuple[FileKey, ...]]:
    """Return what the file of each table is sorted by, of those whose rows are made by a model."""
    found = {}
    for name in (one for one in made.plan.order if one not in made.plan.reference_tables):
        looked_at = blocks_of(database[name].num_rows)
        keys: dict[FileKey, np.ndarray] = {}
        for relation in made.schema.relations_of_child(name):
            if not relation.is_self_reference and relation.parent_table not in made.plan.coarse:
                pointer = pointers[relation.name][looked_at]
                keys[FileKey(relation.name, is_key=True)] = np.where(pointer < 0, np.nan, pointer)
        for column in made.schema.attribute_columns(name):
            if database[name].schema.column(column).sdtype not in ("id", "text"):
                value = sorting_key(database[name].column(column).take(pa.array(looked_at)))
                if value is not None:
                    keys[FileKey(column)] = value
        if order := find_file_order(keys):
            found[name] = order
    return found


def _keep_reference(table: Table, is_training: np.ndarray, made: Prepared) -> None:
    """Write what sampling may keep of a published table: its attributes, never ids, text or what names a person."""
    name = table.schema.name
    kept = [column for column in made.schema.attribute_columns(name) if _is_public(table, column)]
    if kept:
        made.keep_reference(name, table.read(kept).filter(pa.array(is_training)))


def _is_public(table: Table, name: str) -> bool:
    """Return whether values of a column may leave: no id, no text, nothing that names a person."""
    column = table.schema.column(name)
    if column.sdtype in ("id", "text") or column.pii:
        return False
    return personal_kind(table.schema.name, name, table.column(name), column.pii) is None


def _keep_row_rules(table: Table, training: RuleTables, entities: np.ndarray, made: Prepared) -> None:
    """Write which rules about single rows sampling keeps, and what fixes what, held by enough entities."""
    name = table.schema.name
    own = [one for one in made.rules if one.table == name]
    asked = {each.column for one in own if isinstance(one, Fixed | Calendar) for each in one.operands if each.is_own}
    attributes = made.schema.attribute_columns(name)
    public = [column for column in attributes if column in asked and _is_public(table, column)]
    least, order = made.plan.min_entities, made.plan.order
    earlier = order[: order.index(name)]
    ways = {through: made.schema.way(through) for through in made.schema.ways_of(name)}
    before = [through for through, way in ways.items() if all(one.parent_table in earlier for one in way)]
    itself = [one.name for one in made.schema.relations_of_child(name) if one.is_self_reference]
    made.keep_row_rules(
        learn_row_rules(
            name, own, training, entities, least, attributes=attributes, public=public, before=before, itself=itself
        )
    )


def _keep_known(
    table: Table,
    is_training: np.ndarray,
    dependencies: list[Dependency],
    made: Prepared,
    entities: np.ndarray,
    min_entities: int,
) -> None:
    """Write what the keys into lookup tables say of a table's rows."""
    name, lookups, schema = table.schema.name, made.plan.published, made.schema
    relations = [one.name for one in schema.relations_of_child(name) if one.parent_table in lookups]
    if name in lookups or not relations:
        return
    columns = known_candidates(name, schema, lookups, dependencies)
    values = {column: training_values(table, column, is_training) for column in columns}
    pointers = made.pointers(relations)
    rows = made.plan.real_rows
    made.keep_known(Known.fit(name, schema, lookups, pointers, rows, dependencies, values, entities, min_entities))


def _keep_traits(table: str, made: Prepared) -> None:
    """Write what the children of a table's rows are like, along every key to a table that is made after it.

    But for the key that makes them siblings: these follow one another, and two traits of a row contradict each other.
    """
    order, rows = made.plan.order, made.plan.training_rows[table]
    if table in made.plan.coarse or not rows:
        return
    found, hidden = [], []
    for relation in made.schema.relations_of_parent(table):
        child = relation.child_table
        is_family = made.plan.driver[child] == relation.name and table not in made.plan.published
        if child in made.plan.coarse or order.index(child) <= order.index(table) or is_family:
            continue
        told = {one.column for one in made.known(child).columns} | made.parents_columns(child).keys()
        pointer, encoded = made.pointer(relation.name), made.encoded(child, is_mapped=True)
        one = find_trait(relation.name, pointer, rows, made.codec(child), encoded, told)
        if one is not None:
            trait, fields = one
            count = np.bincount(pointer[pointer >= 0], minlength=rows)
            found.append(trait.published(fields, count) if table in made.plan.published else trait)
            hidden.append(fields)
    made.keep_traits(table, found, joined(hidden, rows))


def _keep_compositions(table: str, made: Prepared) -> None:
    """Write which lookup rows the children of a table's rows refer to."""
    if table in made.plan.reference_tables:
        return
    found = []
    for relation in made.schema.relations_of_parent(table):
        known = made.known(relation.child_table)
        if relation.child_table == table or not known.relations:
            continue
        pointer, rows = made.pointer(relation.name), made.plan.training_rows[table]
        levels = known.rows(made.lookup(known)).level
        family = _family(relation, made)
        one = Composition.fit(relation.name, relation.child_table, pointer, rows, levels, known.levels, family)
        if one is not None:
            found.append(one)
    made.keep_compositions(table, found)


def _keep_panels(table: Table, is_training: np.ndarray, made: Prepared, entities: np.ndarray) -> None:
    """Write which columns of a table are periods that rows of one parent never share."""
    name = table.schema.name
    relations = [relation.name for relation in made.schema.relations_of_child(name)]
    columns = [one for one in made.schema.attribute_columns(name) if table.schema.column(one).sdtype == "datetime"]
    if not relations or not columns:
        return
    read = {column: training_values(table, column, is_training).combine_chunks() for column in columns}
    # Times in several zones, or with words among them, are text as they stand and no grid.
    values = {column: times for column, times in read.items() if pa.types.is_temporal(times.type)}
    pointers, least = made.pointers(relations), made.plan.min_entities
    made.keep_panels(name, find_panels(made.codec(name), values, pointers, entities, least))


def _keep_timelines(
    database: Database, is_training: Mapping[str, np.ndarray], made: Prepared, held_by: Mapping[str, np.ndarray]
) -> list[str]:
    """Write at which moments rows of tables stand whose times say who takes part in them; return these tables."""
    candidates = {}
    for name in database.schema.table_names:
        column = time_of_events(made, name)
        partners = {} if column is None else taking_part(made, name)
        if column is not None and partners:
            values = training_values(database[name], column, is_training[name]).combine_chunks()
            # Times in several zones, or with words among them, are text as they stand: they say no order.
            if len(values) and not values.null_count and pa.types.is_temporal(values.type):
                candidates[name] = Candidate(column, microseconds(values), held_by[name], partners)
    found = []
    for name, keys in events(candidates, {one.name: one.parent_table for one in made.schema.relations}).items():
        timeline = candidates[name].timeline(keys, made.plan.min_entities)
        if timeline is not None:
            made.keep_timeline(name, *timeline)
            found.append(name)
    return found


def _family(relation: Relation, made: Prepared) -> tuple[str, np.ndarray] | None:
    """Return the relation that makes the children of ``relation`` siblings of others, where it is another one."""
    driver = made.plan.driver[relation.child_table]
    if driver is None or driver == relation.name:
        return None
    if made.schema.relation(driver).parent_table in made.plan.reference_tables:
        return None
    return driver, made.pointer(driver)


def _in_memory(table: Table) -> Table:
    """Return a small table read once; a large one stays on disk and is read column by column."""
    is_small = table.num_rows * len(table.schema.columns) <= SMALL_CELLS
    return Table(table.schema, table.read()) if is_small else table


def _built(config: Any, kind: type[Any], context: StageContext) -> Any:
    """Return a settings object; a config without ``_target_`` names the keys of the default one."""
    if isinstance(config, Mapping) and "_target_" not in config:
        return kind(**config)
    return build(config, kind, allow_targets=context.allow_targets)


def _split(
    database: Database,
    pointers: Mapping[str, np.ndarray],
    config: HoldoutConfig,
    min_entities: int,
    made: Prepared,
    context: StageContext,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Write plan, holdout masks and training pointers; return the masks, and the entity of every row."""
    schema = database.schema
    rows = {table: database[table].num_rows for table in schema.table_names}
    use = {name: KeyUse.measure(parent_row) for name, parent_row in pointers.items()}
    null_shares = {name: used.null_share for name, used in use.items()}
    order = generation_order(schema.table_names, schema.relations, null_shares)
    driver = driver_relations(order, schema.relations, use)
    decided = decisions(database, order, driver, pointers, min_entities)
    published = {name: one.reason for name, one in decided.items() if one.is_published}
    for name, one in decided.items():
        context.log.info("prepare: %s is %s: %s", name, "published" if one.is_published else "made anew", one.reason)
    shared = tuple(name for name in rows if name in published or rows[name] < SMALL_ROWS)
    persons, crowded = person_rows(database), crowded_masks(schema.relations, pointers, rows)
    held = holdout_masks(order, rows, driver, shared, pointers, config, crowded, persons)
    plan = Plan(
        order=order,
        driver={table: None if relation is None else relation.name for table, relation in driver.items()},
        reference_tables=shared,
        real_rows=rows,
        training_rows={table: int((~held[table]).sum()) for table in schema.table_names},
        published=published,
        kept_back={name: one.reason for name, one in decided.items() if not one.is_published},
        min_entities=min_entities,
    )
    made.keep_plan(plan)
    made.keep_holdout(held)
    made.keep_persons(persons, {table: ~mask for table, mask in held.items()})
    for relation in schema.relations:
        kept = training_pointers(pointers[relation.name], held[relation.child_table], held[relation.parent_table])
        made.keep_pointer(relation.name, kept)
    aside = no_entities(published, rows, min_entities)
    return held, entity_numbers(order, rows, driver, aside, pointers, persons)


def _encode(training: TrainingRows, config: CodecConfig, made: Prepared, context: StageContext, step: int) -> None:
    """Fit one table's codec, write it and the encoded training rows."""
    start, table, is_training = time.monotonic(), training.table, training.is_training
    name = table.schema.name
    columns = list(made.schema.attribute_columns(name))
    codec = TableCodec.fit(table, is_training, columns, config, training.entities)
    made.keep_codec(name, codec)
    rows, layout = int(is_training.sum()), codec.layout
    files = {kind: made.encoded_file(name, kind) for kind in ENCODED_KINDS}
    with ExitStack() as stack:
        numerical_shape = (rows, len(layout.numerical), 2)
        categorical_shape = (rows, len(layout.categorical))
        numerical = stack.enter_context(array_writer(files["numerical"], numerical_shape, np.float32))
        categorical = stack.enter_context(array_writer(files["categorical"], categorical_shape, np.int32))
        for batch in training_batches(table, columns or [table.schema.columns[0].name], is_training):
            encoded = codec.encode(batch)
            numerical.append(encoded.numerical)
            categorical.append(encoded.categorical)
    seconds = time.monotonic() - start
    context.log.info("prepare: %s, %d rows in %.1f s", name, rows, seconds)
    context.tracker.log({"rows": float(rows), "table_s": seconds}, step)

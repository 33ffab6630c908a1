"""The prepare stage: split off the holdout, fit codecs on training rows, encode them, link their keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.arrays import array_writer, save_array
from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.counts import training_batches, training_values
from tabgraphsyn.data.dependencies import Dependency, discover, mark_kept
from tabgraphsyn.data.files import read_json, write_json, written_aside
from tabgraphsyn.data.known.children import Composition, save_compositions
from tabgraphsyn.data.known.columns import Known, known_candidates
from tabgraphsyn.data.known.inherited import InheritedColumn, find_inherited, save_inherited
from tabgraphsyn.data.known.panel import find_panels, save_panels
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.order import KeyUse, Plan, driver_relations, generation_order, reference_tables
from tabgraphsyn.data.schema import Database, Relation, Schema, Table
from tabgraphsyn.data.split import HoldoutConfig, holdout_masks, training_pointers
from tabgraphsyn.errors import Interrupted
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext

VERSION = "1"
SMALL_CELLS = 4_000_000


def run(context: StageContext) -> None:
    """Write the artifacts of the prepare stage (docs/architecture.md) from those of ingest.

    Raises:
        DataError: a foreign key without a row in its parent table.
        Interrupted: a signal asked to leave; finished tables are written again next time.
    """
    codec_config = _built(context.config["codec"], CodecConfig, context)
    holdout_config = _built(context.config["holdout"], HoldoutConfig, context)
    source = context.input("ingest")
    raw_schema = read_json(source / "schema.json")
    database = Database.open(Schema.from_dict(raw_schema), source / "tables")
    write_json(context.artifacts / "schema.json", raw_schema)
    held = _split(database, holdout_config, context.artifacts)
    is_training = {table: ~mask for table, mask in held.items()}
    derived: dict[str, dict[str, str]] = {}
    for step, table in enumerate(database.schema.table_names):
        if context.interrupt.requested:
            raise Interrupted(f"prepare: asked to leave before table {table!r}; run it again.")
        derived[table] = _encode(database[table], database.schema, is_training[table], codec_config, context, step)
    plan = read_json(context.artifacts / "plan.json")
    for name in plan["reference_tables"]:
        _keep_reference(database[name], database.schema, is_training[name], context.artifacts)
    dependencies = discover(database, is_training)
    for name in database.schema.table_names:
        _keep_known(database[name], database.schema, is_training[name], plan, dependencies, context.artifacts)
    for name in database.schema.table_names:
        _keep_compositions(name, database.schema, plan, context.artifacts)
        inherited = _keep_inherited(database, name, is_training, plan, context.artifacts)
        _keep_panels(database[name], database.schema, is_training[name], inherited, context.artifacts)
    kept = mark_kept(dependencies, derived)
    write_json(context.artifacts / "dependencies.json", [dependency.to_dict() for dependency in kept])
    context.log.info("prepare: %d dependencies, %d of them kept", len(kept), sum(one.kept for one in kept))


def _keep_reference(table: Table, schema: Schema, is_training: np.ndarray, artifacts: Path) -> None:
    """Write what sampling may keep of a lookup table: its attributes, never ids, text or what names a person."""
    name = table.schema.name
    columns = [table.schema.column(column) for column in schema.attribute_columns(name)]
    kept = [column.name for column in columns if column.sdtype not in ("id", "text") and not column.pii]
    if not kept:
        return
    with written_aside(artifacts / "reference" / f"{name}.parquet") as aside:
        pq.write_table(table.read(kept).filter(pa.array(is_training)), aside)


def _keep_known(
    table: Table,
    schema: Schema,
    is_training: np.ndarray,
    plan: Mapping[str, Any],
    dependencies: list[Dependency],
    artifacts: Path,
) -> None:
    """Write what the keys into lookup tables say of a table's rows."""
    name, lookups = table.schema.name, plan["reference_tables"]
    if name in lookups or not any(r.parent_table in lookups for r in schema.relations_of_child(name)):
        return
    pointers = {
        relation.name: np.load(artifacts / "pointers" / f"{relation.name}.npy")
        for relation in schema.relations_of_child(name)
        if relation.parent_table in lookups
    }
    columns = known_candidates(name, schema, lookups, dependencies)
    values = {column: training_values(table, column, is_training) for column in columns}
    known = Known.fit(name, schema, lookups, pointers, plan["real_rows"], dependencies, values)
    known.save(artifacts / "known")


def _keep_compositions(table: str, schema: Schema, plan: Mapping[str, Any], artifacts: Path) -> None:
    """Write which lookup rows the children of a table's rows refer to."""
    if table in plan["reference_tables"]:
        return
    found = []
    for relation in schema.relations_of_parent(table):
        known = Known.load(artifacts / "known", relation.child_table)
        if relation.child_table == table or not known.relations:
            continue
        own = {name: np.load(artifacts / "pointers" / f"{name}.npy") for name in known.relations}
        pointer = np.load(artifacts / "pointers" / f"{relation.name}.npy")
        rows = plan["training_rows"][table]
        levels = known.rows(own).level
        family = _family(relation, schema, plan, artifacts)
        one = Composition.fit(relation.name, relation.child_table, pointer, rows, levels, known.levels, family)
        if one is not None:
            found.append(one)
    if found:
        save_compositions(artifacts / "known", table, found)


def _keep_inherited(
    database: Database, table: str, is_training: Mapping[str, np.ndarray], plan: Mapping[str, Any], artifacts: Path
) -> list[InheritedColumn]:
    """Write which columns of a table are its parents', of those parents that are generated before it."""
    before = [name for name in plan["order"][: plan["order"].index(table)] if name not in plan["reference_tables"]]
    parents = [one for one in database.schema.relations_of_child(table) if one.parent_table in before]
    if not parents or table in plan["reference_tables"]:
        return []
    names = {table, *(one.parent_table for one in parents)}
    codecs = {name: TableCodec.from_dict(read_json(artifacts / "codec" / f"{name}.json")) for name in names}

    def pointers(relation: str) -> np.ndarray:
        return np.asarray(np.load(artifacts / "pointers" / f"{relation}.npy"))

    found = find_inherited(database, table, is_training, parents, pointers, codecs)
    if found:
        save_inherited(artifacts / "known", table, found)
    return found


def _keep_panels(
    table: Table, schema: Schema, is_training: np.ndarray, inherited: list[InheritedColumn], artifacts: Path
) -> None:
    """Write which columns of a table are periods that rows of one parent never share."""
    name = table.schema.name
    relations = [relation.name for relation in schema.relations_of_child(name)]
    columns = [one for one in schema.attribute_columns(name) if table.schema.column(one).sdtype == "datetime"]
    if not relations or not columns:
        return
    codec = TableCodec.from_dict(read_json(artifacts / "codec" / f"{name}.json"))
    values = {column: training_values(table, column, is_training).combine_chunks() for column in columns}
    pointers = {relation: np.load(artifacts / "pointers" / f"{relation}.npy") for relation in relations}
    panels = find_panels(codec, values, pointers, [one.column for one in inherited])
    if panels:
        save_panels(artifacts / "known", name, panels)


def _family(
    relation: Relation, schema: Schema, plan: Mapping[str, Any], artifacts: Path
) -> tuple[str, np.ndarray] | None:
    """Return the relation that makes the children of ``relation`` siblings of others, where it is another one."""
    driver = plan["driver"][relation.child_table]
    parent = next((other.parent_table for other in schema.relations if other.name == driver), None)
    if parent is None or parent in plan["reference_tables"] or driver == relation.name:
        return None
    return driver, np.load(artifacts / "pointers" / f"{driver}.npy")


def _in_memory(table: Table) -> Table:
    """Return a small table read once; a large one stays on disk and is read column by column."""
    is_small = table.num_rows * len(table.schema.columns) <= SMALL_CELLS
    return Table(table.schema, table.read()) if is_small else table


def _built(config: Any, kind: type[Any], context: StageContext) -> Any:
    """Return a settings object; a config without ``_target_`` names the keys of the default one."""
    if isinstance(config, Mapping) and "_target_" not in config:
        return kind(**config)
    return build(config, allow_targets=context.allow_targets)


def _split(database: Database, config: HoldoutConfig, artifacts: Path) -> dict[str, np.ndarray]:
    """Write plan, holdout masks and training pointers; return the masks."""
    schema = database.schema
    rows = {table: database[table].num_rows for table in schema.table_names}
    pointers = {relation.name: link_relation(database, relation) for relation in schema.relations}
    use = {name: KeyUse.measure(parent_row) for name, parent_row in pointers.items()}
    null_shares = {name: used.null_share for name, used in use.items()}
    order = generation_order(schema.table_names, schema.relations, null_shares)
    driver = driver_relations(order, schema.relations, use)
    shared = reference_tables(rows, schema.relations, use)
    held = holdout_masks(order, rows, driver, shared, pointers, config)
    plan = Plan(
        order=order,
        driver={table: None if relation is None else relation.name for table, relation in driver.items()},
        reference_tables=shared,
        real_rows=rows,
        training_rows={table: int((~held[table]).sum()) for table in schema.table_names},
    )
    write_json(artifacts / "plan.json", plan.to_dict())
    for table, mask in held.items():
        save_array(artifacts / "holdout" / f"{table}.npy", mask)
    for relation in schema.relations:
        kept = training_pointers(pointers[relation.name], held[relation.child_table], held[relation.parent_table])
        save_array(artifacts / "pointers" / f"{relation.name}.npy", kept)
    return held


def _encode(
    table: Table, schema: Schema, is_training: np.ndarray, config: CodecConfig, context: StageContext, step: int
) -> dict[str, str]:
    """Fit one table's codec, write it and the encoded training rows; return its derived columns."""
    start, name = time.monotonic(), table.schema.name
    columns, table = list(schema.attribute_columns(name)), _in_memory(table)
    codec = TableCodec.fit(table, is_training, columns, config)
    write_json(context.artifacts / "codec" / f"{name}.json", codec.to_dict())
    rows, layout = int(is_training.sum()), codec.layout
    folder = context.artifacts / "encoded" / name
    with ExitStack() as stack:
        numerical_shape = (rows, len(layout.numerical), 2)
        categorical_shape = (rows, len(layout.categorical))
        numerical = stack.enter_context(array_writer(folder / "numerical.npy", numerical_shape, np.float32))
        categorical = stack.enter_context(array_writer(folder / "categorical.npy", categorical_shape, np.int32))
        for batch in training_batches(table, columns or [table.schema.columns[0].name], is_training):
            encoded = codec.encode(batch)
            numerical.append(encoded.numerical)
            categorical.append(encoded.categorical)
    seconds = time.monotonic() - start
    context.log.info("prepare: %s, %d rows in %.1f s", name, rows, seconds)
    context.tracker.log({"rows": float(rows), "table_s": seconds}, step)
    return codec.derived

"""The schema of a database: what its metadata declares, or what its values suggest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pyarrow as pa

from tabgraphsyn.data.codec.check_digits import CHECKED_MIN, LEAST_CHECKED, check_of
from tabgraphsyn.data.formats import DatetimeFormat
from tabgraphsyn.data.ingest.infer_keys import infer_keys
from tabgraphsyn.data.ingest.infer_types import infer_column
from tabgraphsyn.data.ingest.key_facts import InferredKeys, TableFacts
from tabgraphsyn.data.ingest.table_queries import ColumnValues, TableQueries, TextShape
from tabgraphsyn.data.ingest.work import IngestWork
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema

FROM_METADATA = "from the metadata"


def inferred_schema(
    work: IngestWork, queries: TableQueries, values: Mapping[str, Mapping[str, ColumnValues]]
) -> Schema:
    """Return types and keys guessed from names and values; the reasons go to ``work.reasons``."""
    shapes = {
        (name, column): shape
        for name, targets in work.targets.items()
        for column, shape in queries.text_shapes(
            name, [column for column, target in targets.items() if target.type == pa.string()]
        ).items()
    }
    checked = {
        (name, column)
        for name, targets in work.targets.items()
        for column, target in targets.items()
        if target.type == pa.int64() and _is_checked(queries, name, column, values[name][column])
    }
    facts = [_facts(work, name, values[name], shapes) for name in work.targets]
    declared = [relation for raw in work.raws.values() for relation in raw.reader.foreign_keys]
    keys = infer_keys(facts, declared, queries, work.options.keys)
    work.problems += keys.problems
    work.reasons.primary, work.reasons.relations = keys.primary_reasons, keys.relations
    work.reasons.notes += keys.notes
    roles = _key_roles(keys)
    tables = []
    for name in work.targets:
        columns = _guessed_columns(work, name, values[name], shapes, roles, checked)
        tables.append(TableSchema(name, columns, keys.primary[name]))
    return Schema(tuple(tables), tuple(keys.relations), tuple(keys.dropped))


def _is_checked(queries: TableQueries, table: str, column: str, values: ColumnValues) -> bool:
    """Return whether the last digit of whole numbers checks the others: they count nothing, they are names."""
    is_long = values.distinct >= CHECKED_MIN and values.minimum >= LEAST_CHECKED
    return is_long and check_of(queries.some_values(table, column), digits_only=True) != ""


def _facts(
    work: IngestWork, name: str, values: Mapping[str, ColumnValues], shapes: Mapping[tuple[str, str], TextShape]
) -> TableFacts:
    targets = work.targets[name]
    return TableFacts(
        name,
        {column: target.type for column, target in targets.items()},
        values,
        {column: shapes[name, column].spaced for column in targets if (name, column) in shapes},
        work.raws[name].reader.primary_key,
    )


def _key_roles(keys: InferredKeys) -> dict[tuple[str, str], str]:
    roles = {(name, column): "primary key" for name, columns in keys.primary.items() for column in columns}
    for relation, reason in keys.relations.items():
        for column in relation.child_columns:
            roles[relation.child_table, column] = f"foreign key to {relation.parent_table}: {reason}"
    return roles


def _guessed_columns(
    work: IngestWork,
    name: str,
    values: Mapping[str, ColumnValues],
    shapes: Mapping[tuple[str, str], TextShape],
    roles: Mapping[tuple[str, str], str],
    checked: Collection[tuple[str, str]],
) -> tuple[Column, ...]:
    columns, reasons = [], {}
    for column, target in work.targets[name].items():
        scan, shape, role = work.scan(name, column), shapes.get((name, column)), roles.get((name, column))
        is_checked = (name, column) in checked
        guess, reasons[column] = infer_column(column, target, scan, values[column], shape, role, is_checked)
        columns.append(guess)
    work.reasons.columns[name] = reasons
    return tuple(columns)


def declared_schema(work: IngestWork) -> Schema:
    """Return the metadata's schema, with what it leaves open filled from the data."""
    assert work.declared is not None
    tables = []
    for table in work.declared.tables:
        columns = tuple(_completed(column, work, table.name) for column in table.columns)
        tables.append(replace(table, columns=columns))
        work.reasons.columns[table.name] = {column.name: FROM_METADATA for column in columns}
        work.reasons.primary[table.name] = FROM_METADATA
    work.reasons.relations = dict.fromkeys(work.declared.relations, FROM_METADATA)
    return Schema(tuple(tables), work.declared.relations, _left_out(work))


def _left_out(work: IngestWork) -> tuple[Relation, ...]:
    """Return the foreign keys that files declare and the metadata does not, with a note on each."""
    assert work.declared is not None
    ends = {(one.child_table, frozenset(one.child_columns), one.parent_table) for one in work.declared.relations}
    columns = {name: set(targets) for name, targets in work.targets.items()}
    found = []
    for raw in work.raws.values():
        for one in raw.reader.foreign_keys:
            is_read = set(one.child_columns) <= columns.get(one.child_table, set())
            is_read = is_read and set(one.parent_columns) <= columns.get(one.parent_table, set())
            if is_read and (one.child_table, frozenset(one.child_columns), one.parent_table) not in ends:
                found.append(one)
                work.reasons.notes.append(
                    f"{one.name}: declared in the file, but not in the metadata; not kept, and counted as broken in "
                    f"the key validity. To keep it, put it into the metadata."
                )
    return tuple(found)


def _completed(column: Column, work: IngestWork, table: str) -> Column:
    if column.sdtype == "numerical" and column.computer_representation is None:
        whole = work.targets[table][column.name].type == pa.int64()
        column = replace(column, computer_representation="Int64" if whole else "Float")
    format = work.targets[table][column.name].format
    if column.sdtype == "datetime" and isinstance(format, DatetimeFormat):
        return replace(column, datetime_format=column.datetime_format or format.parsed, format=format)
    return replace(column, format=format)

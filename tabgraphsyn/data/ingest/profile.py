"""What was found in a database: counts, bounds, reasons; the content of ``profile.json``."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tabgraphsyn.data.ingest.column_scan import ColumnScan
from tabgraphsyn.data.ingest.table_queries import ColumnValues, TableQueries
from tabgraphsyn.data.personal import personal_kind
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema

# As by the defaults of conf/codec: a value that fewer entities hold is not named.
FEW_HOLDERS = 5
NAMED_SHARE = 0.5


@dataclass
class Reasons:
    """Why the schema is as it is, and what was noticed on the way.

    Attributes:
        columns: table -> column -> reason.
        primary: table -> reason.
        relations: relation -> reason.
        notes: remarks on the whole database.
    """

    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    primary: dict[str, str] = field(default_factory=dict)
    relations: dict[Relation, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def profile_dict(
    schema: Schema,
    types: Mapping[str, Mapping[str, pa.DataType]],
    values: Mapping[str, Mapping[str, ColumnValues]],
    scans: Mapping[str, Mapping[str, ColumnScan]],
    sources: Mapping[str, str],
    reasons: Reasons,
    queries: TableQueries,
) -> dict[str, Any]:
    """Return the json form of everything known about a database."""
    tables = {}
    for table in schema.tables:
        tables[table.name] = {
            "rows": queries.rows(table.name),
            "source": sources[table.name],
            "primary_key": {"columns": list(table.primary_key), "reason": reasons.primary.get(table.name, "")},
            "columns": {
                column.name: _column_dict(
                    column.sdtype,
                    types[table.name][column.name],
                    values[table.name][column.name],
                    scans[table.name][column.name],
                    reasons.columns[table.name].get(column.name, ""),
                )
                for column in table.columns
            },
        }
    relations = [_relation_dict(relation, reasons, queries) for relation in schema.relations]
    not_modelled = [
        {"table": table.name, "column": column.name, "reason": reason}
        for table in schema.tables
        for column in table.columns
        if (reason := _not_modelled(schema, table, column, reasons, types[table.name][column.name], queries))
    ]
    return {
        "tables": tables,
        "relations": relations,
        "notes": reasons.notes,
        "not_modelled": not_modelled,
    }


def _not_modelled(
    schema: Schema, table: TableSchema, column: Column, reasons: Reasons, type_: pa.DataType, queries: TableQueries
) -> str:
    """Return why no distribution of a column is learned, empty for one that is modelled and for keys."""
    if column.name in schema.key_columns(table.name):
        return ""
    why = reasons.columns[table.name].get(column.name, "")
    if column.name in table.alternate_keys:
        return f"an alternate key: made anew, each value once ({why})"
    if column.sdtype == "id":
        return f"an id: made anew in the pattern of the real ones ({why})"
    is_read = type_ in (pa.string(), pa.int64())
    sample = pa.array(queries.some_values(table.name, column.name, 500) if is_read else [], pa.string()).cast(type_)
    kind = personal_kind(table.name, column.name, sample, column.pii) if column.regex_format is None else None
    if kind is not None and kind != "birth_date":
        return f"leads to a person ({kind.replace('_', ' ')}): made anew ({why})"
    if column.pii:
        return f"names a person: made anew ({why})"
    if column.sdtype == "text":
        return f"text: frequent texts are drawn by frequency, placeholder words stand for the others ({why})"
    is_rare = column.sdtype == "categorical" and type_ in (pa.string(), pa.int64())
    if is_rare and queries.shared_rows(table.name, column.name, FEW_HOLDERS) < NAMED_SHARE:
        return f"most of its values stand in fewer than {FEW_HOLDERS} rows: made anew or masked ({why})"
    return ""


def _column_dict(
    sdtype: str, type_: pa.DataType, values: ColumnValues, scan: ColumnScan, reason: str
) -> dict[str, Any]:
    notes = []
    if scan.null_words:
        counted = ", ".join(f"{word!r} {count} times" for word, count in scan.null_words.most_common(5))
        notes.append(f"read as missing: {counted}")
    if scan.non_numbers:
        notes.append(f"numbers but for {', '.join(map(repr, scan.non_numbers))}")
    if scan.leading_zeros and scan.is_number:
        notes.append("numbers with leading zeros")
    return {
        "sdtype": sdtype,
        "arrow_type": str(type_),
        "nulls": values.nulls,
        "distinct": values.distinct,
        "minimum": _plain(values.minimum),
        "maximum": _plain(values.maximum),
        "reason": reason,
        "notes": notes,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str) and len(value) > 80:
        return value[:77] + "..."
    return value


def _relation_dict(relation: Relation, reasons: Reasons, queries: TableQueries) -> dict[str, Any]:
    mean, most, childless = queries.children(relation.child_table, relation.child_columns, relation.parent_table)
    rows = queries.rows(relation.child_table)
    nulls = queries.null_rows(relation.child_table, relation.child_columns)
    return {
        "child_table": relation.child_table,
        "child_columns": list(relation.child_columns),
        "parent_table": relation.parent_table,
        "parent_columns": list(relation.parent_columns),
        "null_share": nulls / max(rows, 1),
        "children_mean": mean,
        "children_most": most,
        "childless_share": childless,
        "reason": reasons.relations.get(relation, ""),
    }

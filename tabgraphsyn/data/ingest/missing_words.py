"""What cells without a value hold: new tables write the same word, and what is read as one is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pyarrow as pa

from tabgraphsyn.data.ingest.table_queries import ColumnValues
from tabgraphsyn.data.ingest.work import IngestWork
from tabgraphsyn.data.schema import Schema

_LONGEST = 40
"""Letters of a word, at most, that a schema holds."""
_SHOWN = 5
Ways = dict[str, int]
"""What stands in a column's cells without a value, and in how many: words, and nothing where any are empty."""


def with_missing_words(schema: Schema, work: IngestWork, values: Mapping[str, Mapping[str, ColumnValues]]) -> Schema:
    """Return the schema with the word that most cells without a value hold, by column.

    Notes tell of columns that write it in several ways, and of words that stand in columns of text alone: they may be
    values.
    """
    ways = {
        (table.name, column.name): _ways(work, table.name, column.name, values[table.name][column.name].nulls)
        for table in schema.tables
        for column in table.columns
    }
    tables = [
        replace(
            table,
            columns=tuple(replace(one, missing=_most_frequent(ways[table.name, one.name])) for one in table.columns),
        )
        for table in schema.tables
    ]
    worded = {
        (table.name, column.name)
        for table in schema.tables
        for column in table.columns
        if work.targets[table.name][column.name].type == pa.string()
    }
    usual = {word for place, found in ways.items() if place not in worded for word in found}
    work.reasons.notes += _told(
        {place: found for place, found in ways.items() if len(found) > 1},
        "all are read as missing and written as the most frequent one",
    )
    work.reasons.notes += _told(
        {place: found for place, found in ways.items() if len(found) == 1 and not set(found) & usual},
        "read as missing",
    )
    return replace(schema, tables=tuple(tables))


def _ways(work: IngestWork, table: str, column: str, nulls: int) -> Ways:
    words = work.scan(table, column).null_words.most_common()
    found = {word: count for word, count in words if len(word) <= _LONGEST}
    empty = nulls - sum(found.values())
    return {**found, **({"": empty} if found and empty > 0 else {})}


def _most_frequent(ways: Ways) -> str:
    return max(ways, key=lambda word: ways[word]) if ways else ""


def _told(columns: Mapping[tuple[str, str], Ways], what: str) -> Iterable[str]:
    """Return at most one note: the columns, what stands in them, and the setting that decides it."""
    if not columns:
        return []
    each = [f"{table}.{column} ({_spelled(ways)})" for (table, column), ways in columns.items()]
    more = f" and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
    return [
        f"{', '.join(each[:_SHOWN])}{more}: {what}. Where a word is a value (the country NA), "
        f"dataset.null_values=[...] lists those that are none."
    ]


def _spelled(ways: Ways) -> str:
    return ", ".join(f"{word!r} {count}" if word else f"empty {count}" for word, count in ways.items())

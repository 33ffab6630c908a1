"""What speaks for a foreign key beyond included values: who declared it, and how likely chance would do the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from tabgraphsyn.data.codec.pattern import Pattern
from tabgraphsyn.data.ingest.key_facts import InferredKeys, OpenKey, TableFacts
from tabgraphsyn.data.ingest.table_queries import ColumnValues, TableQueries
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import listing, nearest

LARGEST_CHANCE = 1e-9
LEAST_COVERAGE = 0.5
"""Share of a unique column's values, not of a primary key's, that must be referred to for a guess."""
LEAST_CHANCE = 1e-300
LARGEST_CHANCE_BESIDE = 1e-3
"""What chance may do where another key speaks for this one."""


def chance_of_inclusion(parent_values: Sequence[str] | None, parent: ColumnValues, child_distinct: int) -> float:
    """Return how likely so many codes of the parent's pattern would all stand in the parent by chance.

    Five grades A to E stand among eight zones A to H once in 360 times; a hundred airports of three letters never do.

    Args:
        parent_values: some of the parent's texts; None where they are whole numbers.
        parent: its counts and bounds.
        child_distinct: how many codes.
    """
    if parent_values is None:
        room = int(parent.maximum) - int(parent.minimum) + 1
    else:
        pattern = Pattern.learn(parent_values)
        room = sum(math.prod(len(alphabet) for alphabet in template) for template in pattern.templates)
    density = min(parent.distinct / max(room, 1), 1.0)
    if density <= 0:
        return LEAST_CHANCE
    return max(10.0 ** max(child_distinct * math.log10(density), -300.0), LEAST_CHANCE)


def settle_open(keys: InferredKeys, is_generic: Callable[[str], bool]) -> None:
    """Take open keys that another key speaks for; ask about the others.

    Two things speak: a column of the same name in another table refers there, or a column beside it does that is not
    named after the parent either (``origin`` beside ``dest``; not ``state`` beside ``country``).
    """
    waiting = [one for one in keys.open if one.relation not in keys.relations]
    while True:
        taken = {
            one: words for one in waiting if (words := _backed(one, keys, is_generic)) and not _is_taken(one, keys)
        }
        if not taken:
            break
        for one, words in taken.items():
            keys.relations.setdefault(one.relation, f"{words}; {one.reason}")
            keys.unnamed.add(one.relation)
        waiting = [one for one in waiting if one not in taken]
    by_child: dict[tuple[str, tuple[str, ...]], list[OpenKey]] = {}
    for one in waiting:
        if not _is_taken(one, keys):
            by_child.setdefault((one.relation.child_table, one.relation.child_columns), []).append(one)
    for (table, (column,)), several in by_child.items():
        child, parents = f"{table}.{column}", [f"{one.relation.parent_table}.{one.relation.parent_columns[0]}"
                                               for one in several]  # fmt: skip
        keys.notes.append(
            f"{child}: all of its {several[0].values} values stand in {listing(parents)}, but neither its name nor "
            f"their number says that it refers there; not taken as a foreign key. If it is one: "
            f"dataset.keys={{{child}: {parents[0]}}}."
        )


def _is_taken(one: OpenKey, keys: InferredKeys) -> bool:
    child, columns = one.relation.child_table, one.relation.child_columns
    return any(taken.child_table == child and taken.child_columns == columns for taken in keys.relations)


def _backed(one: OpenKey, keys: InferredKeys, is_generic: Callable[[str], bool]) -> str:
    """Return in words which key speaks for this one, or nothing."""
    mine = one.relation
    if one.chance > LARGEST_CHANCE_BESIDE:
        return ""
    there = [
        taken
        for taken in keys.relations
        if (taken.parent_table, taken.parent_columns) == (mine.parent_table, mine.parent_columns)
        and len(taken.child_columns) == 1
    ]
    for taken in there:
        if taken.child_table == mine.child_table and taken in keys.unnamed:
            return f"beside {taken.child_columns[0]}, which refers there"
    for taken in there:
        if taken.child_columns == mine.child_columns and not is_generic(mine.child_columns[0]):
            return f"same name as {taken.child_table}.{taken.child_columns[0]}, which refers there"
    return ""


def parent_columns(parent: TableFacts, keys: InferredKeys) -> list[str]:
    """Return the columns of a table that others may refer to: its primary key, and codes that stand there once."""
    primary = keys.primary[parent.name]
    found = list(primary) if len(primary) == 1 else []
    for column, type_ in parent.types.items():
        values = parent.values[column]
        is_unique = values.nulls == 0 and values.distinct == values.rows > 2
        is_held = any(one.child_table == parent.name and column in one.child_columns for one in keys.relations)
        if column not in primary and not is_held and is_unique and type_ == pa.string() and not parent.spaced[column]:
            found.append(column)
    return found


def take_declared(relation: Relation, tables: Sequence[TableFacts], queries: TableQueries, keys: InferredKeys) -> None:
    """Take a foreign key that a file declares, or note why it cannot hold."""
    known = {table.name: table for table in tables}
    spelled = _as_spelled(relation, known)
    if spelled is None:
        if relation.parent_table in known or relation.child_table not in known:
            keys.notes.append(f"{relation.name}: declared in the file, but not all of its columns are read; not kept.")
        else:
            keys.notes.append(f"{relation.name}: declared in the file, but its parent table is not read; not kept.")
        return
    if set(spelled.parent_columns) == set(keys.primary[spelled.parent_table]):
        keys.relations[spelled] = "declared in the file"
    elif queries.is_unique(spelled.parent_table, spelled.parent_columns):
        named = listing(spelled.parent_columns)
        keys.relations[spelled] = f"declared in the file, to {named}, which has every value once"
    else:
        keys.dropped.append(spelled)
        keys.notes.append(
            f"{spelled.name}: declared in the file, but {spelled.parent_table}.{'+'.join(spelled.parent_columns)} has "
            f"values twice or none; not kept, and counted as broken in the key validity."
        )


def _as_spelled(relation: Relation, known: Mapping[str, TableFacts]) -> Relation | None:
    """Return the relation with names as the tables spell them: SQL folds case."""
    tables = {name.lower(): name for name in known}
    names = [
        name if name in known else tables.get(name.lower()) for name in (relation.child_table, relation.parent_table)
    ]
    if None in names:
        return None
    sides = []
    for name, columns in zip(names, (relation.child_columns, relation.parent_columns), strict=True):
        own = {column.lower(): column for column in known[str(name)].types}
        sides.append(tuple(one if one in known[str(name)].types else own.get(one.lower(), "") for one in columns))
    if "" in sides[0] + sides[1]:
        return None
    return Relation(str(names[0]), sides[0], str(names[1]), sides[1])


def take_chosen(
    chosen: Mapping[str, str | None], tables: Sequence[TableFacts], queries: TableQueries, keys: InferredKeys
) -> None:
    """Take what ``dataset.keys`` says; what it cannot mean goes to ``problems``."""
    for child, parent in chosen.items():
        ends = [_place(one, tables) for one in (child, parent) if one is not None]
        unknown = [one for one, end in zip((child, parent), ends, strict=False) if end is None]
        if unknown:
            places = [f"{table.name}.{column}" for table in tables for column in table.types]
            keys.problems.append(f"dataset.keys: no column {unknown[0]!r}.{nearest(str(unknown[0]), places)}")
            continue
        table, column = ends[0]  # type: ignore[misc]
        keys.no_keys.add((table, column))
        for relation in [one for one in keys.relations if one.child_table == table and column in one.child_columns]:
            del keys.relations[relation]
            if parent is None:
                keys.notes.append(f"{relation.name}: declared in the file, left out by dataset.keys.")
        if parent is None:
            continue
        owner, key = ends[1]  # type: ignore[misc]
        if not queries.is_unique(owner, [key]):
            keys.problems.append(
                f"dataset.keys.{child}: a foreign key refers to a column with every value once and none missing, "
                f"{parent} is none. Choose another, or null."
            )
            continue
        keys.relations[Relation(table, (column,), owner, (key,))] = "from dataset.keys"


def _place(text: str, tables: Sequence[TableFacts]) -> tuple[str, str] | None:
    """Return table and column of ``table.column``; both may hold dots."""
    for table in tables:
        column = text.removeprefix(f"{table.name}.")
        if column != text and column in table.types:
            return table.name, column
    return None

"""Keys of several columns: sets of foreign keys, a foreign key and a number under it, and who refers to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pyarrow as pa

from tabgraphsyn.data.ingest.key_facts import InferredKeys, TableFacts
from tabgraphsyn.data.ingest.table_queries import TableQueries
from tabgraphsyn.data.schema import Relation

_MAX_COMBINATIONS = 30
_MAX_ROWS_FOR_COMBINATIONS = 5_000_000


def infer_composite(table: TableFacts, queries: TableQueries, keys: InferredKeys) -> None:
    """Take a set of foreign keys that is unique as the primary key; only note other unique sets.

    A column of a primary key is made new, not modelled, so a date or a category is not put into one on a guess.
    """
    if table.rows > _MAX_ROWS_FOR_COMBINATIONS:
        return
    filled = [column for column in table.types if table.values[column].nulls == 0 and table.values[column].distinct > 1]
    foreign = [column for column in filled if _is_foreign(table.name, column, keys)]
    others = [
        column for column in filled if column not in foreign and table.types[column] not in (pa.float64(), pa.bool_())
    ]
    tried = 0
    for size in (2, 3):
        for columns in combinations([*foreign, *others[:6]], size):
            if not set(columns) & set(foreign) or tried == _MAX_COMBINATIONS:
                continue
            possible = 1
            for column in columns:
                possible *= table.values[column].distinct
            if possible < table.rows:
                continue
            tried += 1
            if queries.is_unique(table.name, columns):
                _take_or_note(table, columns, set(columns) <= set(foreign), keys)
                return


def _take_or_note(table: TableFacts, columns: tuple[str, ...], all_foreign: bool, keys: InferredKeys) -> None:
    names = ", ".join(columns)
    if all_foreign:
        keys.primary[table.name] = columns
        keys.primary_reasons[table.name] = f"no combination of the foreign keys ({names}) stands twice"
        return
    keys.notes.append(
        f"{table.name}: ({names}) is unique together, a composite key perhaps; not taken, because columns of a "
        f"primary key are made new rather than modelled. To take it, put it into the metadata."
    )


def infer_numbered(table: TableFacts, tables: Sequence[TableFacts], queries: TableQueries, keys: InferredKeys) -> None:
    """Take a foreign key and the number of a row under it as the primary key, where another table holds both.

    Visits 1, 2, 3 of a patient, and the lab values of each visit. A number that counts rows is the same when made new.
    """
    whole = [one for one, type_ in table.types.items() if type_ == pa.int64() and table.values[one].nulls == 0]
    for relation in [one for one in keys.relations if one.child_table == table.name and len(one.child_columns) == 1]:
        (family,) = relation.child_columns
        for number in whole:
            pair = (family, number)
            below = [one for one in tables if one is not table and _holds_both(one, pair, table, keys)]
            if number == family or not below or _is_foreign(table.name, number, keys):
                continue
            if not queries.is_unique(table.name, pair) or not queries.is_numbered(table.name, family, number):
                continue
            counts = {child.name: queries.inclusion(child.name, pair, table.name, pair) for child in below}
            found = [name for name, (total, matched) in counts.items() if total and matched == total]
            if found:
                keys.primary[table.name] = pair
                keys.primary_reasons[table.name] = (
                    f"{number} numbers the rows of each {family}; {found[0]} has the same columns, and all of its "
                    f"pairs stand here"
                )
                return


def _holds_both(child: TableFacts, pair: Sequence[str], parent: TableFacts, keys: InferredKeys) -> bool:
    family = pair[0]
    is_alike = all(child.types.get(one) == parent.types[one] for one in pair)
    return is_alike and child.rows > 0 and _led_to(child.name, family, keys) == _led_to(parent.name, family, keys)


def _is_foreign(table: str, column: str, keys: InferredKeys) -> bool:
    return any(relation.child_table == table and column in relation.child_columns for relation in keys.relations)


def infer_composite_foreign(tables: Sequence[TableFacts], queries: TableQueries, keys: InferredKeys) -> None:
    """Take columns of the names of a composite key as a key to it, where all of their combinations stand there."""
    for parent in tables:
        primary = keys.primary[parent.name]
        if len(primary) < 2:
            continue
        for child in tables:
            if child is parent or not set(primary) <= set(child.types) or keys.primary[child.name] == primary:
                continue
            if any(child.types[column] != parent.types[column] for column in primary):
                continue
            total, matched = queries.inclusion(child.name, primary, parent.name, primary)
            if total == 0 or matched < total:
                continue
            # The parts refer to the grandparents through the parent: one key instead of several that must agree.
            implied = [
                relation
                for relation in keys.relations
                if relation.child_table == child.name and set(relation.child_columns) <= set(primary)
            ]
            for relation in implied:
                del keys.relations[relation]
            reason = f"same names as the key of {parent.name}; all {total} combinations stand there"
            keys.relations[Relation(child.name, primary, parent.name, primary)] = reason


def note_shared_sets(tables: Sequence[TableFacts], queries: TableQueries, keys: InferredKeys) -> None:
    """Ask about columns that, together, are unique in one table and stand in another one under the same names.

    Only that is said: columns of a key are made new, so (year, month) would no longer be modelled.
    """
    for parent in tables:
        if keys.primary[parent.name] or parent.rows > _MAX_ROWS_FOR_COMBINATIONS:
            continue
        for child in tables:
            shared = [one for one in parent.types if child is not parent and _may_be_part(one, parent, child, keys)]
            own = [one for one in shared if not _is_foreign(parent.name, one, keys)]
            if not own or not 2 <= len(shared) <= 3 or not queries.is_unique(parent.name, shared):
                continue
            total, matched = queries.inclusion(child.name, shared, parent.name, shared)
            if total and matched == total and total < child.rows:
                names = ", ".join(shared)
                keys.notes.append(
                    f"{child.name}: ({names}) may together be a key to {parent.name}, where they are unique and all "
                    f"{total} combinations stand; not taken. If they are one, say so in the metadata: primary_key "
                    f"[{names}] of {parent.name}, and a relationship."
                )


def _may_be_part(column: str, parent: TableFacts, child: TableFacts, keys: InferredKeys) -> bool:
    alike = child.types.get(column) == parent.types[column] and parent.types[column] in (pa.int64(), pa.string())
    is_filled = alike and parent.values[column].nulls == 0 and parent.values[column].distinct > 1
    return is_filled and _led_to(child.name, column, keys) == _led_to(parent.name, column, keys)


def _led_to(table: str, column: str, keys: InferredKeys) -> set[tuple[str, tuple[str, ...]]]:
    """Return what a column refers to: a part that leads nowhere, or in both tables to the same place."""
    return {
        (one.parent_table, one.parent_columns)
        for one in keys.relations
        if one.child_table == table and column in one.child_columns
    }

"""Primary and foreign keys from names and values, each with the reason for the guess."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa

from tabgraphsyn.data.ingest.composite_keys import (
    infer_composite,
    infer_composite_foreign,
    infer_numbered,
    note_shared_sets,
)
from tabgraphsyn.data.ingest.key_evidence import (
    LARGEST_CHANCE,
    LEAST_COVERAGE,
    chance_of_inclusion,
    parent_columns,
    settle_open,
    take_chosen,
    take_declared,
)
from tabgraphsyn.data.ingest.key_facts import InferredKeys, OpenKey, TableFacts, are_long_codes, are_sparse_codes
from tabgraphsyn.data.ingest.table_queries import TableQueries
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import listing

_ID_WORDS = {"id", "key", "no", "nr", "num", "code", "uuid", "guid", "pk", "index"}
_GENERIC = {"id", "key", "no", "nr", "num", "code", "uuid", "guid", "pk", "index", "name", "number", "type"}
_SELF_WORDS = {"parent", "manager", "boss", "supervisor", "reply", "previous", "prev", "next", "super", "mother",
               "father", "spouse", "leader", "root", "original", "referrer", "reports"}  # fmt: skip
_ENOUGH_FOR_PRIMARY = 3
_LEAST_INCLUSION = 0.5
_ALIKE_SHARE = 0.95


def infer_keys(
    tables: Sequence[TableFacts],
    declared: Sequence[Relation],
    queries: TableQueries,
    chosen: Mapping[str, str | None] | None = None,
) -> InferredKeys:
    """Return the keys of a database that says nothing (or little) about them.

    Args:
        tables: what is known of each.
        declared: foreign keys that files declare; each is kept, or named among ``dropped`` with a note.
        queries: over the rows.
        chosen: ``dataset.keys``.
    """
    keys = InferredKeys()
    for table in tables:
        _infer_primary(table, tables, queries, keys)
    for relation in declared:
        take_declared(relation, tables, queries, keys)
    take_chosen(chosen or {}, tables, queries, keys)
    for table in tables:
        _infer_foreign(table, tables, queries, keys)
    settle_open(keys, lambda column: "".join(tokens(column)) in _GENERIC)
    for table in tables:
        if not keys.primary[table.name]:
            infer_numbered(table, tables, queries, keys)
    for table in tables:
        if not keys.primary[table.name]:
            infer_composite(table, queries, keys)
    infer_composite_foreign(tables, queries, keys)
    note_shared_sets(tables, queries, keys)
    return keys


def tokens(name: str) -> list[str]:
    """Return the words of a name in lower case.

    >>> tokens("citedPaper_id"), tokens("atom1_id")
    (['cited', 'paper', 'id'], ['atom1', 'id'])
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def singular(word: str) -> str:
    """Return a rough singular.

    >>> [singular(word) for word in ("users", "cities", "class", "paper")]
    ['user', 'city', 'class', 'paper']
    """
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _table_word(table: str) -> str:
    return singular("".join(tokens(table)))


def _infer_primary(table: TableFacts, tables: Sequence[TableFacts], queries: TableQueries, keys: InferredKeys) -> None:
    keys.primary[table.name] = ()
    if table.declared and set(table.declared) <= set(table.types):
        keys.primary[table.name] = table.declared
        keys.primary_reasons[table.name] = "declared in the file"
        return
    scored = []
    for position, column in enumerate(table.types):
        score, reasons = _primary_score(table, column, position, tables)
        if score >= _ENOUGH_FOR_PRIMARY and _may_be_unique(table, column):
            scored.append((-score, position, column, reasons))
    for _, _, column, reasons in sorted(scored):
        if queries.is_unique(table.name, [column]):
            keys.primary[table.name] = (column,)
            keys.primary_reasons[table.name] = "; ".join(["no value twice, none missing", *reasons])
            return
    keys.primary_reasons[table.name] = "no column with a key's name or place holds each value once"


def _may_be_unique(table: TableFacts, column: str) -> bool:
    values = table.values[column]
    return values.nulls == 0 and values.distinct >= 0.9 * values.rows


def _primary_score(
    table: TableFacts, column: str, position: int, tables: Sequence[TableFacts]
) -> tuple[int, list[str]]:
    type_ = table.types[column]
    if type_ not in (pa.int64(), pa.string()):
        return 0, []
    words, values = tokens(column), table.values[column]
    joined, word = "".join(words), _table_word(table.name)
    score, reasons = 0, []
    if words == ["id"] or joined in {word + end for end in ("id", "key", "no", "code", "number")}:
        score, reasons = score + 5, ["named as the id of the table"]
    elif words and words[-1] in _ID_WORDS:
        score, reasons = score + 3, [f"its name ends in {words[-1]!r}"]
    elif joined in (word, "".join(tokens(table.name))):
        score, reasons = score + 2, ["named as the table"]
    if position == 0:
        score, reasons = score + 2, [*reasons, "first column"]
    if type_ == pa.int64() and values.nulls < values.rows and values.maximum - values.minimum + 1 == values.rows:
        score, reasons = score + 1, [*reasons, "numbers without a gap"]
    if type_ == pa.string() and table.spaced.get(column, 1.0) == 0.0:
        score, reasons = score + 1, [*reasons, "codes without spaces"]
    if type_ == pa.int64() and are_long_codes(values):
        score, reasons = score + 1, [*reasons, "long numbers of as many digits each"]
    others = [other.name for other in tables if other is not table and column in other.types]
    if others and joined not in _GENERIC and type_ != pa.float64():
        score, reasons = score + 2, [*reasons, f"{others[0]} has a column of the same name"]
    return score, reasons


def _infer_foreign(table: TableFacts, tables: Sequence[TableFacts], queries: TableQueries, keys: InferredKeys) -> None:
    taken = {column for relation in keys.relations if relation.child_table == table.name
             for column in relation.child_columns}  # fmt: skip
    for column, type_ in table.types.items():
        is_settled = column in taken or (table.name, column) in keys.no_keys
        if is_settled or type_ not in (pa.int64(), pa.string()) or table.values[column].distinct == 0:
            continue
        candidates = []
        for parent in tables:
            candidates += [
                found
                for key in parent_columns(parent, keys)
                if (found := _foreign_candidate(table, column, parent, key, queries, keys)) is not None
            ]
        if not candidates:
            continue
        score, share, _, relation, reason = max(candidates, key=lambda found: found[:3])
        keys.unnamed |= {relation} if score == 0 else set()
        if share < _LEAST_INCLUSION:
            keys.notes.append(
                f"{table.name}.{column}: named like a key to {relation.parent_table}, but only {share:.0%} of its "
                f"values stand there; not taken as a foreign key.{_spelled_otherwise(relation, type_, queries)}"
            )
            continue
        others = sorted({f"{found[3].parent_table}.{found[3].parent_columns[0]}" for found in candidates
                         if found[:2] == (score, share) and found[3] != relation})  # fmt: skip
        if others:
            keys.notes.append(
                f"{table.name}.{column}: could be a key to {relation.parent_table}.{relation.parent_columns[0]} "
                f"(taken) or to {listing(others)}; dataset.keys={{{table.name}.{column}: {others[0]}}} says otherwise."
            )
        keys.relations[relation] = reason


def _spelled_otherwise(relation: Relation, type_: pa.DataType, queries: TableQueries) -> str:
    """Return that values would match but for case and spaces, and what to do, or nothing."""
    if type_ != pa.string():
        return ""
    ends = relation.child_table, relation.child_columns, relation.parent_table, relation.parent_columns
    total, matched = queries.inclusion(*ends, is_loose=True)
    if matched < _ALIKE_SHARE * total:
        return ""
    return f" But for case and spaces around them {matched / total:.0%} do: write both columns alike to keep the key."


def _foreign_candidate(
    table: TableFacts, column: str, parent: TableFacts, key: str, queries: TableQueries, keys: InferredKeys
) -> tuple[int, float, int, Relation, str] | None:
    if parent.types[key] != table.types[column] or (parent is table and column == key):
        return None
    values, bounds = table.values[column], parent.values[key]
    is_primary = keys.primary[parent.name] == (key,)
    if not is_primary and (parent is table or keys.primary[table.name] == (column,)):
        return None
    score, evidence = _name_evidence(table, column, parent, key, keys) if is_primary else (0, [])
    is_text = table.types[column] == pa.string() and table.spaced.get(column, 1.0) < 0.5
    is_number = is_primary and table.types[column] == pa.int64()
    is_own = keys.primary[table.name] == (column,)
    is_id = is_number and not is_own and (tokens(column) or [""])[-1] in _ID_WORDS
    is_code = is_text or is_id or are_long_codes(bounds) or (is_number and are_sparse_codes(bounds))
    is_code = is_code and values.distinct >= 3
    if score == 0 and not is_code:
        return None
    if score == 0 and (values.minimum < bounds.minimum or values.maximum > bounds.maximum):
        return None
    total, matched = queries.inclusion(table.name, [column], parent.name, [key])
    share = matched / max(total, 1)
    if (score == 0 and share < 1.0) or (score == 1 and share < 1.0):
        return None
    relation = Relation(table.name, (column,), parent.name, (key,))
    reason = (
        f"{matched} of its {total} distinct values stand in {parent.name}.{key}, "
        f"{matched / max(bounds.distinct, 1):.0%} of those there, {table.rows / max(total, 1):.1f} rows each"
    )
    if score == 0:
        some = queries.some_values(parent.name, key) if table.types[column] == pa.string() else None
        chance = chance_of_inclusion(some, bounds, total)
        if chance > LARGEST_CHANCE or (not is_primary and matched < LEAST_COVERAGE * bounds.distinct):
            may_ask = is_primary and not (parent is table and is_number)
            if may_ask and Relation(parent.name, (key,), table.name, (column,)) not in keys.relations:
                keys.open.append(OpenKey(relation, chance, total, reason))
            return None
        evidence = [f"its values are of the same kind; all would stand there by chance once in {1 / chance:.0e} times"]
    return score, share, -parent.rows, relation, "; ".join([*evidence, reason])


def _name_evidence(
    table: TableFacts, column: str, parent: TableFacts, key: str, keys: InferredKeys
) -> tuple[int, list[str]]:
    """Return how strongly a column's name speaks for a key to ``parent`` (0 to 3), in words."""
    words, key_words, word = tokens(column), tokens(key), _table_word(parent.name)
    joined = "".join(words)
    own_key = keys.primary[table.name] == (column,)
    if own_key and (joined in _GENERIC or parent.rows < table.rows):
        return 0, []
    if own_key and joined != "".join(key_words):
        return 0, []
    if own_key and not (word in joined or parent.rows > table.rows):
        return 0, []
    if parent is table:
        is_self = bool(words) and (words[0] in _SELF_WORDS or (words[:-1][-1:] == [word] and len(words) > 2))
        return (2, ["named as a key of the table to itself"]) if is_self else (0, [])
    if words == key_words:
        return (2 if joined in _GENERIC else 3), [f"same name as {parent.name}.{key}"]
    if len(key_words) > 1 and words[-len(key_words) :] == key_words:
        return 3, [f"its name ends in {key!r}"]
    stems = [re.sub(r"\d+$", "", part) for part in words]
    if word in stems and stems[-1] in _ID_WORDS | {""}:
        return 3, [f"named after {parent.name}"]
    if joined == word + "id" or (joined.endswith("id") and singular(joined[:-2]) == word):
        return 3, [f"named after {parent.name}"]
    if joined == word or (stems and stems[-1] == word):
        return 1, [f"named as {parent.name}"]
    return 0, []

"""Rules that a data set's yaml or its SDV metadata declares, read strictly and held against the real rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tabgraphsyn.data.rules.family_kinds import ParentTotal
from tabgraphsyn.data.rules.row_kinds import Bounds, Multiple, Order
from tabgraphsyn.data.rules.rule import Rule, Support
from tabgraphsyn.data.rules.store import rule_from_dict
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import Combination, OneOf, Unique
from tabgraphsyn.data.schema import THEN, Schema
from tabgraphsyn.errors import DataError, listing, nearest, raise_collected

_NAMES = ("constraint_class", "constraint_name", "class", "type")
_PARAMETERS = ("constraint_parameters", "parameters")


def declared_rules(raw: Sequence[Any] | None, schema: Schema, where: str = "dataset.rules") -> list[Rule]:
    """Return the rules of a data set's yaml; ``relation`` and ``through`` may name a key column or a table.

    Raises:
        DataError: what is no rule, or speaks of tables, columns or keys that are not there; all of it at once.
    """
    rules, problems = [], []
    for number, one in enumerate(raw or (), 1):
        try:
            rule = rule_from_dict(_resolved(one, schema, f"{where} {number}"), f"{where} {number}")
            problems += _unknown_columns(rule, schema, f"{where} {number}")
            rules.append(rule.supported(Support(source="declared")))
        except DataError as error:
            problems.append(str(error))
    raise_collected(DataError, problems)
    return rules


def metadata_rules(path: Path | None, schema: Schema) -> tuple[list[Rule], list[str]]:
    """Return the rules that SDV metadata lists under ``constraints``, and what of them is not read, in words.

    Raises:
        DataError: a constraint about columns that are not there, or without what its kind needs.
    """
    raw = json.loads(path.read_bytes().decode("utf-8-sig")) if path is not None and path.is_file() else {}
    rules: list[Rule] = []
    notes, problems = [], []
    for number, (table, one) in enumerate(_constraints(raw, schema), 1):
        where = f"{path.name if path else ''}: constraint {number}"
        try:
            kind, parameters = _parts(one, where)
            if kind not in _READERS:
                notes.append(
                    f"{where} ({kind}): of no kind that is read; declare it under dataset.rules. "
                    f"Read are {listing(sorted(_READERS), 20)}."
                )
                continue
            table = parameters.pop("table_name", table)
            if table not in schema.table_names:
                raise DataError(f"{where}: no table {table!r}.{nearest(str(table), schema.table_names)}")
            rule = _READERS[kind](str(table), parameters)
            problems += _unknown_columns(rule, schema, where)
            rules.append(rule.supported(Support(source="metadata")))
        except (KeyError, ValueError, TypeError) as error:
            lacking = f"it needs {error}" if isinstance(error, KeyError) else str(error)
            problems.append(f"{where}: {lacking}. Correct it, or export the metadata again.")
        except DataError as error:
            problems.append(str(error))
    raise_collected(DataError, problems)
    return rules, notes


def held_against(rules: Sequence[Rule], tables: RuleTables) -> tuple[list[Rule], list[str]]:
    """Return the rules with their support in ``tables``, and which of them real rows break, with counts."""
    measured, notes = [], []
    for rule in rules:
        rows, broken = rule.check(tables, tables).counts
        measured.append(rule.supported(replace(rule.support, rows=rows, broken=broken)))
        if broken:
            notes.append(
                f"rule {rule.table}: {rule.statement()}: {broken:,} of {rows:,} real rows break it. It is shown and "
                f"does not count; correct the rule or the rows."
            )
    return measured, notes


def _resolved(raw: Any, schema: Schema, where: str) -> Any:
    """Return a rule with the short names of its keys spelled out and dates as seconds."""
    if not isinstance(raw, Mapping):
        return raw
    table = raw.get("table")
    if table not in schema.table_names:
        raise DataError(f"{where}.table: no table {table!r}.{nearest(str(table), schema.table_names)}")
    spelled = {key: _through(value, str(table), schema, where) for key, value in raw.items()}
    if isinstance(raw.get("relation"), str):
        upward = raw.get("kind") == "parent_total"
        spelled["relation"] = _relation(raw["relation"], str(table), schema, where, upward=upward)
    if raw.get("kind") == "bounds":
        spelled |= {key: _seconds(raw[key]) for key in ("low", "high") if key in raw}
    return spelled


def _through(value: Any, table: str, schema: Schema, where: str) -> Any:
    if isinstance(value, Mapping):
        changed = {key: _through(item, table, schema, where) for key, item in value.items()}
        if isinstance(value.get("through"), str | list | tuple):
            keys = value["through"].split(THEN) if isinstance(value["through"], str) else value["through"]
            changed["through"] = _way(list(map(str, keys)), table, schema, where)
        return changed
    return [_through(item, table, schema, where) for item in value] if isinstance(value, list | tuple) else value


def _way(keys: Sequence[str], table: str, schema: Schema, where: str) -> str:
    """Return the names of the relations that keys, or tables, mean one after another."""
    names = []
    for key in keys:
        names.append(_relation(key, table, schema, where, upward=False))
        table = schema.relation(names[-1]).parent_table
    return THEN.join(names)


def _relation(name: str, table: str, schema: Schema, where: str, *, upward: bool) -> str:
    """Return the name of the relation that a name, a key column or the table at its other end means."""
    near = schema.relations_of_parent(table) if upward else schema.relations_of_child(table)
    other = "child_table" if upward else "parent_table"
    for matches in (
        [one for one in near if one.name == name],
        [one for one in near if name in one.child_columns],
        [one for one in near if getattr(one, other) == name],
    ):
        if len(matches) == 1:
            return matches[0].name
        if matches:
            raise DataError(f"{where}: {name!r} may be {listing([one.name for one in matches])}. Name one of them.")
    names = [one.name for one in near]
    raise DataError(f"{where}: no key {name!r} of {table}; there are {listing(names) or 'none'}.{nearest(name, names)}")


def _unknown_columns(rule: Rule, schema: Schema, where: str) -> list[str]:
    relations = {one.name: one for one in schema.relations}
    problems = []
    pairs = [
        (rule.table if one.through is None else schema.way(one.through)[-1].parent_table, one.column)
        for one in rule.operands
    ]
    if isinstance(rule, ParentTotal) and rule.relation in relations:
        pairs += [(relations[rule.relation].child_table, one) for one in rule.read_of_rows]
    for table, column in pairs:
        if column not in schema.table(table).by_name:
            problems.append(f"{where}: {table} has no column {column!r}.{nearest(column, schema.table(table).by_name)}")
    return problems


def _constraints(raw: Any, schema: Schema) -> list[tuple[str | None, Any]]:
    """Return the constraints of a whole metadata file and of its tables, each with its table where that is known."""
    only = schema.table_names[0] if len(schema.tables) == 1 else None
    found: list[tuple[str | None, Any]] = []
    if isinstance(raw, Mapping):
        found += [(only, one) for one in raw.get("constraints") or ()]
        for table, spec in (raw.get("tables") or {}).items():
            found += [(table, one) for one in (spec.get("constraints") if isinstance(spec, Mapping) else None) or ()]
    return found


def _parts(one: Any, where: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(one, Mapping):
        raise DataError(f"{where}: an object is expected, found {one!r}.")
    kind = next((one[name] for name in _NAMES if isinstance(one.get(name), str)), None)
    if kind is None:
        raise DataError(f"{where}: it names no class; {_NAMES[0]!r} is expected, found {listing(list(one))}.")
    inner: Mapping[str, Any] = next((one[name] for name in _PARAMETERS if isinstance(one.get(name), Mapping)), {})
    rest = {key: value for key, value in one.items() if key not in (*_NAMES, *_PARAMETERS)}
    return kind.rsplit(".", 1)[-1], {**rest, **inner}


def _rule(kind: type[Rule], table: str, **values: Any) -> Rule:
    given = {key: value for key, value in values.items() if value is not None}
    return kind.from_dict({"table": table, **given}, kind.kind)


def _inequality(table: str, given: dict[str, Any]) -> Rule:
    columns = [given["low_column_name"], given["high_column_name"]]
    return _rule(Order, table, columns=columns, strict=given.get("strict_boundaries", False))


def _range(table: str, given: dict[str, Any]) -> Rule:
    columns = [given["low_column_name"], given["middle_column_name"], given["high_column_name"]]
    return _rule(Order, table, columns=columns, strict=given.get("strict_boundaries", True))


def _scalar_inequality(table: str, given: dict[str, Any]) -> Rule:
    relation, value = given["relation"], _seconds(given["value"])
    if relation not in (">", ">=", "<", "<="):
        raise ValueError(f"relation: one of >, >=, <, <= expected, found {relation!r}")
    side = "low" if relation.startswith(">") else "high"
    return _rule(Bounds, table, column=given["column_name"], strict=len(relation) == 1, **{side: value})


def _scalar_range(table: str, given: dict[str, Any]) -> Rule:
    low, high = _seconds(given["low_value"]), _seconds(given["high_value"])
    return _rule(
        Bounds, table, column=given["column_name"], low=low, high=high, strict=given.get("strict_boundaries", True)
    )


def _seconds(value: Any) -> Any:
    """Return a date or time as seconds since 1970, anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _sided(side: str) -> Callable[[str, dict[str, Any]], Rule]:
    def read(table: str, given: dict[str, Any]) -> Rule:
        strict = given.get("strict_boundaries", False)
        return _rule(Bounds, table, column=given["column_name"], strict=strict, **{side: 0.0})

    return read


_READERS: Mapping[str, Callable[[str, dict[str, Any]], Rule]] = {
    "Inequality": _inequality,
    "Range": _range,
    "ScalarInequality": _scalar_inequality,
    "ScalarRange": _scalar_range,
    "Positive": _sided("low"),
    "Negative": _sided("high"),
    "FixedIncrements": lambda table, given: _rule(
        Multiple, table, column=given["column_name"], step=given["increment_value"]
    ),
    "FixedCombinations": lambda table, given: _rule(Combination, table, columns=given["column_names"]),
    "FixedNullCombinations": lambda table, given: _rule(Combination, table, columns=given["column_names"], filled=True),
    "OneHotEncoding": lambda table, given: _rule(OneOf, table, columns=given["column_names"]),
    "Unique": lambda table, given: _rule(Unique, table, columns=given["column_names"]),
}

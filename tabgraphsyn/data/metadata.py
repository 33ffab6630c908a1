"""SDV metadata, the format that users of SDV have: v1 and v2 (SDV 2) read, multi-table v1 written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabgraphsyn.data.codec.pattern import Pattern
from tabgraphsyn.data.files import is_unicode
from tabgraphsyn.data.reading.names import column_name_problem, table_name_problem
from tabgraphsyn.data.schema import SEMANTIC_TYPES, Column, Relation, Representation, Schema, TableSchema
from tabgraphsyn.errors import DataError, listing, nearest, raise_collected

MULTI_TABLE = "MULTI_TABLE_V1"
_VERSIONS = (MULTI_TABLE, "SINGLE_TABLE_V1", "V1", "V2", "SINGLE_TABLE_V2")

# Semantic types of SDV that name a person, a place or a thing: text that is never reproduced.
PII_TYPES = (
    "address", "administrative_unit", "bban", "building_number", "city", "company", "company_email", "country",
    "country_code", "credit_card_number", "date_of_birth", "domain_name", "email", "first_name", "free_email", "iban",
    "ipv4_address", "ipv6_address", "job", "last_name", "latitude", "license_plate", "locale", "longitude",
    "mac_address", "name", "phone_number", "postcode", "safe_email", "secondary_address", "ssn", "state",
    "state_abbr", "street_address", "street_name", "swift11", "swift8", "url", "user_agent_string", "user_name", "vin",
    "zipcode",
)  # fmt: skip
# V2 of SDV: categories in an order. That of values is found, and ranges and lists of values are those of the data.
_ORDINAL = "ordinal"
_SDTYPES = (*SEMANTIC_TYPES, _ORDINAL, "unknown", *PII_TYPES)
_REPRESENTATIONS: dict[str, Representation] = {
    **dict.fromkeys(("Int64", "Int32", "Int16", "Int8", "UInt64", "UInt32", "UInt16", "UInt8"), "Int64"),
    "Float": "Float",
    "Float64": "Float",
    "Float32": "Float",
}


def read_metadata(path: Path, table: str | None = None, *, max_mb: float = 16.0) -> Schema:
    """Return the schema that a metadata file describes.

    Args:
        path: an SDV json file.
        table: the name of the only table, which single-table metadata does not say.
        max_mb: a larger file is refused: json takes many times its size when it is read.

    Raises:
        DataError: no such file, no json, or anything in it that is not SDV's.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such metadata file. Correct dataset.metadata, or set it to null to infer one.")
    size = path.stat().st_size
    if size > max_mb * 1e6:
        raise DataError(
            f"{path.name}: metadata of {size / 1e6:.0f} MB, the limit is {max_mb:g} MB. Keep what describes tables and "
            f"columns, or raise dataset.max_metadata_mb."
        )
    return parse_metadata(path.read_bytes(), path.name, table)


def parse_metadata(raw: bytes, location: str, table: str | None = None) -> Schema:
    """Return the schema that the bytes of a metadata file describe; see ``read_metadata``."""
    try:
        value = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # ValueError covers json, UTF-8 and numbers of endless digits
        raise DataError(f"{location}: no valid json ({error}). Export it again with SDV's save_to_json.") from error
    return _Parser(location).schema(value, table)


class _Parser:
    """Reads SDV's json and collects everything that is wrong with it."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.problems: list[str] = []

    def schema(self, value: Any, table: str | None) -> Schema:
        if not isinstance(value, dict):
            raise DataError(f"{self.location}: a json object is expected, found {type(value).__name__}.")
        version = value.get("METADATA_SPEC_VERSION", MULTI_TABLE)
        if version not in _VERSIONS:
            self.wrong(f"METADATA_SPEC_VERSION: one of {listing(_VERSIONS)} expected, found {version!r}.")
        if "columns" in value and "tables" not in value:
            value = {"tables": {table or "table": value}, "relationships": []}
        tables = self.tables(value.get("tables"))
        relations = self.relations(value.get("relationships", []), tables)
        raise_collected(DataError, self.problems)
        return Schema(tuple(tables.values()), tuple(relations))

    def wrong(self, text: str) -> None:
        self.problems.append(f"{self.location}: {text}")

    def tables(self, value: Any) -> dict[str, TableSchema]:
        if not isinstance(value, dict) or not value:
            self.wrong("'tables' is an object with a table at least. Old formats of SDV can be upgraded by SDV itself.")
            return {}
        tables = {}
        for name, raw in value.items():
            problem = table_name_problem(name, self.location)
            if problem:
                self.problems.append(problem)
            elif not isinstance(raw, dict) or not isinstance(raw.get("columns"), dict) or not raw["columns"]:
                self.wrong(f"{name}: a table has an object 'columns' with a column at least.")
            else:
                tables[name] = self.table(name, raw)
        return tables

    def table(self, name: str, raw: Mapping[str, Any]) -> TableSchema:
        columns = raw["columns"]
        key = self.names(raw.get("primary_key"), f"{name}.primary_key", optional=True)
        for column in key:
            if column not in columns:
                self.wrong(f"{name}.primary_key: no column {column!r}.{nearest(column, columns)}")
        parsed = (self.column(name, column, spec, column in key) for column, spec in columns.items())
        known = tuple(column for column in parsed if column is not None)
        reference = raw.get("reference")  # ours, beside SDV's keys, which SDV leaves alone
        if reference is not None and not isinstance(reference, bool):
            self.wrong(f"{name}.reference: true (its real rows may be published) or false, found {reference!r}.")
        others = self.alternate_keys(name, raw.get("alternate_keys"), columns, key)
        return TableSchema(name, known, key, others, reference)

    def alternate_keys(
        self, table: str, value: Any, columns: Mapping[str, Any], primary: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Return SDV's list of further columns that hold each value once."""
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.wrong(f"{table}.alternate_keys: a list of column names, each a key of its own; found {value!r}.")
            return ()
        for one in value:
            if one not in columns:
                self.wrong(f"{table}.alternate_keys: no column {one!r}.{nearest(one, columns)}")
        return tuple(one for one in dict.fromkeys(value) if one in columns and (one,) != primary)

    def column(self, table: str, name: str, spec: Any, is_key: bool) -> Column | None:
        where = f"{table}.{name}"
        problem = column_name_problem(name, self.location)
        if problem:
            self.problems.append(problem)
            return None
        sdtype = spec.get("sdtype") if isinstance(spec, dict) else None
        if not isinstance(sdtype, str) or sdtype not in _SDTYPES:
            self.wrong(
                f"{where}: sdtype is one of {', '.join(SEMANTIC_TYPES)} or a personal one such as email; "
                f"found {sdtype!r}.{nearest(str(sdtype), _SDTYPES)}"
            )
            return None
        own, pii = _own_type(sdtype, spec.get("pii"), is_key)
        return Column(
            name=name,
            sdtype=own,  # type: ignore[arg-type]
            computer_representation=self.representation(where, own, spec),
            datetime_format=self.text(where, "datetime_format", spec) if own == "datetime" else None,
            regex_format=self.regex(where, spec) if own == "id" else None,
            pii=pii,
        )

    def representation(self, where: str, sdtype: str, spec: Mapping[str, Any]) -> Representation | None:
        value = self.text(where, "computer_representation", spec)
        if value is None or sdtype != "numerical":
            return None
        if value not in _REPRESENTATIONS:
            self.wrong(f"{where}: computer_representation is Int64 or Float, found {value!r}.")
        return _REPRESENTATIONS.get(value)

    def text(self, where: str, key: str, spec: Mapping[str, Any]) -> str | None:
        value = spec.get(key)
        if value is not None and not (isinstance(value, str) and value and is_unicode(value)):
            self.wrong(f"{where}: {key} is text, found {value!r}.")
            return None
        return value

    def regex(self, where: str, spec: Mapping[str, Any]) -> str | None:
        """Return the pattern of ids, tried out: the stage that makes them must not be the first to read it."""
        value = self.text(where, "regex_format", spec)
        try:
            if value is not None:
                Pattern.from_regex(value)
        except DataError as error:
            self.wrong(f"{where}: {error}")
            return None
        return value

    def names(self, value: Any, where: str, *, optional: bool = False) -> tuple[str, ...]:
        """Return one name or a list of names (a composite key) as a tuple."""
        if value is None and optional:
            return ()
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not found or not all(isinstance(item, str) for item in found):
            self.wrong(f"{where}: a column name, or a list of them for a composite key; found {value!r}.")
            return ()
        if len(set(found)) != len(found):
            self.wrong(f"{where}: a column stands twice in {listing(found)}.")
        return tuple(found)

    def relations(self, value: Any, tables: Mapping[str, TableSchema]) -> list[Relation]:
        if not isinstance(value, list):
            self.wrong(f"'relationships' is a list, found {type(value).__name__}.")
            return []
        relations: dict[Relation, None] = {}
        for number, raw in enumerate(value, 1):
            relation = self.relation(raw, f"relationship {number}", tables)
            if relation in relations:
                self.wrong(f"relationship {number}: {relation.name} stands there twice.")  # type: ignore[union-attr]
            if relation is not None:
                relations[relation] = None
        return list(relations)

    def relation(self, raw: Any, where: str, tables: Mapping[str, TableSchema]) -> Relation | None:
        if not isinstance(raw, dict):
            self.wrong(f"{where}: an object is expected, found {type(raw).__name__}.")
            return None
        before = len(self.problems)
        ends = []
        for table_key, columns_key in (
            ("child_table_name", "child_foreign_key"),
            ("parent_table_name", "parent_primary_key"),
        ):
            table = raw.get(table_key)
            columns = self.names(raw.get(columns_key), f"{where}.{columns_key}")
            if not isinstance(table, str) or table not in tables:
                self.wrong(f"{where}.{table_key}: no table {table!r}.{nearest(str(table), tables)}")
                continue
            self.known(table, columns, tables[table], f"{where}.{columns_key}")
            ends.append((table, columns))
        if len(self.problems) > before:
            return None
        (child, child_columns), (parent, parent_columns) = ends
        self.fits(where, child_columns, parent_columns, tables[parent])
        return Relation(child, child_columns, parent, parent_columns) if len(self.problems) == before else None

    def known(self, table: str, columns: tuple[str, ...], schema: TableSchema, where: str) -> None:
        for column in columns:
            if column not in schema.by_name:
                self.wrong(f"{where}: {table} has no column {column!r}.{nearest(column, schema.by_name)}")

    def fits(self, where: str, child: tuple[str, ...], parent: tuple[str, ...], schema: TableSchema) -> None:
        if len(child) != len(parent):
            self.wrong(f"{where}: a key has as many columns in the child as in the parent, found {child} and {parent}.")


# Those that are numbers, times or coarse categories: modelled, because a placeholder for them would be no value at all.
_MODELLED = {
    "latitude": "numerical", "longitude": "numerical", "date_of_birth": "datetime", "country_code": "categorical",
    "city": "categorical",
    "country": "categorical", "administrative_unit": "categorical", "state": "categorical", "locale": "categorical",
    "state_abbr": "categorical", _ORDINAL: "categorical",
}  # fmt: skip


def _own_type(sdtype: str, pii: Any, is_key: bool) -> tuple[str, bool]:
    if sdtype in SEMANTIC_TYPES:
        return sdtype, pii is True
    if sdtype in _MODELLED and not is_key:
        return _MODELLED[sdtype], False
    if is_key:
        return "id", True
    if pii is False:  # SDV's way to say: values may be reproduced
        return ("text" if sdtype == "unknown" else "categorical"), False
    return "text", True


def metadata_dict(schema: Schema) -> dict[str, Any]:
    """Return ``schema`` as SDV multi-table v1."""
    tables: dict[str, Any] = {}
    for table in schema.tables:
        entry: dict[str, Any] = {}
        if table.primary_key:
            entry["primary_key"] = one_or_list(table.primary_key)
        if table.alternate_keys:
            entry["alternate_keys"] = list(table.alternate_keys)
        if table.reference is not None:
            entry["reference"] = table.reference
        entry["columns"] = {column.name: _column_dict(column) for column in table.columns}
        tables[table.name] = entry
    return {"tables": tables, "relationships": relationships(schema), "METADATA_SPEC_VERSION": MULTI_TABLE}


def relationships(schema: Schema) -> list[dict[str, Any]]:
    """Return the relations of a schema as SDV writes them."""
    return [
        {
            "parent_table_name": relation.parent_table,
            "child_table_name": relation.child_table,
            "parent_primary_key": one_or_list(relation.parent_columns),
            "child_foreign_key": one_or_list(relation.child_columns),
        }
        for relation in schema.relations
    ]


def one_or_list(columns: tuple[str, ...]) -> str | list[str]:
    """Return the columns of a key as SDV writes them: one by its name alone."""
    return columns[0] if len(columns) == 1 else list(columns)


def _column_dict(column: Column) -> dict[str, Any]:
    if column.sdtype == "text":  # SDV has no free text; 'unknown' is how it names what it does not model
        return {"sdtype": "unknown", "pii": column.pii}
    entry: dict[str, Any] = {"sdtype": column.sdtype}
    if column.sdtype == "numerical" and column.computer_representation:
        entry["computer_representation"] = column.computer_representation
    if column.sdtype == "datetime" and column.datetime_format:
        entry["datetime_format"] = column.datetime_format
    if column.sdtype == "id" and column.regex_format:
        entry["regex_format"] = column.regex_format
    if column.pii:
        entry["pii"] = True
    return entry

"""SDV metadata: read, written, and every kind of mistake in it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.metadata import metadata_dict, parse_metadata
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import DataError

SHOP: dict = {
    "tables": {
        "customers": {
            "primary_key": "id",
            "columns": {
                "id": {"sdtype": "id", "regex_format": "C[0-9]{4}"},
                "mail": {"sdtype": "email", "pii": True},
                "born": {"sdtype": "datetime", "datetime_format": "%d/%m/%Y"},
                "vip": {"sdtype": "boolean"},
                "city": {"sdtype": "city", "pii": False},
                "notes": {"sdtype": "unknown", "pii": False},
            },
        },
        "orders": {
            "primary_key": ["customer_id", "number"],
            "columns": {
                "customer_id": {"sdtype": "id"},
                "number": {"sdtype": "id"},
                "total": {"sdtype": "numerical", "computer_representation": "Float"},
                "count": {"sdtype": "numerical", "computer_representation": "Int32"},
            },
        },
        "lines": {"columns": {"customer_id": {"sdtype": "id"}, "order": {"sdtype": "id"}}},
    },
    "relationships": [
        {
            "parent_table_name": "customers", "child_table_name": "orders",
            "parent_primary_key": "id", "child_foreign_key": "customer_id",
        },
        {
            "parent_table_name": "orders", "child_table_name": "lines",
            "parent_primary_key": ["customer_id", "number"], "child_foreign_key": ["customer_id", "order"],
        },
    ],
    "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
}  # fmt: skip


def parse(value: object, table: str | None = None):
    return parse_metadata(json.dumps(value).encode(), "metadata.json", table)


def test_types_keys_and_relations() -> None:
    schema = parse(SHOP)
    columns = schema.table("customers").by_name
    assert {name: (column.sdtype, column.pii) for name, column in columns.items()} == {
        "id": ("id", False), "mail": ("text", True), "born": ("datetime", False), "vip": ("boolean", False),
        "city": ("categorical", False), "notes": ("text", False),
    }  # fmt: skip
    assert schema.table("orders").primary_key == ("customer_id", "number")
    assert schema.table("orders").column("count").computer_representation == "Int64"
    assert schema.relations[1] == Relation("lines", ("customer_id", "order"), "orders", ("customer_id", "number"))


def test_what_is_written_reads_back_the_same() -> None:
    schema = parse(SHOP)
    written = metadata_dict(schema)
    assert written["METADATA_SPEC_VERSION"] == "MULTI_TABLE_V1"
    assert written["tables"]["customers"]["primary_key"] == "id"
    assert parse(written) == schema


def test_single_table_metadata_takes_the_name_of_the_table() -> None:
    single = {**SHOP["tables"]["customers"], "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1"}
    assert parse(single, "people").table_names == ("people",)


def _changed(path: tuple, value: object) -> dict:
    raw = copy.deepcopy(SHOP)
    place = raw
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("METADATA_SPEC_VERSION",), "MULTI_TABLE_V9", "found 'MULTI_TABLE_V9'"),
        (("tables",), {}, "an object with a table at least"),
        (("tables", "customers", "columns", "vip", "sdtype"), "bolean", "Did you mean 'boolean'"),
        (("tables", "customers", "primary_key"), "idd", "no column 'idd'. Did you mean 'id'"),
        (("tables", "orders", "primary_key"), ["number", "number"], "stands twice"),
        (("tables", "orders", "columns", "total", "computer_representation"), "Double", "is Int64 or Float"),
        (("tables", "customers", "columns", "born", "datetime_format"), 3, "datetime_format is text"),
        (("tables", "../x"), {"columns": {"a": {"sdtype": "id"}}}, "a table name becomes a file name"),
        (("relationships", 0, "child_table_name"), "order", "Did you mean 'orders'"),
        (("relationships", 0, "child_foreign_key"), "customer", "Did you mean 'customer_id'"),
        (("relationships", 1, "child_foreign_key"), "order", "as many columns in the child as in the parent"),
        (("relationships", 0), 7, "an object is expected"),
    ],
)
def test_each_mistake_gives_one_clear_message(path: tuple, value: object, words: str) -> None:
    with pytest.raises(DataError) as caught:
        parse(_changed(path, value))
    assert words in str(caught.value)
    assert "metadata.json" in str(caught.value)


def test_all_mistakes_come_at_once() -> None:
    raw = _changed(("tables", "customers", "columns", "vip", "sdtype"), "bolean")
    raw["relationships"][0]["child_table_name"] = "order"
    with pytest.raises(DataError, match="2 problems"):
        parse(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["id", "tables", "columns", "sdtype", "primary_key", "relationships", "numerical", "unknown"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["tables", "columns", "sdtype", "primary_key", "relationships", "t", "a", "parent_table_name",
                         "child_table_name", "parent_primary_key", "child_foreign_key"]) | st.text(max_size=4),
        inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=120) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_a_schema_or_a_data_error(raw: bytes) -> None:
    try:
        schema = parse_metadata(raw, "metadata.json", "t")
    except DataError:
        return
    assert schema.tables


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=_JSON)
def test_any_change_to_good_metadata_gives_a_schema_or_a_data_error(data: st.DataObject, value: object) -> None:
    raw = copy.deepcopy(SHOP)
    place: object = raw
    for _ in range(data.draw(st.integers(0, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()):
            place[key] = value  # type: ignore[index]
            break
        place = place[key]  # type: ignore[index]
    try:
        schema = parse(raw)
    except DataError:
        return
    assert parse(metadata_dict(schema)) == schema


def test_nested_beyond_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no valid json"):
        parse_metadata(b"[" * 100_000, "metadata.json")


def test_metadata_of_sdv_2() -> None:
    """What ``Metadata.detect_from_dataframes(...).to_dict()`` of SDV 2.0.0 is made of."""
    columns = {
        "id": {"sdtype": "id", "range_is_nullable": False},
        "size": {"sdtype": "ordinal", "range_values": ["s", "m", "l"], "high_cardinality": False},
        "paid": {"sdtype": "numerical", "range_min": 0.0, "range_max": 9.5, "decimal_places": 1},
        "state": {"sdtype": "state_abbr", "pii": True},
        "day": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d", "range_min": "2024-01-01"},
    }
    table = {"columns": columns, "primary_key": "id"}
    found = parse({"METADATA_SPEC_VERSION": "V2", "tables": {"t": table}, "relationships": []})
    kinds = [column.sdtype for column in found.tables[0].columns]
    assert kinds == ["id", "categorical", "numerical", "categorical", "datetime"]
    assert parse({**table, "METADATA_SPEC_VERSION": "SINGLE_TABLE_V2"}, "t") == found
    assert "range_values" not in json.dumps(metadata_dict(found))

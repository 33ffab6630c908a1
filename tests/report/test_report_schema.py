"""The schema picture and what is counted along keys."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.report.relations import cardinality, relation_views
from tabgraphsyn.evaluation.report.schema_layout import place
from tabgraphsyn.evaluation.report.schema_picture import schema_picture
from tabgraphsyn.evaluation.report.sources import ReportSources

NODES = [f"t{i}" for i in range(7)]
EDGES = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=15)


@given(edges=EDGES)
def test_boxes_never_overlap_whatever_the_keys(edges: list[tuple[str, str]]) -> None:
    heights = {name: 40.0 + 10 * index for index, name in enumerate(NODES)}
    found = place(heights, edges, 20)
    for name in NODES:
        assert 0 <= found.top[name] <= found.height - heights[name] + 1e-9
        for other in NODES:
            if name < other and found.layer[name] == found.layer[other]:
                first, second = sorted((name, other), key=lambda each: found.top[each])
                assert found.top[first] + heights[first] + 20 <= found.top[second] + 1e-9
    for (parent, child), way in found.chains.items():
        assert found.layer[child] - found.layer[parent] == len(way) + 1


def test_parents_stand_left_and_long_keys_pass_through() -> None:
    found = place({"a": 10, "b": 10, "c": 10}, [("a", "b"), ("b", "c"), ("a", "c")], 5)
    assert [found.layer[name] for name in "abc"] == [0, 1, 2]
    assert len(found.chains[("a", "c")]) == 1


def database(child: dict[str, list[object]]) -> tuple[Database, Relation]:
    schema = Schema(
        (
            TableSchema("p", (Column("k", "id"), Column("l", "id")), ("k", "l")),
            TableSchema("c", (Column("k", "id"), Column("l", "id"))),
        ),
        (Relation("c", ("k", "l"), "p", ("k", "l")),),
    )
    parents = pa.table({"k": [1, 1, 2, 2], "l": ["a", "b", "a", "b"]})
    tables = {"p": Table(schema.table("p"), parents), "c": Table(schema.table("c"), pa.table(child))}
    return Database(schema, tables), schema.relations[0]


def test_children_of_a_composite_key_are_counted() -> None:
    found = cardinality(*database({"k": [1, 1, 1, 2, None, 2], "l": ["a", "a", "b", None, "a", "a"]}))
    assert found.mean == 1.0
    assert found.most == 2
    assert found.childless_share == 0.25
    assert found.null_share == pytest.approx(2 / 6)


def test_empty_child_has_no_children() -> None:
    found = cardinality(*database({"k": pa.array([], pa.int64()), "l": pa.array([], pa.string())}))  # type: ignore[dict-item]
    assert (found.mean, found.most, found.childless_share, found.null_share) == (0.0, 0, 1.0, 0.0)


def test_picture_is_well_formed_and_names_every_table(sources: ReportSources) -> None:
    picture = schema_picture(sources, relation_views(sources))
    text = "".join(ET.fromstring(str(picture)).itertext())
    assert "customers" in text
    assert "1,739" in text


def test_self_reference_two_keys_and_a_cycle_are_drawn(sources: ReportSources) -> None:
    columns = tuple(Column(name, "id") for name in ("k", "boss", "left", "right"))
    schema = Schema(
        (TableSchema("a", columns, ("k",)), TableSchema("b", columns, ("k",))),
        (
            Relation("a", ("boss",), "a", ("k",)),
            Relation("a", ("left",), "b", ("k",)),
            Relation("b", ("left",), "a", ("k",)),
            Relation("b", ("right",), "a", ("k",)),
        ),
    )
    rows = pa.table({name: [1, 2, 3] for name in ("k", "boss", "left", "right")})
    side = Database(schema, {table.name: Table(table, rows) for table in schema.tables})
    made = ReportSources(schema, side, side, {}, {}, {}, ())
    picture = schema_picture(made, relation_views(made))
    edges = [element for element in ET.fromstring(str(picture)).iter() if element.get("class") == "edge"]
    assert len(edges) == 4
